"""The log in a PostgreSQL database. Writers of different streams never wait for each other."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import cached_property, lru_cache
from hashlib import blake2b
from math import ceil
from selectors import EVENT_READ, DefaultSelector
from socket import socketpair
from typing import Any, Literal, TypeVar

import psycopg
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from eventstore.address import PostgresAddress
from eventstore.codec import Row
from eventstore.errors import ConnectionLostError, InvalidUrlError, NotAStoreError
from eventstore.migrations import Migration, load_migrations, migrate
from eventstore.queries import load_queries, quote_schema
from eventstore.recorders._migrating import by_component, carry_out, is_up_to_date
from eventstore.recorders._pool import Pool
from eventstore.recorders._postgres_errors import lost, translated
from eventstore.recorders._protocol import Append, Listener, Params, Rows, Session
from eventstore.recorders._shortcut import Shortcut, fits

T = TypeVar("T")

# Appends with more statements are rare, and each number of them would be a prepared statement of its own.
_FEW_STATEMENTS = 6
# How many events get their place in the feed in one transaction.
_SEQUENCE_BATCH = 10_000
# The least time between two notifications of one process, and between two looks whether anybody listens at all.
_NOTIFY_PAUSE_SECONDS, _NOBODY_LISTENS_SECONDS = 0.02, 1.0


class _Connection(psycopg.Connection[tuple[Any, ...]]):
    """Knows which shortcuts are prepared on it."""

    @cached_property
    def shortcuts(self) -> set[bytes]:
        return set()


class PostgresRecorder:
    """Implements `Recorder` on PostgreSQL, with a bounded pool of connections.

    Args:
        address: Where the database is.
        schema: The schema for the tables; it is created if need be.
        connections: The most connections that are open at once.
        prepare: Whether to use prepared statements. They do not work behind a PgBouncer in transaction mode.
        connect_timeout: How many seconds to wait for a connection.
    """

    dialect: Literal["postgres"] = "postgres"

    def __init__(
        self,
        address: PostgresAddress,
        *,
        schema: str = "eventstore",
        connections: int = 8,
        prepare: bool = True,
        connect_timeout: float = 30.0,
    ) -> None:
        self.schema = schema
        self.connections = connections
        self._where = str(address)
        self._queries = load_queries("eventstore", self.dialect, schema)
        self._server = load_queries("eventstore", self.dialect, schema, file="server")
        self._applied: dict[str, dict[int, str]] | None = None
        self._shortcuts: dict[str, Shortcut] = {}
        self._prepare = prepare
        self._conninfo = _conninfo(address, connect_timeout)
        self._options: dict[str, Any] = {
            "autocommit": True,
            # Statements are few and hot: prepared at their second use.
            "prepare_threshold": 1 if prepare else None,
        }
        # Opened here by hand: what is wrong (a password, a name) is said at once, and not by a pool's timeout.
        with translated(self._where):
            first = self._connect()
            self._check_encoding(first)
        self._pool = Pool(self._connect, size=connections, timeout=connect_timeout, where=self._where, opened=[first])
        self._listeners: set[_PostgresListener] = set()
        self._notifier = _Notifier(self)

    def migrate(self, component: str, *, allowed: bool) -> None:
        """See `Recorder.migrate`."""
        known = load_migrations(component, self.dialect, self.schema)
        if self._applied is None:  # read once for all components, as the store is opened
            self._applied = self._read_applied()
        if is_up_to_date(known, self._applied):
            return  # the usual case; it needs no lock and no rights
        if not allowed:
            migrate(known, self._read_applied().get(component, {}), None)
            return
        self._applied = None
        self.write(lambda session: self._migrate(session, known))

    def read(self, sql: str, params: Params) -> Rows:
        """See `Recorder.read`. A broken connection is replaced and the query asked once more."""
        with translated(self._where):
            try:
                return self._read(sql, params)
            except psycopg.Error as error:
                if not lost(error):
                    raise
                self._pool.clear()
                return self._read(sql, params)

    def write(self, work: Callable[[Session], T]) -> T:
        """See `Recorder.write`."""
        with translated(self._where), self._pool.use() as connection, connection.transaction():
            return work(_PostgresSession(connection))

    def append(self, *appends: Append) -> bool:
        """See `Recorder.append`: one statement, and so one round trip, if there is one row and no other work.

        A stream's first append is a transaction of its own kind: see `lock_empty_stream`.
        """
        with translated(self._where), self._pool.use() as connection:
            if len(appends) == 1 and _is_simple(appends[0]):
                return self._append_alone(connection, appends[0])
            try:
                with connection.transaction():
                    self._append_all(connection, appends)
            except _StreamMovedOnError:
                return False
            return True

    def list_of(self, values: Sequence[int] | Sequence[str]) -> object:
        """See `Recorder.list_of`: an array."""
        return list(values)

    def sequence(self) -> int:
        """See `Recorder.sequence`. If there is nothing to number, it writes nothing and waits for nobody."""
        [(position, is_behind)] = self.read(self._server["feed_state"], {})
        while is_behind:
            try:
                numbered, position = self.write(self._number_some)
            except ConnectionLostError:  # what has got its number keeps it: to number twice is to number once
                self._pool.clear()
                numbered, position = self.write(self._number_some)
            is_behind = numbered == _SEQUENCE_BATCH
        return int(position)

    def signal(self) -> None:
        """See `Recorder.signal`."""
        for listener in tuple(self._listeners):
            listener.wake()
        self._notifier.wake()

    def listen(self) -> Listener:
        """See `Recorder.listen`."""
        with translated(self._where):
            return _PostgresListener(self)

    def close(self) -> None:
        """See `Recorder.close`."""
        self._notifier.close()
        self._pool.close()
        for listener in tuple(self._listeners):
            listener.wake()

    def _check_encoding(self, connection: _Connection) -> None:
        # A PgBouncer may not tell; then an event that cannot be stored is refused when it comes.
        if connection.info.parameter_status("server_encoding") not in ("UTF8", None):
            connection.close()
            raise NotAStoreError(f"{self._where} cannot hold all text: use a database that has ENCODING 'UTF8'")

    def _connect(self) -> _Connection:
        connection = _Connection.connect(self._conninfo, **self._options)
        try:
            # Who waited for a lock has to see what its holder committed: that is what all locks here rely on, and what
            # a database or a user with another default does not give. Said twice: for what is a transaction by itself,
            # and with each BEGIN, since behind a PgBouncer the next statement may meet another session.
            connection.execute("SET default_transaction_isolation = 'read committed'")
            connection.isolation_level = psycopg.IsolationLevel.READ_COMMITTED
            # Statements are short: compiling one, if a table that was not analyzed yet makes it look long, takes a
            # hundred times as long as carrying it out.
            connection.execute("SET jit = off")
        except BaseException:
            connection.close()
            raise
        return connection

    def _read(self, sql: str, params: Params) -> Rows:
        with self._pool.use() as connection:
            return connection.execute(sql, params, binary=True).fetchall()

    def _append_alone(self, connection: _Connection, append: Append) -> bool:
        sql, params = self._last(append)
        if len(append.then) > _FEW_STATEMENTS or not fits(params):
            return connection.execute(sql, params, binary=True).rowcount == 1
        shortcut = self._shortcuts.get(sql)
        if shortcut is None:
            name = f"eventstore_{blake2b(sql.encode(), digest_size=16).hexdigest()}"
            shortcut = self._shortcuts[sql] = Shortcut(name, sql, prepare=self._prepare)
        return shortcut.execute(connection, connection.shortcuts, params) == 1

    def _append_all(self, connection: _Connection, appends: Sequence[Append]) -> None:
        # The appends come before anything else that writes: the transaction's id, by which the feed is ordered, must
        # not be older than a predecessor's. In one order for all: or two writers could wait for each other.
        for append in sorted(appends, key=lambda append: append.stream_id):
            if append.first:
                connection.execute(self._server["lock_empty_stream"], {"stream_id": append.stream_id}, binary=True)
            if not (self._append_all_but_last(connection, append) and self._append_last(connection, append)):
                raise _StreamMovedOnError
        session = _PostgresSession(connection)
        for append in appends:
            if append.work:
                append.work(session)

    def _append_all_but_last(self, connection: _Connection, append: Append) -> bool:
        if len(append.rows) == 1:
            return True
        first = self._queries[_append_block(append, 0)]
        if connection.execute(first, append.parameters(0), binary=True).rowcount == 0:
            return False
        if others := append.rows[1:-1]:
            # They follow the first, which is this transaction's: nobody else can have stored them.
            connection.execute(self._server["append_more"], _in_bulk(append.stream_id, others), binary=True)
        return True

    def _append_last(self, connection: _Connection, append: Append) -> bool:
        sql, params = self._last(append)
        return connection.execute(sql, params, binary=True).rowcount == 1

    def _last(self, append: Append) -> tuple[str, dict[str, Any]]:
        """The statement that appends the last row, with what goes with the append."""
        index = len(append.rows) - 1
        sql = self._queries[_append_block(append, index)]
        params = append.parameters(index)
        if append.then:
            sql = _with_parts(sql, *(statement.sql for statement in append.then))
            for part, statement in enumerate(append.then):
                params.update({f"part_{part}_{name}": value for name, value in statement.params.items()})
        return sql, params

    def _number_some(self, session: Session) -> tuple[int, int]:
        position, since, restored_since = session.execute(self._server["take_turn"], {})[0]
        numbered, since, restored_since, xmin = session.execute(
            self._server["number_events"],
            {"since": since, "restored_since": restored_since, "last_position": position, "limit": _SEQUENCE_BATCH},
        )[0]
        session.execute(
            self._server["end_turn"],
            {
                "last_position": position + numbered,
                # After a full batch there may be more of the same transaction. Otherwise all below xmin is done.
                "since": since if numbered == _SEQUENCE_BATCH else xmin,
                "restored_since": restored_since,
            },
        )
        return numbered, position + numbered

    def _read_applied(self) -> dict[str, dict[int, str]]:
        table = f"{quote_schema(self.schema)}.eventstore_migrations"
        if not self.read(self._server["migrations_exist"], {"qualified_name": table})[0][0]:
            return {}
        return by_component(self.read(self._queries["applied_migrations"], {}))

    def _migrate(self, session: Session, known: Sequence[Migration]) -> None:
        session.execute(self._server["lock_schema"], {"schema_name": self.schema})
        if not session.execute("SELECT 1 FROM pg_namespace WHERE nspname = %(name)s", {"name": self.schema}):
            session.execute(self._server["create_schema"], {})
        carry_out(session, self._queries, known)


class _PostgresSession:
    def __init__(self, connection: _Connection) -> None:
        self._connection = connection

    def execute(self, sql: str, params: Params) -> Rows:
        cursor = self._connection.execute(sql, params or None, binary=True)
        return cursor.fetchall() if cursor.description else []


class _Notifier:
    """Tells other processes of appends, from a thread of its own and once for many.

    Never in the append's transaction: NOTIFY makes all committing transactions of a database queue on one lock.
    """

    def __init__(self, recorder: PostgresRecorder) -> None:
        self._recorder = recorder
        self._something_new = threading.Event()
        self._closed = threading.Event()
        self._thread: threading.Thread | None = None
        self._lock = threading.Lock()

    def wake(self) -> None:
        if self._thread is None:
            self._start()
        if not self._something_new.is_set():  # setting it takes a lock that all writers would queue for
            self._something_new.set()

    def close(self) -> None:
        self._closed.set()
        self._something_new.set()
        if self._thread:
            self._thread.join()

    def _start(self) -> None:
        with self._lock:
            if self._thread is None and not self._closed.is_set():
                thread = threading.Thread(target=self._run, name="eventstore-notifier", daemon=True)
                with suppress(RuntimeError):  # no thread to be had: listeners look by themselves now and then
                    thread.start()
                    self._thread = thread

    def _run(self) -> None:
        while self._something_new.wait() and not self._closed.is_set():
            self._something_new.clear()
            # A failed notification is made up for by the listeners, who look by themselves now and then.
            with suppress(psycopg.Error):
                somebody_listens = self._recorder._read(
                    self._recorder._server["notify"], _channel(self._recorder.schema)
                )
                self._closed.wait(_NOTIFY_PAUSE_SECONDS if somebody_listens else _NOBODY_LISTENS_SECONDS)


class _PostgresListener:
    """Holds a connection that listens, for the appends of other processes; those of this one wake it directly."""

    def __init__(self, recorder: PostgresRecorder) -> None:
        self._recorder = recorder
        self._ear, self._mouth = socketpair()
        self._mouth.setblocking(False)
        self._connection: _Connection | None = None
        try:
            self._listen()
        except BaseException:
            self.close()
            raise
        recorder._listeners.add(self)

    def wait(self, timeout: float) -> bool:
        try:
            if self._connection is None:
                self._listen()
            assert self._connection is not None
            ready = _readable(timeout, self._ear.fileno(), self._connection.fileno())
            if self._connection.fileno() in ready:
                for _ in self._connection.notifies(timeout=0):
                    pass
            if self._ear.fileno() in ready:
                self._ear.recv(4096)
            return bool(ready)
        except psycopg.Error as error:
            if not lost(error):
                raise
            self._hang_up()
            return bool(_readable(timeout, self._ear.fileno()))

    def wake(self) -> None:
        # Full: the thread has been woken many times already, and has not looked yet. Closed: nobody waits.
        with suppress(BlockingIOError, OSError):
            self._mouth.send(b"!")

    def close(self) -> None:
        self._recorder._listeners.discard(self)
        self._hang_up()
        self._ear.close()
        self._mouth.close()

    def _listen(self) -> None:
        connection = self._recorder._connect()
        channel = _channel(self._recorder.schema)
        try:
            connection.execute(f'LISTEN "{channel["channel"]}"')
            connection.execute(self._recorder._server["hold_listener_lock"], channel)
        except BaseException:
            connection.close()
            raise
        self._connection = connection

    def _hang_up(self) -> None:
        if self._connection:
            self._connection.close()
            self._connection = None


def _readable(timeout: float, *files: int) -> list[int]:
    """Those of the files that can be read from, within so many seconds."""
    # Not `select`, which knows no file above 1,023: a server with that many connections is none too large.
    with DefaultSelector() as selector:
        for file in files:
            selector.register(file, EVENT_READ)
        return [key.fd for key, _ in selector.select(timeout)]


class _StreamMovedOnError(Exception):
    """Rolls an append back whose predecessor was not there."""


def _conninfo(address: PostgresAddress, connect_timeout: float) -> str:
    with suppress(psycopg.ProgrammingError):  # not chained: its message quotes the URL, and with it the password
        options: dict[str, Any] = conninfo_to_dict(address.uri)
        options.setdefault("connect_timeout", max(2, ceil(connect_timeout)))  # libpq takes whole seconds, from 2 on
        # Names are any text, whatever the URL or the environment says about the client (PGCLIENTENCODING).
        options.update(application_name="eventstore", client_encoding="UTF8")
        return make_conninfo(**options)
    raise InvalidUrlError(
        f"libpq does not understand the options of {address}: use postgresql://user@host:port/database"
    )


def _is_simple(append: Append) -> bool:
    return len(append.rows) == 1 and append.work is None and not append.first


def _append_block(append: Append, index: int) -> str:
    return "append_first_event" if append.first and index == 0 else "append_event"


def _in_bulk(stream_id: int, rows: Sequence[Row]) -> dict[str, Any]:
    versions, topics, times, hashes, payloads = zip(*rows, strict=True)
    return {
        "stream_id": stream_id,
        "versions": list(versions),
        "topics": list(topics),
        "times": list(times),
        "hashes": list(hashes),
        "payloads": list(payloads),
    }


@lru_cache(maxsize=256)
def _with_parts(append: str, *parts: str) -> str:
    """One statement out of the append and what goes with it: all of it is stored, or none.

    Each part's parameters get the part's number before their name, so that parts can use the same names.
    """
    renamed = (part.replace("%(", f"%(part_{number}_") for number, part in enumerate(parts))
    withs = ", ".join(
        [
            f"appended AS ({append} RETURNING version)",
            *(f"part_{number} AS ({part})" for number, part in enumerate(renamed)),
        ]
    )
    return f"WITH {withs} SELECT version FROM appended"  # noqa: S608 (put together from .sql files alone)


def _channel(schema: str) -> dict[str, Any]:
    number = int.from_bytes(blake2b(schema.encode(), digest_size=4).digest()) >> 1
    return {"channel": f"eventstore_{number}", "class_id": 1_702_257_011, "object_id": number}
