// The server's memory on disk: <state folder>/.langgraph_api/*.json, each file one whole table.
//
// The server's own persistence writes a file in place, three seconds after the last change (so never,
// under a steady load), and takes one that does not parse for empty. StateFolder stands in for it:
//   - a file that does not parse is moved aside, not overwritten, and that is said;
//   - a change is written WRITE_AFTER ms later however many follow. Taking the tables from memory
//     holds up the server (9 ms for each MB on a slow machine): once that would be more than a tenth
//     of the time, which begins at some 35 MB, the pause grows with it;
//   - all files are taken from memory at one instant, then replaced whole, so that a kill at any
//     moment leaves each of them complete;
//   - flushSync, at exit, leaves nothing behind: no code runs between it and the end;
//   - after close, which is flushSync for a process that lives on, nothing is ever written again.

import { createHash } from "node:crypto";
import { EventEmitter } from "node:events";
import { closeSync, existsSync, fsyncSync, openSync, renameSync, writeSync } from "node:fs";
import { mkdir, open, readFile, readdir, rename, rm } from "node:fs/promises";
import { join } from "node:path";

import { error, warn } from "./log.mjs";

const WRITE_AFTER = 3_000;
const SHARE_OF_TIME = 10;
const UNFINISHED = ".writing"; // two names: at an exit the writing thread may still hold the first
const UNFINISHED_AT_EXIT = ".exiting";

export class StateFolder extends EventEmitter {
  #folder;
  #codec;
  #found = new Map();
  #tables = new Map();
  #written = new Map();
  #timer;
  #changes = 0;
  #changedAt = 0;
  #saved = 0;
  #life = "open"; // closing: no write begins but the last; closed: nothing is written
  #queue = Promise.resolve();
  #cost = 0; // ms that taking the last cut kept everything else waiting

  /** codec: the server's own serialize and deserialize, so that we read a file exactly as it would. */
  constructor(stateDir, codec) {
    super();
    this.setMaxListeners(0);
    this.#folder = join(stateDir, ".langgraph_api");
    this.#codec = codec;
  }

  /** Reads every file, before anything may be written. */
  async open() {
    await mkdir(this.#folder, { recursive: true });
    for (const name of await readdir(this.#folder)) {
      if (name.endsWith(UNFINISHED) || name.endsWith(UNFINISHED_AT_EXIT)) await rm(join(this.#folder, name));
      else if (name.endsWith(".json")) await this.#read(name);
    }
  }

  async #read(name) {
    const text = await readFile(join(this.#folder, name), "utf8");
    try {
      const table = await this.#codec.deserialize(text);
      if (table === null || typeof table !== "object") throw new Error("holds no table");
      this.#found.set(name, table);
      this.#written.set(name, digest(text));
    } catch (cause) {
      await this.#moveAside(name, cause);
    }
  }

  async #moveAside(name, cause) {
    const path = join(this.#folder, name);
    let n = 1;
    while (existsSync(`${path}.damaged-${n}`)) n += 1;
    await rename(path, `${path}.damaged-${n}`);
    warn("a state file does not parse and was moved aside; its records are lost to this instance", {
      file: path,
      kept_as: `${path}.damaged-${n}`,
      reason: cause.message,
    });
  }

  /** Makes the server's persistence class keep its tables here, without a change to its package. */
  adopt(Persistence) {
    const folder = this;
    Object.assign(Persistence.prototype, {
      async initialize() {
        this.filepath = join(folder.#folder, this.name);
        this.data = { ...this.defaultSchema(), ...folder.#found.get(this.name) };
        folder.#found.delete(this.name);
        folder.#tables.set(this.name, this);
        return this;
      },
      schedulePersist: () => folder.changed(),
      persist: () => folder.flush(),
    });
  }

  /** Emits "change": whoever waits for a record to change need not poll. */
  changed() {
    this.#changes += 1;
    this.#changedAt = performance.now();
    if (this.#life === "open") this.#timer ??= setTimeout(() => this.#onTimer(), Math.max(WRITE_AFTER, this.#cost * SHARE_OF_TIME));
    this.emit("change");
  }

  isQuietFor(ms) {
    return performance.now() - this.#changedAt > ms;
  }

  #onTimer() {
    this.#timer = undefined;
    this.flush().catch((cause) => {
      error("state could not be written; trying again", { reason: cause.message });
      this.changed();
    });
  }

  /** Resolves when everything that was in memory at the call is on disk. */
  flush() {
    if (this.#life !== "open") return Promise.resolve();
    this.#queue = this.#queue.catch(() => {}).then(() => this.#write());
    return this.#queue;
  }

  async #write() {
    const changes = this.#changes;
    const cut = this.#cut();
    for (const file of cut) await writeWhole(file.path + UNFINISHED, file.text);
    for (const file of cut) this.#replace(file, UNFINISHED);
    this.#saved = changes;
  }

  /** The last write of a process that does not end yet. Resolves to false if it failed; flushSync may try again. */
  async close() {
    this.#life = "closing";
    clearTimeout(this.#timer);
    await this.#queue.catch(() => {}); // what it writes is older, and must not come last
    if (!this.flushSync()) return false;
    this.#life = "closed";
    return true;
  }

  /** For the exit handler: false if something could not be written. */
  flushSync() {
    if (this.#life === "closed" || this.#saved === this.#changes) return true;
    try {
      for (const file of this.#cut()) {
        writeWholeSync(file.path + UNFINISHED_AT_EXIT, file.text);
        this.#replace(file, UNFINISHED_AT_EXIT);
      }
      return true;
    } catch (cause) {
      error("state could not be written before the exit", { reason: cause.message });
      return false;
    }
  }

  /** The tables whose text differs from what is on disk, all of one instant. */
  #cut() {
    const before = performance.now();
    const files = [];
    for (const [name, table] of this.#tables) {
      const text = this.#codec.serialize(table.data);
      const sum = digest(text);
      if (sum !== this.#written.get(name)) files.push({ name, path: table.filepath, text, sum });
    }
    this.#cost = performance.now() - before;
    return files;
  }

  #replace({ name, path, sum }, suffix) {
    renameSync(path + suffix, path);
    this.#written.set(name, sum);
  }
}

const digest = (text) => createHash("sha1").update(text).digest("base64");

async function writeWhole(path, text) {
  const file = await open(path, "w");
  try {
    await file.writeFile(text);
    await file.sync();
  } finally {
    await file.close();
  }
}

function writeWholeSync(path, text) {
  const bytes = Buffer.from(text);
  const file = openSync(path, "w");
  try {
    for (let at = 0; at < bytes.length; ) at += writeSync(file, bytes, at);
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
}
