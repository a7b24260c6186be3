// The socket by which whoever started this process asks how it stands, and lets it begin. Each request
// is a connection of its own, one line of JSON either way; nothing is lost when the one who asks dies.
//
//   {"do": "state"}    {"state": "standing by"}
//   {"do": "release"}  {"state": "starting"}
//   {"do": "runs"}     {"pending": 1, "running": 2, "oldest_ms": 30, "workers": 10}
//   {"do": "yielded"}  {"state": "yielded"}, once the state is closed for good: another process may have it
//                      while this one sends its traces. No answer if it ends without
//   anything else      {"error": "…"}

import { once } from "node:events";
import { createServer } from "node:net";
import { createInterface } from "node:readline";

import { freeName } from "./socket.mjs";

const LONGEST_WAIT = 10_000; // ms for a request to come

export class Control {
  #answers;
  #release;
  #yield;
  released = new Promise((resolve) => (this.#release = resolve));
  #yielded = new Promise((resolve) => (this.#yield = resolve));

  /** state and runs: functions that say how this process stands. */
  constructor({ state, runs }) {
    this.#answers = {
      state: () => ({ state: state() }),
      runs,
      release: () => {
        this.#release();
        return { state: state() };
      },
      yielded: () => this.#yielded.then(() => ({ state: state() })),
    };
  }

  yielded() {
    this.#yield();
  }

  async listen(path) {
    const server = createServer({ allowHalfOpen: true }, (socket) => this.#serve(socket)); // who asks may say that this was all
    server.on("error", () => {}); // of one connection that came to nothing
    server.listen(freeName(path));
    await once(server, "listening");
    server.unref();
  }

  #serve(socket) {
    socket.on("error", () => {});
    socket.setTimeout(LONGEST_WAIT, () => socket.destroy());
    const lines = createInterface({ input: socket });
    lines.on("error", () => {});
    lines.once("line", async (line) => {
      socket.setTimeout(0);
      socket.end(`${JSON.stringify(await this.#answer(line))}\n`);
    });
  }

  async #answer(line) {
    try {
      const { do: what } = JSON.parse(line);
      if (Object.hasOwn(this.#answers, what)) return await this.#answers[what]();
      return { error: `unknown: ${what}` };
    } catch (cause) {
      return { error: cause.message };
    }
  }
}
