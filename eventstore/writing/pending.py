"""Appends to one stream that have not been stored yet: each by itself, and several as one."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping, Sequence
from contextvars import copy_context
from enum import Enum
from functools import partial
from typing import Any

from eventstore.arguments import refused
from eventstore.codec import Row, chained
from eventstore.erasing import OpenLog
from eventstore.errors import ConflictError
from eventstore.events import Appended, Head
from eventstore.recorders import Statement
from eventstore.telling import tell
from eventstore.writing.deciding import Decide, Decision


class State(Enum):
    """The state of an append: `WAITING`, until it is in the end `STORED` or `FAILED`."""

    WAITING = 1
    STORED = 2
    FAILED = 3


class Pending:
    """One writer's append to a stream, and its outcome.

    Args:
        decide: Decides what to append.
        metadata: The metadata that the stream can be searched by, if this append begins it.
        joins: Whether it may be decided on a head that is not stored yet, and be stored with the append before it.
        first_version: The version of its first event, if the stream is empty.
        places: The ranks of its events in the feed; see `chained`.

    Attributes:
        decide: Decides what follows a head. It runs with its writer's context variables, such as a key or a tenant,
            in whatever thread it is called.
        state: Where it is.
        alone: Whether it is stored by itself, since what it was stored with was refused.
    """

    __slots__ = (
        "_appended",
        "_error",
        "alone",
        "decide",
        "first_version",
        "joins",
        "metadata",
        "places",
        "state",
    )

    def __init__(
        self,
        decide: Decide,
        metadata: Mapping[str, Any],
        *,
        joins: bool = False,
        first_version: int = 1,
        places: Sequence[int] = (),
    ) -> None:
        self.decide: Decide = partial(copy_context().run, decide)  # type: ignore[call-arg]  # they come later
        self.metadata = metadata
        self.joins = joins
        self.first_version = first_version
        self.places = places
        self._appended: Appended | None = None
        self._error: Exception | None = None
        self.alone = False
        self.state = State.WAITING

    def succeed(self, appended: Appended) -> None:
        """Note that it is stored."""
        self._appended = appended
        self.state = State.STORED

    def fail(self, error: Exception) -> None:
        """Note that it is refused and nothing of it is stored, or that this is unknown, as the error then says."""
        self._error = error
        self.state = State.FAILED

    def outcome(self) -> Appended:
        """Return its result, once it is stored; raise the error that it failed with."""
        if self._error is not None:
            if isinstance(self._error, ConflictError):
                tell(logging.INFO, "conflict", "an append was refused: %s", self._error, stream=self._error.stream)
            raise self._error
        assert self._appended
        return self._appended


class Batch:
    """The appends of several writers to one stream, in one transaction; or of one writer, with all that it decided.

    Args:
        stream_id: The stream's number.
        head: The head that the first one was decided on.
        first: Whether the stream has no events of its own yet.
        limit: How many bytes an event may take.
        now: The time of the events, in microseconds since 1970-01-01T00:00Z; the present by default.

    Attributes:
        start: The head that it follows.
        head: The head that it leaves.
        rows: The rows to store.
        then: The statements that are carried out with them.
        pending: Whose they are.
        work: More to do in the transaction: then it is of one writer only.
    """

    __slots__ = (
        "_appended",
        "_first",
        "_limit",
        "_now",
        "head",
        "pending",
        "rows",
        "start",
        "stream_id",
        "then",
        "work",
    )

    def __init__(self, stream_id: int, head: Head, *, first: bool, limit: int, now: int | None = None) -> None:
        self.stream_id = stream_id
        self.head = self.start = head
        self.rows: list[Row] = []
        self.pending: list[Pending] = []
        self.work: Callable[[OpenLog], None] | None = None
        self._first = first
        self._limit = limit
        self._now = time.time_ns() // 1000 if now is None else now
        self.then: list[Statement] = []
        self._appended: list[Appended] = []

    def take(self, pending: Pending, decision: object) -> None:
        """Add what one writer has decided on the head that the earlier ones leave.

        Raises:
            BadInputError: It is no decision, or an event cannot be stored; nothing was added.
        """
        if isinstance(decision, Appended):
            appended = decision
        elif not isinstance(decision, Decision):
            raise refused("what decide returned", decision, "return a Decision")
        elif decision.events:
            if self._first and pending.first_version != 1:
                self.start = self.head = Head(pending.first_version - 1, self.head.hash)
            rows = chained(decision.events, self.head, now=self._now, places=pending.places, limit=self._limit)
            last = rows[-1]
            appended = Appended(rows[0].version, last.version, last.hash, decision.result)
            self.head = Head(last.version, last.hash, self.head.epoch)
            self.rows += rows
            self.then += decision.then
            self.work = decision.work
        else:
            appended = Appended(self.head.version, self.head.version, self.head.hash, decision.result)
        self.pending.append(pending)
        self._appended.append(appended)

    def succeed(self) -> None:
        """Tell all its writers that it is stored."""
        for pending, appended in zip(self.pending, self._appended, strict=True):
            pending.succeed(appended)

    def fail(self, error: Exception) -> None:
        """Tell all its writers that it is not stored, or that this is unknown."""
        for pending in self.pending:
            pending.fail(error)
