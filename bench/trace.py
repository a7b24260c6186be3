"""Traces as fast as the vendor's client goes, and prints the seconds that it took
until all was taken in.

    python trace.py <traces>      of four runs each, of about 2 KB
"""

import sys
import time

from langsmith import Client, traceable

refused = []
client = Client(tracing_error_callback=refused.append)
TEXT = "the agent asked for weather in a town and got an answer that it did not expect " * 10


@traceable(run_type="llm", client=client)
def model(messages):
    return {"messages": [{"role": "assistant", "content": f"{len(messages)} {TEXT}"}]}


@traceable(client=client, metadata={"langgraph_node": "agent", "langgraph_step": 3})
def agent(n):
    for step in range(3):
        model([{"role": "user", "content": f"{n} {step} {TEXT}"}])
    return {"messages": [{"role": "assistant", "content": f"{n} {TEXT}"}]}


client.info  # is asked for once
begun = time.monotonic()
for n in range(int(sys.argv[1])):
    agent(n)
client.flush()
print(time.monotonic() - begun)
if refused:
    sys.exit(f"{len(refused)} requests failed: {refused[0]}")
