"""Writers that wait together commit together.

A durable commit waits for the disk, whatever it carries. While one writer commits, others queue up; the first of them
then carries out everybody's work in one transaction, each in a savepoint of its own, and commits once. Every writer
still returns only when its own work is on disk.
"""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable
from typing import Any, Generic, TypeVar

T = TypeVar("T")


class _Ticket(Generic[T]):
    """One writer's work, and what came of it."""

    def __init__(self, work: Callable[[], T]) -> None:
        self.work = work
        self.done = False
        self.result: T | None = None
        self.error: BaseException | None = None
        # Rung when the work is done, or when it is this writer's turn to carry out what has gathered.
        self.woken = threading.Event()


class GroupCommit:
    """Carries out pieces of work on one connection, as many as have gathered in one transaction."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._turn = threading.Lock()
        self._queue_lock = threading.Lock()
        self._queue: list[_Ticket[Any]] = []
        self._somebody_leads = False

    def run(self, work: Callable[[], T]) -> T:
        """Carry out `work` in a transaction; return when it is committed, raise if it was rolled back."""
        ticket = _Ticket(work)
        with self._queue_lock:
            self._queue.append(ticket)
            leads, self._somebody_leads = not self._somebody_leads, True
        if not leads:
            self._wait(ticket)
        # Woken without being done: the writer before has handed over the lead.
        if not ticket.done:
            self._lead(ticket)
        if ticket.error is not None:
            raise ticket.error
        return ticket.result  # type: ignore[return-value]  # done without an error: it holds a T

    def exclusive(self) -> threading.Lock:
        """The lock under which work is carried out, for those who use the connection for something else."""
        return self._turn

    def _wait(self, ticket: _Ticket[Any]) -> None:
        try:
            ticket.woken.wait()
        except BaseException:
            # An interrupted writer takes its work back, if nobody has begun it, and hands on the lead, if it had it.
            with self._queue_lock:
                if ticket in self._queue:
                    self._queue.remove(ticket)
                    if ticket.woken.is_set():
                        self._hand_over()
            raise

    def _hand_over(self) -> None:
        self._somebody_leads = bool(self._queue)
        if self._queue:
            self._queue[0].woken.set()

    def _lead(self, own: _Ticket[Any]) -> None:
        """Carry out all that has gathered, tell the writers, and hand over the lead."""
        batch: list[_Ticket[Any]] = []
        try:
            with self._turn:
                with self._queue_lock:
                    batch, self._queue = self._queue, []
                self._carry_out(batch, own)
        finally:
            with self._queue_lock:
                self._hand_over()
            for ticket in batch:
                if ticket.done:
                    ticket.woken.set()

    def _carry_out(self, batch: list[_Ticket[Any]], own: _Ticket[Any]) -> None:
        try:
            self._connection.execute("BEGIN IMMEDIATE")
            for ticket in batch:
                self._attempt(ticket, alone=len(batch) == 1)
            self._connection.execute("COMMIT")
        except Exception as error:  # noqa: BLE001 (whatever it is, each writer of the batch gets it)
            self._roll_back()
            for ticket in batch:  # nothing was committed: none of them may report success
                ticket.error = ticket.error or error
        except BaseException:
            # An interrupt is for the thread that it reached. The others' work is done by whoever leads next.
            self._roll_back()
            with self._queue_lock:
                self._queue = [ticket for ticket in batch if ticket is not own] + self._queue
            raise
        for ticket in batch:
            ticket.done = True

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

    def _roll_back(self) -> None:
        if self._connection.in_transaction:
            self._connection.execute("ROLLBACK")
