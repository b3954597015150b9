"""The event store as a LangGraph checkpoint saver: one class, for `invoke` and `ainvoke` alike."""

from typing import TYPE_CHECKING

from langgraph.checkpoint.eventstore import _shadowing as _shadowing  # first: it looks whose the others are

# isort: split
from eventstore.later import later as _later
from langgraph.checkpoint.eventstore._saver import EventStoreSaver
from langgraph.checkpoint.eventstore._translation import CheckpointThen
from langgraph.checkpoint.eventstore._turns import ConcurrentRuns

if TYPE_CHECKING:
    from langgraph.checkpoint.eventstore._environment import checkpointer
    from langgraph.checkpoint.eventstore._upcasting import ValueUpcasters
    from projections import PruneReport

__all__ = ["CheckpointThen", "ConcurrentRuns", "EventStoreSaver", "PruneReport", "ValueUpcasters", "checkpointer"]


# A saver starts without what only some programs ask for.
__getattr__ = _later(
    globals(),
    {
        "projections.outcomes": ["PruneReport"],
        "langgraph.checkpoint.eventstore._environment": ["checkpointer"],
        "langgraph.checkpoint.eventstore._upcasting": ["ValueUpcasters"],
    },
)
