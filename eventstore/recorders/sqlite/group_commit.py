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


class _Writer(Generic[T]):
    """One writer's work, and its outcome."""

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

    def __init__(self, writers: list[_Writer[Any]]) -> None:
        self.writers = writers
        self.finished = False
        for writer in writers:
            writer.batch = self

    @property
    def is_one_statement(self) -> bool:
        """`True` if the batch needs no explicit transaction."""
        return len(self.writers) == 1 and self.writers[0].atomic


class GroupCommit:
    """Carries out pieces of work on one connection, as many as have gathered in one transaction.

    Args:
        connection: Gives the connection, to one caller at a time, and opens it at the first call.

    Attributes:
        waiting: The writers whose work nobody has begun, in the order in which they came.
    """

    def __init__(self, connection: Callable[[], sqlite3.Connection]) -> None:
        self._connection = connection
        # Who holds this leads. A lock that a `with` takes is given back whatever interrupts its holder, and however
        # often: no writer is ever left behind by a leader that is gone.
        self._turn = threading.Lock()
        self._queue_lock = threading.Lock()
        self.waiting: list[_Writer[Any]] = []

    def run(self, work: Callable[[sqlite3.Connection], T], *, atomic: bool = False) -> T:
        """Carry out `work` in a transaction; return when it is committed, raise if it was rolled back.

        Args:
            work: What to do.
            atomic: Whether it is one statement, of which SQLite itself does all or nothing.
        """
        if atomic and not self.waiting and not self._turn.locked():
            # Nobody writes and nobody waits, most often: then there is nothing to gather.
            try:
                with self._turn:
                    if not self.waiting:
                        connection = self._connection()
                        if connection.in_transaction:
                            _roll_back(connection)  # see `_carry_out`
                        return work(connection)
            finally:
                if self.waiting:
                    with self._queue_lock:
                        self._wake_next()
        writer = _Writer(work, atomic=atomic)
        try:
            with self._queue_lock:
                self.waiting.append(writer)
            while not writer.done:
                if self._turn.locked():
                    writer.wait()
                else:
                    self._lead(writer)
        finally:
            self._leave(writer)
        if writer.error is not None:
            raise writer.error
        return writer.result  # type: ignore[return-value]  # done without an error: it holds a T

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
        """Let nobody write until `resume`; return `False` if the present writer goes on for `timeout` seconds."""
        return self._turn.acquire(timeout=timeout)

    def resume(self) -> None:
        """Let them write again."""
        self._turn.release()
        with self._queue_lock:
            self._wake_next()

    def _lead(self, writer: _Writer[Any]) -> None:
        """Carry out all that has gathered, and tell the writers."""
        with self._turn:
            if writer.done:  # by another leader, who was faster
                return
            with self._queue_lock:
                if writer not in self.waiting:  # who had begun its work was interrupted, and did not finish
                    self.waiting.append(writer)
                batch = _Batch(self.waiting)
                self.waiting = []
            self._carry_out(batch, writer)
        for done in batch.writers:
            done.wake()

    def _leave(self, writer: _Writer[Any]) -> None:
        """Let the next one lead. A writer that was interrupted takes back what nobody has begun."""
        with self._queue_lock:
            writer.gone = True
            if writer in self.waiting:
                self.waiting.remove(writer)
            self._wake_next()

    def _wake_next(self) -> None:
        if self.waiting:
            self.waiting[0].wake()

    def _carry_out(self, batch: _Batch, own: _Writer[Any]) -> None:
        committing = False
        connection: sqlite3.Connection | None = None
        try:
            connection = self._connection()
            # A leader that was interrupted twice may have left its transaction open: nobody heard that it was stored.
            _roll_back(connection)
            if batch.is_one_statement:
                committing = True  # it commits by itself
                own.result = own.work(connection)
                batch.finished = True
                return
            connection.execute("BEGIN IMMEDIATE")
            for writer in batch.writers:
                _attempt(connection, writer, alone=len(batch.writers) == 1)
            committing = True
            connection.execute("COMMIT")
        except Exception as error:  # noqa: BLE001 (whatever it is, each writer of the batch gets it)
            _roll_back(connection)
            for writer in batch.writers:  # nothing was committed: none of them may report success
                writer.error = writer.error or error
        except BaseException:
            # An interrupt is for the thread that it reached. The others' work is done, or is done by who leads next.
            if not _roll_back(connection) and committing:
                batch.finished = True
            with self._queue_lock:
                own.gone = True
                # Whose writer was interrupted, too, is left out: nobody would hear of it.
                self.waiting = [writer for writer in batch.writers if not (writer.done or writer.gone)] + self.waiting
            raise
        batch.finished = True


def _attempt(connection: sqlite3.Connection, writer: _Writer[Any], *, alone: bool) -> None:
    writer.error = None
    if alone:
        writer.result = writer.work(connection)
        return
    if not writer.atomic:
        connection.execute("SAVEPOINT writer")
    try:
        writer.result = writer.work(connection)
    except Exception as error:
        if not connection.in_transaction:
            raise  # SQLite itself gave the whole transaction up, as it does when the disk is full
        writer.error = error
        if not writer.atomic:
            connection.execute("ROLLBACK TO writer")
    if not writer.atomic:
        connection.execute("RELEASE writer")


def _roll_back(connection: sqlite3.Connection | None) -> bool:
    """End a transaction that is open; whether one was."""
    # A connection that is closed, or a disk that is gone, has nothing to roll back. The writers that wait have to
    # hear of the error that came first, and not of this.
    with suppress(sqlite3.Error):
        if connection and connection.in_transaction:
            connection.execute("ROLLBACK")
            return True
    return False
