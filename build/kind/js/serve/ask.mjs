// Lets the launcher be asked from outside its container, where nobody reaches its control socket (control.mjs):
//
//   docker exec -i CONTAINER node serve/ask.mjs
//
// Each line of the standard input is passed on, by a connection of its own, and its answer printed: an empty line
// if nobody listens, or who listened ended without a word. It ends with its input, and by itself when nothing
// has been asked for a while: an engine that was killed never closes it.

import { connect } from "node:net";
import { createInterface } from "node:readline";
import { text } from "node:stream/consumers";

import { shortName } from "./socket.mjs";

const LONGEST_SILENCE = 120_000; // ms

const socket = shortName(process.env.SLIPWAY_CONTROL);

async function ask(line) {
  const server = connect(socket);
  try {
    server.write(`${line}\n`);
    return (await text(server)).trim();
  } catch {
    return "";
  } finally {
    server.destroy();
  }
}

const end = () => process.exit();
let silence = setTimeout(end, LONGEST_SILENCE);
process.stdout.on("error", end);
for await (const line of createInterface({ input: process.stdin })) {
  clearTimeout(silence);
  process.stdout.write(`${await ask(line)}\n`);
  silence = setTimeout(end, LONGEST_SILENCE);
}
end();
