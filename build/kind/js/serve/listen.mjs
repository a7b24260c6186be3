// The server starts its workers before it binds its port, so a taken port is found out first.

import { createServer } from "node:net";
import { once } from "node:events";

import { Mistake } from "./failure.mjs";

export async function claimPort({ host, port, address }) {
  const probe = createServer();
  try {
    probe.listen({ host, port });
    await once(probe, "listening");
  } catch (cause) {
    throw new Mistake(`${address}: ${reason(cause)}`);
  }
  probe.close();
  await once(probe, "close");
}

function reason(cause) {
  if (cause.code === "EADDRINUSE") return "the address is already in use (EADDRINUSE)";
  if (cause.code === "EACCES") return "not allowed to listen there (EACCES)";
  return cause.message;
}
