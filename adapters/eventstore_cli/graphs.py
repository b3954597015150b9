"""The graph whose reducers make the values of channels of which only the writes are stored: imported when it is named.

Nothing of a store is ever executed to be shown. A graph is the user's own code: it is imported, and its reducers are
run, only where `--graph` asks for it.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from contextlib import redirect_stdout
from dataclasses import dataclass
from importlib import import_module
from inspect import Parameter, iscoroutine, signature
from operator import attrgetter
from typing import TYPE_CHECKING, Any

from eventstore import BadInputError, UnavailableError
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


def _graph(named: str) -> Any:
    module_name, _, attribute = named.partition(":")
    if not module_name or not attribute:
        raise BadInputError(f"--graph is {named!r}: write module:attribute, as in agents.support:graph")
    found = _attribute(_module(module_name), module_name, attribute)
    return _made_by(found, named) if callable(found) and not hasattr(found, "invoke") else found


def _module(name: str) -> Any:
    if "" not in sys.path:
        sys.path.insert(0, "")  # as `python -m` does: the folder that one stands in
    try:
        return import_module(name)
    except ModuleNotFoundError as error:
        if error.name and (name == error.name or name.startswith(f"{error.name}.")):
            raise BadInputError(
                f"there is no module {name!r}, neither in this folder nor among the installed packages: check --graph"
            ) from error
        raise BadInputError(f"module {name!r} cannot be imported here: {error}") from error
    except (Exception, SystemExit) as error:
        raise BadInputError(f"importing {name!r} raised {type(error).__name__}: {error}") from error


def _attribute(module: Any, name: str, attribute: str) -> Any:
    try:
        return attrgetter(attribute)(module)
    except AttributeError as error:
        graphs = sorted(each for each, held in vars(module).items() if hasattr(held, "invoke") and each[0] != "_")
        there = f"; it has {', '.join(graphs)}" if graphs else ""
        raise BadInputError(f"module {name!r} has no {attribute!r}{there}: check --graph") from error


def _made_by(factory: Callable[..., Any], named: str) -> Any:
    """Return what a function gives that makes a graph. It is called without arguments."""
    try:
        takes = [
            each
            for each in signature(factory).parameters.values()
            if each.default is Parameter.empty and each.kind not in (Parameter.VAR_POSITIONAL, Parameter.VAR_KEYWORD)
        ]
    except (TypeError, ValueError):
        takes = []
    if takes:
        raise BadInputError(f"{named} takes {takes[0].name!r}: only a function without arguments is called for a graph")
    try:
        made = factory()
    except (Exception, SystemExit) as error:
        raise BadInputError(f"{named} raised {type(error).__name__}: {error}") from error
    if iscoroutine(made):
        made.close()
        raise BadInputError(f"{named} is asynchronous: name a graph, or a function that returns one")
    return made


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
