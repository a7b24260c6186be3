"""The socket by which whoever started this process asks how it stands, and lets it begin. Each
request is a connection of its own, one line of JSON either way; nothing is lost when the one who
asks dies.

    {"do": "state"}    {"state": "standing by"}
    {"do": "release"}  {"state": "starting"}
    {"do": "runs"}     {"pending": 1, "running": 2, "oldest_ms": 30, "workers": 10}
    {"do": "yielded"}  {"state": "yielded"}, once the state is closed for good: another process may
                       have it while this one sends its traces. No answer if it ends without
    anything else      {"error": "..."}

It is served by threads, since imports hold up everything else.
"""

import contextlib
import json
import os
import signal
import threading
import time

from . import unix
from .log import info

SIGNALS = (signal.SIGTERM, signal.SIGINT)
LONGEST_WAIT = 10  # seconds for a request to come
LONGEST_REQUEST = 4096


class Control:
    """runs counts the runs; it is called by any thread."""

    def __init__(self, runs):
        self.state, self.runs = "starting", runs
        self.released, self.has_yielded = threading.Event(), threading.Event()

    def listen(self, path):
        sock = unix.bind(path)
        sock.listen()
        threading.Thread(target=self._accept, args=(sock,), daemon=True, name="control").start()

    def stand_by(self, path):
        """Returns when it is released, with the time. SIGTERM ends the process: nothing is open yet."""
        before = [signal.signal(number, lambda *_: os._exit(0)) for number in SIGNALS]
        self.state = "standing by"
        self.listen(path)
        info("standing by", pid=os.getpid())
        self.released.wait()
        self.state = "starting"
        for number, handler in zip(SIGNALS, before, strict=True):
            signal.signal(number, handler)
        return time.monotonic()

    def serving(self):
        self.state = "serving"

    def yielded(self):
        self.state = "yielded"
        self.has_yielded.set()

    def _accept(self, sock):
        while True:
            conn, _ = sock.accept()
            threading.Thread(target=self._serve, args=(conn,), daemon=True, name="control").start()

    def _serve(self, conn):
        with conn, contextlib.suppress(OSError):
            conn.settimeout(LONGEST_WAIT)
            line = conn.makefile("rb").readline(LONGEST_REQUEST)
            conn.sendall(json.dumps(self._answer(line)).encode() + b"\n")

    def _answer(self, line):
        try:
            what = json.loads(line)["do"]
            if what == "release":
                self.released.set()
            if what == "yielded":
                self.has_yielded.wait()
            if what in ("release", "state", "yielded"):
                return {"state": self.state}
            if what == "runs":
                return self.runs()
            return {"error": f"unknown: {what}"}
        except Exception as wrong:
            return {"error": repr(wrong)}
