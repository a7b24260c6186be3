"""The configuration as the server reads it: by variables, most of them JSON."""

import json

SECTIONS = {
    "graphs": "LANGSERVE_GRAPHS",
    "store": "LANGGRAPH_STORE",
    "auth": "LANGGRAPH_AUTH",
    "encryption": "LANGGRAPH_ENCRYPTION",
    "priority": "LANGGRAPH_PRIORITY",
    "http": "LANGGRAPH_HTTP",
    "webhooks": "LANGGRAPH_WEBHOOKS",
    "checkpointer": "LANGGRAPH_CHECKPOINTER",
    "ui": "LANGGRAPH_UI",
    "ui_config": "LANGGRAPH_UI_CONFIG",
}


def server_environment(config):
    """/ok is one of the meta routes, so these stay. Paths are stripped by the gateway."""
    http = config.get("http")
    if isinstance(http, dict):
        config = {**config, "http": {key: value for key, value in http.items() if key not in ("disable_meta", "mount_prefix")}}
    return {variable: json.dumps(config[section]) for section, variable in SECTIONS.items() if config.get(section)}
