"""Talks to a deployed agent by the vendor's Python SDK, as a user's program does.

    call.py URL KEY ASSISTANT TEXT [THREAD]

It makes a thread, or goes on with the given one, runs the assistant on it with a
message, waits for one run and streams another, reads the state back, and prints
{"thread": …, "answers": [the texts of all answers on the thread]}.
"""

import asyncio
import json
import sys

from langgraph_sdk import get_client


async def main(url, key, assistant, text, thread=None):
    client = get_client(url=url, api_key=key)
    thread = thread or (await client.threads.create())["thread_id"]
    message = {"messages": [{"role": "human", "content": text}]}
    await client.runs.wait(thread, assistant, input=message)
    events = [
        part.event
        async for part in client.runs.stream(
            thread, assistant, input=message, stream_mode="values"
        )
    ]
    if "error" in events or "values" not in events:
        raise SystemExit(f"the stream brought {events}")
    state = await client.threads.get_state(thread)
    messages = state["values"]["messages"]
    answers = [m["content"] for m in messages if m["type"] == "ai"]
    print(json.dumps({"thread": thread, "answers": answers}))


asyncio.run(main(*sys.argv[1:]))
