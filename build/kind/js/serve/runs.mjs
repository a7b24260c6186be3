// What the server's records say about runs. Pure functions over its table of runs and threads.
//
// A run that waits ("pending") needs no process: the server's workers take it up whenever they start.
// A run that is "running" needs the one that runs it; when that is gone the record stays for ever, and
// its thread refuses new runs. So after a hard kill running ones end in error, and waiting ones stay.

const isDue = (run, now) => run.status === "pending" && run.created_at <= now;

/** Runs that a stop has to wait for: not those scheduled for later, which the next start takes up. */
export function busyRuns(records, now) {
  return Object.values(records.runs).filter((run) => run.status === "running" || isDue(run, now));
}

export function isBusy(records, now) {
  return busyRuns(records, now).length > 0 || stuckThreads(records).length > 0;
}

/** How many runs wait and run, and for how long the oldest has waited; none of records that are not open. */
export function countRuns(records, now) {
  const runs = Object.values(records?.runs ?? {});
  const due = runs.filter((run) => isDue(run, now));
  return {
    pending: due.length,
    running: runs.filter((run) => run.status === "running").length,
    oldest_ms: due.reduce((oldest, run) => Math.max(oldest, now - run.created_at), 0),
  };
}

/** Threads that say busy with nothing left that could end it. */
function stuckThreads(records) {
  const open = new Set();
  for (const run of Object.values(records.runs)) {
    if (run.status === "pending" || run.status === "running") open.add(run.thread_id);
  }
  return Object.values(records.threads).filter((thread) => thread.status === "busy" && !open.has(thread.thread_id));
}

/**
 * After a hard kill: what nobody runs any more has failed. A due run that waits counts one attempt for
 * each such start (the server gives up after three), lest one that kills its process does so for ever.
 */
export function freeOrphans(records, now) {
  const waiting = Object.values(records.runs).filter((run) => isDue(run, now));
  for (const { run_id } of waiting) records.retry_counter[run_id] = (records.retry_counter[run_id] ?? 0) + 1;
  return { ...endRunning(records, now, "error", "error"), waiting: waiting.map((run) => run.run_id) };
}

/** At the drain limit: what did not heed its cancellation is recorded as interrupted all the same. */
export function endInterrupted(records, now) {
  return endRunning(records, now, "interrupted", "idle");
}

function endRunning(records, now, runStatus, threadStatus) {
  const runs = Object.values(records.runs).filter((run) => run.status === "running");
  for (const run of runs) end(records, run, runStatus, now);
  const threads = stuckThreads(records);
  for (const thread of threads) Object.assign(thread, { status: threadStatus, updated_at: now });
  return { runs: runs.map((run) => run.run_id), threads: threads.map((thread) => thread.thread_id) };
}

/** A run without a thread of its own takes its temporary one with it, as when it ends in good order. */
function end(records, run, status, now) {
  if (!run.kwargs?.temporary) return Object.assign(run, { status, updated_at: now });
  delete records.runs[run.run_id];
  delete records.threads[run.thread_id];
}
