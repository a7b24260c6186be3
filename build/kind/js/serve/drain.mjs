// The way to a good end:
//
//   take in what was sent ──▶ wait for busy runs ──▶ at the limit, cancel them ──▶ let answers under way end
//   ──▶ cut what is left, write the state for the last time ──▶ send traces ──▶ caller exits
//
// A request may have been sent long before the signal and not been read, where the machine has no time for
// us; to close its connection would lose it. The server answers everything until the runs are done: who may not
// create new ones is the gateway's to decide. Nothing here sleeps for a fixed time, and an idle server is drained
// at once. Traces come last, when another process may have the state already: the client has them in a queue that
// only moves while the server has nothing to do, so that after a time of many runs they take seconds. At most
// limit + CANCEL_GRACE + ANSWER_GRACE + TRACE_GRACE pass.

import { once } from "node:events";
import { setImmediate as turn, setTimeout as pause } from "node:timers/promises";

import { info, warn } from "./log.mjs";
import { busyRuns, endInterrupted, isBusy } from "./runs.mjs";

const CANCEL_GRACE = 2_000; // for a cancelled run to notice
const ANSWER_GRACE = 1_000; // a stream that nobody ends (queue.mjs) ends up to 500 ms after its run
const TRACE_GRACE = 1_000; // and up to TRACE_LIMIT where there is time left
const TRACE_LIMIT = 5_000;
const IDLE_TURNS = 10;

/** Resolves, to how many ms of limit are left, once all work is done. */
export async function drain({ ops, records, state, answers, limit }) {
  const end = performance.now() + limit;
  const isIdle = () => !isBusy(records, new Date());
  await takeIn(answers, Math.min(limit, ANSWER_GRACE));
  const isQuiet = isIdle() && state.isQuietFor(ANSWER_GRACE);
  if (!(await until(isIdle, state, end - performance.now()))) await cancel({ ops, records, state, isIdle });
  answers.refuseMore();
  await until(() => !answers.areOpen({ onlyUnbegun: isQuiet }), answers, ANSWER_GRACE);
  return end - performance.now();
}

/** Resolves to whether the state is on disk, and no more of it is there: nobody is left who could change it. */
export async function letGo({ state, answers, release }) {
  answers.cut();
  const written = await state.close();
  if (written) release();
  return written;
}

/** left: ms that may pass. */
export async function sendTraces(server, left) {
  await Promise.race([server.flushTraces(), pause(Math.min(Math.max(left, TRACE_GRACE), TRACE_LIMIT))]);
}

/**
 * In one turn of the event loop a connection is accepted, in a later one its request is read; a run may come of
 * it. Once some turns have brought none, none is left that was sent before.
 */
async function takeIn(answers, ms) {
  const end = performance.now() + ms;
  for (let idle = 0, seen = answers.begun; idle < IDLE_TURNS && performance.now() < end; idle = answers.begun === seen ? idle + 1 : 0) {
    seen = answers.begun;
    await turn();
  }
  await until(() => !answers.areOpen({ onlyUnbegun: true }), answers, end - performance.now());
}

async function cancel({ ops, records, state, isIdle }) {
  const runs = busyRuns(records, new Date());
  warn("drain limit reached: cancelling runs", { runs: runs.map((run) => run.run_id) });
  for (const { thread_id, run_id } of runs) {
    await ops.runs.cancel(thread_id, [run_id], { action: "interrupt" }).catch(() => {}); // it has just ended
  }
  if (await until(isIdle, state, CANCEL_GRACE)) return;
  info("recorded as interrupted, though still at work", endInterrupted(records, new Date()));
  state.changed();
}

/** Resolves to whether the condition came true within ms. It is looked at after each change, never by the clock. */
async function until(condition, emitter, ms) {
  const signal = AbortSignal.timeout(Math.max(0, Math.round(ms)));
  while (!condition()) {
    if (signal.aborted) return false;
    await once(emitter, "change", { signal }).catch(() => {});
  }
  return true;
}
