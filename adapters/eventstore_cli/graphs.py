"""The graph whose reducers make the values of channels of which only the writes are stored: imported when it is named.

Nothing of a store is ever executed to be shown. A graph is the user's own code: it is imported, and its reducers are
run, only where `--graph` asks for it.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from contextlib import redirect_stdout
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from eventstore import BadInputError, UnavailableError
from eventstore_cli.loading import loaded
from eventstore_views.session import SERIALIZER
from projections import Fold, Serializer

if TYPE_CHECKING:
    from langgraph.checkpoint.eventstore._folding import Reducers


@dataclass(frozen=True, slots=True)
class Reading:
    """A command's way of reading values.

    Attributes:
        serializer: Makes values of bytes: for showing only, unless reducers are to work with them.
        fold: The reducers of a graph, if one was named.
    """

    serializer: Serializer
    fold: Fold | None = None


def reading(named: str | None, namespace: str, channels: Sequence[str] = ()) -> Reading:
    """Return how values are read, with the graph that was named, if one was.

    Args:
        named: `module:attribute`.
        namespace: The namespace that is asked about.
        channels: The channels that are asked about by name.

    Raises:
        BadInputError: It names no graph, or one without these channels.
    """
    if named is None:
        return Reading(SERIALIZER)
    # What the user's code prints is no part of the answer.
    with redirect_stdout(sys.stderr):
        graph = _graph(named)
        reducers = _reducers(named, graph)
    reducers.check(namespace, channels)
    return Reading(_serializer(graph), reducers)


def graph_of(named: str) -> tuple[Any, Serializer]:
    """Import a graph, and return it with the serializer of its own saver, or else of any saver.

    Raises:
        BadInputError: It names no graph.
    """
    with redirect_stdout(sys.stderr):
        graph = _graph(named)
        _reducers(named, graph)  # says if it is no compiled graph
    return graph, _serializer(graph)


def serializer_of(upcasters: str | None, graph: str | None) -> Serializer:
    """Return the serializer of the user's program: it makes objects of the types that are imported with these.

    Args:
        upcasters: `module:attribute` of its `ValueUpcasters`; `None`: those of the graph's own saver.
        graph: `module:attribute` of its graph, whose module imports the types of its state.

    Raises:
        BadInputError: These are not what they are to be.
    """
    own = None if graph is None else graph_of(graph)[1]
    if upcasters is None:
        return SERIALIZER if own is None else own
    try:
        from langgraph.checkpoint.eventstore._serde import serializer_of  # noqa: PLC0415 (it takes LangGraph)
        from langgraph.checkpoint.eventstore._upcasting import ValueUpcasters  # noqa: PLC0415
    except ImportError as error:
        raise UnavailableError("--upcasters needs the package langgraph: pip install langgraph") from error
    with redirect_stdout(sys.stderr):
        found = loaded(upcasters, "--upcasters", lambda each: isinstance(each, ValueUpcasters), "agents.support:shapes")
    if not isinstance(found, ValueUpcasters):
        raise BadInputError(f"--upcasters {upcasters} is a {type(found).__name__}, and no ValueUpcasters")
    return serializer_of(None, None, found)


def _graph(named: str) -> Any:
    return loaded(named, "--graph", lambda found: hasattr(found, "invoke"), "agents.support:graph")


def _reducers(named: str, graph: Any) -> Reducers:
    try:
        from langgraph.checkpoint.eventstore._folding import Reducers  # noqa: PLC0415 (it takes LangGraph)
    except ImportError as error:
        raise UnavailableError("--graph needs the package langgraph: pip install langgraph") from error
    try:
        return Reducers(graph)
    except BadInputError as error:
        raise BadInputError(f"--graph {named}: {error}") from error


def _serializer(graph: Any) -> Serializer:
    """That of the graph's own saver, or else the one that a saver has if nothing is said."""
    from langgraph.checkpoint.eventstore._saver import EventStoreSaver  # noqa: PLC0415
    from langgraph.checkpoint.eventstore._serde import StrictSerializer  # noqa: PLC0415

    saver = graph.checkpointer
    return saver.serde if isinstance(saver, EventStoreSaver) else StrictSerializer()
