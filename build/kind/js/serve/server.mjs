// The server package: which copy, how its imports are resolved, and the few parts of it that we use
// beside its front door. These parts are the same in 1.0.0, 1.1.17, 1.5.1 and 2.0.0; a copy that lacks
// them is refused at load, since with it state would be neither safe nor where we want it.

import { existsSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join, sep } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";

import { seemLocal } from "./door.mjs";
import { Mistake } from "./failure.mjs";
import { info, warn } from "./log.mjs";
import { tellAtOnce } from "./queue.mjs";
import { rehearse } from "./rehearsal.mjs";
import { shareWithApp } from "./resolve.mjs";
import { freeName } from "./socket.mjs";

const PACKAGE = "@langchain/langgraph-api";
const SHARED = ["@langchain/core", "@langchain/langgraph"];
const TRACING = ["LANGSMITH_TRACING", "LANGSMITH_TRACING_V2", "LANGCHAIN_TRACING", "LANGCHAIN_TRACING_V2"];
const EMPTY_RECORDS = () => ({ runs: {}, threads: {}, assistants: {}, assistant_versions: [], retry_counter: {} });

/** The app's own copy if it lists one, else ours, which lies beside this file's folder. */
export function locateServer({ appDir, baseDir }) {
  const own = listsServer(baseDir) ? packageFrom(join(baseDir, "package.json"), PACKAGE) : undefined;
  if (own && own.dir.startsWith(appDir + sep)) return { ...own, isApps: true };
  const ours = packageFrom(fileURLToPath(import.meta.url), PACKAGE);
  if (!ours) throw new Mistake(`${PACKAGE} is not installed beside the launcher`);
  return { ...ours, isApps: false };
}

function listsServer(baseDir) {
  const file = join(baseDir, "package.json");
  if (!existsSync(file)) return false;
  const manifest = JSON.parse(readFileSync(file, "utf8"));
  return PACKAGE in { ...manifest.devDependencies, ...manifest.optionalDependencies, ...manifest.dependencies };
}

function packageFrom(file, name) {
  try {
    const manifestFile = createRequire(file).resolve(`${name}/package.json`);
    const manifest = JSON.parse(readFileSync(manifestFile, "utf8"));
    return { dir: dirname(manifestFile), manifest, version: manifest.version, require: createRequire(manifestFile) };
  } catch {
    return undefined;
  }
}

/**
 * Imports the server, for an app whose first module is entry. Then, not before, since it slows every
 * import: tsx, for the app's TypeScript and for the JSON that the server imports to know its versions.
 */
export async function loadServer(location, entry) {
  if (!location.isApps) share(location, entry);
  const part = (path) => import(pathToFileURL(join(location.dir, "dist", path)).href);
  const { startServer, StartServerSchema } = await part("server.mjs");
  const persistence = await part("storage/persist.mjs");
  const { FileSystemOps, StreamManager } = await part("storage/ops.mjs");
  const { GRAPHS } = await part("graph/load.mjs");
  const { logger } = await part("logging.mjs");
  checkParts(location, persistence, FileSystemOps, startServer);
  (await import("tsx/esm/api")).register();
  const { checkLangGraphSemver } = await part("semver/index.mjs");
  await checkLangGraphSemver(); // startServer begins with it: what it has tsx compile is then there
  info("server loaded", { package: PACKAGE, version: location.version, of: location.isApps ? "the app" : "Slipway" });
  const [core, langgraph] = SHARED.map((name) => packageFrom(entry, name));
  return new Server({ startServer, StartServerSchema, ...persistence, FileSystemOps, StreamManager, GRAPHS, logger, core, langgraph });
}

/** One copy of the framework for both sides, as in an app that lists the server: theirs, if it fits. */
function share(location, entry) {
  const { satisfies } = location.require("semver");
  for (const name of SHARED) {
    const theirs = packageFrom(entry, name);
    if (!theirs) return;
    const range = location.manifest.peerDependencies[name];
    if (satisfies(theirs.version, range, { includePrerelease: true })) continue;
    warn("the app's version does not fit the server, which uses its own", { package: name, version: theirs.version, range });
    return;
  }
  shareWithApp(pathToFileURL(location.dir + sep).href, pathToFileURL(entry).href);
}

function checkParts({ version }, { FileSystemPersistence, serialize, deserialize }, FileSystemOps, startServer) {
  const methods = ["initialize", "persist", "schedulePersist", "flush", "with", "withGenerator"];
  const fits =
    methods.every((name) => typeof FileSystemPersistence?.prototype?.[name] === "function") &&
    [serialize, deserialize, FileSystemOps, startServer].every((part) => typeof part === "function");
  if (!fits) throw new Mistake(`${PACKAGE} ${version} is not built as this launcher expects`);
}

const isTraced = () => TRACING.some((name) => process.env[name] === "true");

/** The tracing client looks at these variables at each run. */
async function untraced(work) {
  const asked = TRACING.filter((name) => name in process.env).map((name) => [name, process.env[name]]);
  for (const [name] of asked) delete process.env[name];
  try {
    await work();
  } finally {
    Object.assign(process.env, Object.fromEntries(asked));
  }
}

class Server {
  #parts;

  constructor(parts) {
    this.#parts = parts;
    this.Persistence = parts.FileSystemPersistence;
    this.codec = { serialize: parts.serialize, deserialize: parts.deserialize };
  }

  /** The configuration as the server wants it; /ok is one of its meta routes, so these stay. */
  options({ graphs, auth, ui, ui_config, http }, { host, port, workers, baseDir }) {
    if (http?.disable_meta) warn("http.disable_meta is left out of account: /ok is needed");
    const parsed = this.#parts.StartServerSchema.safeParse({
      ...{ host, port, nWorkers: workers, cwd: baseDir, graphs, auth, ui, ui_config },
      http: http && { ...http, disable_meta: false },
    });
    if (parsed.success) return parsed.data;
    throw new Mistake(parsed.error.issues.map(({ path, message }) => `${path.join(".")}: ${message}`).join("; "));
  }

  /** The table of runs and threads, ours to sweep and to watch, the operations on it, and what ends its workers' work. */
  async openRecords() {
    const table = await new this.Persistence(".langgraphjs_ops.json", EMPTY_RECORDS).initialize();
    const ops = new this.#parts.FileSystemOps(table);
    const rest = tellAtOnce(ops.runs, this.#parts.StreamManager);
    return { ops, records: table.data, rest };
  }

  /** For the start and the first run to be as quick as others. It is nobody's, and so it is not traced. */
  async rehearse(options, { control }) {
    const parts = { ...this.#parts, openRecords: () => this.openRecords() };
    await untraced(() => rehearse(parts, options, dirname(control)));
  }

  /** Traces are sent in the background; only the app's own copy of the core knows which are left. */
  async flushTraces() {
    if (!isTraced() || !this.#parts.core) return;
    const file = join(this.#parts.core.dir, "dist/callbacks/promises.js");
    await import(pathToFileURL(file).href).then(({ awaitAllCallbacks }) => awaitAllCallbacks()).catch(() => {});
  }

  /** Listens. After this /ok answers. In the place of a port Node takes the name of a socket. */
  async listen({ address, socket }, options, ops) {
    process.env.LANGGRAPH_API_URL ??= `http://${address}`;
    if (socket) seemLocal();
    await this.#parts.startServer(socket ? { ...options, port: freeName(socket) } : options, { ops });
  }
}
