"""The part of the graph of shapes that older and newer code have alike: how its nodes are wired."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from langgraph.graph import START, StateGraph
from langgraph.graph.state import CompiledStateGraph
from langgraph.types import Send

from langgraph.checkpoint.eventstore import EventStoreSaver


def joined(notes: list[str], more: Any) -> list[str]:
    """Join notes."""
    return [*notes, *(each for write in more for each in write)]


def spread(state: Any) -> list[Send]:
    """Send objects to tasks."""
    return [Send("send", state["orders"][0]), Send("send", state["orders"][-1])]


def wired(
    saver: EventStoreSaver, state: type, child: type, ordered: Callable[..., Any], nodes: Mapping[str, Any]
) -> CompiledStateGraph[Any, Any, Any, Any]:
    """The graph, of its states, the node of its subgraph, and its own nodes: `begin`, `ask`, `note` and `send`."""
    within: Any = StateGraph(child)
    subgraph = within.add_node("ordered", ordered).add_edge(START, "ordered").compile()
    builder: Any = StateGraph(state)
    for name, node in nodes.items():
        builder.add_node(name, node)
    builder.add_node("child", subgraph).add_edge(START, "begin").add_edge("begin", "child")
    builder.add_edge("child", "ask").add_edge("child", "note").add_conditional_edges("ask", spread, ["send"])
    compiled: CompiledStateGraph[Any, Any, Any, Any] = builder.compile(checkpointer=saver)
    return compiled
