"""Runs the LangGraph Agent Server on what its image's environment names."""

import json
import os

from langgraph_api.cli import run_server


def named(name: str) -> dict | None:
    """The configuration that a variable holds as JSON, None without one."""
    text = os.environ.get(name)
    return json.loads(text) if text else None


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
