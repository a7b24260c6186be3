"""A start that fails says why twice: in one line for people, and, as the last that the process
writes, in one line for the machine that started it:

    slipway: failed to start: <step>: <message>
    slipway: failure: {"code": "missing_dependency", "message": "...", "hint": "..."}

The stack, if there is one, stands between them on lines of its own.
"""

import contextlib
import json
import os
import sys
import traceback

LONGEST = 1_200  # the whole line must fit into what a driver keeps of an output


FINAL = 1  # another start would fail alike
MAY_PASS = 75


class Mistake(Exception):
    """Of the person who configures the app: it needs no stack. passes says that another start may
    do better."""

    def __init__(self, message, code="config_invalid", hint="", passes=False):
        super().__init__(message)
        self.code, self.hint, self.passes = code, hint, passes


class _State:
    step = "load"
    explained = False
    app_dir = "/"
    local_names = frozenset()


@contextlib.contextmanager
def step(name):
    """Work under a name, which stays current, so that an exit inside it can be explained too."""
    _State.step = name
    yield


def know_app(app_dir, local_names):
    """Where the app's own code lies, and the names that it can be imported by."""
    _State.app_dir, _State.local_names = app_dir, frozenset(local_names)


def explain(failure, step_name=None):
    """Writes the lines, once: the first failure is the one that counts. Returns the exit code."""
    cause = root(failure)
    ends = MAY_PASS if isinstance(cause, Mistake) and cause.passes else FINAL
    if _State.explained:
        return ends
    _State.explained = True
    code, message, hint = classify(cause)
    text = "; ".join(part.strip() for part in message.strip().splitlines() if part.strip())[:LONGEST]
    told = {"code": code, "message": text} | ({"hint": hint} if hint else {})
    sys.stdout.flush()
    sys.stderr.write(f"slipway: failed to start: {step_name or _State.step}: {text}\n")
    if not isinstance(cause, Mistake):
        cause.__traceback__ = from_app(cause.__traceback__)
        traceback.print_exception(cause, limit=-12)
    sys.stderr.write(f"slipway: failure: {json.dumps(told)}\n")
    sys.stderr.flush()
    return ends


def root(failure):
    """What the app's own code raised, below what the server made of it."""
    seen = set()
    while failure is not None and id(failure) not in seen:
        seen.add(id(failure))
        inner = getattr(failure, "cause", None)
        if not isinstance(inner, BaseException) and wraps(failure):
            inner = failure.__cause__
        if isinstance(failure, BaseExceptionGroup) and len(failure.exceptions) == 1:
            inner = failure.exceptions[0]
        if not isinstance(inner, BaseException):
            break
        failure = inner
    return failure


def wraps(failure):
    """Whether it only says again, in the server's words, what its cause says."""
    return isinstance(failure.__cause__, (ImportError, SyntaxError)) and not isinstance(failure, (ModuleNotFoundError, Mistake))


def classify(cause):
    """Code, message and hint."""
    if isinstance(cause, Mistake):
        return cause.code, str(cause), cause.hint
    said = f"{type(cause).__name__}: {cause}" if str(cause) else type(cause).__name__
    if isinstance(cause, SyntaxError):
        return "syntax_error", f"{shown(cause.filename or '?')}:{cause.lineno}: {cause.msg}", ""
    at = place(cause)
    where = f"{at}: " if at else ""
    if isinstance(cause, ModuleNotFoundError) and cause.name:
        top = cause.name.split(".")[0]
        if top not in _State.local_names:
            return "missing_dependency", f"{where}No module named {cause.name!r}", f"Add the package that has {top} to the app's dependencies."
        return "module_not_found", where + said, "Look at the module's name, and that its file was packed."
    if isinstance(cause, ImportError):
        return "import_error", where + said, "Look at the name, and at the version of the package that it is imported from."
    if isinstance(cause, ValueError) and str(cause).startswith(("Could not find graph", "Graph export not found", "Graph file not found")):
        return "graph_not_found", str(cause).split(" Please check")[0], "Look at the graph's name in langgraph.json."
    if 'extension "vector"' in str(cause) or "vector.control" in str(cause):
        hint = "The app needs pgvector, as store.index does: install it in PostgreSQL, have a superuser CREATE EXTENSION vector in the app's database if the app may not, or do without."
        return "pgvector_missing", said, hint
    if at:
        return "import_error", where + said, ""
    return "start_failed", said, ""


def from_app(stack):
    """The stack from the first line of the app on: how the server came there helps nobody."""
    first = stack
    while first is not None and not first.tb_frame.f_code.co_filename.startswith(_State.app_dir + os.sep):
        first = first.tb_next
    return first or stack


def place(cause):
    """file:line of the app's code that is nearest to what went wrong."""
    for frame in reversed(traceback.extract_tb(cause.__traceback__)):
        if frame.filename.startswith(_State.app_dir + os.sep):
            return f"{shown(frame.filename)}:{frame.lineno}"
    return ""


def shown(file):
    return os.path.relpath(file, _State.app_dir) if file.startswith(_State.app_dir + os.sep) else file
