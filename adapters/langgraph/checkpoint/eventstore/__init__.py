"""The event store as a LangGraph checkpoint saver: one class, for `invoke` and `ainvoke` alike."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from langgraph.checkpoint.eventstore import _shadowing as _shadowing  # first: it looks whose the others are
from langgraph.checkpoint.eventstore._saver import ConcurrentRuns, EventStoreSaver
from langgraph.checkpoint.eventstore._translation import CheckpointThen

if TYPE_CHECKING:
    from projections import PruneReport

__all__ = ["CheckpointThen", "ConcurrentRuns", "EventStoreSaver", "PruneReport"]


def __getattr__(name: str) -> Any:
    if name == "PruneReport":  # a saver starts without what only a prune returns
        globals()[name] = import_module("projections.outcomes").PruneReport
        return globals()[name]
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
