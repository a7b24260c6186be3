"""Runs LangGraph's Agent Server, with its runtime in memory, on what the image's environment names."""

import json
import os

from langgraph_api.cli import run_server

os.environ.setdefault("LANGGRAPH_NO_VERSION_CHECK", "true")


def named(variable: str) -> dict | None:
    """The configuration that a variable holds as JSON, None without one."""
    text = os.environ.get(variable)
    return json.loads(text) if text else None


os.chdir(os.environ.get("SLIPWAY_STATE_DIR", "/var/lib/slipway"))
run_server(
    host="0.0.0.0",
    port=int(os.environ.get("PORT", "8000")),
    reload=False,
    open_browser=False,
    allow_blocking=True,
    graphs=named("LANGSERVE_GRAPHS"),
    store=named("LANGGRAPH_STORE"),
    auth=named("LANGGRAPH_AUTH"),
    http=named("LANGGRAPH_HTTP"),
    webhooks=named("LANGGRAPH_WEBHOOKS"),
    checkpointer=named("LANGGRAPH_CHECKPOINTER"),
)
