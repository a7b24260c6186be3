"""Runs one app by Aegra.

    python -S -s -P serve.py

Beside what slipway_serve/settings.py lists, it is told by the deployment's variables:

    POSTGRES_URI_CUSTOM    the database that its owner brings,
    POSTGRES_URI           else the one that was made for it. One of them is required, unless
                           DATABASE_URL is set.
    REDIS_URI_CUSTOM       a Redis, for several instances and for runs that outlive one,
    REDIS_URI              likewise

Two that start at once on one database do so one after the other.
"""

import asyncio
import os
import sys
import tempfile

sys.path.append(os.path.dirname(os.path.abspath(__file__)))

from slipway_serve import app  # noqa: E402
from slipway_serve.control import Control  # noqa: E402
from slipway_serve.failure import step  # noqa: E402
from slipway_serve.settings import read_settings  # noqa: E402
from slipway_serve.start import main  # noqa: E402


def start(began):
    with step("settings"):
        settings = read_settings(os.environ)
    with step("config"):
        app.activate(settings)
        from aegra_run import database, runs, server

        config = app.read_config(settings)
        app.apply_environment(config, settings)
        server.prepare(settings, config, tempfile.mkdtemp(prefix="aegra-"))
    with step("database"):
        database.choose(os.environ)
        turn = database.take_turn(os.environ["DATABASE_URL"])
    with step("listen"):
        from slipway_serve import web

        socks = web.claim(settings)
    with step("app"):
        os.chdir(settings.base_dir)  # where an app finds its own files, as everywhere else
        asgi = server.load()
    count = runs.Count()
    control = Control(count)
    if settings.control:
        control.listen(settings.control)

    def started():
        turn.close()
        count.serving(asyncio.get_running_loop())
        control.serving()

    with step("graphs"):
        life = web.Life(asgi, socks, settings, lambda: server.drain(settings.drain, life.app), server.logging(), began, started=started)
        return life.run()


if __name__ == "__main__":
    main(start)
