"""The upkeep of an SQLite file beside reading and writing: its log is emptied, its streams are counted."""

from __future__ import annotations

import sqlite3
from contextlib import closing, suppress
from pathlib import Path

# How long others are waited for who read what the log holds.
_PATIENCE_MILLISECONDS = 1_000
# A description counts no further: it is shown in passing.
_MOST_COUNTED = 10_000


def empty_log(connection: sqlite3.Connection) -> bool:
    """Bring what the write-ahead log holds into the file, and empty it; false if somebody still reads from it.

    Until then it holds the pages as they were before content was erased.
    """
    [(usual,)] = connection.execute("PRAGMA busy_timeout").fetchall()
    connection.execute(f"PRAGMA busy_timeout = {_PATIENCE_MILLISECONDS}")
    try:
        [(is_busy, _, _)] = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
    finally:
        connection.execute(f"PRAGMA busy_timeout = {usual}")
    return not is_busy


def described(where: str, path: str | None) -> str:
    """A file's address, and how many streams it has, as far as that can be told at once.

    On a connection of its own: a description must not wait for others, nor fail.
    """
    if path is None:
        return where
    with (
        suppress(sqlite3.Error),
        closing(sqlite3.connect(f"{Path(path).as_uri()}?mode=ro", uri=True, timeout=0)) as own,
    ):
        sql = "SELECT count(*) FROM (SELECT 1 FROM streams WHERE closed = 0 LIMIT ?) AS counted"
        [(count,)] = own.execute(sql, [_MOST_COUNTED + 1]).fetchall()
        number = f"{_MOST_COUNTED:,}+" if count > _MOST_COUNTED else f"{count:,}"
        return f"{where}, {number} thread{'' if count == 1 else 's'}"
    return where
