// Runs one LangGraph app in the foreground: one process, no watcher, no command line.
//
//   node <server folder>/serve.mjs
//
// What it is told, by environment alone, is listed in serve/settings.mjs.
//
//   loading ──load()──▶ loaded ──release──▶ starting ──start()──▶ serving ──SIGTERM──▶ draining ──▶ yielded ──▶ exit 0
//      └──────── any failure, explained as serve/failure.mjs says ──▶ exit 1
//
// It waits for its release only if it is to stand by (serve/control.mjs); SIGTERM meanwhile: exit 0.
//
// Promises:
//   - load() opens no state and no port, so a loaded process may wait beside one that serves;
//   - /ok answers only after the state is open, checked and swept of runs that a hard kill left behind;
//   - yielded, and exit 0, only when all state is on disk; nothing that was answered is missing from it;
//   - once it has yielded it answers nobody and writes nothing: another may have the state while it sends traces;
//   - the app's folder is never written to by the launcher or the server.
// May die at any instruction: the state folder then holds what was there at most a few seconds
// before (serve/state.mjs), and the next start frees its lock (serve/lock.mjs).

import { Answers } from "./serve/answers.mjs";
import { loadApp } from "./serve/app.mjs";
import { Control } from "./serve/control.mjs";
import { openDoor } from "./serve/door.mjs";
import { drain, letGo, sendTraces } from "./serve/drain.mjs";
import { explain, step } from "./serve/failure.mjs";
import { claimPort } from "./serve/listen.mjs";
import { takeLock } from "./serve/lock.mjs";
import { error, info } from "./serve/log.mjs";
import { countRuns, freeOrphans } from "./serve/runs.mjs";
import { loadServer } from "./serve/server.mjs";
import { readSettings } from "./serve/settings.mjs";
import { StateFolder } from "./serve/state.mjs";

/** What the process is doing; it decides what an exit or a signal means. */
const life = { phase: "loading", signal: undefined, state: undefined, stop: undefined, records: undefined, control: undefined };

async function load() {
  const settings = await step("settings", () => readSettings(process.env));
  const { server, app } = await loadApp(settings, loadServer);
  if (settings.standsBy) await server.rehearse(app, settings);
  life.phase = "loaded";
  return { settings, server, app };
}

/** Tells how this process stands, and waits to be released if it is to stand by. */
async function standBy({ control: path, standsBy, workers }) {
  if (!path) return;
  const control = new Control({
    state: () => (life.phase === "loaded" ? "standing by" : life.phase),
    runs: () => ({ ...countRuns(life.records, new Date()), workers }),
  });
  if (!standsBy) life.phase = "starting";
  life.control = control;
  await step("control", () => control.listen(path));
  if (!standsBy) return;
  info("standing by", { pid: process.pid });
  const waiting = setInterval(() => {}, 60_000); // else nothing would keep the process
  await control.released;
  clearInterval(waiting);
}

async function start({ settings, server, app }) {
  life.phase = "starting";
  await step("listen", () => claimPort(settings));
  const release = await step("lock", () => takeLock(settings.stateDir));
  process.on("exit", release);

  const state = new StateFolder(settings.stateDir, server.codec);
  await step("state", () => state.open());
  life.state = state;
  state.adopt(server.Persistence);

  const { ops, records } = await step("state", () => server.openRecords());
  await step("sweep", () => sweep(records, state));
  life.records = records;
  const answers = new Answers().watch();
  await step("listen", () => server.listen(settings, app, ops));
  if (settings.socket) await step("listen", () => openDoor(settings));
  life.stop = async () => {
    const left = await drain({ ops, records, state, answers, limit: settings.drainMs });
    if (await letGo({ state, answers, release })) yielded();
    await sendTraces(server, left);
  };
}

function yielded() {
  life.phase = "yielded";
  life.control?.yielded();
}

async function sweep(records, state) {
  const freed = freeOrphans(records, new Date());
  if (freed.runs.length + freed.threads.length + freed.waiting.length === 0) return;
  info("freed what a hard kill left behind", freed);
  state.changed();
  await state.flush();
}

async function main() {
  const before = performance.now();
  const loaded = await load();
  const after = performance.now();
  await standBy(loaded.settings);
  const between = performance.now();
  await start(loaded);
  life.phase = "serving";
  info("serving", {
    address: loaded.settings.socket ?? loaded.settings.address,
    pid: process.pid,
    load_ms: Math.round(after - before),
    start_ms: Math.round(performance.now() - between),
  });
  if (life.signal) await stop();
}

async function stop() {
  life.phase = "draining";
  await life.stop();
  process.exit(0);
}

function onSignal(signal) {
  if (life.signal) return info("already stopping", { signal });
  life.signal = signal;
  info("stopping", { signal });
  if (life.phase === "serving") stop().catch(onException);
  else if (life.phase !== "starting") process.exit(0);
}

function onException(failure) {
  if (["serving", "draining", "yielded"].includes(life.phase)) {
    error("uncaught exception", { error: failure?.stack ?? String(failure) });
  } else {
    explain(failure);
  }
  process.exit(1);
}

/** The last word: whatever ends the process, what is in memory reaches the disk. */
function onExit() {
  const early = ["loading", "loaded", "starting"].includes(life.phase);
  if (early && !life.signal && !explain.done) {
    explain(new Error("the app ended the process by itself"));
    process.exitCode = 1;
  }
  if (life.state?.flushSync() === false) process.exitCode = 1;
}

process.on("exit", onExit);
process.on("SIGTERM", onSignal);
process.on("SIGINT", onSignal);
process.on("uncaughtException", onException);
main().catch(onException);
