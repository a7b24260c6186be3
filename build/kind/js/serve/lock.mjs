// One launcher at a time writes to a state folder.
//
// Each that wants it puts a claim into <state folder>/launcher.lock, named for a process that cannot
// be mistaken for another: boot, pid, start time. It then looks at the others' claims. One of a living
// process: it takes its own back and refuses. One of a dead process: removed, whatever killed it.
// Claim first, look second: of two that start at once at least one sees the other, so there are never
// two holders (in an exact tie both refuse, and whoever supervises them tries again).
//
// Only processes of one pid namespace see each other. Without /proc (not Linux) a pid alone counts.

import { mkdirSync, readFileSync, readdirSync, rmSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";

import { Mistake } from "./failure.mjs";

const GONE = ["Z", "X"];

export function takeLock(stateDir) {
  const folder = join(stateDir, "launcher.lock");
  mkdirSync(folder, { recursive: true });
  const own = join(folder, claimName());
  writeFileSync(own, "");
  const release = () => rmSync(own, { force: true });
  const holder = livingRival(folder, own);
  if (holder) {
    release();
    throw new Mistake(`${stateDir} is held by process ${holder.pid} since ${holder.since}`);
  }
  return release;
}

function livingRival(folder, own) {
  for (const name of readdirSync(folder)) {
    const path = join(folder, name);
    if (path === own) continue;
    const [boot, pid, start] = name.split("-");
    if (isAlive({ boot, pid, start })) return { pid, since: claimedAt(path) };
    rmSync(path, { force: true });
  }
  return undefined;
}

const claimName = () => `${bootId()}-${process.pid}-${startTime(process.pid) ?? "unknown"}`;

function isAlive({ boot, pid, start }) {
  if (boot !== bootId()) return false;
  if (start !== "unknown") return startTime(pid) === start;
  try {
    return process.kill(Number(pid), 0);
  } catch (cause) {
    return cause.code === "EPERM";
  }
}

/** When a process began, in clock ticks since boot; undefined if it is gone or only waits to be reaped. */
function startTime(pid) {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "latin1");
    const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" "); // a name may hold spaces and brackets
    return GONE.includes(fields[0]) ? undefined : fields[19];
  } catch {
    return undefined;
  }
}

function bootId() {
  try {
    return readFileSync("/proc/sys/kernel/random/boot_id", "latin1").trim().replaceAll("-", "");
  } catch {
    return "unknown";
  }
}

function claimedAt(path) {
  try {
    return statSync(path).mtime.toISOString();
  } catch {
    return "just now";
  }
}
