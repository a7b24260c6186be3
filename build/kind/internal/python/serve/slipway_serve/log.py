"""Lines of the launcher itself, beside those of the server and the app."""

import json
import sys


def info(message, **details):
    _write(sys.stdout, message, details)


def warn(message, **details):
    _write(sys.stdout, f"warning: {message}", details)


def error(message, **details):
    _write(sys.stderr, f"error: {message}", details)


def _write(stream, message, details):
    text = " " + json.dumps(details, default=str) if details else ""
    stream.write(f"slipway: {message}{text}\n")
    stream.flush()
