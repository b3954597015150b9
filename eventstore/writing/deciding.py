"""Decisions on a stream's head: the events that follow it, and what goes with them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from eventstore.by_fields import ByFields, frozen
from eventstore.erasing import OpenLog
from eventstore.events import Appended, Head, NewEvent
from eventstore.recorders import Statement


@frozen
class Decision(ByFields):
    """The events to append to a stream, decided on its head, and what goes with them.

    Attributes:
        events: The new events; if there are no events, nothing is stored.
        then: Statements that are carried out with the append, or not at all (see `recorders.Append`).
        work: The same, as a function of the open transaction. What it does to the stream, such as closing it, the
            `OpenLog` that it gets tells the stream's writer.
        result: Anything that the caller wants to have of the decision that was stored, if several were made:
            `Appended.result`.
    """

    events: Sequence[NewEvent]
    then: Sequence[Statement] = ()
    work: Callable[[OpenLog], None] | None = None
    result: Any = None


Decide = Callable[[int, Head], Decision | Appended]
"""Returns the events that follow a stream's head, given both. It may be called again, if the stream moves on meanwhile.

An `Appended` says that it was appended before: then nothing is stored, and that is the result."""
