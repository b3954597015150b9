"""The event store as a LangGraph checkpoint saver: one class, for `invoke` and `ainvoke` alike."""

from langgraph.checkpoint.eventstore._saver import ConcurrentRuns, EventStoreSaver
from langgraph.checkpoint.eventstore._translation import CheckpointThen
from projections import PruneReport

__all__ = ["CheckpointThen", "ConcurrentRuns", "EventStoreSaver", "PruneReport"]
