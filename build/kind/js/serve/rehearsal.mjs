// What the server and the framework do for the first time takes them several times as long. A launcher that stands
// by has the time: it opens the server once before, on a socket that nobody knows and on tables that are kept
// nowhere, and has it run a graph of its own. What of the app sees requests, its auth and its routes, is left out.

import { subscribe, unsubscribe } from "node:diagnostics_channel";
import { once } from "node:events";
import { request } from "node:http";
import { join } from "node:path";
import { pathToFileURL } from "node:url";

import { info } from "./log.mjs";
import { freeName } from "./socket.mjs";

const GRAPH = "slipway-rehearsal";
const TIMES = 3; // once to have all of it loaded, again to have it quick
const LONGEST = 10_000; // ms

/**
 * parts: those of the server, with openRecords for a table of runs. options: what it is started with afterwards.
 * folder: for the socket.
 */
export async function rehearse(parts, options, folder) {
  const { GRAPHS, logger, langgraph } = parts;
  try {
    GRAPHS[GRAPH] = await graphOf(langgraph);
    await silently(logger, () => perform(parts, options, freeName(join(folder, "rehearsal.sock"))));
  } catch (cause) {
    info("no rehearsal, the first run will be slower", { reason: cause.message });
  } finally {
    delete GRAPHS?.[GRAPH];
  }
}

/** langgraph: the app's copy, which its graphs have loaded. */
async function graphOf({ dir, manifest }) {
  const { import: entry } = manifest.exports["."];
  const { END, MessagesAnnotation, START, StateGraph } = await import(pathToFileURL(join(dir, entry.default ?? entry)).href);
  const reply = () => ({ messages: [message("ai")] });
  return new StateGraph(MessagesAnnotation).addNode("reply", reply).addEdge(START, "reply").addEdge("reply", END).compile();
}

const message = (role) => ({ role, content: "Is this thing on?" });

/** It would tell of a server that serves. */
async function silently({ transports }, work) {
  const loud = transports.filter(({ silent }) => !silent);
  try {
    for (const transport of loud) transport.silent = true;
    await work();
  } finally {
    for (const transport of loud) transport.silent = false;
  }
}

async function perform({ startServer, FileSystemPersistence, openRecords, serialize, deserialize }, options, socket) {
  const tables = keepNowhere(FileSystemPersistence);
  const { ops, rest } = await openRecords();
  const close = closeAtEnd(socket);
  try {
    await startServer({ ...options, auth: undefined, http: undefined, ui: undefined, port: socket, nWorkers: 1 }, { ops });
    await play(socket);
    for (const { data } of tables) await deserialize(serialize(data));
  } finally {
    rest();
    close();
  }
}

/** Until the folder of the state stands in for it (state.mjs). Returns the tables, as they come to be. */
function keepNowhere(Persistence) {
  const tables = [];
  Object.assign(Persistence.prototype, {
    async initialize() {
      tables.push(Object.assign(this, { filepath: this.name, data: this.defaultSchema() }));
      return this;
    },
    schedulePersist() {},
    async persist() {},
  });
  return tables;
}

/** Returns what closes the server that listens there, once it was asked something: it keeps its http.Server to itself. */
function closeAtEnd(socket) {
  const servers = new Set();
  const note = ({ server }) => server.address() === socket && servers.add(server);
  subscribe("http.server.request.start", note);
  return () => {
    unsubscribe("http.server.request.start", note);
    for (const server of servers) {
      server.closeAllConnections();
      server.close();
    }
  };
}

async function play(socket) {
  const signal = AbortSignal.timeout(LONGEST);
  const ask = (method, path, body) => answerOf(request({ socketPath: socket, method, path, headers: { "content-type": "application/json" }, signal }), body);
  await ask("GET", "/ok");
  const { assistant_id } = JSON.parse(await ask("POST", "/assistants", { graph_id: GRAPH }));
  const { thread_id } = JSON.parse(await ask("POST", "/threads", {}));
  for (let n = 0; n < TIMES; n += 1) {
    for (const path of ["", `/threads/${thread_id}`]) {
      await ask("POST", `${path}/runs/stream`, { assistant_id, stream_mode: "values", input: { messages: [message("user")] } });
    }
  }
}

async function answerOf(asked, body) {
  asked.end(body && JSON.stringify(body));
  const [answer] = await once(asked, "response");
  let text = "";
  for await (const part of answer) text += part;
  if (answer.statusCode !== 200) throw new Error(`${asked.method} ${asked.path}: ${answer.statusCode} ${text}`);
  return text;
}
