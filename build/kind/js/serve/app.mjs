// The app: its configuration, its environment, its graphs. Everything that can be wrong with one is
// found here, before any state is opened: the server itself finds some of it late and some never.

import { existsSync, readFileSync } from "node:fs";
import { extname, resolve } from "node:path";
import { pathToFileURL } from "node:url";

import { Mistake, loading, step } from "./failure.mjs";
import { warn } from "./log.mjs";
import { locateServer } from "./server.mjs";

const BAD_CONFIG = { code: "config_invalid" };
const NO_GRAPH = { code: "graph_not_found" };
const NOT_A_GRAPH = { code: "graph_invalid", hint: "Export a graph, compiled or not, or a function that makes one." };
const SOURCES = [".ts", ".mts", ".cts", ".tsx", ".js", ".mjs", ".cjs", ".jsx"];

export async function loadApp(settings, loadServer) {
  loading({ dir: settings.appDir });
  const config = await step("config", () => readConfig(settings));
  const sources = sourcesOf(config, settings.baseDir);
  const location = await step("server", () => locateServer(settings));
  await step("env", () => applyEnvironment(config.env, settings, location));
  for (const source of sources) await step(source.name, () => checkFile(source));

  process.chdir(settings.baseDir); // where an app finds its own files, as everywhere else
  const server = await step("server", () => loadServer(location, sources[0].file));
  const app = await step("config", () => server.options(config, settings));
  for (const source of sources) await step(source.name, () => loadSource(source));
  return { server, app };
}

function readConfig({ configFile }) {
  const config = parseConfig(configFile);
  const graphs = Object.entries(config?.graphs ?? {});
  if (graphs.length === 0) throw new Mistake(`${configFile} names no graphs`, BAD_CONFIG);
  for (const [id, graph] of graphs) {
    if (typeof pathOf(graph) !== "string") throw new Mistake(`${configFile}: graph "${id}" has no path`, BAD_CONFIG);
  }
  return config;
}

function parseConfig(file) {
  let text;
  try {
    text = readFileSync(file, "utf8");
  } catch (cause) {
    throw new Mistake(cause.code === "ENOENT" ? `no such file: ${file}` : cause.message, BAD_CONFIG);
  }
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new Mistake(`${file} is not JSON: ${cause.message}`, BAD_CONFIG);
  }
}

const pathOf = (graph) => (typeof graph === "string" ? graph : graph?.path);

/** What the configuration asks us to import. "file:export" is split as the server splits it. */
function sourcesOf(config, baseDir) {
  const source = (name, spec, check) => {
    const [path, symbol] = spec.split(":", 2);
    return { name, path, symbol: symbol || "default", file: resolve(baseDir, path), check };
  };
  const graphs = Object.entries(config.graphs).map(([id, graph]) => source(`graph "${id}"`, pathOf(graph), checkGraph));
  const auth = config.auth?.path ? [source("auth", config.auth.path, checkAuth)] : [];
  const http = config.http?.app ? [source("http app", config.http.app, () => {})] : [];
  return [...graphs, ...auth, ...http];
}

function checkFile({ path, file }) {
  if (!existsSync(file)) throw new Mistake(`no such file: ${path} (looked for ${file})`, { ...NO_GRAPH, hint: "Look at the path, and that the file was packed." });
  if (!SOURCES.includes(extname(path))) throw new Mistake(`${path} is neither JavaScript nor TypeScript`, BAD_CONFIG);
}

/** Imports by the same URL as the server will, so that it finds the module loaded. */
async function loadSource({ path, symbol, file, check }) {
  loading({ file });
  const module = await import(pathToFileURL(file).toString());
  const value = await module[symbol];
  if (value == null) {
    const hint = "Export it, or name another export after the colon in the configuration.";
    throw new Mistake(`${path} does not export "${symbol}"; it exports ${namesOf(module)}`, { ...NO_GRAPH, hint });
  }
  check(value, { path, symbol });
}

const namesOf = (module) => Object.keys(module).filter((name) => name !== "module.exports").join(", ") || "nothing";

/** A graph is compiled, can be compiled, or is a function that makes one for each run. */
function checkGraph(value, { path, symbol }) {
  if (typeof value === "function" || typeof value.invoke === "function") return;
  if (typeof value.compile !== "function") throw new Mistake(`"${symbol}" of ${path} is not a graph`, NOT_A_GRAPH);
  value.compile();
}

function checkAuth(value, { path, symbol }) {
  if (!("~handlerCache" in value)) throw new Mistake(`"${symbol}" of ${path} is not an Auth`, { code: "auth_invalid" });
}

/** What is in the environment already wins: the deployment's own settings and secrets. */
function applyEnvironment(env, { baseDir }, location) {
  const pairs = typeof env === "string" ? readEnvFile(resolve(baseDir, env), location) : Array.isArray(env) ? {} : env;
  for (const [name, value] of Object.entries(pairs ?? {})) process.env[name] ??= String(value);
  process.env.LOG_JSON ??= "true";
  process.env.LOG_LEVEL ??= "info";
  process.env.NO_COLOR ??= "1";
}

/** One that is not there is no failure: such files are rarely committed. */
function readEnvFile(file, location) {
  if (existsSync(file)) return location.require("dotenv").parse(readFileSync(file));
  warn("the env file of the configuration does not exist", { file });
  return {};
}
