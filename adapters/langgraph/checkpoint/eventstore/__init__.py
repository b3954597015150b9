"""The event store as a LangGraph checkpoint saver: one class, for `invoke` and `ainvoke` alike."""

from langgraph.checkpoint.eventstore._saver import ConcurrentRuns, EventStoreSaver
from projections import PruneReport

__all__ = ["ConcurrentRuns", "EventStoreSaver", "PruneReport"]
