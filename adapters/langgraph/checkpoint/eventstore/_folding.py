"""The rules of a compiled graph, by which the values of its channels are made of what was written to them."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from copy import copy
from typing import Any

from langgraph.channels import BinaryOperatorAggregate, DeltaChannel
from langgraph.channels.base import BaseChannel
from langgraph.graph import StateGraph
from langgraph.pregel import Pregel

from eventstore import BadInputError
from projections import ABSENT

Graph = Pregel[Any, Any, Any, Any]

# LangGraph's `NS_SEP` and `NS_END`: between the parts of a namespace, and between a node and its task.
_PARTS, _TASK = "|", ":"


class Reducer:
    """The reducer of one channel; see `projections.Rule`.

    Args:
        channel: The channel, without a value.
    """

    name = "the graph's reducer"

    def __init__(self, channel: DeltaChannel[Any] | BinaryOperatorAggregate[Any]) -> None:
        self._channel = channel

    def fold(self, base: Any, writes: Sequence[Any]) -> Any:
        """The value after some writes, made as LangGraph's `channels_from_checkpoint` does."""
        # A reducer may change what it is given.
        value = self._channel.ValueType() if base is ABSENT else copy(base)
        channel: BaseChannel[Any, Any, Any] = self._channel.from_checkpoint(value)
        if isinstance(channel, DeltaChannel):
            channel.replay_writes([("", self._channel.key, write) for write in writes])
        else:
            # Its writes are those of many steps, from when it was a DeltaChannel.
            for write in writes:
                channel.update([write])
        return channel.get()


class Reducers:
    """The reducers of a graph and of its subgraphs; see `projections.Fold`.

    Args:
        graph: The compiled graph.

    Raises:
        BadInputError: The object is not a compiled graph.
    """

    def __init__(self, graph: object) -> None:
        if isinstance(graph, StateGraph):
            raise BadInputError("the graph is not compiled: pass what its compile() gives")
        if not isinstance(graph, Pregel):
            raise BadInputError(f"a {type(graph).__name__} is not a graph: pass what builder.compile() gives")
        self._graph = graph
        self._subgraphs: Mapping[str, Graph] | None = None

    def rule(self, namespace: str, channel: str) -> Reducer | None:
        """The reducer of a channel, if it is one whose value may have to be made of its writes."""
        graph = self._at(namespace)
        spec = graph.channels.get(channel) if graph else None
        return Reducer(spec) if isinstance(spec, DeltaChannel | BinaryOperatorAggregate) else None

    def check(self, namespace: str, channels: Collection[str]) -> None:
        """Look whether the graph has the channels that are asked for.

        Raises:
            BadInputError: It does not have one.
        """
        graph = self._at(namespace)
        if graph is None:
            return  # a node calls a graph in its code: nobody can tell which
        for channel in channels:
            if channel not in graph.channels:
                own = ", ".join(sorted(name for name in graph.channels if _TASK not in name and name[:2] != "__"))
                raise BadInputError(f"the graph has no channel {channel!r}, is it the one of this thread? It has {own}")

    def _at(self, namespace: str) -> Graph | None:
        """The graph of a namespace; `None` if a node calls it without LangGraph's knowing."""
        if not namespace:
            return self._graph
        if self._subgraphs is None:
            found = self._graph.get_subgraphs(recurse=True)
            self._subgraphs = {name: graph for name, graph in found if isinstance(graph, Pregel)}
        # A number counts the calls of one task, and is no name.
        parts = (part.partition(_TASK)[0] for part in namespace.split(_PARTS) if not part.isdigit())
        return self._subgraphs.get(_PARTS.join(parts))
