// The server's workers look for runs every half second on average, and who reads the stream of a run finds
// out up to half a second late that it has ended. Both are told at once here; they go on looking too, for
// runs that are due later and for streams that nobody ends.

const LOOK_AGAIN = 1_000; // ms at most, as the server's workers do by themselves
const DUE_AFTER = 2; // ms: a worker takes no run of the current millisecond

/**
 * runs: the server's operations on runs. streams: where their events are published. Returns what has the workers
 * rest for good, as soon as they have no run.
 */
export function tellAtOnce(runs, streams) {
  const { next, put } = runs;
  const idle = new Set();
  let isOver = false;

  const wake = () => idle.values().next().value?.();
  const untilWoken = () =>
    new Promise((resolve) => {
      const go = () => {
        idle.delete(go);
        clearTimeout(timer);
        resolve();
      };
      const timer = setTimeout(go, LOOK_AGAIN * Math.random());
      idle.add(go);
    });

  /** What a worker takes its runs from. It never ends; who has run one looks for the next before it waits. */
  runs.next = async function* () {
    while (!isOver) {
      let found = false;
      for await (const turn of next.call(runs)) {
        found = true;
        yield turn;
        end(streams, turn.run);
      }
      if (!found) await untilWoken();
    }
    await new Promise(() => {}); // to end would have the worker come again
  };

  runs.put = async (...all) => {
    const made = await put.apply(runs, all);
    setTimeout(wake, DUE_AFTER);
    return made;
  };

  return () => {
    isOver = true;
    for (const go of [...idle]) go();
  };
}

/** Readers know this message as the last. What one of them has not read yet comes before it. */
function end(streams, { run_id, kwargs }) {
  const queue = streams?.getQueue?.(run_id, { resumable: kwargs?.resumable ?? false });
  queue?.push({ topic: `run:${run_id}:control`, data: "done" });
}
