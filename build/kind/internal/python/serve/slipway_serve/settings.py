"""Everything that a launcher is told. There are no arguments and no files of its own.

    SLIPWAY_APP_DIR        folder of the app. Only read. Required.
    SLIPWAY_SITE           folders of packages, joined by ":"
    SLIPWAY_CONFIG         the app's configuration, relative to its folder; langgraph.json
    SLIPWAY_STATE_DIR      folder of the state, for servers that keep files
    HOST, PORT             where to listen; 127.0.0.1 and 2024
    SLIPWAY_SOCKET         socket to listen on; the port is then for the app itself (door.py); none
    N_JOBS_PER_WORKER      runs at once; 10
    SLIPWAY_CONTROL        socket where it is asked and told (control.py), for servers that do; none
    SLIPWAY_STAND_BY       "1": load, then wait there for the release before state and port are opened
    SLIPWAY_DRAIN_SECONDS  how long SIGTERM waits for busy runs before it cancels them; 25
"""

import dataclasses
import os

from .failure import Mistake


@dataclasses.dataclass(frozen=True)
class Settings:
    app_dir: str
    sites: list
    config_file: str
    base_dir: str
    state_dir: str
    host: str
    port: int
    socket: str
    workers: int
    drain: int
    control: str
    stands_by: bool


def read_settings(env):
    app_dir = folder(env, "SLIPWAY_APP_DIR")
    control = env.get("SLIPWAY_CONTROL") or ""
    config_file = os.path.join(app_dir, env.get("SLIPWAY_CONFIG") or "langgraph.json")
    return Settings(
        app_dir=app_dir,
        sites=[site for site in env.get("SLIPWAY_SITE", "").split(":") if site],
        config_file=config_file,
        base_dir=os.path.dirname(config_file),
        state_dir=folder(env, "SLIPWAY_STATE_DIR") if env.get("SLIPWAY_STATE_DIR") else "",
        host=env.get("HOST") or "127.0.0.1",
        port=number(env, "PORT", 2024, 1, 65_535),
        socket=env.get("SLIPWAY_SOCKET") or "",
        workers=number(env, "N_JOBS_PER_WORKER", 10, 1, 10_000),
        drain=number(env, "SLIPWAY_DRAIN_SECONDS", 25, 0, 86_400),
        control=control,
        stands_by=bool(control) and env.get("SLIPWAY_STAND_BY") == "1",
    )


def folder(env, name):
    path = env.get(name, "")
    if not os.path.isdir(path):
        raise Mistake(f"{name}: no such folder: {path!r}")
    return os.path.realpath(path)


def number(env, name, fallback, least, most):
    text = env.get(name) or str(fallback)
    if text.isdigit() and least <= int(text) <= most:
        return int(text)
    raise Mistake(f"{name} must be a number from {least} to {most}, not {text!r}")
