"""Decisions on a stream's head: the events that follow it, and what goes with them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from eventstore.events import Appended, Head, NewEvent
from eventstore.recorders import Session, Statement


@dataclass(frozen=True, slots=True)
class Decision:
    """The events to append to a stream, decided on its head, and what goes with them.

    Attributes:
        events: The new events; if there are no events, nothing is stored.
        then: Statements that are carried out with the append, or not at all (see `recorders.Append`).
        work: The same, as a function of the open transaction.
        first_version: The version that the first event of an empty stream gets, 1 if it is not given.
        places: The rank of each event among those of all streams that are appended to at once, 0, 1, 2, …, so that the
            feed has them in that order. Without it, a stream's events stand together.
        closes: Whether `work` closes the stream: its name then leads to a new one.
        begins_era: Whether anything remembered of the stream by its `Head.era` becomes invalid.
        result: The result to return when there is nothing to append, instead of the append's own.
    """

    events: Sequence[NewEvent]
    then: Sequence[Statement] = ()
    work: Callable[[Session], None] | None = None
    first_version: int | None = None
    places: Sequence[int] = ()
    closes: bool = False
    begins_era: bool = False
    result: Appended | None = None

    @property
    def is_plain(self) -> bool:
        """`True` if it has only events and statements, so that other decisions may be stored with it."""
        return not (self.work or self.places or self.closes or self.first_version is not None)


Decide = Callable[[int, Head], Decision]
"""From a stream's number and head to what shall follow. It may be called again, if the stream moves on meanwhile."""
