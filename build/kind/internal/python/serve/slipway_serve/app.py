"""The app: its packages, its configuration, its environment."""

import json
import os
import re
import site
import sys

from . import failure
from .failure import Mistake
from .log import warn


def activate(settings):
    """Puts the packages where they are imported from, here and in processes that the app starts."""
    before = set(sys.path)
    for folder in settings.sites:
        site.addsitedir(folder)
    added = [path for path in sys.path if path not in before]
    os.environ["PYTHONPATH"] = os.pathsep.join(added)
    own = [path for path in added if path.startswith(settings.app_dir + os.sep) or path == settings.app_dir]
    failure.know_app(settings.app_dir, names_below(own))


def names_below(folders):
    for folder in folders:
        for name in os.listdir(folder) if os.path.isdir(folder) else ():
            if not name.startswith(("__pycache__", ".")):
                yield name.removesuffix(".py")


def read_config(settings):
    try:
        with open(settings.config_file, encoding="utf-8-sig") as file:
            config = json.load(file)
    except FileNotFoundError:
        raise Mistake(f"no such file: {settings.config_file}") from None
    except ValueError as wrong:
        raise Mistake(f"{settings.config_file} is not JSON: {wrong}") from None
    return resolve_paths(config, settings.base_dir)


# What the server imports, beside graphs, by section and key.
IMPORTED = [("auth", "path"), ("encryption", "path"), ("priority", "path"), ("checkpointer", "path"), ("store", "path"), ("http", "app")]


def resolve_paths(config, base_dir):
    """With every file as an absolute path, so that it does not matter where the process works."""
    graphs = config.get("graphs") or {}
    for name, graph in graphs.items():
        if isinstance(graph, dict):
            graph["path"] = absolute(graph.get("path", ""), base_dir)
        else:
            graphs[name] = absolute(graph, base_dir)
    for section, key in IMPORTED:
        part = config.get(section)
        if isinstance(part, dict) and isinstance(part.get(key), str):
            part[key] = absolute(part[key], base_dir)
    index = (config.get("store") or {}).get("index") or {}
    if isinstance(index.get("embed"), str) and index["embed"].startswith("."):
        index["embed"] = absolute(index["embed"], base_dir)
    return config


def absolute(spec, base_dir):
    """./file.py:name with its whole path; my.module:name as it is."""
    path, colon, name = spec.rpartition(":")
    if "/" in path or path.endswith(".py"):
        return os.path.normpath(os.path.join(base_dir, path)) + colon + name
    return spec


def apply_environment(config, settings):
    """What is in the environment already wins: the deployment's own settings and secrets."""
    given = config.get("env")
    if isinstance(given, str):
        given = read_env_file(os.path.join(settings.base_dir, given))
    for name, value in (given if isinstance(given, dict) else {}).items():
        os.environ.setdefault(name, value if isinstance(value, str) else json.dumps(value))
    for name, value in {"LOG_JSON": "true", "LOG_LEVEL": "INFO", "LOG_COLOR": "false", "NO_COLOR": "1"}.items():
        os.environ.setdefault(name, value)


LINE = re.compile(r"""\s*(?:export\s+)?([\w.]+)\s*=\s*(?:'([^']*)'|"((?:[^"\\]|\\.)*)"|([^#\n]*?))\s*(?:#.*)?$""")


def read_env_file(path):
    """One that is not there is no failure: such files are rarely committed."""
    if not os.path.isfile(path):
        warn("the env file of the configuration does not exist", file=path)
        return {}
    pairs = {}
    with open(path, encoding="utf-8-sig") as file:
        for line in file:
            if found := LINE.match(line.rstrip("\n")):
                name, raw, quoted, plain = found.groups()
                if quoted is not None:
                    quoted = quoted.replace("\\n", "\n").replace('\\"', '"').replace("\\\\", "\\")
                pairs[name] = next(value for value in (raw, quoted, plain) if value is not None)
    return pairs
