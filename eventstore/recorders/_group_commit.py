"""Writers that wait together commit together.

A durable commit waits for the disk, whatever it carries. While one writer commits, others queue up; the first of them
then carries out everybody's work in one transaction, each in a savepoint of its own, and commits once. Every writer
still returns only when its own work is on disk.
"""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Generic, TypeVar

T = TypeVar("T")


# How long a writer waits before it looks whether somebody still leads: Ctrl-C can come between any two steps.
_LOOK_AGAIN_SECONDS = 1.0


class _Ticket(Generic[T]):
    """One writer's work, and what came of it."""

    def __init__(self, work: Callable[[], T]) -> None:
        self.work = work
        self.batch: _Batch | None = None
        # Whether its writer has left, and waits for nothing any more.
        self.gone = False
        self.result: T | None = None
        self.error: BaseException | None = None
        # Rung when the work is done, or when it is this writer's turn to carry out what has gathered.
        self.woken = threading.Event()

    @property
    def done(self) -> bool:
        """Whether the work was carried out: then there is a result or an error."""
        return self.batch is not None and self.batch.finished


class _Batch:
    """Work that is carried out in one transaction; done for all of its writers in one moment."""

    def __init__(self, tickets: list[_Ticket[Any]]) -> None:
        self.tickets = tickets
        self.finished = False
        for ticket in tickets:
            ticket.batch = self


class GroupCommit:
    """Carries out pieces of work on one connection, as many as have gathered in one transaction."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._turn = threading.Lock()
        self._queue_lock = threading.Lock()
        self._queue: list[_Ticket[Any]] = []
        self._leader: _Ticket[Any] | None = None

    def run(self, work: Callable[[], T]) -> T:
        """Carry out `work` in a transaction; return when it is committed, raise if it was rolled back."""
        ticket = _Ticket(work)
        try:
            with self._queue_lock:
                self._queue.append(ticket)
            while not ticket.done and not self._leads(ticket):
                ticket.woken.wait(_LOOK_AGAIN_SECONDS)
                ticket.woken.clear()
            if not ticket.done:
                self._carry_out_all(ticket)
        finally:
            self._leave(ticket)
        if ticket.error is not None:
            raise ticket.error
        return ticket.result  # type: ignore[return-value]  # done without an error: it holds a T

    def exclusive(self) -> threading.Lock:
        """The lock under which work is carried out, for those who use the connection for something else."""
        return self._turn

    def _leads(self, ticket: _Ticket[Any]) -> bool:
        """Whether it is for this writer to carry out what has gathered: nobody else does, or it was handed over."""
        with self._queue_lock:
            self._leader = self._leader or ticket
            return self._leader is ticket

    def _leave(self, ticket: _Ticket[Any]) -> None:
        """Hand over the lead, if this writer has it. One that was interrupted takes back what nobody has begun."""
        with self._queue_lock:
            ticket.gone = True
            if ticket in self._queue:
                self._queue.remove(ticket)
            if self._leader is ticket:
                self._leader = self._queue[0] if self._queue else None
                if self._leader:
                    self._leader.woken.set()

    def _carry_out_all(self, own: _Ticket[Any]) -> None:
        """Carry out all that has gathered, and tell the writers."""
        with self._turn:
            with self._queue_lock:
                if own not in self._queue:  # who had begun its work was interrupted, and did not finish
                    self._queue.append(own)
                batch = _Batch(self._queue)
                self._queue = []
            self._carry_out(batch, own)
        for ticket in batch.tickets:
            ticket.woken.set()

    def _carry_out(self, batch: _Batch, own: _Ticket[Any]) -> None:
        committing = False
        try:
            self._connection.execute("BEGIN IMMEDIATE")
            for ticket in batch.tickets:
                self._attempt(ticket, alone=len(batch.tickets) == 1)
            committing = True
            self._connection.execute("COMMIT")
        except Exception as error:  # noqa: BLE001 (whatever it is, each writer of the batch gets it)
            self._roll_back()
            for ticket in batch.tickets:  # nothing was committed: none of them may report success
                ticket.error = ticket.error or error
        except BaseException:
            # An interrupt is for the thread that it reached. The others' work is done, or is done by who leads next.
            if not self._roll_back() and committing:
                batch.finished = True
            with self._queue_lock:
                own.gone = True
                # Whose writer was interrupted, too, is left out: the lead would be handed to nobody.
                self._queue = [ticket for ticket in batch.tickets if not (ticket.done or ticket.gone)] + self._queue
            raise
        batch.finished = True

    def _attempt(self, ticket: _Ticket[Any], *, alone: bool) -> None:
        ticket.error = None
        if alone:
            ticket.result = ticket.work()
            return
        self._connection.execute("SAVEPOINT ticket")
        try:
            ticket.result = ticket.work()
        except Exception as error:
            if not self._connection.in_transaction:
                raise  # SQLite itself gave the whole transaction up, as it does when the disk is full
            ticket.error = error
            self._connection.execute("ROLLBACK TO ticket")
        self._connection.execute("RELEASE ticket")

    def _roll_back(self) -> bool:
        """End a transaction that is open; whether one was."""
        # A connection that is closed, or a disk that is gone, has nothing to roll back. The writers that wait have to
        # hear of the error that came first, and not of this.
        with suppress(sqlite3.Error):
            if self._connection.in_transaction:
                self._connection.execute("ROLLBACK")
                return True
        return False
