"""Runs an ASGI app by uvicorn, from the first signal to the last answer."""

import asyncio
import contextlib
import os
import signal
import socket
import time

import uvicorn

from . import door, failure, unix
from .failure import Mistake
from .log import error, info

ANSWER_GRACE = 2  # seconds that answers under way get once nothing more is taken
TAKE_IN = 1  # seconds for what was sent before
IDLE_TURNS = 10
LOOK_AGAIN = 0.01


class Watched:
    """The app, with what its start raised kept, and the requests counted that it was given. open has
    the paths of those whose answers have not ended."""

    def __init__(self, app):
        self.app, self.raised = app, None
        self.begun, self.unanswered, self.open = 0, set(), {}

    async def __call__(self, scope, receive, send):
        if scope["type"] == "http":
            return await self._answer(scope, receive, send)
        if scope["type"] != "lifespan":
            return await self.app(scope, receive, send)
        try:
            await self.app(scope, receive, send)
        except BaseException as raised:
            self.raised = self.raised or raised
            raise

    async def _answer(self, scope, receive, send):
        self.begun += 1
        number = self.begun
        self.unanswered.add(number)
        self.open[number] = scope["path"]

        async def told(message):
            self.unanswered.discard(number)
            await send(message)

        try:
            await self.app(scope, receive, told)
        finally:
            self.unanswered.discard(number)
            del self.open[number]

    async def take_in(self, seconds):
        """What was sent before the signal may not have been read where the machine has no time for us;
        to close its connection would lose it. In one turn of the loop a connection is accepted, in
        later ones its request is read; a run may come of it. Once some turns have brought none, none
        is left that was sent before."""
        loop, idle = asyncio.get_running_loop(), 0
        until = loop.time() + seconds
        while idle < IDLE_TURNS and loop.time() < until:
            seen = self.begun
            await asyncio.sleep(0)
            idle = idle + 1 if self.begun == seen else 0
        while self.unanswered and loop.time() < until:
            await asyncio.sleep(LOOK_AGAIN)


class Server(uvicorn.Server):
    """Leaves signals to us."""

    @contextlib.contextmanager
    def capture_signals(self):
        yield

    def install_signal_handlers(self):
        pass


def claim(settings):
    """What is listened on, bound before anything is started."""
    port = claim_port(settings)
    return [unix.bind(settings.socket), port] if settings.socket else [port]


def claim_port(settings):
    """Comes first, so that a taken port is found out early."""
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    sock = socket.socket(family, socket.SOCK_STREAM)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        sock.bind((settings.host, settings.port))
    except OSError as taken:
        raise Mistake(f"{settings.host}:{settings.port}: {taken.strerror}", code="port_in_use") from None
    sock.set_inheritable(False)
    return sock


def guard(config, settings):
    config.load()
    config.http_protocol_class = door.guarded(config.http_protocol_class, settings)
    if config.ws_protocol_class:
        config.ws_protocol_class = door.guarded(config.ws_protocol_class, settings)


class Life:
    """From the start of an app to its end. started is called when it serves; drain is awaited at
    SIGTERM while everything is still answered."""

    def __init__(self, app, socks, settings, drain, log_config, began, started=lambda: None):
        self.app, self.socks, self.settings, self.drain, self.began = Watched(app), socks, settings, drain, began
        self.started = started
        config = uvicorn.Config(
            self.app, access_log=False, lifespan="on", log_config=log_config, timeout_graceful_shutdown=ANSWER_GRACE,
            server_header=False,
        )
        if settings.socket:
            guard(config, settings)
        self.server, self.stopping = Server(config), None

    def run(self):
        with asyncio.Runner(loop_factory=loop_factory()) as runner:
            try:
                runner.run(self._run())
            except SystemExit as exit:
                if self.server.started:
                    raise
                self._give_up(exit)
            if not self.server.started and not self.stopping:
                self._give_up(RuntimeError("the server ended by itself"))
        if not self.server.started:
            return 0
        if self.app.raised and not self.stopping:
            error("the server ended by itself", error=repr(self.app.raised))
            return 2
        return 0

    def _give_up(self, why):
        """Ends a start that failed, here and now: what it has left running may not end when it is
        cancelled, as psycopg's pool while it connects, and the runner would wait for that."""
        os._exit(failure.explain(self.app.raised or why))

    async def _run(self):
        self.stop_wanted = asyncio.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, self._on_signal, number)
        ending = asyncio.create_task(self._end())
        await self.server.serve(sockets=self.socks)
        ending.cancel()

    def _on_signal(self, number):
        name = signal.Signals(number).name
        if self.stopping:
            return info("already stopping", signal=name)
        self.stopping = name
        info("stopping", signal=name)
        self.stop_wanted.set()

    async def _end(self):
        while not self.server.started:
            if self.stopping:
                os._exit(0)  # nothing was answered yet, and nothing was changed
            await asyncio.sleep(0.01)
        self.started()
        address = self.settings.socket or f"{self.settings.host}:{self.settings.port}"
        info("serving", address=address, pid=os.getpid(), start_ms=round((time.monotonic() - self.began) * 1000))
        await self.stop_wanted.wait()
        try:
            await self.app.take_in(min(self.settings.drain, TAKE_IN))
            await self.drain()
        except Exception as wrong:
            error("the drain went wrong", error=repr(wrong))
        self.server.should_exit = True


def loop_factory():
    with contextlib.suppress(ImportError):
        import uvloop

        return uvloop.new_event_loop
    return None

