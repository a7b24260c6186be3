"""One launcher at a time writes to a state folder.

Each that wants it puts a claim into <state folder>/launcher.lock, named for a process that
cannot be mistaken for another: boot, pid, start time. It then looks at the others' claims. One
of a living process: it takes its own back and refuses. One of a dead process: removed, whatever
killed it. Claim first, look second: of two that start at once at least one sees the other.
"""

import atexit
import contextlib
import os

from .failure import Mistake


def take_lock(state_dir):
    """Returns how to give it back before the process ends."""
    folder = os.path.join(state_dir, "launcher.lock")
    os.makedirs(folder, exist_ok=True)
    own = f"{boot_id()}-{os.getpid()}-{start_time(os.getpid())}"
    with open(os.path.join(folder, own), "w"):
        pass

    def release():
        with contextlib.suppress(FileNotFoundError):
            os.remove(os.path.join(folder, own))

    if (holder := living_rival(folder, own)) is not None:
        release()
        raise Mistake(f"{state_dir} is held by process {holder}", code="state_locked")
    atexit.register(release)
    return release


def living_rival(folder, own):
    for name in os.listdir(folder):
        if name == own:
            continue
        boot, pid, start = (name.split("-") + ["", ""])[:3]
        if boot == boot_id() and start and start_time(pid) == start:
            return pid
        with contextlib.suppress(FileNotFoundError):
            os.remove(os.path.join(folder, name))
    return None


def start_time(pid):
    """When a process began, in clock ticks since boot; None if it is gone or only waits to be reaped."""
    try:
        with open(f"/proc/{pid}/stat", encoding="latin-1") as file:
            fields = file.read().rpartition(")")[2].split()  # a name may hold spaces and brackets
    except OSError:
        return None
    return None if fields[0] in "ZX" else fields[19]


def boot_id():
    with open("/proc/sys/kernel/random/boot_id") as file:
        return file.read().strip().replace("-", "")
