"""The way into a launcher: before any package of the app or the server can be imported."""

import sys
import time

from . import failure


def main(start):
    """Runs start, which returns an exit code, and explains what keeps it from that."""
    try:
        code = start(time.monotonic())
    except SystemExit as exit:
        code = failure.explain(exit if exit.code else RuntimeError("the app ended the process by itself"))
    except BaseException as raised:
        code = failure.explain(raised)
    sys.stdout.flush()
    sys.exit(code)
