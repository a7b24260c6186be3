"""The few parts of the server that are used beside its front door. A copy that lacks them is
refused, since with it state would be neither safe nor where we want it."""

import asyncio
import os
import tempfile
import threading
import time
import types
from datetime import UTC, datetime

from slipway_serve.failure import Mistake
from slipway_serve.log import error, info, warn

from . import runs
from .state import Tables

CANCEL_GRACE = 2.0  # seconds for a cancelled run to notice
TRACE_GRACE, TRACE_LIMIT = 1.0, 5.0  # the second where the drain has left the time
LOOK_AGAIN = 0.03

LOGGING = {
    "version": 1,
    "incremental": False,
    "disable_existing_loggers": False,
    "formatters": {"simple": {"class": "langgraph_api.logging.Formatter"}},
    "handlers": {"console": {"class": "logging.StreamHandler", "formatter": "simple", "stream": "ext://sys.stdout"}},
    "loggers": {"uvicorn": {"level": "WARNING"}, "uvicorn.error": {"level": "WARNING"}},
    "root": {"handlers": ["console"]},
}


class Memory:
    """What the server remembers, from its start to its end."""

    def __init__(self, tables, state_dir):
        self.tables, self.state_dir, self.keeper = tables, state_dir, None
        self.until = 0.0  # when the drain is to be over, by the monotonic clock

    def records(self):
        from langgraph_runtime_inmem import database

        return database.GLOBAL_STORE

    def count(self, workers):
        """For whoever asks how the work stands."""
        return {**runs.count_runs(self.records(), datetime.now(UTC)), "workers": workers}

    async def open(self, start_pool):
        """In place of the server's own way: where it works, files of the state are, and only then."""
        home = os.getcwd()
        os.chdir(self.state_dir)
        try:
            before = self.orphans()
            await start_pool()
            from langgraph_runtime_inmem.checkpoint import Checkpointer

            saver = Checkpointer()
            saver.filename = self.tables.path(".langgraph_checkpoint.")
        finally:
            os.chdir(home)
        freed, threads = runs.free_orphans(self.records(), datetime.now(UTC))
        if before or freed or threads:
            info("freed what a hard kill left behind", runs=sorted({*before, *freed}), threads=threads)
        await asyncio.to_thread(self.tables.write, self.tables.cut())
        self.keeper = asyncio.create_task(self.tables.keep())

    def orphans(self):
        """Runs that are on disk as running."""
        import pickle

        path = self.tables.path(".langgraph_ops.pckl")
        if not os.path.exists(path):
            return []
        with open(path, "rb") as file:
            return [str(run["run_id"]) for run in pickle.load(file).get("runs", []) if run["status"] == "running"]

    async def drain(self, limit):
        """Waits for busy runs; at the limit they are cancelled. Everything is answered meanwhile."""
        self.until = time.monotonic() + limit
        if not await self.idle(limit):
            await self.cancel()
        self.keeper.cancel()
        await asyncio.to_thread(self.tables.write, self.tables.cut())

    async def idle(self, seconds):
        loop = asyncio.get_running_loop()
        until = loop.time() + seconds
        while runs.busy_runs(self.records(), datetime.now(UTC)):
            if loop.time() >= until:
                return False
            await asyncio.sleep(LOOK_AGAIN)
        return True

    async def cancel(self):
        from langgraph_runtime_inmem.database import connect
        from langgraph_runtime_inmem.ops import Runs

        busy = runs.busy_runs(self.records(), datetime.now(UTC))
        warn("drain limit reached: cancelling runs", runs=[str(run["run_id"]) for run in busy])
        for run in busy:
            try:
                async with connect() as conn:
                    await Runs.cancel(conn, [run["run_id"]], thread_id=run["thread_id"], action="interrupt")
            except Exception as wrong:  # it has just ended, or nobody may
                info("a run could not be cancelled", run=str(run["run_id"]), reason=repr(wrong))
        if await self.idle(CANCEL_GRACE):
            return
        info("recorded as interrupted, though still at work", runs=runs.end_interrupted(self.records(), datetime.now(UTC)))

    def ended(self, code):
        if self.tables.failed:
            error("state could not be written before the exit")
            return code or 2
        return code


def send_traces(left):
    """They are sent in the background, and come last: another process may have the state already.
    left is how many seconds may pass."""
    if not any(os.environ.get(name) == "true" for name in ("LANGSMITH_TRACING", "LANGSMITH_TRACING_V2", "LANGCHAIN_TRACING_V2")):
        return
    from langchain_core.tracers.langchain import wait_for_all_tracers

    done = threading.Thread(target=wait_for_all_tracers, daemon=True)
    done.start()
    done.join(min(max(left, TRACE_GRACE), TRACE_LIMIT))


def adopt(settings):
    """Imports the runtime with its tables where they are safe, and closed."""
    from langgraph.checkpoint.memory import PersistentDict

    tables = Tables(settings.state_dir)
    tables.adopt(PersistentDict)
    home = os.getcwd()
    with tempfile.TemporaryDirectory() as elsewhere:
        os.chdir(elsewhere)  # it makes a folder of its own where it works
        try:
            from langgraph_runtime_inmem import _persistence, checkpoint, database, lifespan, ops
        except ImportError as missing:
            raise unfit(str(missing)) from missing
        finally:
            os.chdir(home)
    check_parts(_persistence, checkpoint, database, lifespan, ops)
    stay_out(checkpoint)
    _persistence._flush_interval = threading.TIMEOUT_MAX / 2  # its thread never writes
    database.OPS_FILENAME, database.RETRY_COUNTER_FILENAME = tables.path(database.OPS_FILENAME), tables.path(database.RETRY_COUNTER_FILENAME)
    memory, start_pool = Memory(tables, settings.state_dir), lifespan.start_pool

    async def open_memory():
        await memory.open(start_pool)

    lifespan.start_pool = open_memory
    memory.drain = lambda drain=memory.drain: drain(settings.drain)
    return memory


def stay_out(checkpoint):
    """Keeps the saver from making its folder where the app lies, each time that one is made: nobody
    may write there, and its files go to the state folder."""
    real = checkpoint.os

    def exists(path):
        return path == ".langgraph_api" or real.path.exists(path)

    path = types.SimpleNamespace(**{**vars(real.path), "exists": exists})
    checkpoint.os = types.SimpleNamespace(**{**vars(real), "path": path})


def check_parts(persistence, checkpoint, database, lifespan, ops):
    parts = [
        (persistence, "_flush_interval"), (checkpoint, "Checkpointer"), (database, "GLOBAL_STORE"), (database, "OPS_FILENAME"),
        (database, "RETRY_COUNTER_FILENAME"), (database, "connect"), (lifespan, "start_pool"), (ops, "Runs"),
    ]
    missing = [f"{module.__name__}.{name}" for module, name in parts if not hasattr(module, name)]
    if missing:
        raise unfit(f"it has no {', '.join(missing)}")


def unfit(why):
    from importlib.metadata import version

    return Mistake(
        f"langgraph-runtime-inmem {version('langgraph-runtime-inmem')} is not built as this launcher expects: {why}",
        code="version_conflict",
        hint="List no version of langgraph-api, or a newer one.",
    )


def load_graphs():
    """Loads the graphs before the server asks for them, which then gets those."""
    from langgraph_api import graph

    if not hasattr(graph, "_graph_from_spec") or not hasattr(graph, "collect_graphs_from_env"):
        warn("graphs are loaded only when the state is open: langgraph-api is not built as this launcher expects")
        return
    load, loaded = graph._graph_from_spec, {}

    def load_once(spec):
        key = (spec.id, spec.path, spec.module, spec.variable)
        if key not in loaded:
            loaded[key] = load(spec)
        return loaded[key]

    graph._graph_from_spec = load_once
    if hasattr(graph, "patch_packages_distributions"):
        graph.patch_packages_distributions()
    asyncio.run(graph.collect_graphs_from_env(False))


def load_server():
    """The ASGI app. The app's own web app and auth are imported with it."""
    from importlib.metadata import version

    from langgraph_api.server import app

    info("server loaded", package="langgraph-api", version=version("langgraph-api"))
    return app
