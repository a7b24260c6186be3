"""Runs one app by LangGraph's Python server with its runtime in memory.

    python -S -s -P serve.py

Promises:
  - while it stands by, what it will need is loaded, and neither state nor port is open;
  - /ok answers only after the state is open, checked and swept of runs that a hard kill left;
  - yielded, and exit 0, only when all state is on disk; nothing that was answered is missing from it;
  - once it has yielded it answers nobody and writes nothing: another may have the state while it sends traces;
  - the app's folder is never written to by the launcher or the server.
May die at any instruction: the state folder then holds what was there at most a few seconds
before (inmem/state.py), and the next start frees its lock.
"""

import os
import sys
import time

sys.path.append(os.path.dirname(os.path.abspath(__file__)))

from slipway_serve import app  # noqa: E402
from slipway_serve.control import Control  # noqa: E402
from slipway_serve.failure import Mistake, step  # noqa: E402
from slipway_serve.lock import take_lock  # noqa: E402
from slipway_serve.settings import read_settings  # noqa: E402
from slipway_serve.start import main  # noqa: E402


def prepare(settings, config):
    """What the server reads when it is imported."""
    os.environ.update(
        MIGRATIONS_PATH="__inmem",
        DATABASE_URI=":memory:",
        REDIS_URI="fake",
        LANGGRAPH_RUNTIME_EDITION="inmem",
        LANGGRAPH_DISABLE_FILE_PERSISTENCE="false",
        N_JOBS_PER_WORKER=str(settings.workers),
        PORT=str(settings.port),
    )
    # Blocking code is slow, not forbidden: here nobody is about to change it.
    os.environ.setdefault("LANGGRAPH_ALLOW_BLOCKING", "true")
    os.environ.setdefault("LANGGRAPH_API_URL", f"http://{settings.host}:{settings.port}")
    from inmem.settings import server_environment

    os.environ.update(server_environment(config))


def start(began):
    with step("settings"):
        settings = read_settings(os.environ)
        if not settings.state_dir:
            raise Mistake("SLIPWAY_STATE_DIR is not set")
    with step("config"):
        app.activate(settings)
        config = app.read_config(settings)
        app.apply_environment(config, settings)
        prepare(settings, config)
    with step("server"):
        from inmem import runtime
        from slipway_serve import web

        memory = runtime.adopt(settings)
    with step("app"):
        os.chdir(settings.base_dir)  # where an app finds its own files, as everywhere else
        asgi = runtime.load_server()
    control = Control(lambda: memory.count(settings.workers))
    if settings.stands_by:
        with step("graphs"):
            runtime.load_graphs()
        began = control.stand_by(settings.control)
    elif settings.control:
        control.listen(settings.control)
    with step("listen"):
        socks = web.claim(settings)
    with step("lock"):
        release = take_lock(settings.state_dir)
    with step("state"):
        memory.tables.open()
    with step("graphs"):
        code = web.Life(asgi, socks, settings, memory.drain, runtime.LOGGING, began, started=control.serving).run()
    code = memory.ended(code)
    if code == 0:
        memory.tables.close()
        release()
        control.yielded()
    runtime.send_traces(memory.until - time.monotonic())
    return code


if __name__ == "__main__":
    main(start)
