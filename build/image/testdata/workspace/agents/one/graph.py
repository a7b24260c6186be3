from typing import TypedDict

from langgraph.graph import END, START, StateGraph
from lib import loud


class State(TypedDict):
    text: str


builder = StateGraph(State).add_node("echo", lambda s: {"text": loud(s["text"])})
graph = builder.add_edge(START, "echo").add_edge("echo", END).compile()
