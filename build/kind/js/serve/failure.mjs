// A start that fails says why in one line that a machine can find and a person can read:
//
//   slipway: failed to start: <step>: <message>
//
// The stack, if there is one, follows on lines of its own.

import { writeSync } from "node:fs";

const LONGEST = 2_000;

let current = "load";

/** Runs work under a name; the name stays current, so that an exit inside it can be explained too. */
export async function step(name, work) {
  current = name;
  try {
    return await work();
  } catch (cause) {
    if (cause instanceof StartFailure) throw cause;
    throw new StartFailure(name, cause);
  }
}

class StartFailure extends Error {
  constructor(step, cause) {
    super(messageOf(cause), { cause });
    this.step = step;
  }
}

/** Writes the line, once: the first failure is the one that counts. */
export function explain(failure) {
  if (explain.done) return;
  explain.done = true;
  const step = failure instanceof StartFailure ? failure.step : current;
  const cause = failure instanceof StartFailure ? failure.cause : failure;
  const stack = showsStack(cause) ? `${cause.stack}\n` : "";
  writeSync(2, `slipway: failed to start: ${step}: ${oneLine(messageOf(cause))}\n${stack}`);
}
explain.done = false;

/** A failure of the person who configures us needs no stack; one inside the app's code does. */
export class Mistake extends Error {}

const showsStack = (cause) => cause instanceof Error && !(cause instanceof Mistake) && cause.stack;

const messageOf = (cause) => (cause instanceof Error ? cause.message || cause.name : String(cause));

const oneLine = (text) => text.trim().split(/\s*\n\s*/).join("; ").slice(0, LONGEST);
