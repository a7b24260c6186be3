"""Aegra itself: what it reads, how it is imported, how it is drained."""

import asyncio
import importlib.util
import json
import os

from slipway_serve.failure import Mistake
from slipway_serve.log import info, warn

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

    info("server loaded", package="aegra-api", version=version("aegra-api"))
    return app


def logging():
    from aegra_api.utils.setup_logging import get_logging_config

    return get_logging_config()


async def drain(limit):
    """Waits for the runs of this process. Those that a worker took by Redis are drained, and handed
    on, by Aegra's own end; what is left at the limit it cancels."""
    from aegra_api.core.active_runs import active_runs

    loop = asyncio.get_running_loop()
    until = loop.time() + limit
    while any(not task.done() for task in active_runs.values()):
        if loop.time() >= until:
            warn("drain limit reached: cancelling runs", runs=[run for run, task in active_runs.items() if not task.done()])
            return
        await asyncio.sleep(LOOK_AGAIN)
