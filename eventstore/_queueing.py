"""What a process remembers of a stream, and its writers who wait for each other: they are stored together."""

from __future__ import annotations

import threading
import time
from contextvars import copy_context
from dataclasses import dataclass, field

from eventstore._deciding import Decide, Decision
from eventstore.codec import Row, chained
from eventstore.events import Appended, Head
from eventstore.recorders import Statement


class Ticket:
    """Somebody's append to one stream, and what came of it."""

    def __init__(self, decide: Decide) -> None:
        self._decide = decide
        # Whoever decides for another does so with what that one's context variables say: a key, or a tenant.
        self._context = copy_context()
        self.done = False
        self.appended: Appended | None = None
        self.error: Exception | None = None

    def decide(self, stream_id: int, head: Head) -> Decision:
        """What shall follow the head."""
        return self._context.run(self._decide, stream_id, head)

    def succeed(self, appended: Appended) -> None:
        """It is stored."""
        self.appended, self.done = appended, True

    def fail(self, error: Exception) -> None:
        """It is refused, and nothing of it is stored."""
        self.error, self.done = error, True


@dataclass(slots=True)
class Stream:
    """What this process remembers of a stream. Its lock makes this process's appends to it queue up.

    `head` is `None` where it has to be read first, and with it the number: the name may belong to a new stream.
    """

    stream_id: int = 0
    head: Head | None = None
    has_rows: bool = False
    lock: threading.Lock = field(default_factory=threading.Lock)
    # Who waits for the lock to append, for whoever gets it first.
    waiting: list[Ticket] = field(default_factory=list)
    # The last head that was seen, and since when nobody else has moved it.
    known: Head | None = None
    era: int = 0

    def moved_to(self, row: Row) -> None:
        """Note that this process has appended, up to `row`."""
        self.head = self.known = Head(row.version, row.hash, self.era)
        self.has_rows = True


class Together:
    """What several append to one stream, one after the other, in one transaction."""

    def __init__(self, start: Head) -> None:
        self.start = self.head = start
        self.rows: list[Row] = []
        self.then: list[Statement] = []
        self._now = time.time_ns() // 1000
        self._taken: list[tuple[Ticket, Appended]] = []

    def take(self, ticket: Ticket, decision: Decision) -> None:
        """Add what one of them has decided on the head that the others leave."""
        rows = chained(decision.events, self.head, now=self._now)
        appended = Appended(self.head.version, self.head.version, self.head.hash)
        if rows:
            appended = Appended(rows[0].version, rows[-1].version, rows[-1].hash)
            self.head = Head(rows[-1].version, rows[-1].hash, self.head.era)
        self.rows += rows
        self.then += decision.then
        self._taken.append((ticket, decision.result or appended))

    def succeed(self) -> None:
        """Tell them all that it is stored."""
        for ticket, appended in self._taken:
            ticket.succeed(appended)
