"""Runs the Aegra server on the configuration that the image's environment names."""

import json
import os
from pathlib import Path

config = {"graphs": json.loads(os.environ["LANGSERVE_GRAPHS"])}
for key, variable in (("store", "LANGGRAPH_STORE"), ("auth", "LANGGRAPH_AUTH"), ("http", "LANGGRAPH_HTTP")):
    if os.environ.get(variable):
        config[key] = json.loads(os.environ[variable])

path = Path(os.environ.get("SLIPWAY_STATE_DIR", "/var/lib/slipway")) / "aegra.json"
path.write_text(json.dumps(config))
os.environ["AEGRA_CONFIG"] = str(path)
if "DATABASE_URL" not in os.environ and os.environ.get("POSTGRES_URI_CUSTOM"):
    os.environ["DATABASE_URL"] = os.environ["POSTGRES_URI_CUSTOM"]

import uvicorn  # noqa: E402 - it reads its configuration as it is imported

uvicorn.run("aegra_api.main:app", host="0.0.0.0", port=int(os.environ.get("PORT", "8000")))
