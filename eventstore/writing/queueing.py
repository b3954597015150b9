"""A process's memory of a stream, and its queue of writers, whose appends are stored together."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextvars import copy_context
from dataclasses import dataclass, field
from typing import Any

from eventstore.codec import Row, chained
from eventstore.events import Appended, Head
from eventstore.recorders import Append, Session, Statement
from eventstore.writing.deciding import Decide, Decision


class Ticket:
    """One writer's append to a stream, and its outcome.

    Args:
        decide: Decides what to append.
        metadata: The metadata that the stream can be searched by, if this append begins it.
        joins: Whether it may be decided on a head that is not stored yet, and be stored with the append before it.
    """

    def __init__(self, decide: Decide, metadata: Mapping[str, Any], *, joins: bool) -> None:
        self._decide = decide
        self.metadata = metadata
        self.joins = joins
        # Whoever decides for another does so with what that one's context variables say: a key, or a tenant.
        self._context = copy_context()
        self.done = False
        self.appended: Appended | None = None
        self.error: Exception | None = None

    def decide(self, stream_id: int, head: Head) -> Decision:
        """Decide what follows the head."""
        return self._context.run(self._decide, stream_id, head)

    def succeed(self, appended: Appended) -> None:
        """Note that it is stored."""
        self.appended, self.done = appended, True

    def outcome(self) -> Appended:
        """Return its result, once it is done; raise the error that it failed with."""
        if self.error is not None:
            raise self.error
        assert self.appended
        return self.appended

    def fail(self, error: Exception) -> None:
        """Note that it is refused and nothing of it is stored, or that this is unknown, as the error then says."""
        self.error, self.done = error, True


@dataclass(slots=True)
class Stream:
    """This process's memory of a stream. Its lock makes this process's appends to it queue up.

    `head` is `None` where it has to be read first, and with it the number: the name may belong to a new stream.
    """

    name: str
    stream_id: int = 0
    head: Head | None = None
    has_rows: bool = False
    lock: threading.Lock = field(default_factory=threading.Lock)
    # Who waits for the lock to append, for whoever gets it first. (A deque takes 600 bytes, in thousands of streams.)
    waiting: list[Ticket] = field(default_factory=list)
    # What was about to be stored when whoever did it was interrupted: perhaps it was, perhaps not.
    unsettled: tuple[Append, Batch] | None = None
    # The last head that was seen, and since when nobody else has moved it.
    known: Head | None = None
    era: int = 0

    def moved_to(self, row: Row) -> None:
        """Note that this process has appended, up to `row`."""
        self.head = self.known = Head(row.version, row.hash, self.era)
        self.has_rows = True


class Batch:
    """The appends of several writers to one stream, in one transaction; or of one writer, with all that it decided."""

    def __init__(self, stream: Stream, start: Head, *, limit: int, now: int | None = None) -> None:
        self.stream = stream
        self.head = start
        self.rows: list[Row] = []
        self.tickets: list[Ticket] = []
        self.begins_era = False
        self._start = start
        self._limit = limit
        self._now = time.time_ns() // 1000 if now is None else now
        self._then: list[Statement] = []
        self._work: Callable[[Session], None] | None = None
        self._closes = False
        self._appended: list[Appended] = []

    def take(self, ticket: Ticket, decision: Decision) -> None:
        """Add what one writer has decided on the head that the earlier ones leave.

        Raises:
            BadInputError: An event cannot be stored; nothing was added.
        """
        if decision.events and decision.first_version is not None and not self.stream.has_rows:
            self._start = self.head = Head(decision.first_version - 1, self.head.hash)
        rows = chained(decision.events, self.head, now=self._now, places=decision.places, limit=self._limit)
        appended = Appended(self.head.version, self.head.version, self.head.hash)
        if rows:
            appended = Appended(rows[0].version, rows[-1].version, rows[-1].hash)
            self.head = Head(rows[-1].version, rows[-1].hash, self.head.era)
            self.rows += rows
            self._then += decision.then
            if not decision.is_plain or decision.begins_era:  # then it is the only one
                self._work, self._closes, self.begins_era = decision.work, decision.closes, decision.begins_era
        self.tickets.append(ticket)
        self._appended.append(decision.result or appended)

    def append(self, described: Sequence[Statement]) -> Append:
        """Return all of it as one `Append`, with the statements that describe a new stream."""
        then = [*self._then, *described]
        return Append(self.stream.stream_id, self._start, not self.stream.has_rows, self.rows, then, self._work)

    def note_stored(self, *, era: int | None) -> None:
        """Remember the stream as this batch left it, in a new era if there is one."""
        if era is not None:
            self.stream.era = era
        self.stream.moved_to(self.rows[-1])
        if self._closes:
            # What is remembered of a closed stream would lead the next append of that name into it.
            self.stream.head = None

    def succeed(self) -> None:
        """Tell all its writers that it is stored."""
        for ticket, appended in zip(self.tickets, self._appended, strict=True):
            ticket.succeed(appended)

    def fail(self, error: Exception) -> None:
        """Tell all its writers that it is not stored, or that this is unknown."""
        for ticket in self.tickets:
            ticket.fail(error)
