"""The event store as a LangGraph checkpoint saver: one class, for `invoke` and `ainvoke` alike."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from langgraph.checkpoint.eventstore import _shadowing as _shadowing  # first: it looks whose the others are
from langgraph.checkpoint.eventstore._saver import ConcurrentRuns, EventStoreSaver
from langgraph.checkpoint.eventstore._translation import CheckpointThen

if TYPE_CHECKING:
    from langgraph.checkpoint.eventstore._environment import checkpointer
    from projections import PruneReport

__all__ = ["CheckpointThen", "ConcurrentRuns", "EventStoreSaver", "PruneReport", "checkpointer"]


# A saver starts without what only some programs ask for.
_LATER = {"PruneReport": "projections.outcomes", "checkpointer": "langgraph.checkpoint.eventstore._environment"}


def __getattr__(name: str) -> Any:
    if name in _LATER:
        globals()[name] = getattr(import_module(_LATER[name]), name)
        return globals()[name]
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
