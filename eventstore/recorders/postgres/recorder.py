"""The log in a PostgreSQL database. Writers of different streams never wait for each other."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from typing import Any, Literal, TypeVar
from weakref import WeakValueDictionary

import psycopg

from eventstore.address import PostgresAddress
from eventstore.codec import Row
from eventstore.errors import NotAStoreError
from eventstore.forking import ForkAware
from eventstore.migrations import Migration, load_migrations, migrate
from eventstore.queries import load_queries, quote_schema
from eventstore.recorders.migrating import by_component, carry_out, is_up_to_date
from eventstore.recorders.pool import Lender, Pool
from eventstore.recorders.postgres.connection import Connection, Preparing, conninfo
from eventstore.recorders.postgres.errors import is_unprepared, lost, translated
from eventstore.recorders.postgres.fast_statement import FastAppend, with_parts
from eventstore.recorders.postgres.giving_way import gave_way, not_giving_way
from eventstore.recorders.postgres.listening import Notifier, PostgresListener, channel
from eventstore.recorders.protocol import Append, InUse, Listener, Params, Rows, Session, Statement
from eventstore.recorders.strangers import POSTGRES_SAVER, owner_of
from eventstore.telling import tell

T = TypeVar("T")

# Connections of this process's parent. They are never closed here, nor left to the garbage collector.
_ABANDONED: list[Connection] = []

# Appends with more statements are rare, and each number of them would be a prepared statement of its own.
_FEW_STATEMENTS = 6
SEQUENCE_BATCH = 10_000
"""How many events get their place in the feed in one transaction."""


class PostgresRecorder(ForkAware):
    """Implements `Recorder` on PostgreSQL, with a bounded pool of connections.

    Args:
        address: Where the database is.
        schema: The schema for the tables; it is created if need be.
        connections: The most connections that are open at once.
        prepare: Whether to use prepared statements, until a pooler turns out to lose them.
        connect_timeout: How many seconds to wait for a connection.
        sequence_batch: How many events get their place in the feed in one transaction.
    """

    dialect: Literal["postgres"] = "postgres"
    _applied: dict[str, dict[int, str]] | None

    def __init__(
        self,
        address: PostgresAddress,
        *,
        schema: str = "eventstore",
        connections: int = 8,
        prepare: bool = True,
        connect_timeout: float = 30.0,
        sequence_batch: int = SEQUENCE_BATCH,
    ) -> None:
        self._set_up(str(address), schema, connections, sequence_batch, prepare=prepare)
        self._conninfo = conninfo(address, connect_timeout)
        # Opened here by hand: what is wrong (a password, a name) is said at once, and not by a pool's timeout.
        # The migrations that the store has are read on the way, once for all components: a store that is up to date is
        # open after that one round trip.
        with translated(self.where):
            first, applied = self._first()
            try:
                self._check_encoding(first)
            except BaseException:
                first.close()
                raise
        self._applied = by_component(applied)
        # What threads take turns with: `eventstore.metrics` measures how long they wait.
        self.turns: Lender[Connection] = Pool(
            self._connect, size=connections, timeout=connect_timeout, where=self.where, opened=[first]
        )
        self.follow_forks()

    def _set_up(self, where: str, schema: str, connections: int, sequence_batch: int, *, prepare: bool) -> None:
        self.schema = schema
        self.connections = connections
        self.where = where
        self._sequence_batch = sequence_batch
        self._queries = load_queries("eventstore", self.dialect, schema)
        self._server = load_queries("eventstore", self.dialect, schema, "server")
        # By the statements that go with the append.
        self._fast_appends: dict[tuple[str, ...], FastAppend] = {}
        self._preparing = Preparing(wanted=prepare, where=self.where)
        # All that are open, by their `id`. Not a `WeakSet`, which cannot be gone through while a thread opens one more.
        self._connections: WeakValueDictionary[int, Connection] = WeakValueDictionary()
        self._applied = None
        self._listeners: set[PostgresListener] = set()
        self._notifier = Notifier(self._notify)

    def in_use(self) -> InUse:
        """See `Recorder.in_use`."""
        return InUse(self.connections, *self.turns.in_use())

    def migrate(self, component: str, *, allowed: bool) -> None:
        """See `Recorder.migrate`."""
        known = load_migrations(component, self.dialect, self.schema)
        if self._applied is None:  # some were carried out since
            self._applied = self.applied()
        if is_up_to_date(known, self._applied):
            return  # the usual case; it needs no lock and no rights
        if not allowed:
            applied = self.applied()
            migrate(known, applied.get(component, {}), None, self.where if applied else self._described())
            return
        if not self._applied and self.schema in self._strangers():
            raise NotAStoreError(
                f"schema {self.schema!r} of {self.where} holds the tables of {owner_of(POSTGRES_SAVER)}: name another "
                "schema for the store"
            )
        self._applied = None
        self.write(lambda session: self._migrate(session, known), repeatable=True)

    def applied(self) -> dict[str, dict[int, str]]:
        """See `Recorder.applied`."""
        table = f"{quote_schema(self.schema)}.eventstore_migrations"
        if not self.read(self._server["migrations_exist"], {"qualified_name": table})[0][0]:
            return {}
        return by_component(self.read(self._queries["applied_migrations"], {}))

    def read(self, sql: str, params: Params) -> Rows:
        """See `Recorder.read`. A broken connection is replaced and the query asked once more."""
        with translated(self.where):
            return self._again(lambda: self._read(sql, params), repeatable=True)

    def write(self, work: Callable[[Session], T], *, repeatable: bool = False) -> T:
        """See `Recorder.write`."""

        def write() -> T:
            with self.turns.use() as connection, connection.transaction():
                return work(_PostgresSession(connection))

        with translated(self.where):
            return self._again(write, repeatable=repeatable)

    def append(self, *appends: Append) -> bool:
        """See `Recorder.append`: one statement, and so one round trip, if there is one row and no other work.

        A stream's first append is a transaction of its own kind: see `lock_empty_stream`.
        """
        try:
            return self._append(appends)  # so that one which succeeds takes few calls of Python
        except psycopg.Error as error:
            with translated(self.where):
                if not gave_way(error):
                    self._mend(error, repeatable=False)
                return self._again(lambda: self._append(appends), repeatable=False)

    def list_of(self, values: Sequence[int] | Sequence[str]) -> object:
        """See `Recorder.list_of`: an array."""
        return list(values)

    def sequence(self) -> int:
        """See `Recorder.sequence`. If there is nothing to number, it writes nothing and waits for nobody."""
        [(position, is_behind)] = self.read(self._server["feed_state"], {})
        while is_behind:
            # What has got its number keeps it: to number twice is to number once.
            numbered, position = self.write(self._number_some, repeatable=True)
            is_behind = numbered == self._sequence_batch
        return int(position)

    def purge(self) -> bool:
        """See `Recorder.purge`: the server keeps its own log."""
        return False

    def __str__(self) -> str:
        return f"{self.where}, schema {self.schema!r}"

    def signal(self) -> None:
        """See `Recorder.signal`."""
        for listener in tuple(self._listeners):
            listener.wake()
        self._notifier.wake()

    def listen(self) -> Listener:
        """See `Recorder.listen`."""
        with translated(self.where):
            return PostgresListener(
                self._connect,
                self.schema,
                lock=self._server["hold_listener_lock"],
                listeners=self._listeners,
                where=self.where,
            )

    def close(self) -> None:
        """See `Recorder.close`."""
        self._notifier.close()
        self.turns.close()
        for listener in tuple(self._listeners):
            listener.wake()

    def after_fork_in_child(self) -> None:
        """See `ForkAware`: a child opens connections of its own."""
        connections = self._open_connections()
        for connection in connections:
            connection.abandon()
        _ABANDONED.extend(connections)
        self._connections = WeakValueDictionary()
        self.turns.start_over()

    def _check_encoding(self, connection: Connection) -> None:
        # A PgBouncer may not tell; then an event that cannot be stored is refused when it comes.
        if connection.info.parameter_status("server_encoding") not in ("UTF8", None):
            raise NotAStoreError(f"{self.where} cannot hold all text: use a database that has ENCODING 'UTF8'")

    def _first(self) -> tuple[Connection, Rows]:
        question = self._queries["applied_migrations"]
        try:
            return self._open(question)
        except psycopg.Error as error:
            # It broke while it was greeted; what cannot be reached at all has broken nothing, and is told at once.
            if error.pgconn is not None or not lost(error):
                raise
        return self._open(question)

    def _connect(self) -> Connection:
        connection, _ = self._open()
        return connection

    def _open(self, question: str = "") -> tuple[Connection, Rows]:
        connection, answer = Connection.open(self._conninfo, self._preparing, question)
        self._connections[id(connection)] = connection
        tell(logging.DEBUG, "connect", "connected to %s", self.where, store=self.where)
        return connection, answer

    def _again(self, operation: Callable[[], T], *, repeatable: bool) -> T:
        """Do something, and again if it was not done: or perhaps was, on a connection that broke, and is repeatable."""
        return not_giving_way(operation, self.where, lambda error: self._mend(error, repeatable=repeatable))

    def _mend(self, error: psycopg.Error, *, repeatable: bool) -> None:
        """See to it that what has failed can be done once more, or raise the error that it failed with."""
        if is_unprepared(error):  # so nothing was carried out
            self._preparing.give_up(error)
            for connection in self._open_connections():
                connection.prepare_threshold = None
        elif not (repeatable and lost(error)):
            raise error
        else:
            words = "a connection to %s broke (%s): going on with another one"
            found = {"store": self.where, "sqlstate": error.sqlstate}
            tell(logging.WARNING, "reconnect", words, self.where, type(error).__name__, **found)
        self.turns.clear()

    def _open_connections(self) -> list[Connection]:
        return [connection for each in self._connections.valuerefs() if (connection := each()) is not None]

    def _notify(self) -> bool:
        return bool(self._read(self._server["notify"], channel(self.schema)))

    def _append(self, appends: Sequence[Append]) -> bool:
        with self.turns.use() as connection:
            if len(appends) == 1 and _is_simple(appends[0]):
                return self._append_alone(connection, appends[0])
            try:
                with connection.transaction():
                    self._append_all(connection, appends)
            except _StreamMovedOnError:
                return False
            return True

    def _read(self, sql: str, params: Params) -> Rows:
        with self.turns.use() as connection:
            return connection.execute(sql, params, binary=True).fetchall()

    def _append_alone(self, connection: Connection, append: Append) -> bool:
        parts = tuple([statement.sql for statement in append.then])
        fast = self._fast_appends.get(parts)
        if fast is None and len(parts) <= _FEW_STATEMENTS:
            fast = self._fast_appends[parts] = FastAppend(self._queries["append_event"], parts)
        values = fast and fast.values(append)
        if not fast or not values:
            return self._append_last(connection, append)
        return fast.execute(connection, values, prepare=self._preparing.on) == 1

    def _append_all(self, connection: Connection, appends: Sequence[Append]) -> None:
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

    def _append_all_but_last(self, connection: Connection, append: Append) -> bool:
        if len(append.rows) == 1:
            return True
        first = self._queries[_append_block(append, 0)]
        if connection.execute(first, append.parameters(0), binary=True).rowcount == 0:
            return False
        if others := append.rows[1:-1]:
            # They follow the first, which is this transaction's: nobody else can have stored them.
            connection.execute(self._server["append_more"], _in_bulk(append.stream_id, others), binary=True)
        return True

    def _append_last(self, connection: Connection, append: Append) -> bool:
        sql, params = self._last(append)
        return connection.execute(sql, params, binary=True).rowcount == 1

    def _last(self, append: Append) -> tuple[str, dict[str, Any]]:
        """The statement that appends the last row, with what goes with the append."""
        index = len(append.rows) - 1
        sql = self._queries[_append_block(append, index)]
        params = append.parameters(index)
        if append.then:
            sql = with_parts(sql, *(statement.sql for statement in append.then))
            for part, statement in enumerate(append.then):
                params.update({f"part_{part}_{name}": value for name, value in statement.params.items()})
        return sql, params

    def _number_some(self, session: Session) -> tuple[int, int]:
        position, since, restored_since = session.execute(self._server["take_turn"], {})[0]
        numbered, since, restored_since, xmin = session.execute(
            self._server["number_events"],
            {
                "since": since,
                "restored_since": restored_since,
                "last_position": position,
                "limit": self._sequence_batch,
            },
        )[0]
        session.execute(
            self._server["end_turn"],
            {
                "last_position": position + numbered,
                # After a full batch there may be more of the same transaction. Otherwise all below xmin is done.
                "since": since if numbered == self._sequence_batch else xmin,
                "restored_since": restored_since,
            },
        )
        return numbered, position + numbered

    def _strangers(self) -> list[str]:
        """The schemas that hold the tables of LangGraph's own saver."""
        return [row[0] for row in self.read(self._server["schemas_with"], {"tables": [*POSTGRES_SAVER]})]

    def _described(self) -> str:
        """The database that has no store yet, for messages; and what it has instead."""
        found = "".join(
            f", which holds the tables of {owner_of(POSTGRES_SAVER)} in {each!r}" for each in self._strangers()
        )
        return f"schema {self.schema!r} of {self.where}{found}"

    def _migrate(self, session: Session, known: Sequence[Migration]) -> None:
        session.execute(self._server["lock_schema"], {"schema_name": self.schema})
        if not session.execute("SELECT 1 FROM pg_namespace WHERE nspname = %(name)s", {"name": self.schema}):
            session.execute(self._server["create_schema"], {})
        carry_out(session, self._queries, known)


class _PostgresSession:
    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def execute(self, sql: str, params: Params) -> Rows:
        cursor = self._connection.execute(sql, params or None, binary=True)
        return cursor.fetchall() if cursor.description else []

    def carry_out(self, statement: Statement) -> None:
        self._connection.execute(f"WITH appended AS (SELECT) {statement.sql}", statement.params, binary=True)


class _StreamMovedOnError(Exception):
    """Rolls an append back whose predecessor was not there."""


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
