from langchain_core.messages import AIMessage
from langgraph.graph import START, MessagesState, StateGraph
from words import WORD


def say(state: MessagesState) -> dict:
    return {"messages": [AIMessage(WORD)]}


graph = StateGraph(MessagesState).add_node(say).add_edge(START, "say").compile()
