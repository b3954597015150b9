"""The recorded history of a thread as a value and as one small file, and the graph that is held against it."""

from langgraph.checkpoint.eventstore.histories.divergence import DivergenceError
from langgraph.checkpoint.eventstore.histories.history import RecordedHistory
from langgraph.checkpoint.eventstore.histories.redaction import Redact
from langgraph.checkpoint.eventstore.histories.replaying import Replayed, aassert_replays, assert_replays

__all__ = ["DivergenceError", "RecordedHistory", "Redact", "Replayed", "aassert_replays", "assert_replays"]
