"""The event store as a LangGraph checkpoint saver: one class, for `invoke` and `ainvoke` alike."""

from langgraph.checkpoint.eventstore import _shadowing as _shadowing  # first: it looks whose the others are
from langgraph.checkpoint.eventstore._environment import checkpointer
from langgraph.checkpoint.eventstore._saver import ConcurrentRuns, EventStoreSaver
from langgraph.checkpoint.eventstore._translation import CheckpointThen
from projections import PruneReport

__all__ = ["CheckpointThen", "ConcurrentRuns", "EventStoreSaver", "PruneReport", "checkpointer"]
