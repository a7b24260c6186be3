"""A graph without a model, whose words are in the package beside it."""

import asyncio
import os
from importlib.metadata import version
from typing import NotRequired

from langchain_core.messages import AIMessage
from langgraph.graph import END, START, MessagesState, StateGraph
from shared_lib import phrase, shouted


class Chat(MessagesState):
    """How long an answer takes, in milliseconds."""

    delay_ms: NotRequired[int]


async def answer(state: Chat) -> dict:
    await asyncio.sleep(state.get("delay_ms", 0) / 1000)
    greeting = os.environ.get("GREETING", "hello")
    text = phrase(greeting, state["messages"][-1].text)
    return {"messages": [AIMessage(f"{text} (shared-lib {version('shared-lib')})")]}


def shout_back(state: Chat) -> dict:
    return {"messages": [AIMessage(shouted(state["messages"][-1].text))]}


graph = StateGraph(Chat).add_node(answer).add_edge(START, "answer").add_edge("answer", END).compile()

shout = StateGraph(Chat).add_node(shout_back).add_edge(START, "shout_back").add_edge("shout_back", END).compile()
