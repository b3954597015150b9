"""The dependencies of a compiled graph's tasks, as far as the graph tells. Pure functions.

A task sees the channels of its node's input schema, or the packet that it was sent. Its conditional edges see the
state, too. What else a node looks at (a clock, a file, LangGraph's long-term store) nobody can tell.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from langgraph.channels import DeltaChannel, LastValue, UntrackedValue
from langgraph.channels.base import BaseChannel
from langgraph.graph import StateGraph
from langgraph.pregel import Pregel


def channels_read(graph: Pregel[Any, Any, Any, Any], node: str, *, sent: bool) -> frozenset[str]:
    """The channels that a node's tasks read: those of its input, if it is not `sent` one, and of its conditional edges.

    Managed values are none: they tell of the run, not of what was written.
    """
    channels = {name for name, channel in graph.channels.items() if isinstance(channel, BaseChannel)}
    builder = getattr(graph, "builder", None)
    if not isinstance(builder, StateGraph):
        return frozenset(channels)  # what its writers read stands nowhere
    read: set[str] = set()
    if not sent:
        given = graph.nodes[node].channels
        read.update([given] if isinstance(given, str) else given)
    for branch in builder.branches.get(node, {}).values():
        own = builder.nodes[node].input_schema if node in builder.nodes else builder.state_schema
        read.update(builder.schemas[branch.input_schema or own])
    return frozenset(read & channels)


def overwritten(graph: Pregel[Any, Any, Any, Any]) -> frozenset[str]:
    """The channels that hold what was written last, and nothing of what was written before."""
    return frozenset(name for name, channel in graph.channels.items() if type(channel) is LastValue)


def replayed_from_writes(graph: Pregel[Any, Any, Any, Any]) -> frozenset[str]:
    """The channels whose value stands in no checkpoint, but in the writes since one."""
    return frozenset(name for name, channel in graph.channels.items() if isinstance(channel, DeltaChannel))


def unrecorded(graph: Pregel[Any, Any, Any, Any]) -> list[str]:
    """The channels that LangGraph never saves."""
    return sorted(name for name, channel in graph.channels.items() if isinstance(channel, UntrackedValue))


def keeps_state(graph: Pregel[Any, Any, Any, Any], node: str) -> bool:
    """Return whether a node calls a subgraph that remembers earlier calls in its own checkpoints, and in no channel."""
    return any(map(_remembers, graph.nodes[node].subgraphs))


def _remembers(subgraph: Any) -> bool:
    if getattr(subgraph, "checkpointer", None) not in (None, False):
        return True
    nodes: Iterable[Any] = getattr(subgraph, "nodes", {}).values()
    return any(_remembers(inner) for node in nodes for inner in getattr(node, "subgraphs", ()))
