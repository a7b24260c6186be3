// Sockets lie in folders that nobody else can reach. A path may be longer than a socket's name can be, so
// it is bound and dialled through its folder.

import { openSync, rmSync } from "node:fs";
import { basename, dirname } from "node:path";

/** Another name for a socket, which holds as long as we live. */
export const shortName = (path) => `/proc/self/fd/${openSync(dirname(path), "r")}/${basename(path)}`;

/** Such a name to listen on, free of what an attempt that was killed has left. */
export function freeName(path) {
  const name = shortName(path);
  rmSync(name, { force: true });
  return name;
}
