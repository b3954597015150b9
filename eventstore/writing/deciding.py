"""What is decided on a stream's head: which events follow, and what goes with them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from eventstore.events import Appended, Head, NewEvent
from eventstore.recorders import Session, Statement


@dataclass(frozen=True, slots=True)
class Decision:
    """What to append to a stream, decided on its head.

    Attributes:
        events: The new events; none: nothing is stored.
        then: Statements that are carried out with the append, or not at all (see `recorders.Append`).
        work: The same, as a function of the open transaction.
        first_version: The version that the first event of an empty stream gets, 1 if it is not given.
        places: Where each event comes among those of all streams that are appended to at once, 0, 1, 2, …, so that the
            feed has them in that order. Without, a stream's events stand together.
        closes: Whether `work` closes the stream: its name then leads to a new one.
        begins_era: Whether what anyone remembers of the stream by `Head.era` no longer holds.
        result: What to return instead of the append's own place, when there is nothing to append.
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
        """Whether it is nothing but events and statements: others' may be stored with it."""
        return not (self.work or self.places or self.closes or self.first_version is not None)


Decide = Callable[[int, Head], Decision]
"""From a stream's number and head to what shall follow. It may be called again, if the stream moves on meanwhile."""
