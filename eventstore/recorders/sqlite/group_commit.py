"""Writers that wait together commit together.

A durable commit waits for the disk, whatever it carries. While one writer commits, others queue up; the first of them
then carries out everybody's work in one transaction, each in a savepoint of its own, and commits once. Every writer
still returns only when its own work is on disk.
"""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any, Generic, TypeVar

T = TypeVar("T")


# How long a writer waits before it looks whether somebody still leads: Ctrl-C can come before a leader wakes the next.
_LOOK_AGAIN_SECONDS = 1.0


class _Ticket(Generic[T]):
    """One writer's work, and what came of it."""

    def __init__(self, work: Callable[[sqlite3.Connection], T], *, atomic: bool) -> None:
        self.work = work
        self.atomic = atomic
        self.batch: _Batch | None = None
        # Whether its writer has left, and waits for nothing any more.
        self.gone = False
        self.result: T | None = None
        self.error: BaseException | None = None
        # Free when the work is done, or when it is this writer's turn to carry out what has gathered. (A bare lock:
        # an Event is made of several, and slower to wait for.)
        self._asleep = threading.Lock()
        self._asleep.acquire()

    def wait(self) -> None:
        """Sleep until woken, but not for ever."""
        self._asleep.acquire(timeout=_LOOK_AGAIN_SECONDS)

    def wake(self) -> None:
        """End the writer's sleep, or its next one."""
        with suppress(RuntimeError):  # it is awake
            self._asleep.release()

    @property
    def done(self) -> bool:
        """`True` if the work was carried out: then there is a result or an error."""
        return self.batch is not None and self.batch.finished


class _Batch:
    """Work that is carried out in one transaction; done for all of its writers in one moment."""

    def __init__(self, tickets: list[_Ticket[Any]]) -> None:
        self.tickets = tickets
        self.finished = False
        for ticket in tickets:
            ticket.batch = self

    @property
    def is_one_statement(self) -> bool:
        """`True` if the batch needs no explicit transaction."""
        return len(self.tickets) == 1 and self.tickets[0].atomic


class GroupCommit:
    """Carries out pieces of work on one connection, as many as have gathered in one transaction.

    Args:
        connection: Gives the connection, to one caller at a time, and opens it at the first call.
    """

    def __init__(self, connection: Callable[[], sqlite3.Connection]) -> None:
        self._connection = connection
        # Who holds this leads. A lock that a `with` takes is given back whatever interrupts its holder, and however
        # often: no writer is ever left behind by a leader that is gone.
        self._turn = threading.Lock()
        self._queue_lock = threading.Lock()
        self._queue: list[_Ticket[Any]] = []

    def run(self, work: Callable[[sqlite3.Connection], T], *, atomic: bool = False) -> T:
        """Carry out `work` in a transaction; return when it is committed, raise if it was rolled back.

        Args:
            work: What to do.
            atomic: Whether it is one statement, of which SQLite itself does all or nothing.
        """
        if atomic and not self._queue and not self._turn.locked():
            # Nobody writes and nobody waits, most often: then there is nothing to gather.
            try:
                with self._turn:
                    if not self._queue:
                        return work(self._connection())
            finally:
                if self._queue:
                    with self._queue_lock:
                        self._wake_next()
        ticket = _Ticket(work, atomic=atomic)
        try:
            with self._queue_lock:
                self._queue.append(ticket)
            while not ticket.done:
                if self._turn.locked():
                    ticket.wait()
                else:
                    self._lead(ticket)
        finally:
            self._leave(ticket)
        if ticket.error is not None:
            raise ticket.error
        return ticket.result  # type: ignore[return-value]  # done without an error: it holds a T

    @contextmanager
    def exclusive(self) -> Iterator[None]:
        """Keep writers waiting, for those who use the connection for something else."""
        try:
            with self._turn:
                yield
        finally:
            with self._queue_lock:
                self._wake_next()

    def pause(self, timeout: float) -> bool:
        """Let nobody write until `resume`; whether the one who writes now came to an end within so many seconds."""
        return self._turn.acquire(timeout=timeout)

    def resume(self) -> None:
        """Let them write again."""
        self._turn.release()
        with self._queue_lock:
            self._wake_next()

    def _lead(self, ticket: _Ticket[Any]) -> None:
        """Carry out all that has gathered, and tell the writers."""
        with self._turn:
            if ticket.done:  # by another leader, who was faster
                return
            with self._queue_lock:
                if ticket not in self._queue:  # who had begun its work was interrupted, and did not finish
                    self._queue.append(ticket)
                batch = _Batch(self._queue)
                self._queue = []
            self._carry_out(batch, ticket)
        for done in batch.tickets:
            done.wake()

    def _leave(self, ticket: _Ticket[Any]) -> None:
        """Let the next one lead. A writer that was interrupted takes back what nobody has begun."""
        with self._queue_lock:
            ticket.gone = True
            if ticket in self._queue:
                self._queue.remove(ticket)
            self._wake_next()

    def _wake_next(self) -> None:
        if self._queue:
            self._queue[0].wake()

    def _carry_out(self, batch: _Batch, own: _Ticket[Any]) -> None:
        committing = False
        connection: sqlite3.Connection | None = None
        try:
            connection = self._connection()
            if batch.is_one_statement:
                committing = True  # it commits by itself
                own.result = own.work(connection)
                batch.finished = True
                return
            connection.execute("BEGIN IMMEDIATE")
            for ticket in batch.tickets:
                _attempt(connection, ticket, alone=len(batch.tickets) == 1)
            committing = True
            connection.execute("COMMIT")
        except Exception as error:  # noqa: BLE001 (whatever it is, each writer of the batch gets it)
            _roll_back(connection)
            for ticket in batch.tickets:  # nothing was committed: none of them may report success
                ticket.error = ticket.error or error
        except BaseException:
            # An interrupt is for the thread that it reached. The others' work is done, or is done by who leads next.
            if not _roll_back(connection) and committing:
                batch.finished = True
            with self._queue_lock:
                own.gone = True
                # Whose writer was interrupted, too, is left out: nobody would hear of it.
                self._queue = [ticket for ticket in batch.tickets if not (ticket.done or ticket.gone)] + self._queue
            raise
        batch.finished = True


def _attempt(connection: sqlite3.Connection, ticket: _Ticket[Any], *, alone: bool) -> None:
    ticket.error = None
    if alone:
        ticket.result = ticket.work(connection)
        return
    if not ticket.atomic:
        connection.execute("SAVEPOINT ticket")
    try:
        ticket.result = ticket.work(connection)
    except Exception as error:
        if not connection.in_transaction:
            raise  # SQLite itself gave the whole transaction up, as it does when the disk is full
        ticket.error = error
        if not ticket.atomic:
            connection.execute("ROLLBACK TO ticket")
    if not ticket.atomic:
        connection.execute("RELEASE ticket")


def _roll_back(connection: sqlite3.Connection | None) -> bool:
    """End a transaction that is open; whether one was."""
    # A connection that is closed, or a disk that is gone, has nothing to roll back. The writers that wait have to
    # hear of the error that came first, and not of this.
    with suppress(sqlite3.Error):
        if connection and connection.in_transaction:
            connection.execute("ROLLBACK")
            return True
    return False
