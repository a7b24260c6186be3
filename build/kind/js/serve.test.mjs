// The launcher as a process, with real apps. Needs two installed folders:
//
//   SLIPWAY_TEST_SERVER_DIR  where `npm ci` was run on server/package.json and its lock
//   SLIPWAY_TEST_APP_DIR     a copy of examples/echo-js where `npm ci` was run
//
//   node --test build/kind/js/serve.test.mjs

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { EventEmitter, once } from "node:events";
import { chmodSync, closeSync, cpSync, existsSync, mkdirSync, mkdtempSync, openSync, readFileSync, readdirSync, rmSync, statSync, symlinkSync, watch, writeFileSync } from "node:fs";
import { createServer as createHTTPServer, request } from "node:http";
import { connect, createServer } from "node:net";
import { tmpdir } from "node:os";
import { basename, dirname, join } from "node:path";
import { after, mock, test } from "node:test";
import { fileURLToPath, pathToFileURL } from "node:url";

const here = fileURLToPath(new URL(".", import.meta.url));
const installed = { server: needed("SLIPWAY_TEST_SERVER_DIR"), app: needed("SLIPWAY_TEST_APP_DIR") };
const scratch = mkdtempSync(join(tmpdir(), "slipway-serve-"));
const serverDir = join(scratch, "server");
const running = new Set();

function needed(name) {
  const folder = process.env[name];
  if (folder && existsSync(join(folder, "node_modules"))) return folder;
  throw new Error(`${name} must name a folder with node_modules in it: see the head of serve.test.mjs`);
}

mkdirSync(serverDir);
cpSync(join(here, "serve.mjs"), join(serverDir, "serve.mjs"));
cpSync(join(here, "serve"), join(serverDir, "serve"), { recursive: true });
symlinkSync(join(installed.server, "node_modules"), join(serverDir, "node_modules"));
after(() => {
  for (const child of running) child.kill("SIGKILL");
  rmSync(scratch, { recursive: true, force: true });
});

// ---- an app, a port, a launcher ----

const folder = (name) => mkdtempSync(join(scratch, `${name}-`));

/** The source of an app whose one node does this before it says hello. */
const graphThat = (work) => `
  import { END, MessagesAnnotation, START, StateGraph } from "@langchain/langgraph";
  const reply = async () => { ${work}; return { messages: [{ role: "ai", content: "hello" }] }; };
  export const hello = new StateGraph(MessagesAnnotation).addNode("reply", reply).addEdge(START, "reply").addEdge("reply", END).compile();
`;

/** An app of these files, with the example's dependencies. */
function app(files) {
  const dir = folder("app");
  const all = {
    "package.json": '{"type":"module"}',
    "langgraph.json": '{"graphs":{"hello":"./graph.js:hello"}}',
    "graph.js": graphThat(""),
    ...files,
  };
  for (const [name, text] of Object.entries(all)) writeFileSync(join(dir, name), text);
  symlinkSync(join(installed.app, "node_modules"), join(dir, "node_modules"));
  return dir;
}

async function freePort() {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address();
  server.close();
  await once(server, "close");
  return port;
}

class Launcher {
  output = "";
  errors = "";

  constructor(env) {
    this.child = spawn(process.execPath, [join(serverDir, "serve.mjs")], { cwd: folder("instance"), env: { ...process.env, ...env } });
    running.add(this.child);
    this.url = `http://127.0.0.1:${env.PORT}`;
    this.child.stdout.on("data", (data) => (this.output += data));
    this.child.stderr.on("data", (data) => (this.errors += data));
    this.ended = once(this.child, "close").then(([code]) => (running.delete(this.child), code));
  }

  async says(text) {
    const ended = this.ended.then((code) => assert.fail(`ended with ${code} before it said ${text}:\n${this.output}${this.errors}`));
    while (!this.output.includes(text)) await Promise.race([once(this.child.stdout, "data"), ended]);
    ended.catch(() => {});
  }

  async call(method, path, body) {
    const answer = await fetch(this.url + path, { method, ...(body && { body: JSON.stringify(body), headers: { "content-type": "application/json" } }) });
    const text = await answer.text();
    return { status: answer.status, body: text && JSON.parse(text) };
  }

  async terminate() {
    this.child.kill("SIGTERM");
    return this.ended;
  }

  async kill() {
    this.child.kill("SIGKILL");
    return this.ended;
  }
}

async function launch(env = {}) {
  const { appDir = installed.app, stateDir = folder("state"), ...rest } = env;
  return new Launcher({ PORT: String(await freePort()), SLIPWAY_APP_DIR: appDir, SLIPWAY_STATE_DIR: stateDir, ...rest });
}

async function serve(env) {
  const launcher = await launch(env);
  await launcher.says("slipway: serving");
  return launcher;
}

async function refuses(env, pattern) {
  const launcher = await launch(env);
  assert.equal(await launcher.ended, 1, launcher.output + launcher.errors);
  const line = launcher.errors.split("\n").find((text) => text.startsWith("slipway: failed to start: "));
  assert.match(line ?? "", pattern, launcher.errors);
  return toldBy(launcher);
}

/** What the launcher tells a machine, in the last line that it writes. */
function toldBy({ errors }) {
  const last = errors.trimEnd().split("\n").at(-1);
  assert.match(last, /^slipway: failure: /);
  return JSON.parse(last.slice("slipway: failure: ".length));
}

const says = (text, more = {}) => ({ input: { messages: [{ role: "user", content: text }], ...more } });

const lastOf = ({ body }) => body.messages.at(-1).content;

const opsFile = (stateDir) => join(stateDir, ".langgraph_api", ".langgraphjs_ops.json");

const records = (stateDir) => JSON.parse(readFileSync(opsFile(stateDir), "utf8")).json;

/** Waits until what is on disk satisfies the condition, woken by the file system. */
async function onDisk(stateDir, condition) {
  const watcher = watch(join(stateDir, ".langgraph_api"));
  try {
    while (!existsSync(opsFile(stateDir)) || !condition(records(stateDir))) await once(watcher, "change");
  } finally {
    watcher.close();
  }
}

const hasRunning = ({ runs }) => Object.values(runs).some((run) => run.status === "running");

async function startSlowRun(launcher, delay = 600_000) {
  const { body: thread } = await launcher.call("POST", "/threads", {});
  const { body: run } = await launcher.call("POST", `/threads/${thread.thread_id}/runs`, { assistant_id: "slow", ...says("work", { delay_ms: delay }) });
  return { thread: thread.thread_id, run: run.run_id };
}

// ---- standing by ----

/** One request to the control socket; the path may be too long for a socket's name. */
async function ask(path, request) {
  const fd = openSync(dirname(path), "r");
  try {
    const socket = connect(`/proc/self/fd/${fd}/${basename(path)}`);
    socket.end(`${typeof request === "string" ? request : JSON.stringify(request)}\n`);
    let text = "";
    for await (const part of socket) text += part;
    return JSON.parse(text);
  } finally {
    closeSync(fd);
  }
}

const controlled = (more = {}) => ({ SLIPWAY_CONTROL: join(folder("control".padEnd(120, "-long")), "control.sock"), ...more });

async function standBy(env = {}) {
  const told = controlled({ SLIPWAY_STAND_BY: "1", ...env });
  const launcher = await launch(told);
  await launcher.says("slipway: standing by");
  return { launcher, control: (what) => ask(told.SLIPWAY_CONTROL, what) };
}

test("stands by with state and port closed until it is released", async () => {
  const stateDir = folder("state");
  const first = await serve({ stateDir });
  await first.call("POST", "/threads", { thread_id: "8a0b1c9e-0000-4000-8000-000000000001", if_exists: "do_nothing" });
  const { launcher, control } = await standBy({ stateDir });
  assert.deepEqual(await control({ do: "state" }), { state: "standing by" });
  assert.deepEqual(readdirSync(join(stateDir, "launcher.lock")).length, 1);
  await assert.rejects(launcher.call("GET", "/ok"));
  assert.equal(await first.terminate(), 0);
  assert.equal(typeof (await control({ do: "release" })).state, "string");
  await launcher.says("slipway: serving");
  assert.deepEqual(await control({ do: "state" }), { state: "serving" });
  assert.equal((await launcher.call("GET", "/threads/8a0b1c9e-0000-4000-8000-000000000001")).status, 200);
  assert.deepEqual(await control({ do: "release" }), { state: "serving" });
  assert.equal(await launcher.terminate(), 0);
});

test("rehearses while it stands by, of which nothing is seen afterwards", async () => {
  const stateDir = folder("state");
  const appDir = app({
    "langgraph.json": '{"graphs":{"hello":"./graph.js:hello"},"auth":{"path":"./auth.js:auth"}}',
    "auth.js": `
      import { Auth } from "@langchain/langgraph-sdk/auth";
      export const auth = new Auth().authenticate(async (request) => (console.log("app: asked " + new URL(request.url).pathname), "somebody"));
    `,
  });
  const { launcher, control } = await standBy({ appDir, stateDir });
  assert.doesNotMatch(launcher.output + launcher.errors, /no rehearsal|rehearsal|app: asked|Starting \d+ workers|<-- |--> /);
  assert.deepEqual([readdirSync(stateDir), existsSync(join(appDir, ".langgraph_api"))], [[], false]);
  await control({ do: "release" });
  await launcher.says("slipway: serving");
  assert.match(launcher.output, /Starting 10 workers/);
  const { body } = await launcher.call("POST", "/assistants/search", {});
  assert.deepEqual(body.map((assistant) => assistant.graph_id), ["hello"]);
  assert.deepEqual((await launcher.call("POST", "/threads/search", {})).body, []);
  await assert.rejects(launcher.call("POST", "/runs/wait", { assistant_id: "slipway-rehearsal", ...says("hi") }), /No assista/);
  assert.equal(lastOf(await launcher.call("POST", "/runs/wait", { assistant_id: "hello", ...says("hi") })), "hello");
  assert.equal(await launcher.terminate(), 0, launcher.errors);
  const { runs, threads, assistants, assistant_versions } = records(stateDir);
  assert.deepEqual([runs, threads, Object.keys(assistants).length, assistant_versions.length], [{}, {}, 1, 1]);
});

test("what it does while it stands by is not traced, and what it does afterwards is", async () => {
  const traced = [];
  const traces = createHTTPServer((asked, answer) => {
    traced.push(`${asked.method} ${asked.url}`);
    asked.resume().on("end", () => answer.writeHead(asked.url.endsWith("/info") ? 404 : 202).end("{}"));
  }).listen(0, "127.0.0.1");
  await once(traces, "listening");
  const { launcher, control } = await standBy({
    LANGSMITH_TRACING: "true",
    LANGSMITH_API_KEY: "key",
    LANGSMITH_ENDPOINT: `http://127.0.0.1:${traces.address().port}/api/v1`,
  });
  assert.doesNotMatch(launcher.output, /no rehearsal/);
  await control({ do: "release" });
  await launcher.says("slipway: serving");
  assert.deepEqual(traced, []);
  assert.equal(lastOf(await launcher.call("POST", "/runs/wait", { assistant_id: "echo", ...says("hello") })), "echo: hello (message 1 of this thread)");
  assert.equal(await launcher.terminate(), 0, launcher.errors);
  assert.ok(traced.some((request) => request.startsWith("POST /api/v1/runs")), traced.join());
  traces.close();
});

test("tells of its runs, and of what it does not know", async () => {
  const told = controlled();
  const launcher = await serve(told);
  assert.deepEqual(await ask(told.SLIPWAY_CONTROL, { do: "runs" }), { pending: 0, running: 0, oldest_ms: 0, workers: 10 });
  const slow = await startSlowRun(launcher);
  let runs;
  do runs = await ask(told.SLIPWAY_CONTROL, { do: "runs" });
  while (runs.running === 0);
  assert.equal(runs.running + runs.pending, 1);
  await launcher.call("DELETE", `/threads/${slow.thread}/runs/${slow.run}`);
  for (const wrong of [{ do: "toString" }, {}, "no JSON", "null"]) assert.equal(typeof (await ask(told.SLIPWAY_CONTROL, wrong)).error, "string");
  await launcher.kill();
});

test("ends well at SIGTERM while it stands by, and leaves the state alone", async () => {
  const stateDir = folder("state");
  const { launcher } = await standBy({ stateDir });
  assert.equal(await launcher.terminate(), 0, launcher.errors);
  assert.deepEqual(readdirSync(stateDir), []);
});

test("a graph that can not be loaded is found out while nothing is open", async () => {
  const stateDir = folder("state");
  const appDir = app({ "graph.js": 'throw new Error("no key");' });
  const launcher = await launch(controlled({ SLIPWAY_STAND_BY: "1", appDir, stateDir }));
  assert.equal(await launcher.ended, 1);
  assert.equal(toldBy(launcher).code, "import_error");
  assert.deepEqual(readdirSync(stateDir), []);
});

// ---- runs ----

/** The server's own operations on runs, told by us, in a time that stands still. */
async function stillOperations() {
  const { FileSystemOps, StreamManager } = await import(pathToFileURL(join(serverDir, "node_modules/@langchain/langgraph-api/dist/storage/ops.mjs")).href);
  const { tellAtOnce } = await import(pathToFileURL(join(serverDir, "serve/queue.mjs")).href);
  const table = { runs: {}, threads: {}, assistants: { echo: { assistant_id: "echo", graph_id: "echo", metadata: {}, config: {} } }, retry_counter: {} };
  const { runs } = new FileSystemOps({ with: async (work) => work(table), withGenerator: (work) => work(table, { schedulePersist() {} }) });
  const rest = tellAtOnce(runs, StreamManager);
  return { runs, rest, put: (id, options) => runs.put(id, "echo", { config: {} }, { ifNotExists: "create", ...options }) };
}

test("a worker learns of a run at once, and a reader of its end", { timeout: 30_000 }, async () => {
  mock.timers.enable({ apis: ["setTimeout", "Date"] });
  try {
    const { runs, put } = await stillOperations();
    const queues = [runs.next(), runs.next()];
    const [first, second] = queues.map((queue) => queue.next());
    await put("run", { threadId: "thread" });
    await put("behind", { threadId: "thread" });
    await turnOfEvents();
    mock.timers.tick(2); // not the half second that either would take by itself
    const { value: turn } = await first;
    assert.equal(turn.run.run_id, "run");

    const stream = runs.stream.join("run", "thread", {});
    const event = stream.next();
    await runs.stream.publish({ runId: "run", event: "values", data: "one", resumable: false });
    assert.equal((await event).value.data, "one");
    const end = stream.next();
    await runs.setStatus("run", "success");
    const then = queues[0].next();
    assert.equal((await end).done, true);
    assert.equal((await Promise.race([then, second])).value.run.run_id, "behind"); // its thread is free
  } finally {
    mock.timers.reset();
  }
});

test("a worker that is to rest looks for no more runs, and does not end", { timeout: 30_000 }, async () => {
  mock.timers.enable({ apis: ["setTimeout", "Date"] });
  try {
    const { runs, put, rest } = await stillOperations();
    const workers = [runs.next(), runs.next()].map((queue) => queue.next());
    await turnOfEvents();
    rest();
    await put("run", { threadId: "thread" });
    mock.timers.tick(2_000);
    await turnOfEvents();
    const nobody = new Promise((resolve) => setImmediate(resolve, "nobody"));
    assert.equal(await Promise.race([...workers, nobody]), "nobody");
  } finally {
    mock.timers.reset();
  }
});

test("a run that is due later is looked for", { timeout: 30_000 }, async () => {
  mock.timers.enable({ apis: ["setTimeout", "Date"] });
  try {
    const { runs, put } = await stillOperations();
    const taken = runs.next().next();
    await put("later", { afterSeconds: 5 });
    for (const begun = Date.now(); Date.now() < begun + 7_000; ) {
      await turnOfEvents();
      mock.timers.tick(100);
    }
    assert.equal((await taken).value.run.run_id, "later");
  } finally {
    mock.timers.reset();
  }
});

/** Lets all that waits for nothing but promises go on. */
const turnOfEvents = () => new Promise((resolve) => setImmediate(resolve));

// ---- start ----

test("serves a TypeScript app that does not list the server", async () => {
  const launcher = await serve({ LANGGRAPH_SCHEMA_RESOLVE_TIMEOUT_MS: "600000" }); // the server's own would do for a quiet machine
  assert.deepEqual((await launcher.call("GET", "/ok")).body, { ok: true });
  const { body } = await launcher.call("POST", "/assistants/search", {});
  assert.deepEqual(body.map((assistant) => assistant.graph_id).sort(), ["approve", "custom", "echo", "memory", "slow"]);
  assert.equal(lastOf(await launcher.call("POST", "/runs/wait", { assistant_id: "echo", ...says("hi") })), "echo: hi (message 1 of this thread)");
  const schemas = await launcher.call("GET", `/assistants/${body[0].assistant_id}/schemas`);
  assert.ok(schemas.body.state_schema, JSON.stringify(schemas.body));
  assert.equal(await launcher.terminate(), 0);
});

test("serves a plain JavaScript app with an env file, one copy of the framework and its own working folder", async () => {
  const appDir = folder("plain");
  cpSync(join(here, "../../../e2e/testdata/plain-js"), appDir, { recursive: true });
  symlinkSync(join(installed.app, "node_modules"), join(appDir, "node_modules"));
  const launcher = await serve({ appDir });
  const { body: thread } = await launcher.call("POST", "/threads", {});
  const run = (graph) => launcher.call("POST", `/threads/${thread.thread_id}/runs/wait`, { assistant_id: graph, ...says("hi") });
  assert.equal(lastOf(await run("count")), "plain-js: 1 messages so far, 1 from a person");
  assert.equal(lastOf(await run("count")), "plain-js: 3 messages so far, 2 from a person");
  assert.equal(lastOf(await run("lazy")), "made for this run");
  assert.equal((await launcher.call("GET", "/info")).body.langgraph_js_version, "1.7.3");
  assert.equal(await launcher.terminate(), 0);
});

test("what is in the environment wins over the configuration's env", async () => {
  const launcher = await serve({ ECHO_PREFIX: "deployed" });
  assert.match(lastOf(await launcher.call("POST", "/runs/wait", { assistant_id: "echo", ...says("hi") })), /^deployed: hi/);
  await launcher.kill();
});

test("leaves the app's folder as it was", async () => {
  const appDir = app({});
  const seen = () => readdirSync(appDir).map((name) => [name, statSync(join(appDir, name)).mtimeMs]);
  const before = seen();
  chmodSync(appDir, 0o555); // stops anyone but root
  const launcher = await serve({ appDir });
  assert.equal(lastOf(await launcher.call("POST", "/runs/wait", { assistant_id: "hello", ...says("hi") })), "hello");
  assert.equal(await launcher.terminate(), 0);
  chmodSync(appDir, 0o755);
  assert.deepEqual(seen(), before);
});

const refusals = {
  "a configuration that is not JSON": [{ "langgraph.json": "{ graphs: " }, /: config: .*langgraph\.json is not JSON: /],
  "a configuration without graphs": [{ "langgraph.json": "{}" }, /: config: .* names no graphs$/],
  "a configuration of the wrong shape": [{ "langgraph.json": '{"graphs":{"a":"./graph.js:hello"},"http":{"cors":5}}' }, /: config: http\.cors: /],
  "a graph file that is not there": [{ "langgraph.json": '{"graphs":{"a":"./none.ts:x"}}' }, /: graph "a": no such file: \.\/none\.ts/],
  "a graph in another language": [{ "langgraph.json": '{"graphs":{"a":"./a.py:x"}}', "a.py": "" }, /: graph "a": \.\/a\.py is neither/],
  "a graph that is not exported": [{ "langgraph.json": '{"graphs":{"a":"./graph.js:helo"}}' }, /: graph "a": \.\/graph\.js does not export "helo"; it exports hello$/],
  "an export that is not a graph": [{ "graph.js": "export const hello = { a: 1 }" }, /: graph "hello": "hello" of \.\/graph\.js is not a graph$/],
  "a graph that throws": [{ "graph.js": 'throw new Error("no key for the model")' }, /: graph "hello": no key for the model$/],
  "a graph that does not parse": [{ "langgraph.json": '{"graphs":{"a":"./a.ts:x"}}', "a.ts": "const = ;" }, /: graph "a": .*a\.ts:1:6/],
  "a graph that imports what is not installed": [{ "graph.js": 'import "left-pad"' }, /: graph "hello": Cannot find package 'left-pad'/],
  "a graph that does not compile": [
    { "graph.js": 'import { StateGraph, MessagesAnnotation as M } from "@langchain/langgraph"; export const hello = new StateGraph(M).addNode("a", () => ({})).addEdge("a", "b")' },
    /: graph "hello": .*b/,
  ],
  "a graph that ends the process": [{ "graph.js": "process.exit(0)" }, /: graph "hello": the app ended the process by itself$/],
  "a graph that never loads": [{ "graph.js": "await new Promise(() => {})" }, /: graph "hello": the app ended the process by itself$/],
  "a graph that throws from a timer while it loads": [{ "graph.js": 'setTimeout(() => { throw new Error("late") }); await new Promise((r) => setTimeout(r, 1e6))' }, /: graph "hello": late$/],
  "an auth file that is not there": [{ "langgraph.json": '{"graphs":{"hello":"./graph.js:hello"},"auth":{"path":"./auth.js:auth"}}' }, /: auth: no such file: \.\/auth\.js/],
};
for (const [what, [files, line]] of Object.entries(refusals)) {
  test(`refuses ${what}`, () => refuses({ appDir: app(files) }, line));
}

const graph = (path) => JSON.stringify({ graphs: { a: `${path}:a` } });
const diagnoses = {
  "no JSON": [{ "langgraph.json": "{" }, "config_invalid", /^config: .*langgraph\.json is not JSON/],
  "no file": [{ "langgraph.json": graph("./b.ts") }, "graph_not_found", /^graph "a": no such file: \.\/b\.ts/, /packed/],
  "no such export": [{ "langgraph.json": graph("./graph.js") }, "graph_not_found", /exports hello$/, /Export it/],
  "no graph": [{ "graph.js": "export const hello = 1" }, "graph_invalid", /is not a graph$/, /Export a graph/],
  "TypeScript that does not parse": [{ "langgraph.json": graph("./a.ts"), "a.ts": "let ok;\nconst = ;" }, "syntax_error", /^graph "a": a\.ts:2:6: /],
  "JavaScript that does not parse": [{ "graph.js": "let ok;\nconst = ;" }, "syntax_error", /^graph "hello": graph\.js:2: Unexpected token '='$/],
  "a file of its own that does not parse": [{ "graph.js": 'import "./b.ts"', "b.ts": "let ok;\nlet ok2 = );" }, "syntax_error", /^graph "hello": b\.ts:2:10: /],
  "a package that is not installed": [{ "graph.js": 'import "left-pad"' }, "missing_dependency", /^graph "hello": graph\.js imports left-pad, which is not installed$/, /^Add left-pad to the dependencies/],
  "a part of a scoped package": [{ "graph.js": 'import "@a/b/c.js"' }, "missing_dependency", /imports @a\/b, which is not installed/, /^Add @a\/b /],
  "a package that CommonJS requires": [{ "graph.js": 'import "./b.cjs"', "b.cjs": 'require("left-pad")' }, "missing_dependency", /b\.cjs imports left-pad, which is not installed/, /^Add left-pad/],
  "a file of its own that is not there": [{ "graph.js": 'import "./none.js"' }, "module_not_found", /graph\.js imports none\.js, which does not exist/],
  "a name that another module lacks": [{ "graph.js": 'import { nope } from "./b.mjs";\nexport const hello = nope;', "b.mjs": "export const a = 1" }, "import_error", /b\.mjs' does not provide an export named 'nope'/, /Look at the name/],
  "code that throws": [{ "graph.js": 'const key = undefined;\n\nexport const hello = key.length;' }, "import_error", /^graph "hello": graph\.js:3:\d+: TypeError: Cannot read properties of undefined/],
  "TypeScript that throws": [{ "langgraph.json": graph("./a.ts"), "a.ts": 'interface Long {\n  text: string;\n}\nthrow new Error("no key for the model");' }, "import_error", /^graph "a": a\.ts:4:\d+: no key for the model$/],
};
for (const [what, [files, code, message, hint]] of Object.entries(diagnoses)) {
  test(`explains ${what}`, async () => {
    const told = await refuses({ appDir: app(files) }, /./);
    assert.equal(told.code, code, JSON.stringify(told));
    assert.match(told.message, message);
    assert.match(told.hint ?? "", hint ?? /^$|./);
  });
}

test("what is told fits into what a driver keeps", async () => {
  const told = await refuses({ appDir: app({ "graph.js": `throw new Error("\\u0001".repeat(10_000))` }) }, /./);
  assert.equal(told.code, "import_error");
  assert.ok(JSON.stringify(told).length < 8_000);
});

test("refuses a port in use, and says which", async () => {
  const other = createServer().listen(0, "127.0.0.1");
  await once(other, "listening");
  const { port } = other.address();
  await refuses({ PORT: String(port) }, new RegExp(`: listen: 127\\.0\\.0\\.1:${port}: the address is already in use`));
  other.close();
});

/** A path that is too long for a socket's name, and another name for it that is not. */
function socket() {
  const dir = folder("door".padEnd(120, "-long"));
  return { path: join(dir, "http.sock"), name: `/proc/self/fd/${openSync(dir, "r")}/http.sock` };
}

/** What is answered to GET /ok, or another path, with an error for no answer. */
async function ok(where) {
  const asked = request({ path: "/ok", agent: false, ...where }).end();
  const [answer] = await once(asked, "response");
  let text = "";
  for await (const part of answer) text += part;
  return text;
}

test("listens on a socket, in the place of one that was left, and at its port for itself", async () => {
  const { path, name } = socket();
  const calls = app({
    "langgraph.json": '{"graphs":{"hello":"./graph.js:hello"},"http":{"app":"./http.js:app"}}',
    "http.js": 'export const app = { routes: [{ method: "GET", path: "/from", handler: (c) => c.text(c.env.incoming.socket.remoteAddress) }] }',
    "graph.js": graphThat("const answer = await fetch(`http://localhost:${process.env.PORT}/ok`); if (!answer.ok) throw new Error()"),
  });
  for (const end of ["kill", "terminate"]) {
    const launcher = await serve({ SLIPWAY_SOCKET: path, appDir: calls });
    assert.equal(await ok({ socketPath: name }), '{"ok":true}');
    assert.equal(await ok({ socketPath: name, path: "/from" }), "127.0.0.1");
    assert.equal(lastOf({ body: (await launcher.call("POST", "/runs/wait", { assistant_id: "hello", ...says("x") })).body }), "hello");
    await launcher[end]();
    assert.equal(existsSync(path), end === "kill");
  }
});

test("refuses users of its port that are not its own", { skip: process.getuid() !== 0 && "only root can be another" }, async () => {
  const { path, name } = socket();
  const launcher = await serve({ SLIPWAY_SOCKET: path });
  const where = { host: "127.0.0.1", port: new URL(launcher.url).port };
  assert.equal(await ok(where), '{"ok":true}');
  process.seteuid(65_534);
  try {
    await assert.rejects(ok(where), { code: /ECONNRESET|EPIPE/ });
    await assert.rejects(ok({ socketPath: name }), { code: "EACCES" });
  } finally {
    process.seteuid(0);
  }
  assert.equal(await launcher.terminate(), 0);
});

test("refuses to start without a state folder", () => refuses({ SLIPWAY_STATE_DIR: "" }, /: settings: SLIPWAY_STATE_DIR is not set$/));

// ---- stop ----

test("an idle server ends at once and remembers its threads", async () => {
  const stateDir = folder("state");
  const first = await serve({ stateDir });
  const { body: thread } = await first.call("POST", "/threads", {});
  const path = `/threads/${thread.thread_id}/runs/wait`;
  await first.call("POST", path, { assistant_id: "memory", ...says("one") });
  await first.call("PUT", "/store/items", { namespace: ["a"], key: "k", value: { v: 1 } });
  assert.equal(await first.terminate(), 0);
  assert.deepEqual(readdirSync(join(stateDir, "launcher.lock")), []);

  const second = await serve({ stateDir });
  assert.equal(lastOf(await second.call("POST", path, { assistant_id: "memory", ...says("two") })), "you said: one | two");
  assert.deepEqual((await second.call("GET", "/store/items?namespace=a&key=k")).body.value, { v: 1 });
  assert.equal(await second.terminate(), 0);
});

test("a stop waits for busy runs and their streams, answers meanwhile, and ignores a second signal", async () => {
  const launcher = await serve();
  const { body: thread } = await launcher.call("POST", "/threads", {});
  const answer = launcher.call("POST", `/threads/${thread.thread_id}/runs/wait`, { assistant_id: "slow", ...says("work", { delay_ms: 1_500 }) });
  await launcher.says("Starting background run");
  launcher.child.kill("SIGTERM");
  await launcher.says("slipway: stopping");
  launcher.child.kill("SIGTERM");
  await launcher.says("slipway: already stopping");
  assert.equal((await launcher.call("GET", "/ok")).status, 200);
  assert.equal(lastOf(await answer), "done: work");
  assert.equal(await launcher.ended, 0);
});

/** Posts, and tells when the last byte has been handed to the kernel. */
function send(launcher, path, body) {
  const post = request(launcher.url + path, { method: "POST", headers: { "content-type": "application/json" } });
  const sent = Promise.all([once(post, "finish"), once(post, "socket").then(([socket]) => once(socket, "connect"))]);
  const answer = once(post, "response").then(async ([response]) => (await response.toArray()).join(""));
  answer.catch(() => {}); // it is looked at when all have been sent
  post.end(JSON.stringify(body));
  return { sent, answer };
}

test("a stop answers what was sent before it, though nothing of it has been read", async () => {
  const launcher = await serve();
  await launcher.call("POST", "/runs/wait", { assistant_id: "echo", ...says("warm") });
  launcher.child.kill("SIGSTOP"); // as on a machine that has no time for it
  const requests = ["one", "two", "three", "four"].map((text) => send(launcher, "/runs/wait", { assistant_id: "echo", ...says(text) }));
  await Promise.all(requests.map(({ sent }) => sent));
  launcher.child.kill("SIGTERM");
  launcher.child.kill("SIGCONT");
  for (const { answer } of requests) assert.match(await answer, /echo: (one|two|three|four)/);
  assert.equal(await launcher.ended, 0, launcher.errors);
});

test("whatever a server answered before it stopped is there after it", async () => {
  const stateDir = folder("state");
  const first = await serve({ stateDir });
  const answered = [];
  const load = Array.from({ length: 4 }, async () => {
    for (;;) answered.push((await first.call("POST", "/threads", {})).body.thread_id);
  });
  const refused = Promise.allSettled(load);
  while (answered.length < 100) await first.call("GET", "/ok");
  assert.equal(await first.terminate(), 0);
  await refused;
  const { threads } = records(stateDir);
  assert.deepEqual(answered.filter((id) => !threads[id]), []);
});

/** Takes traces, and answers those that come with runs only when it is told to. */
async function slowIntake() {
  const bodies = [];
  let open;
  const opened = new Promise((resolve) => (open = resolve));
  const server = createHTTPServer(async (asked, answer) => {
    const body = Buffer.concat(await asked.toArray()).toString();
    if (asked.method === "POST") {
      bodies.push(body);
      intake.emit("runs");
      await opened;
    }
    answer.writeHead(asked.method === "POST" ? 202 : 404).end("{}");
  }).listen(0, "127.0.0.1");
  const intake = new EventEmitter();
  await once(server, "listening");
  after(() => server.close());
  const env = { LANGSMITH_TRACING: "true", LANGSMITH_API_KEY: "key", LANGSMITH_ENDPOINT: `http://127.0.0.1:${server.address().port}`, LANGSMITH_DISABLE_RUN_COMPRESSION: "true" };
  return Object.assign(intake, { env, bodies, open });
}

test("state is free for another launcher while the traces of the last run are sent", async () => {
  const stateDir = folder("state");
  const intake = await slowIntake();
  const told = controlled({ stateDir, ...intake.env });
  const first = await serve(told);
  const { launcher: second, control } = await standBy({ stateDir });
  const idle = connect(Number(new URL(first.url).port), "127.0.0.1");
  await once(idle, "connect");
  idle.write("GET /ok HTTP/1.1\r\nHost: here\r\n"); // a request that never comes to its end
  const cut = once(idle.resume().on("error", () => {}), "close");
  const { body: thread } = await first.call("POST", "/threads", {});
  assert.equal(lastOf(await first.call("POST", `/threads/${thread.thread_id}/runs/wait`, { assistant_id: "memory", ...says("the last word") })), "you said: the last word");
  const sent = once(intake, "runs");
  const yielded = ask(told.SLIPWAY_CONTROL, { do: "yielded" });
  first.child.kill("SIGTERM");
  assert.deepEqual(await yielded, { state: "yielded" });
  await Promise.all([cut, sent]);
  await assert.rejects(first.call("GET", "/ok"));
  assert.deepEqual(await ask(told.SLIPWAY_CONTROL, { do: "state" }), { state: "yielded" });
  assert.deepEqual(readdirSync(join(stateDir, "launcher.lock")), []);
  assert.ok(records(stateDir).threads[thread.thread_id]);

  assert.equal(first.child.exitCode, null);
  await control({ do: "release" });
  await second.says("slipway: serving");
  assert.equal(lastOf(await second.call("POST", `/threads/${thread.thread_id}/runs/wait`, { assistant_id: "memory", ...says("and another") })), "you said: the last word | and another");
  intake.open();
  assert.equal(await first.ended, 0, first.errors);
  assert.match(intake.bodies.join(), /the last word/);
  assert.equal(await second.terminate(), 0);
});

test("traces that nobody takes keep a stop for a while, and no longer", async () => {
  const intake = await slowIntake();
  const launcher = await serve(intake.env);
  await launcher.call("POST", "/runs/wait", { assistant_id: "echo", ...says("never taken") });
  assert.equal(await launcher.terminate(), 0, launcher.errors);
  assert.ok(intake.bodies.length > 0);
  intake.open();
});

test("state that is closed is not written again", async () => {
  const { StateFolder } = await import(pathToFileURL(join(serverDir, "serve/state.mjs")).href);
  const stateDir = folder("state");
  const state = new StateFolder(stateDir, { serialize: JSON.stringify, deserialize: JSON.parse });
  await state.open();
  class Persistence {
    name = "table.json";
    defaultSchema = () => ({});
  }
  state.adopt(Persistence);
  const table = await new Persistence().initialize();
  const lastOnDisk = () => JSON.parse(readFileSync(join(stateDir, ".langgraph_api", "table.json"), "utf8")).last;
  const change = (last) => {
    table.data.last = last;
    table.schedulePersist();
  };
  table.data.bulk = "x".repeat(1 << 22);
  change("first");
  const writing = table.persist();
  await turnOfEvents(); // it is under way when it is closed
  change("second");
  assert.equal(await state.close(), true);
  await writing;
  assert.equal(lastOnDisk(), "second");
  change("too late");
  await table.persist();
  assert.equal(state.flushSync(), true);
  assert.equal(lastOnDisk(), "second");
});

test("a stop cancels what is still busy at the limit and records it", async () => {
  const stateDir = folder("state");
  const launcher = await serve({ stateDir, SLIPWAY_DRAIN_SECONDS: "0.1" });
  const { thread, run } = await startSlowRun(launcher);
  await launcher.says("Starting background run");
  assert.equal(await launcher.terminate(), 0);
  assert.equal(records(stateDir).runs[run].status, "interrupted");
  assert.equal(records(stateDir).threads[thread].status, "idle");
});

test("a run that does not heed its cancellation does not outlive the stop", async () => {
  const stateDir = folder("state");
  const deaf = graphThat("await new Promise((done) => setTimeout(done, 1e8))");
  const launcher = await serve({ stateDir, SLIPWAY_DRAIN_SECONDS: "0.1", appDir: app({ "graph.js": deaf }) });
  const { body: thread } = await launcher.call("POST", "/threads", {});
  const { body: run } = await launcher.call("POST", `/threads/${thread.thread_id}/runs`, { assistant_id: "hello", ...says("hi") });
  await launcher.says("Starting background run");
  assert.equal(await launcher.terminate(), 0);
  assert.equal(records(stateDir).runs[run.run_id].status, "interrupted");
});

test("a signal before it serves ends it without a word of failure", async () => {
  const launcher = await launch();
  await launcher.says("slipway: server loaded");
  assert.equal(await launcher.terminate(), 0);
  assert.doesNotMatch(launcher.errors, /failed to start/);
});

test("an uncaught exception ends it with 1, its state written", async () => {
  const stateDir = folder("state");
  const bomb = graphThat('setTimeout(() => { throw new Error("boom") })');
  const launcher = await serve({ stateDir, appDir: app({ "graph.js": bomb }) });
  const { body: thread } = await launcher.call("POST", "/threads", {});
  await launcher.call("POST", `/threads/${thread.thread_id}/runs`, { assistant_id: "hello", ...says("hi") });
  assert.equal(await launcher.ended, 1);
  assert.match(launcher.errors, /uncaught exception.*boom/);
  assert.ok(records(stateDir).threads[thread.thread_id]);
});

// ---- what a hard kill leaves ----

test("after a kill during a run the thread takes a new one", async () => {
  const stateDir = folder("state");
  const first = await serve({ stateDir });
  const { thread, run } = await startSlowRun(first);
  await onDisk(stateDir, hasRunning);
  await first.kill();

  const second = await serve({ stateDir });
  assert.match(second.output, /freed what a hard kill left behind/);
  assert.equal((await second.call("GET", `/threads/${thread}/runs/${run}`)).body.status, "error");
  const again = await second.call("POST", `/threads/${thread}/runs/wait`, { assistant_id: "echo", ...says("again") });
  assert.match(lastOf(again), /^echo: again/);
  assert.equal(await second.terminate(), 0);
});

test("a run that only waited at a kill is run after it, behind none that is dead", async () => {
  const stateDir = folder("state");
  const first = await serve({ stateDir });
  const { thread } = await startSlowRun(first);
  const { body: queued } = await first.call("POST", `/threads/${thread}/runs`, { assistant_id: "echo", multitask_strategy: "enqueue", ...says("queued") });
  await onDisk(stateDir, (all) => hasRunning(all) && all.runs[queued.run_id]);
  await first.kill();

  const second = await serve({ stateDir });
  await second.call("GET", `/threads/${thread}/runs/${queued.run_id}/join`);
  assert.equal((await second.call("GET", `/threads/${thread}/runs/${queued.run_id}`)).body.status, "success");
  assert.equal(await second.terminate(), 0);
});

test("under a steady load state is written all the same", async () => {
  const stateDir = folder("state");
  const launcher = await serve({ stateDir });
  let loaded = true;
  const load = (async () => {
    while (loaded) await launcher.call("POST", "/threads", {});
  })();
  await onDisk(stateDir, ({ threads }) => Object.keys(threads).length > 0);
  loaded = false;
  await load;
  await launcher.kill();
});

test("a damaged state file is moved aside and said; the others are used", async () => {
  const stateDir = folder("state");
  const first = await serve({ stateDir });
  await first.call("PUT", "/store/items", { namespace: ["a"], key: "k", value: { v: 1 } });
  assert.equal(await first.terminate(), 0);
  writeFileSync(opsFile(stateDir), readFileSync(opsFile(stateDir), "utf8").slice(0, 40));

  const second = await serve({ stateDir });
  assert.match(second.errors, /does not parse and was moved aside.*damaged-1/);
  assert.equal(readFileSync(`${opsFile(stateDir)}.damaged-1`).length, 40);
  assert.deepEqual((await second.call("GET", "/store/items?namespace=a&key=k")).body.value, { v: 1 });
  assert.equal(await second.terminate(), 0);
  assert.ok(Object.keys(records(stateDir).assistants).length > 0);
});

// ---- one launcher for a state folder ----

test("a second launcher on the same state folder is refused; a dead one's lock is not in the way", async () => {
  const stateDir = folder("state");
  const first = await serve({ stateDir });
  await refuses({ stateDir }, new RegExp(`: lock: .* is held by process ${first.child.pid} since `));
  assert.equal((await first.call("GET", "/ok")).status, 200);
  await first.kill();

  const third = await serve({ stateDir });
  assert.equal(await third.terminate(), 0);
});

test("a lock of a process id that another process has now is stale", async () => {
  const stateDir = folder("state");
  const first = await serve({ stateDir });
  const [name] = readdirSync(join(stateDir, "launcher.lock"));
  await first.kill();
  const [boot] = name.split("-");
  writeFileSync(join(stateDir, "launcher.lock", `${boot}-${process.pid}-1`), "");
  const second = await serve({ stateDir });
  assert.equal(await second.terminate(), 0);
});
