"""A bounded pool of connections, made for many short turns: taking one and giving it back costs next to nothing.

The one that was given back last is taken first. It is warm, here and in the server.
"""

from __future__ import annotations

import logging
import time
from collections import deque
from collections.abc import Callable, Iterable
from types import TracebackType
from typing import Generic, Protocol, TypeVar

import psycopg
from psycopg.pq import TransactionStatus

from eventstore.errors import StoreClosedError, UnavailableError
from eventstore.recorders.fair_semaphore import FairSemaphore, Visit
from eventstore.telling import is_heard, tell

# Looked up once: a look into an enumeration takes as long as taking an idle connection.
_IDLE = TransactionStatus.IDLE
# Where a connection that is taken keeps its visit, which so ends with it if Ctrl-C lets go of both.
_VISIT = "visit of the pool"

C = TypeVar("C", bound=psycopg.Connection)

# The pauses between attempts to reach a server that is restarting, perhaps.
_FIRST_PAUSE_SECONDS, _LONGEST_PAUSE_SECONDS = 0.05, 1.0


class Turns:
    """The ground of what threads take turns with.

    A plain class has the layout that one which measures has, too (`eventstore.metrics`): a generic one has another.
    """


class Pool(Turns, Generic[C]):
    """Connections that threads take turns with, opened when first needed.

    Args:
        connect: Opens one.
        size: The most that are open at once.
        timeout: How many seconds to wait for one.
        where: The database, for messages.
        opened: Those that are open already.
    """

    def __init__(
        self, connect: Callable[[], C], *, size: int, timeout: float, where: str, opened: Iterable[C] = ()
    ) -> None:
        self._connect = connect
        self._timeout = timeout
        self._where = where
        self._idle: deque[C] = deque(opened)
        # Who has a permit may have a connection: an idle one, or a new one.
        self._size = size
        self._permits = FairSemaphore(size)
        self._closed = False

    def take(self) -> C:
        """A connection for the calling thread alone, until it gives it back.

        Raises:
            UnavailableError: All are in use.
            StoreClosedError: The pool was closed.
            psycopg.OperationalError: The server cannot be reached.
        """
        visit = self._permits.visit()
        try:
            if not visit.enter_at_once():
                self._wait(visit)
            connection = self._idle_or_new()
            vars(connection)[_VISIT] = visit
        except BaseException:
            visit.leave()
            raise
        return connection

    def give(self, connection: C) -> None:
        """Give back what was taken. A connection that broke, or was left in a transaction, is closed."""
        visit: Visit | None = vars(connection).pop(_VISIT, None)
        if visit is None or not visit.is_of(self._permits):  # it was taken before the process forked
            return
        try:
            if connection.pgconn.transaction_status == _IDLE:
                self._idle.append(connection)
            else:
                connection.close()
            if self._closed:
                self.clear()
        finally:
            visit.leave()

    def clear(self) -> None:
        """Close those that are idle: one broke, so the others probably did, too."""
        while self._idle:
            try:
                self._idle.pop().close()
            except IndexError:
                return  # another thread took the last

    def close(self) -> None:
        """Close idle connections now, and the others when they are given back. Threads that wait for one are told."""
        self._closed = True
        self.clear()
        # The first who enters finds the pool closed, leaves, and so lets the next one in.
        self._permits.raise_count()

    def start_over(self) -> None:
        """In a child of this process: begin without any connection. Those of the parent are not touched."""
        self._idle = deque()
        self._permits = FairSemaphore(self._size)

    def use(self) -> Turn[C]:
        """A context manager that takes a connection and gives it back."""
        return Turn(self)

    def in_use(self) -> tuple[int, int]:
        """How many connections are in use, and how many threads wait for one."""
        return len(self._permits), len(self._permits.waiting)

    def _wait(self, visit: Visit) -> None:
        if is_heard(logging.DEBUG):
            words = "all %d connections to %s are in use: waiting for one"
            found = {"store": self._where, "connections": self._size}
            tell(logging.DEBUG, "wait", words, self._size, self._where, **found)
        if not visit.enter(self._timeout):
            raise UnavailableError(
                f"all connections to {self._where} are in use, for longer than connect_timeout: raise pool_size"
            )

    def _idle_or_new(self) -> C:
        if self._closed:
            raise StoreClosedError
        try:
            return self._idle.pop()
        except IndexError:
            return self._open()

    def _open(self) -> C:
        deadline, pause = time.monotonic() + self._timeout, _FIRST_PAUSE_SECONDS
        while True:
            try:
                return self._connect()
            except psycopg.OperationalError:
                if self._closed or time.monotonic() + pause > deadline:
                    raise
            words = "%s cannot be reached: trying again in %.2f s"
            tell(logging.INFO, "unreachable", words, self._where, pause, store=self._where, pause=pause)
            time.sleep(pause)
            pause = min(2 * pause, _LONGEST_PAUSE_SECONDS)


class Lender(Protocol[C]):
    """Connections that threads take turns with: a `Pool`, or one that somebody else owns."""

    def take(self) -> C:
        """A connection for the calling thread alone, until it gives it back."""
        ...

    def give(self, connection: C) -> None:
        """Give back what was taken."""
        ...

    def use(self) -> Turn[C]:
        """A context manager that takes a connection and gives it back."""
        ...

    def in_use(self) -> tuple[int, int]:
        """How many connections are in use, and how many threads wait for one, as far as that is known."""
        ...

    def clear(self) -> None:
        """Doubt those that are idle: one broke."""
        ...

    def close(self) -> None:
        """Lend none any more."""
        ...

    def start_over(self) -> None:
        """Leave the connections to the process that forked."""
        ...


class Turn(Generic[C]):
    """See `Pool.use`. A class, since a generator as context manager costs more than all the rest of this module."""

    __slots__ = ("_connection", "_pool")

    def __init__(self, pool: Lender[C]) -> None:
        self._pool = pool

    def __enter__(self) -> C:
        self._connection = self._pool.take()
        return self._connection

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._pool.give(self._connection)
