"""The server's memory on disk: <state folder>/.langgraph_api/*.pckl, each file one whole table.

The server's own persistence writes each table by a thread while others change it, which ends that
thread for good when it meets a change, and removes a file that it can not read. Tables stands in:
  - a file that can not be read is moved aside, not removed, and that is said;
  - every WRITE_AFTER seconds all tables are taken from memory at one instant, and those that differ
    from what is on disk are replaced whole. Once taking them would be more than a twentieth of the
    time, the pause grows with it;
  - what the server reads when it is imported is read when the state is opened;
  - the server's own last write, when it closes a table, goes the same way.
"""

import asyncio
import contextlib
import hashlib
import os
import pickle
import threading
import time

from slipway_serve.log import error, warn

WRITE_AFTER = 3.0
SHARE_OF_TIME = 20
TRIES = 20
UNFINISHED = ".writing"


class Tables:
    def __init__(self, state_dir):
        self.folder = os.path.join(state_dir, ".langgraph_api")
        self.tables = {}
        self.written = {}
        self.failed = False
        self.taken = self.last = 0  # cuts; an older one never replaces a newer one
        self.lock = threading.Lock()
        self.closed, self.postponed = True, []  # tables that were to be loaded while the state is closed

    def path(self, name):
        """Where a table lies that the server names relative to where it works."""
        return os.path.join(self.folder, os.path.basename(name))

    def open(self):
        """Nothing is read or written before; what was to be read is read now."""
        os.makedirs(self.folder, exist_ok=True)
        self.check()
        self.closed = False
        for table in self.postponed:
            with contextlib.suppress(FileNotFoundError):
                table.load()
        self.postponed.clear()

    def close(self):
        """For good: what may still change is nobody's, and what is being written is waited for."""
        with self.lock:
            self.closed = True

    def check(self):
        """Reads every file, before anything may be written."""
        for name in sorted(os.listdir(self.folder)):
            path = os.path.join(self.folder, name)
            if name.endswith((UNFINISHED, ".tmp")):
                os.remove(path)
            elif name.endswith(".pckl"):
                self._check(path)

    def _check(self, path):
        try:
            with open(path, "rb") as file:
                content = file.read()
            if not isinstance(pickle.loads(content), dict):
                raise ValueError("it holds no table")
            self.written[path] = digest(content)
        except Exception as cause:
            kept = aside(path)
            os.rename(path, kept)
            warn("a state file can not be read and was moved aside; its records are lost to this instance", file=path, kept_as=kept, reason=repr(cause))

    def adopt(self, PersistentDict):
        """Makes the server's tables be kept here, without a change to its package."""
        tables, begin, read = self, PersistentDict.__init__, PersistentDict.load

        def __init__(table, *args, filename, **kwargs):
            begin(table, *args, filename=tables.path(filename), **kwargs)
            tables.tables[table.filename] = table

        def load(table):
            if tables.closed:
                tables.postponed.append(table)
            else:
                read(table)

        def sync(table):
            if not tables.closed:
                tables.write(tables.cut(table))

        PersistentDict.__init__, PersistentDict.load, PersistentDict.sync = __init__, load, sync

    async def keep(self):
        """Writes as long as it is not cancelled."""
        pause = WRITE_AFTER
        while True:
            await asyncio.sleep(pause)
            began = time.monotonic()
            try:
                cut = self.cut()
                pause = max(WRITE_AFTER, (time.monotonic() - began) * SHARE_OF_TIME)
                await asyncio.to_thread(self.write, cut)
            except Exception as cause:
                error("state could not be written; trying again", reason=repr(cause))

    def cut(self, *tables):
        """Every table, or some, as of one instant."""
        self.taken += 1
        return self.taken, {table.filename: frozen(table) for table in tables or self.tables.values()}

    def write(self, cut):
        number, tables = cut
        with self.lock:
            if self.closed or number < self.last:
                return
            self.last = number
            for path, content in tables.items():
                if self.written.get(path) == (sum := digest(content)):
                    continue
                try:
                    write_whole(path, content)
                except OSError:
                    self.failed = True
                    raise
                self.written[path] = sum
            self.failed = False


def frozen(table):
    """The table as the server itself would write it. Other threads may change it meanwhile: again, then."""
    for left in range(TRIES, -1, -1):
        try:
            return pickle.dumps(dict(table), 2)
        except RuntimeError:
            if not left:
                raise


def digest(content):
    return hashlib.sha1(content, usedforsecurity=False).digest()


def write_whole(path, content):
    with open(path + UNFINISHED, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    os.rename(path + UNFINISHED, path)


def aside(path):
    number = 1
    while os.path.exists(f"{path}.damaged-{number}"):
        number += 1
    return f"{path}.damaged-{number}"
