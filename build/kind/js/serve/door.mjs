// A server that listens on a socket is reached at its port too, by its own app alone: many apps call
// themselves there. Any program of this machine can connect to a port; one of another user is sent away
// before a byte is read.

import { subscribe } from "node:diagnostics_channel";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { connect, createServer } from "node:net";
import { endianness } from "node:os";
import { pipeline } from "node:stream";

import { shortName } from "./socket.mjs";

/** Who comes by the socket comes from this machine, as all do at a port, for what looks at that. */
export function seemLocal() {
  subscribe("http.server.request.start", ({ socket }) => {
    if (socket.remoteAddress !== undefined) return;
    Object.defineProperties(socket, { remoteAddress: { value: "127.0.0.1" }, remoteFamily: { value: "IPv4" }, remotePort: { value: 0 } });
  });
}

export async function openDoor({ host, port, socket }) {
  const path = shortName(socket);
  const door = createServer({ allowHalfOpen: true, pauseOnConnect: true }, (caller) => {
    if (!isOurs(caller)) return caller.destroy();
    const server = connect({ path, allowHalfOpen: true });
    pipeline(caller, server, () => {});
    pipeline(server, caller, () => {});
  });
  door.listen({ host, port });
  await once(door, "listening");
  door.on("error", () => {}); // of one connection that came to nothing
  door.unref();
}

const ESTABLISHED = "01";

/** Whether who connected is of our user, or root, by the kernel's tables. One that has left is of nobody. */
function isOurs({ remoteAddress, remotePort, localAddress, localPort }) {
  if (!remoteAddress) return false;
  const [theirs, ours] = [entry(remoteAddress, remotePort), entry(localAddress, localPort)];
  for (const table of ["tcp", "tcp6"]) {
    for (const line of readFileSync(`/proc/self/net/${table}`, "latin1").split("\n")) {
      const [, local, remote, state, , , , uid] = line.trim().split(/\s+/);
      if (state === ESTABLISHED && local.endsWith(theirs) && remote.endsWith(ours)) {
        return [0, process.getuid()].includes(Number(uid));
      }
    }
  }
  return false;
}

/** An end of a connection as the tables end it: those of IPv6 have addresses of IPv4 in longer ones. */
function entry(address, port) {
  const bytes = address.replace("::ffff:", "").split(".").map(Number);
  if (endianness() === "LE") bytes.reverse();
  const hex = (number, length) => number.toString(16).toUpperCase().padStart(length, "0");
  return `${bytes.map((byte) => hex(byte, 2)).join("")}:${hex(port, 4)}`;
}
