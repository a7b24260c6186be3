"""Aegra itself: what it reads, how it is imported, how it is drained."""

import asyncio
import importlib.util
import json
import os
import re

from slipway_serve.failure import Mistake
from slipway_serve.log import info, warn

from . import broker

LOOK_AGAIN = 0.03


def prepare(settings, config, folder):
    """Writes the configuration as Aegra reads it: with whole paths, and without folders to import
    from, which are in place already."""
    config = {key: value for key, value in config.items() if key not in ("dependencies", "env")}
    config["graphs"] = {name: file_of(name, graph) for name, graph in (config.get("graphs") or {}).items()}
    for section in ("checkpointer", "encryption", "priority"):
        if isinstance(config.get(section), dict) and config[section].get("path"):
            raise Mistake(f"Aegra has no custom {section}: {section}.path can not be used", code="config_unsupported", hint="Take it out, or choose the agent server langgraph.")
    path = os.path.join(folder, "aegra.json")
    with open(path, "w", encoding="utf-8") as file:
        json.dump(config, file)
    os.environ.update(
        AEGRA_CONFIG=path,
        HOST=settings.host,
        PORT=str(settings.port),
        N_JOBS_PER_WORKER=str(settings.workers),
        WORKER_DRAIN_TIMEOUT=str(settings.drain),
    )
    os.environ.setdefault("ENV_MODE", "PRODUCTION")  # lines of JSON


def file_of(name, graph):
    """Aegra knows files only: a module becomes its file."""
    spec = graph["path"] if isinstance(graph, dict) else graph
    module, _, export = spec.rpartition(":")
    if "/" in module:
        return graph
    found = importlib.util.find_spec(module)
    if found is None or not found.origin:
        raise ModuleNotFoundError(f"No module named {module!r}, which graph {name!r} is in", name=module)
    file = f"{found.origin}:{export}"
    return {**graph, "path": file} if isinstance(graph, dict) else file


def load():
    """The ASGI app. The app's own web app and auth are imported with it."""
    from importlib.metadata import version

    from aegra_api.main import app

    broker.mend()
    info("server loaded", package="aegra-api", version=version("aegra-api"))
    return app


def logging():
    from aegra_api.utils.setup_logging import get_logging_config

    return get_logging_config()


# What is answered as long as a run lasts.
OF_A_RUN = re.compile(r"/runs/(stream|wait|[^/]+/(stream|join))$")


async def drain(limit, answers):
    """Takes no more runs, and waits for those of this process and for answers that end with a run. By
    Redis that may be another process's, which may not even have begun it. What is left at the limit
    Aegra's own end hands on to others, or cancels without Redis."""
    from aegra_api.core.active_runs import active_runs
    from aegra_api.services.executor import executor

    # Its workers look at this before each run. One that asks Redis for one is waited for: cancelled, as
    # by Aegra's own end, it may have been given one that nobody has then.
    executor._running = False
    loop = asyncio.get_running_loop()
    until = loop.time() + limit
    while True:
        runs = [run for run, task in active_runs.items() if not task.done()]
        waiting = [path for path in answers.open.values() if OF_A_RUN.search(path)]
        asking = [worker for worker in getattr(executor, "_worker_tasks", ()) if not worker.done()]
        if not runs and not waiting and not asking:
            return
        if loop.time() >= until:
            return warn("drain limit reached: cancelling runs", runs=runs, answers=len(waiting))
        await asyncio.sleep(LOOK_AGAIN)
