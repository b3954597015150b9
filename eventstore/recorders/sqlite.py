"""The log in an SQLite file, or in memory. Several threads and several processes may share one file."""

from __future__ import annotations

import json
import sqlite3
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from queue import SimpleQueue
from typing import Literal, TypeVar

from tenacity import Retrying, retry_if_exception_type, stop_after_delay, wait_random

from eventstore.address import SQLiteAddress
from eventstore.envelope import erased
from eventstore.errors import BusyError, NotAStoreError, StoreClosedError, UnavailableError
from eventstore.migrations import Migration, load_migrations, migrate
from eventstore.queries import load_queries
from eventstore.recorders._acts import Acts
from eventstore.recorders._bell import Bell
from eventstore.recorders._group_commit import GroupCommit
from eventstore.recorders._migrating import by_component, carry_out, is_up_to_date
from eventstore.recorders._protocol import Append, Listener, Params, Rows, Session
from eventstore.recorders._sqlite_errors import translated

T = TypeVar("T")
Synchronous = Literal["FULL", "NORMAL"]

# Appends of more rows are rare, and an act for each number of them would be as many triggers.
_FEW_ROWS = 4
# How often a waiting subscriber looks whether another process has committed: reading one number of shared memory.
_GLANCE_SECONDS = 0.05


class SQLiteRecorder:
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
        self._where = str(address)
        # Connections are opened later, too, whatever the working directory then is.
        self._path = str(address.path.absolute()) if address.path else None
        self._file: tuple[int, int] | None = None
        self._synchronous = synchronous
        self._busy_timeout = busy_timeout
        self.connections = connections
        self._queries = load_queries("eventstore", self.dialect)
        # A permit for each connection that may read, and those that are idle: the last used is the next to be used. Of
        # the queues only this one is whole after Ctrl-C, whenever that comes.
        self._permits: SimpleQueue[None] = SimpleQueue()
        self._idle: list[sqlite3.Connection] = []
        self._bell = Bell()
        self._closed = False
        self._applied: dict[str, dict[int, str]] | None = None
        # Who only reads opens no second connection. What is in memory has just one.
        self._writer: sqlite3.Connection | None = None
        with translated(self._where):
            first = self._connect()
            try:
                if self._path:
                    self._file = _identity(self._path)
                    self._check_owner(first)
                    self._use_wal(first)
                    self._idle.append(first)
                else:
                    self._writer = first
            except BaseException:
                first.close()
                raise
        for _ in range(connections):
            self._permits.put(None)
        self._commits = GroupCommit(self._open_writer)
        self._acts = Acts()

    def migrate(self, component: str, *, allowed: bool) -> None:
        """See `Recorder.migrate`."""
        known = load_migrations(component, self.dialect)
        if self._applied is None:  # read once for all components, as the store is opened
            self._applied = self._read_applied()
        if is_up_to_date(known, self._applied):
            return  # the usual case; it needs no lock, so that a read-only store can be opened
        if not allowed:
            migrate(known, self._read_applied().get(component, {}), None)
            return
        self._applied = None
        self.write(lambda session: self._migrate(session, known))

    def read(self, sql: str, params: Params) -> Rows:
        """See `Recorder.read`."""
        with translated(self._where), self._reader() as connection:
            return connection.execute(sql, params).fetchall()

    def write(self, work: Callable[[Session], T]) -> T:
        """See `Recorder.write`."""
        return self._write(lambda writer: work(_SQLiteSession(writer)))

    def append(self, *appends: Append) -> bool:
        """See `Recorder.append`: one statement, if there are few rows of one stream and no other work."""
        try:
            if len(appends) == 1 and len(appends[0].rows) <= _FEW_ROWS and not appends[0].work:
                with suppress(_StaleActError):
                    self._append_at_once(appends[0])
                    return True
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

    def signal(self) -> None:
        """See `Recorder.signal`."""
        self._bell.ring()

    def listen(self) -> Listener:
        """See `Recorder.listen`."""
        return _SQLiteListener(self._bell, self._connect() if self._path else None, self._where)

    def close(self) -> None:
        """See `Recorder.close`."""
        with self._commits.exclusive():
            if self._closed:
                return
            self._closed = True
            if self._writer:
                self._writer.close()
        for _ in range(self.connections):
            self._permits.get()  # waits for readers that are under way
        while self._idle:
            self._idle.pop().close()
        for _ in range(self.connections):
            self._permits.put(None)  # so that a late reader is not left waiting, and finds the store closed
        self.signal()

    def _connect(self) -> sqlite3.Connection:
        # Transactions are begun and ended by name (isolation_level=None): the driver's own habit of beginning them
        # hides which statements belong together.
        if self._path and self._file and _identity(self._path) != self._file:
            raise UnavailableError(f"{self._where} is no longer the file that was opened: open the store again")
        connection = sqlite3.connect(
            self._path or ":memory:",
            timeout=self._busy_timeout,
            isolation_level=None,
            check_same_thread=False,
            cached_statements=256,
        )
        try:
            self._configure(connection)
        except BaseException:
            connection.close()
            raise
        return connection

    def _configure(self, connection: sqlite3.Connection) -> None:
        # FULL: the write-ahead log is on disk before a commit returns.
        connection.execute(f"PRAGMA synchronous = {self._synchronous}")
        # What is erased is overwritten: some builds of SQLite would leave it in the file's free pages.
        connection.execute("PRAGMA secure_delete = ON")
        # References are checked: the log never points at a stream that is not there.
        connection.execute("PRAGMA foreign_keys = ON")
        # What PostgreSQL says with its own functions: the envelope that is left of an erased payload.
        connection.create_function("erased", 1, erased, deterministic=True)
        # Sorting and joining never writes temporary files beside an agent's work.
        connection.execute("PRAGMA temp_store = MEMORY")

    def _open_writer(self) -> sqlite3.Connection:
        """The connection that writes, for whoever has the turn."""
        if self._closed:
            raise StoreClosedError
        if self._writer is None:
            self._writer = self._connect()
        return self._writer

    def _check_owner(self, connection: sqlite3.Connection) -> None:
        # Before anything is changed: what is another program's stays as it is, to the byte.
        tables = {name for (name,) in connection.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")}
        if tables and "eventstore_migrations" not in tables:
            raise NotAStoreError(f"{self._where} holds another program's tables: name another file")

    def _use_wal(self, connection: sqlite3.Connection) -> None:
        # Write-ahead logging: readers go on while a writer writes. Changing to it needs the file for oneself, and
        # SQLite does not wait for that, so it is tried again while other processes open the file, too.
        with translated(self._where):
            mode = connection.execute("PRAGMA journal_mode").fetchone()[0]
        if mode == "wal":
            return
        for attempt in Retrying(
            retry=retry_if_exception_type(BusyError),
            stop=stop_after_delay(self._busy_timeout),
            wait=wait_random(0.005, 0.05),
            reraise=True,
        ):
            with attempt, translated(self._where):
                connection.execute("PRAGMA journal_mode = WAL")

    @contextmanager
    def _reader(self) -> Iterator[sqlite3.Connection]:
        if self._closed:
            raise StoreClosedError
        if self._path is None:  # what is in memory is seen by its one connection only
            with self._commits.exclusive():
                yield self._open_writer()
            return
        self._permits.get()
        connection: sqlite3.Connection | None = None
        try:
            if self._closed:
                raise StoreClosedError
            connection = self._idle_or_new()
            yield connection
        finally:
            if connection is not None:
                self._idle.append(connection)
            self._permits.put(None)

    def _idle_or_new(self) -> sqlite3.Connection:
        with suppress(IndexError):
            return self._idle.pop()
        return self._connect()

    def _write(self, work: Callable[[sqlite3.Connection], T], *, atomic: bool = False) -> T:
        if self._closed:
            raise StoreClosedError
        with translated(self._where):
            try:
                return self._commits.run(work, atomic=atomic)
            except sqlite3.ProgrammingError as error:
                if self._closed:  # while this writer waited for its turn
                    raise StoreClosedError from error
                raise

    def _append_at_once(self, append: Append) -> None:
        rows = range(len(append.rows))
        appending = [self._queries[_append_block(append, index)] for index in rows]
        statements = (*appending, *(statement.sql for statement in append.then))
        act = self._acts.known(statements)
        if act is None:
            with translated(self._where), self._commits.exclusive():
                act = self._acts.make(self._open_writer(), statements, len(rows))
        sql, values = act.sql, act.values(*map(append.parameters, rows), *(each.params for each in append.then))

        def work(writer: sqlite3.Connection) -> None:
            try:
                writer.execute(sql, values)
            except sqlite3.IntegrityError as error:
                if error.sqlite_errorcode == sqlite3.SQLITE_CONSTRAINT_TRIGGER:
                    raise _StreamMovedOnError from error
                raise
            except sqlite3.OperationalError as error:
                if error.sqlite_errorcode == sqlite3.SQLITE_ERROR:
                    raise _StaleActError from error
                raise

        self._write(work, atomic=True)

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

    def _read_applied(self) -> dict[str, dict[int, str]]:
        tables = "SELECT 1 FROM sqlite_schema WHERE name = 'eventstore_migrations'"
        if not self.read(tables, {}):
            return {}
        return by_component(self.read(self._queries["applied_migrations"], {}))

    def _migrate(self, session: Session, known: Sequence[Migration]) -> None:
        try:
            carry_out(session, self._queries, known)
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode == sqlite3.SQLITE_ERROR:  # a table of that name is there, and not ours
                raise NotAStoreError(
                    f"{self._where} holds another program's tables ({error}): name another file"
                ) from error
            raise


def _identity(path: str) -> tuple[int, int] | None:
    try:
        status = Path(path).stat()
    except FileNotFoundError:
        return None
    return status.st_dev, status.st_ino


def _append_block(append: Append, index: int) -> str:
    return "append_first_event" if append.first and index == 0 else "append_event"


class _SQLiteSession:
    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def execute(self, sql: str, params: Params) -> Rows:
        return self._connection.execute(sql, params).fetchall()


class _SQLiteListener:
    def __init__(self, bell: Bell, connection: sqlite3.Connection | None, where: str) -> None:
        self._bell = bell
        self._heard = bell.rings
        self._connection = connection
        self._where = where
        self._seen = self._glance()

    def wait(self, timeout: float) -> bool:
        deadline = time.monotonic() + timeout
        woken = False
        while not woken and (left := deadline - time.monotonic()) > 0:
            # Woken at once by this process's own appends; a commit of another process shows at a glance.
            woken = self._bell.wait(self._heard, min(left, _GLANCE_SECONDS) if self._connection else left)
            if not woken and (now := self._glance()) != self._seen:
                self._seen = now
                woken = True
        self._heard = self._bell.rings
        return woken

    def wake(self) -> None:
        self._bell.ring()

    def close(self) -> None:
        if self._connection:
            self._connection.close()
            self._connection = None

    def _glance(self) -> int:
        # A number that changes when another connection has committed.
        if self._connection is None:
            return 0
        with translated(self._where):
            return int(self._connection.execute("PRAGMA data_version").fetchone()[0])


class _StreamMovedOnError(Exception):
    """Rolls an append back whose predecessor was not there."""


class _StaleActError(Exception):
    """What SQLite knows of the tables is old, which it notices with plain statements only."""
