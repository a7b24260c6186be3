"""Five graphs without a model: no key, no network, the same answer every time.

Each shows one thing that an Agent Server does; README.md says which.
"""

import asyncio
import os
from typing import NotRequired

from langchain_core.messages import AIMessage, HumanMessage
from langgraph.config import get_stream_writer
from langgraph.graph import END, START, MessagesState, StateGraph
from langgraph.types import interrupt


class Chat(MessagesState):
    """How long `slow` and `custom` take for one step, in milliseconds."""

    delay_ms: NotRequired[int]


def last_text(state: Chat) -> str:
    return state["messages"][-1].text if state["messages"] else ""


def say(text: str) -> dict:
    return {"messages": [AIMessage(text)]}


async def pause(state: Chat, default: int) -> None:
    """Waits, unless the run is cancelled first."""
    await asyncio.sleep(state.get("delay_ms", default) / 1000)


def reply(state: Chat) -> dict:
    prefix = os.environ.get("ECHO_PREFIX", "echo")
    return say(f"{prefix}: {last_text(state)} (message {len(state['messages'])} of this thread)")


async def work(state: Chat) -> dict:
    await pause(state, 2_000)
    return {}


def done(state: Chat) -> dict:
    return say(f"done: {last_text(state)}")


async def spell(state: Chat) -> dict:
    write, words = get_stream_writer(), last_text(state).split()
    for index, word in enumerate(words):
        write({"index": index, "word": word, "of": len(words)})
        await pause(state, 100)
    return say(f"{len(words)} words")


def ask(state: Chat) -> dict:
    answer = interrupt({"question": "May I?", "action": last_text(state)})
    return say(f"did: {last_text(state)}" if answer == "yes" else f"left alone: {last_text(state)}")


def recall(state: Chat) -> dict:
    said = [message.text for message in state["messages"] if isinstance(message, HumanMessage)]
    return say(f"you said: {' | '.join(said)}")


def one_step(node) -> StateGraph:
    return StateGraph(Chat).add_node(node).add_edge(START, node.__name__).add_edge(node.__name__, END)


# Repeats the last message, and counts the ones that the thread holds.
echo = one_step(reply).compile()

# Takes `delay_ms` (2 s unless told) and gives up at once when it is cancelled.
slow = StateGraph(Chat).add_node(work).add_node(done).add_edge(START, "work").add_edge("work", "done").add_edge("done", END).compile()

# Sends one custom event for each word before it answers.
custom = one_step(spell).compile()

# Asks before it acts, and goes on with whatever the person answers.
approve = one_step(ask).compile()

# Answers with everything that the person has said on this thread.
memory = one_step(recall).compile()
