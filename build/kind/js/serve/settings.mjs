// Everything the launcher is told. There are no arguments and no files of its own.
//
//   SLIPWAY_APP_DIR        folder of the app: its langgraph.json and node_modules. Only read. Required.
//   SLIPWAY_STATE_DIR      folder that holds .langgraph_api and the lock. Required.
//   SLIPWAY_CONFIG         the app's configuration, relative to its folder; default langgraph.json
//   HOST, PORT             where to listen; default 127.0.0.1 and 2024
//   SLIPWAY_SOCKET         socket to listen on; the port is then for the app itself (door.mjs); default none
//   N_WORKERS              runs at once; default 10
//   SLIPWAY_DRAIN_SECONDS  how long SIGTERM waits for busy runs before it cancels them; default 25
//   SLIPWAY_CONTROL        socket where it is asked and told (control.mjs); default none
//   SLIPWAY_STAND_BY       "1": load, then wait there for the release before state and port are opened
//   LOG_JSON, LOG_LEVEL    the server's own; default true and info

import { existsSync, realpathSync } from "node:fs";
import { dirname, resolve } from "node:path";

export function readSettings(env) {
  const appDir = folder(env, "SLIPWAY_APP_DIR");
  const stateDir = folder(env, "SLIPWAY_STATE_DIR");
  const configFile = resolve(appDir, env.SLIPWAY_CONFIG || "langgraph.json");
  const host = env.HOST || "127.0.0.1";
  const port = number(env, "PORT", 2024, 1, 65_535);
  return {
    appDir,
    stateDir,
    configFile,
    baseDir: dirname(configFile),
    host,
    port,
    socket: env.SLIPWAY_SOCKET,
    address: `${host.includes(":") ? `[${host}]` : host}:${port}`,
    control: env.SLIPWAY_CONTROL,
    standsBy: Boolean(env.SLIPWAY_CONTROL) && env.SLIPWAY_STAND_BY === "1",
    workers: number(env, "N_WORKERS", 10, 1, 10_000),
    drainMs: number(env, "SLIPWAY_DRAIN_SECONDS", 25, 0, 86_400) * 1_000,
  };
}

function folder(env, name) {
  if (!env[name]) throw new Error(`${name} is not set`);
  if (!existsSync(env[name])) throw new Error(`${name}: no such folder: ${env[name]}`);
  return realpathSync(env[name]);
}

function number(env, name, fallback, least, most) {
  if (!env[name]) return fallback;
  const value = Number(env[name]);
  if (value >= least && value <= most) return value;
  throw new Error(`${name} must be a number from ${least} to ${most}, not ${JSON.stringify(env[name])}`);
}
