"""The log in an SQLite file, or in memory. Several threads and several processes may share one file."""

from __future__ import annotations

import json
import logging
import sqlite3
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import partial
from queue import Empty
from typing import Any, Literal, TypeVar

from eventstore.address import SQLiteAddress
from eventstore.errors import EventStoreError, NotAStoreError, StoreClosedError, UnavailableError
from eventstore.forking import ForkAware
from eventstore.migrations import Migration, load_migrations, migrate
from eventstore.queries import load_queries
from eventstore.recorders.migrating import by_component, carry_out, is_up_to_date
from eventstore.recorders.protocol import Append, InUse, Listener, Params, Rows, Session
from eventstore.recorders.sqlite.batched_statements import BatchedStatements, has_changed
from eventstore.recorders.sqlite.connection import Companions, Synchronous, check_owner, connect, identity, use_wal
from eventstore.recorders.sqlite.errors import REFUSED, translate, translated
from eventstore.recorders.sqlite.group_commit import GroupCommit
from eventstore.recorders.sqlite.listening import SQLiteListener
from eventstore.recorders.sqlite.session import Permits, SQLiteSession
from eventstore.recorders.sqlite.upkeep import described, empty_log
from eventstore.recorders.wake_up import WakeUp
from eventstore.telling import tell

T = TypeVar("T")

# Connections of this process's parent. They are never closed here, nor left to the garbage collector.
_ABANDONED: list[sqlite3.Connection] = []
# Appends of more rows are rare, and a batched statement for each number of them would be as many triggers.
_FEW_ROWS = 4
# How long a fork waits for what is under way, beyond the time that a writer may wait for another process.
_FORK_PATIENCE_SECONDS = 5.0


class SQLiteRecorder(ForkAware):
    """Implements `Recorder` on SQLite: one connection writes, others read.

    Args:
        address: Where the database is.
        synchronous: `"FULL"`: a returned write survives a power failure. `"NORMAL"`: it survives the death of the
            process, a power failure may take the last writes (but never damages the file).
        busy_timeout: How many seconds a writer waits for another process.
        connections: How many readers there can be at once.
    """

    dialect: Literal["sqlite"] = "sqlite"
    schema = ""

    def __init__(
        self,
        address: SQLiteAddress,
        *,
        synchronous: Synchronous = "FULL",
        busy_timeout: float = 30.0,
        connections: int = 8,
    ) -> None:
        self.where = str(address)
        # Connections are opened later, too, whatever the working directory then is.
        self._path = str(address.path.absolute()) if address.path else None
        self._file: tuple[int, int] | None = None
        self._companions = Companions(self._path) if self._path else None
        self._synchronous = synchronous
        self._busy_timeout = busy_timeout
        self.connections = connections
        self._queries = load_queries("eventstore", self.dialect)
        # A permit for each connection that may read, and those that are idle: the last used is the next to be used.
        self._permits = Permits()
        self._idle: list[sqlite3.Connection] = []
        self._wake_up = WakeUp()
        self._listeners: set[SQLiteListener] = set()
        self._closed = False
        # Why nothing can be done with the database in this process, or in one that is forked from it now.
        self._unusable = self._unusable_in_child = ""
        self._held: list[Callable[[], None]] = []
        self._applied: dict[str, dict[int, str]] | None = None
        # Who only reads opens no second connection. What is in memory has just one.
        self._writer: sqlite3.Connection | None = None
        self._commits = GroupCommit(self._open_writer)
        self._batched = BatchedStatements()
        # From here on a fork waits for the permits: until the first connection is open, or could not be opened.
        self.follow_forks()
        try:
            with translated(self.where):
                self._open_first()
        except BaseException:
            self._closed = True  # an error may keep this object alive
            raise
        finally:
            self._permits.give(self.connections)

    @property
    def turns(self) -> Permits:
        """The things that readers take turns with: see `eventstore.metrics`."""
        return self._permits

    def in_use(self) -> InUse:
        """See `Recorder.in_use`."""
        return InUse(self.connections, self.connections - self._permits.qsize(), len(self._commits.waiting))

    def migrate(self, component: str, *, allowed: bool) -> None:
        """See `Recorder.migrate`."""
        known = load_migrations(component, self.dialect)
        if self._applied is None:  # read once for all components, as the store is opened
            self._applied = self.applied()
        if is_up_to_date(known, self._applied):
            return  # the usual case; it needs no lock, so that a read-only store can be opened
        if not allowed:
            migrate(known, self.applied().get(component, {}), None, self.where)
            return
        self._applied = None
        self.write(lambda session: self._migrate(session, known))

    def applied(self) -> dict[str, dict[int, str]]:
        """See `Recorder.applied`."""
        if not self.read("SELECT 1 FROM sqlite_schema WHERE name = 'eventstore_migrations'", {}):
            return {}
        return by_component(self.read(self._queries["applied_migrations"], {}))

    def read(self, sql: str, params: Params) -> Rows:
        """See `Recorder.read`."""
        try:
            if self._path is None:  # what is in memory is seen by its one connection only
                with self._commits.exclusive():
                    return self._open_writer().execute(sql, params).fetchall()
            self._permits.take()
            try:
                connection = self._idle_or_new()
                try:
                    return connection.execute(sql, params).fetchall()
                finally:
                    self._idle.append(connection)
            finally:
                self._permits.put(None)
        except REFUSED as error:
            raise self._told(error) from error

    def write(self, work: Callable[[Session], T], *, repeatable: bool = False) -> T:  # noqa: ARG002 (nothing breaks)
        """See `Recorder.write`."""
        return self._write(lambda writer: work(SQLiteSession(writer)))

    def append(self, *appends: Append) -> bool:
        """See `Recorder.append`: one statement, if there are few rows of one stream and no other work."""
        if len(appends) == 1 and len(appends[0].rows) <= _FEW_ROWS and not appends[0].work:
            if self._closed:
                raise StoreClosedError
            # It is looked at closely how many calls there are from here to the statement: see `test_calls_per_step`.
            try:
                stored = self._commits.run(partial(has_changed, *self._at_once(appends[0])), atomic=True)
            except REFUSED as error:
                raise self._told(error) from error
            if stored is not None:
                return stored
        try:
            self.write(lambda session: self._append(session, appends))
        except _StreamMovedOnError:
            return False
        return True

    def list_of(self, values: Sequence[int] | Sequence[str]) -> object:
        """See `Recorder.list_of`: a JSON array, for `json_each`."""
        return json.dumps(values)

    def sequence(self) -> int:
        """See `Recorder.sequence`: here events get their position as they are inserted."""
        return int(self.read(self._queries["feed_end"], {})[0][0])

    def purge(self) -> bool:
        """See `Recorder.purge`."""
        with translated(self.where), self._commits.exclusive():
            return self._path is None or empty_log(self._open_writer())

    def __str__(self) -> str:
        return described(self.where, self._path)

    def signal(self) -> None:
        """See `Recorder.signal`."""
        if self._listeners:  # who listens from now on looks at the feed first, and finds what was appended
            self._wake_up.wake()

    def listen(self) -> Listener:
        """See `Recorder.listen`."""
        connect = self._connect if self._path else None
        return SQLiteListener(self._wake_up, self._listeners, connect, self._permitted)

    def close(self) -> None:
        """See `Recorder.close`."""
        with self._commits.exclusive():
            if self._closed:
                return
            self._closed = True
            for _ in range(self.connections):
                self._permits.get()  # waits for readers that are under way; a fork, which does so, too, has to wait
            try:
                self._let_go()
            finally:
                self._permits.give(self.connections)  # a late reader or a fork finds it closed, and does not wait
        self.signal()

    def before_fork(self) -> None:
        """See `ForkAware`: let what is under way end, and close what is open. Both sides open it again when need be."""
        deadline = time.monotonic() + self._busy_timeout + _FORK_PATIENCE_SECONDS
        if self._commits.pause(self._busy_timeout + _FORK_PATIENCE_SECONDS):
            self._held.append(self._commits.resume)
        with suppress(Empty):
            for _ in range(self.connections):
                self._permits.get(timeout=max(0.0, deadline - time.monotonic()))
                self._held.append(lambda: self._permits.put(None))
        if len(self._held) <= self.connections:
            self._unusable_in_child = (
                "an operation was under way in this process's parent, and did not end: open the store after the fork"
            )
        elif self._path:
            self._let_go()
        else:
            self._unusable_in_child = "it is the memory of this process's parent: open a store here, or use a file"

    def after_fork_in_parent(self) -> None:
        """See `ForkAware`."""
        self._unusable_in_child = ""
        while self._held:
            self._held.pop()()

    def after_fork_in_child(self) -> None:
        """See `ForkAware`."""
        self._held = []
        self._permits = self._permits.anew()
        self._permits.give(self.connections)
        self._commits = GroupCommit(self._open_writer)
        if self._unusable_in_child:
            self._unusable = self._unusable_in_child
            self._abandon()

    def _let_go(self) -> None:
        """Close all connections; nothing is under way."""
        if self._companions and self._is_moved() and (connections := [*self._idle, *filter(None, [self._writer])]):
            self._companions.bring_home(connections[0])
        for listener in tuple(self._listeners):
            listener.hang_up()
        while self._idle:
            self._idle.pop().close()
        if self._writer:
            self._writer.close()
            self._writer = None
        self._batched.clear()

    def _abandon(self) -> None:
        # To close them would be to act as their owner.
        _ABANDONED.extend([*self._idle, *([self._writer] if self._writer else [])])
        self._idle, self._writer = [], None

    def _open_first(self) -> None:
        first = self._connect()
        try:
            if self._path:
                self._file = identity(self._path)
                check_owner(first, self.where)
                use_wal(first, self.where, patience=self._busy_timeout)
                assert self._companions
                self._companions.note()
                self._idle.append(first)
            else:
                self._writer = first
        except BaseException:
            first.close()
            raise

    def _check_usable(self) -> None:
        """Raise if the database is not, or not any more, what was opened."""
        if self._closed:
            raise StoreClosedError
        if self._unusable:
            raise UnavailableError(f"{self.where} cannot be used here: {self._unusable}")
        if self._path and self._file not in (None, identity(self._path)):
            with suppress(IndexError):  # whoever comes when one is idle does it
                self._leave(self._idle.pop())
            raise UnavailableError(
                f"{self.where} is no longer the file that was opened: it was moved, deleted or replaced, or its "
                "folder may no longer be entered. Nothing of this call was stored; open the store again"
            )

    def _is_moved(self) -> bool:
        return self._file is not None and self._path is not None and identity(self._path) != self._file

    def _leave(self, connection: sqlite3.Connection) -> None:
        """Close a connection to a file that was moved: so that its log is not taken for another one's."""
        assert self._companions
        self._companions.bring_home(connection)
        connection.close()

    def _connect(self) -> sqlite3.Connection:
        self._check_usable()
        connection = connect(self._path, synchronous=self._synchronous, busy_timeout=self._busy_timeout)
        try:
            if self._file and self._companions:
                # Reading opens the log, by its name: which must have been that of this file all the time.
                connection.execute("SELECT 1 FROM sqlite_schema").fetchone()
                self._check_usable()
                self._companions.note()
        except BaseException:
            connection.close()
            raise
        tell(logging.DEBUG, "connect", "connected to %s", self.where, store=self.where)
        return connection

    def _open_writer(self) -> sqlite3.Connection:
        """Return the connection that writes, open; only the writer whose turn it is may use it."""
        self._check_usable()
        if self._writer is None:
            self._writer = self._connect()
        return self._writer

    @contextmanager
    def _permitted(self) -> Iterator[None]:
        """Hold a permit, for reads on a connection of their own: a fork of the process waits for these, too."""
        self._permits.take()
        try:
            with translated(self.where):
                yield
        finally:
            self._permits.put(None)

    def _idle_or_new(self) -> sqlite3.Connection:
        self._check_usable()
        try:
            return self._idle.pop()
        except IndexError:
            return self._connect()

    def _write(self, work: Callable[[sqlite3.Connection], T]) -> T:
        if self._closed:
            raise StoreClosedError
        try:
            return self._commits.run(work)
        except REFUSED as error:
            raise self._told(error) from error

    def _told(self, error: Exception) -> EventStoreError:
        if self._closed and isinstance(error, sqlite3.ProgrammingError):  # while the writer waited for its turn
            return StoreClosedError()
        return translate(error, self.where)

    def _at_once(self, append: Append) -> tuple[str, list[Any]]:
        """Return the one statement that an append is carried out by, and the values to bind."""
        statements: list[str] = []
        params: list[Params] = []
        for index in range(len(append.rows)):
            statements.append(self._queries["append_first_event" if append.first and not index else "append_event"])
            params.append(append.parameters(index))
        for sql, bound in append.then:
            statements.append(sql)
            params.append(bound)
        batched = self._batched.get(key := tuple(statements))
        if batched is None:
            with self._commits.exclusive():
                batched = self._batched.make(self._open_writer(), key, len(append.rows))
        return batched.sql, batched.values(params)

    def _append(self, session: Session, appends: Sequence[Append]) -> None:
        # The order of insertion is the feed's: as in PostgreSQL, of one transaction by time, and then by stream.
        inserts = [(append, index) for append in appends for index in range(len(append.rows))]
        for append, index in sorted(inserts, key=lambda insert: insert[0].rows[insert[1]].recorded_at):
            if not session.execute(self._queries[_append_block(append, index)], append.parameters(index)):
                raise _StreamMovedOnError
        for append in appends:
            for statement in append.then:
                session.execute(*statement)
            if append.work:
                append.work(session)

    def _migrate(self, session: Session, known: Sequence[Migration]) -> None:
        try:
            carry_out(session, self._queries, known)
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode == sqlite3.SQLITE_ERROR:  # a table of that name is there, and not ours
                raise NotAStoreError(
                    f"{self.where} holds another program's tables ({error}): name another file"
                ) from error
            raise


def _append_block(append: Append, index: int) -> str:
    return "append_first_event" if append.first and index == 0 else "append_event"


class _StreamMovedOnError(Exception):
    """Raised to roll back an append whose predecessor was not there."""
