"""The log through connections that are somebody else's: lent for each turn, and given back as they were."""

from __future__ import annotations

import sys
from contextlib import suppress
from typing import Any
from weakref import WeakKeyDictionary

import psycopg
from psycopg.pq import PipelineStatus, TransactionStatus

from eventstore.errors import BadInputError, BusyError, StoreClosedError, UnavailableError
from eventstore.recorders.pool import Turn, Turns
from eventstore.recorders.postgres.connection import Connection
from eventstore.recorders.postgres.errors import translated
from eventstore.recorders.postgres.listening import PostgresListener
from eventstore.recorders.postgres.recorder import SEQUENCE_BATCH, PostgresRecorder
from eventstore.recorders.protocol import Listener

# What the locks here rely on: see `connection`.
_ISOLATION = "read committed"
_SET_ISOLATION = "SELECT set_config('default_transaction_isolation', %(isolation)s, false)"
_GET_ISOLATION = "SELECT current_setting('default_transaction_isolation')"
# A pool without a limit; and where it is not told.
_CONNECTIONS = 8


class Guest(Connection):
    """A session that is somebody else's connection, used beside it: with rows, transactions and types of our own.

    psycopg keeps all that in its object, and not in the session. So the other's is not touched.

    Attributes:
        isolation: The isolation of transactions, where the session has another default; `None` if it has ours.
    """

    isolation: str | None = None
    _hosts_handler: Any = None

    @classmethod
    def of(cls, host: psycopg.Connection[Any]) -> Guest:
        """Use a connection that is idle. Its notifications go on to be its own."""
        handlers = host.pgconn.notice_handler, host.pgconn.notify_handler
        guest = cls(host.pgconn)
        host.pgconn.notice_handler, host.pgconn.notify_handler = handlers
        guest.autocommit = True
        guest.isolation_level = psycopg.IsolationLevel.READ_COMMITTED
        # psycopg numbers what it prepares: the other's statement may have the number.
        guest.prepare_threshold = None
        [(isolation,)] = guest.execute(_GET_ISOLATION).fetchall()
        guest.isolation = None if isolation == _ISOLATION else isolation
        return guest

    def arrive(self) -> None:
        """Begin a turn: what the server says meanwhile is not for the other's ears."""
        self._hosts_handler, self.pgconn.notice_handler = self.pgconn.notice_handler, None
        try:
            if self.isolation:
                self.execute(_SET_ISOLATION, {"isolation": _ISOLATION})
        except BaseException:
            self.pgconn.notice_handler = self._hosts_handler
            raise

    def leave(self) -> None:
        """End a turn, and leave everything as it was."""
        try:
            if self.pgconn.transaction_status != TransactionStatus.IDLE:
                self.rollback()
            if self.isolation:
                self.execute(_SET_ISOLATION, {"isolation": self.isolation})
        finally:
            self.pgconn.notice_handler = self._hosts_handler

    def __del__(self, *_: Any) -> None:
        """Leave the session alone: it is not ours to close, nor to warn of."""


class Shared(Turns):
    """Connections of a pool, or one connection, that threads take turns with. It is what `Pool` is, but owns nothing.

    Args:
        lender: A `psycopg_pool.ConnectionPool`, or a `psycopg.Connection`.
        timeout: How many seconds to wait for a connection.
        where: The database, for messages.
    """

    def __init__(self, lender: Any, *, timeout: float, where: str) -> None:
        self._lender = lender
        self._alone = isinstance(lender, psycopg.Connection)
        self._timeout = timeout
        self._where = where
        self._guests: WeakKeyDictionary[psycopg.Connection[Any], Guest] = WeakKeyDictionary()
        self._lent: dict[int, tuple[psycopg.Connection[Any], Guest]] = {}
        self._closed = self._forked = False

    def take(self) -> Connection:
        """A connection for the calling thread alone, until it gives it back.

        Raises:
            UnavailableError: All are in use, or closed.
            BusyError: It is in a transaction of its owner's.
            BadInputError: It does not speak UTF-8.
            StoreClosedError: The store was closed.
        """
        if self._closed:
            raise StoreClosedError
        if self._forked:
            raise UnavailableError(
                f"the connections to {self._where} are those of the process that forked: open a store on others"
            )
        host = self._borrow()
        try:
            self._check(host)
            guest = self._guests.get(host)
            if guest is None:
                guest = self._guests[host] = Guest.of(host)
            guest.arrive()
        except BaseException:
            self._return(host)
            raise
        self._lent[id(guest)] = (host, guest)
        return guest

    def give(self, connection: Connection) -> None:
        """Give back what was taken, as it was."""
        lent = self._lent.pop(id(connection), None)
        if lent is None:  # it was taken before the process forked
            return
        host, guest = lent
        try:
            with suppress(psycopg.Error):  # it broke: whoever owns it will notice
                guest.leave()
        finally:
            self._return(host)

    def use(self) -> Turn[Connection]:
        """A context manager that takes a connection and gives it back."""
        return Turn(self)

    def in_use(self) -> tuple[int, int]:
        """How many connections are in use; nobody tells who waits for one."""
        return len(self._lent), 0

    def clear(self) -> None:
        """One broke: let the pool look after the others."""
        if not self._alone:
            with suppress(psycopg.Error):
                self._lender.check()

    def close(self) -> None:
        """Take none any more. They go on to be open."""
        self._closed = True

    def start_over(self) -> None:
        """In a child of this process: use none of the parent's connections."""
        self._forked = True
        self._guests, self._lent = WeakKeyDictionary(), {}

    def _borrow(self) -> psycopg.Connection[Any]:
        if self._alone:
            if not self._lender.lock.acquire(timeout=self._timeout):
                raise UnavailableError(f"the connection to {self._where} is in use, for longer than connect_timeout")
            host: psycopg.Connection[Any] = self._lender
            return host
        try:
            host = self._lender.getconn(self._timeout)
        except psycopg.OperationalError as error:
            raise UnavailableError(
                f"the pool gives no connection to {self._where} ({type(error).__name__}): keep it open as long as the "
                "store, and large enough for what else it serves"
            ) from error
        return host

    def _return(self, host: psycopg.Connection[Any]) -> None:
        if self._alone:
            host.lock.release()
        else:
            self._lender.putconn(host)

    def _check(self, host: psycopg.Connection[Any]) -> None:
        if host.closed:
            raise UnavailableError(f"the connection to {self._where} was closed: open the store on another one")
        if host.pgconn.transaction_status != TransactionStatus.IDLE:
            raise BusyError(
                f"the connection to {self._where} is in a transaction of its owner's, which might undo what is stored: "
                "end it first, or share a pool"
            )
        if host.pgconn.pipeline_status != PipelineStatus.OFF:
            raise BusyError(f"the connection to {self._where} is in pipeline mode: leave it first, or share a pool")
        if host.pgconn.parameter_status(b"client_encoding") != b"UTF8":
            raise BadInputError(
                f"the connection to {self._where} does not speak UTF-8: open it with client_encoding=utf8"
            )


class SharingRecorder(PostgresRecorder):
    """Implements `Recorder` on connections that somebody else owns. It opens none, so it listens by polling.

    Args:
        lender: A `psycopg_pool.ConnectionPool`, or a `psycopg.Connection`.
        schema: The schema for the tables; it is created if need be.
        prepare: Whether the usual append is a prepared statement.
        connect_timeout: How many seconds to wait for a connection.
    """

    def __init__(self, lender: Any, *, schema: str, prepare: bool, connect_timeout: float) -> None:
        check_lender(lender)
        alone = isinstance(lender, psycopg.Connection)
        connections = 1 if alone else lender.max_size or _CONNECTIONS
        self._set_up("the database of your connections", schema, connections, SEQUENCE_BATCH, prepare=prepare)
        with translated(self.where), Shared(lender, timeout=connect_timeout, where=self.where).use() as first:
            self.where = _place(first)
            self._check_encoding(first)
        self.turns = Shared(lender, timeout=connect_timeout, where=self.where)
        self.follow_forks()

    def listen(self) -> Listener:
        """See `Recorder.listen`. To listen takes a connection of one's own: so it looks by itself."""
        lock = self._server["hold_listener_lock"]
        return PostgresListener(None, self.schema, lock=lock, listeners=self._listeners, where=self.where)


def check_lender(lender: object) -> None:
    """Hold that connections can be borrowed of something.

    Raises:
        BadInputError: They cannot.
    """
    pools = sys.modules.get("psycopg_pool")
    if isinstance(lender, psycopg.Connection) or (pools and isinstance(lender, pools.ConnectionPool)):
        return
    name = type(lender).__name__
    advice = "use a psycopg_pool.ConnectionPool, or a psycopg.Connection"
    if name.startswith("Async"):
        advice += ": async methods run on threads, with connections that are not async"
    raise BadInputError(f"a {name} lends no connections: {advice}")


def _place(connection: Connection) -> str:
    info = connection.info
    return f"postgresql://{info.user}@{info.host}:{info.port}/{info.dbname}"
