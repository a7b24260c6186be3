// A start that fails says why twice: in one line for people, and, as the last that the process writes, in
// one line for the machine that started it:
//
//   slipway: failed to start: <step>: <message>
//   slipway: failure: {"code": "…", "message": "…", "hint": "…"}
//
// The stack, if there is one, stands between them on lines of its own.

import { writeSync } from "node:fs";

import { diagnose, messageOf } from "./diagnosis.mjs";

const LONGEST = 2_000;
const LONGEST_TOLD = 1_200; // the whole line must fit into what a driver keeps of an output

let current = "load";
let source = {};

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

/** Says what is being loaded: a file, and the app's folder, from which messages name files. */
export function loading(what) {
  source = { ...source, ...what };
}

/** Writes the lines, once: the first failure is the one that counts. */
export function explain(failure) {
  if (explain.done) return;
  explain.done = true;
  const step = failure instanceof StartFailure ? failure.step : current;
  const cause = failure instanceof StartFailure ? failure.cause : failure;
  const stack = showsStack(cause) ? `${cause.stack}\n` : "";
  const { code, message, hint } = diagnose(step, cause, source);
  const told = JSON.stringify({ code, message: oneLine(message, LONGEST_TOLD), ...(hint && { hint }) });
  writeSync(2, `slipway: failed to start: ${step}: ${oneLine(messageOf(cause), LONGEST)}\n${stack}slipway: failure: ${told}\n`);
}
explain.done = false;

/** A failure of the person who configures us needs no stack; one inside the app's code does. */
export class Mistake extends Error {
  constructor(message, { code, hint } = {}) {
    super(message);
    this.told = { code, hint };
  }
}

const showsStack = (cause) => cause instanceof Error && !(cause instanceof Mistake) && cause.stack;

const oneLine = (text, longest) => text.trim().split(/\s*\n\s*/).join("; ").slice(0, longest);
