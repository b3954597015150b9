"""The event store as a LangGraph checkpoint saver: one class, for `invoke` and `ainvoke` alike."""

from typing import TYPE_CHECKING, Any

from langgraph.checkpoint.eventstore import _shadowing as _shadowing  # first: it looks whose the others are

# isort: split
from eventstore.later import later as _later
from langgraph.checkpoint.eventstore._saver import EventStoreSaver
from langgraph.checkpoint.eventstore._translation import CheckpointThen
from langgraph.checkpoint.eventstore._turns import ConcurrentRuns

if TYPE_CHECKING:
    from langgraph.checkpoint.eventstore._opening import OpeningSaver
    from langgraph.checkpoint.eventstore._upcasting import ValueUpcasters
    from projections import PruneReport

__all__ = ["CheckpointThen", "ConcurrentRuns", "EventStoreSaver", "PruneReport", "ValueUpcasters", "checkpointer"]


def checkpointer(**options: Any) -> "OpeningSaver[EventStoreSaver]":
    """Open a saver as the environment says, for `with` or `async with`; the entry point for `langgraph.json`.

        {"checkpointer": {"path": "langgraph.checkpoint.eventstore.checkpointer"}}

    `EVENTSTORE_URL` says where the store is; `EVENTSTORE_SCHEMA`, `EVENTSTORE_POOL_SIZE` and so on are the options of
    these names (see docs/options.md). LangGraph's server enters the block when it starts, and leaves it when it ends.

    Args:
        options: Options of `EventStoreSaver.from_conn_string`, which count before those of the URL, and these before
            the variables.

    Raises:
        BadInputError: `EVENTSTORE_URL` is not set, or a variable makes no sense.
    """
    # The server looks for this function in `__dict__`, so it cannot be one of those that come later.
    from langgraph.checkpoint.eventstore._environment import from_environment  # noqa: PLC0415

    return from_environment(options)


# A saver starts without what only some programs ask for.
__getattr__ = _later(
    globals(),
    {
        "projections.outcomes": ["PruneReport"],
        "langgraph.checkpoint.eventstore._upcasting": ["ValueUpcasters"],
    },
)
