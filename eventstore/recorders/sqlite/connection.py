"""One connection to an SQLite file: how it is opened, and which file it is."""

from __future__ import annotations

import os
import sqlite3
from contextlib import suppress
from pathlib import Path
from typing import Literal

from eventstore.codec.envelope import erased
from eventstore.errors import BusyError, NotAStoreError
from eventstore.recorders.sqlite.errors import translated
from eventstore.recorders.strangers import advice_on, owner_of

Synchronous = Literal["FULL", "NORMAL"]

# How long readers of other processes are waited for when a file was moved.
_BRIEFLY_MILLISECONDS = 1_000


def connect(path: str | None, *, synchronous: Synchronous, busy_timeout: float) -> sqlite3.Connection:
    """Open a connection to a file, or to a new database in memory."""
    # Transactions are begun and ended by name (isolation_level=None): the driver's own habit of beginning them hides
    # which statements belong together.
    connection = sqlite3.connect(
        path or ":memory:",
        timeout=busy_timeout,
        isolation_level=None,
        check_same_thread=False,
        cached_statements=256,
    )
    try:
        _configure(connection, synchronous)
    except BaseException:
        connection.close()
        raise
    return connection


def check_owner(connection: sqlite3.Connection, where: str) -> None:
    """Raise if the database is another program's.

    Before anything is changed: it stays as it is, to the byte.

    Raises:
        NotAStoreError: It is.
    """
    tables = {name for (name,) in connection.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")}
    if tables and "eventstore_migrations" not in tables:
        raise NotAStoreError(
            f"{where} is no store, it holds the tables of {owner_of(tables)}: name another file{advice_on(tables)}"
        )


def use_wal(connection: sqlite3.Connection, where: str, *, patience: float) -> None:
    """Use write-ahead logging: readers go on while a writer writes."""
    # Changing to it needs the file for oneself, and SQLite does not wait for that, so it is tried again while other
    # processes open the file, too.
    with translated(where):
        mode = connection.execute("PRAGMA journal_mode").fetchone()[0]
    if mode == "wal":
        return
    # Once in a file's life: whoever opens one that is there starts sooner.
    from tenacity import Retrying, retry_if_exception_type, stop_after_delay, wait_random  # noqa: PLC0415

    for attempt in Retrying(
        retry=retry_if_exception_type(BusyError),
        stop=stop_after_delay(patience),
        wait=wait_random(0.005, 0.05),
        reraise=True,
    ):
        with attempt, translated(where):
            connection.execute("PRAGMA journal_mode = WAL")


def identity(path: str) -> tuple[int, int] | None:
    """The device and the number of the file at a path; `None` if there is none that this process can reach."""
    # It is asked in each operation: 1.5 µs, a fraction of what a `Path` takes.
    try:
        status = os.stat(path)  # noqa: PTH116
    except OSError:
        return None
    return status.st_dev, status.st_ino


def _configure(connection: sqlite3.Connection, synchronous: Synchronous) -> None:
    # FULL: the write-ahead log is on disk before a commit returns.
    connection.execute(f"PRAGMA synchronous = {synchronous}")
    # What is erased is overwritten: some builds of SQLite would leave it in the file's free pages.
    connection.execute("PRAGMA secure_delete = ON")
    # References are checked: the log never points at a stream that is not there.
    connection.execute("PRAGMA foreign_keys = ON")
    # What PostgreSQL says with its own functions: the envelope that is left of an erased payload.
    connection.create_function("erased", 1, erased, deterministic=True)
    # Sorting and joining never writes temporary files beside an agent's work.
    connection.execute("PRAGMA temp_store = MEMORY")


class Companions:
    """The write-ahead log beside a file, and its index, as this process has them open.

    SQLite finds them by their names alone. When the file is moved without them, they stay, and what opens another file
    under its name would take them for that one's.
    """

    def __init__(self, path: str) -> None:
        self._paths = (f"{path}-wal", f"{path}-shm")
        self._files: dict[str, tuple[int, int]] = {}

    def note(self) -> None:
        """Note which files they are, while a connection is open and has read."""
        self._files = {path: file for path in self._paths if (file := identity(path))}

    def bring_home(self, connection: sqlite3.Connection) -> None:
        """Write what the log holds into the file, wherever that is now, and take the log away, if it is left behind."""
        if not self._left_behind():
            return
        with suppress(sqlite3.Error, OSError):  # what cannot be done leaves all as it is
            connection.execute(f"PRAGMA busy_timeout = {_BRIEFLY_MILLISECONDS}")
            [(is_busy, _, _)] = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
            if not is_busy:
                for path in self._left_behind():
                    Path(path).unlink()

    def _left_behind(self) -> list[str]:
        return [path for path, file in self._files.items() if identity(path) == file]
