"""SQLite's errors in terms of our own tree: by their code, never by their text."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager

from eventstore import errors

REFUSED = (sqlite3.Error, OverflowError, UnicodeDecodeError)
"""Errors of SQLite, and of its driver: which itself refuses more than 2 GB, or an integer past 64 bits, and which
cannot tell us what SQLite says of a damaged schema if that quotes what is no UTF-8."""

_BY_PRIMARY_CODE: dict[int, tuple[type[errors.EventStoreError], str]] = {
    sqlite3.SQLITE_BUSY: (
        errors.BusyError,
        "another writer holds {where}: try again, or open it with a longer busy_timeout",
    ),
    sqlite3.SQLITE_LOCKED: (errors.BusyError, "another writer holds {where}: try again"),
    sqlite3.SQLITE_READONLY: (
        errors.ReadOnlyError,
        "{where} cannot be written: check the permissions of the file and of its folder",
    ),
    sqlite3.SQLITE_FULL: (
        errors.StorageFullError,
        "no room left for {where}: nothing of this call was stored; free some disk space",
    ),
    sqlite3.SQLITE_NOTADB: (
        errors.NotAStoreError,
        "{where} is not an SQLite database: name another file, or move this one away",
    ),
    sqlite3.SQLITE_CANTOPEN: (
        errors.UnavailableError,
        "{where} cannot be opened: does its folder exist, and may it be read?",
    ),
    sqlite3.SQLITE_PERM: (errors.UnavailableError, "{where} cannot be opened: check its permissions"),
    sqlite3.SQLITE_IOERR: (
        errors.UnavailableError,
        "{where} cannot be read or written now: try again, and check the disk if that does not help",
    ),
    sqlite3.SQLITE_CORRUPT: (errors.CorruptionError, "{where} is damaged: restore it from a backup"),
    sqlite3.SQLITE_TOOBIG: (
        errors.BadInputError,
        "the value is larger than SQLite stores (1 GB): nothing of this call was stored",
    ),
}


@contextmanager
def translated(where: str) -> Iterator[None]:
    """Raise our own error for any of SQLite's."""
    try:
        yield
    except REFUSED as error:
        raise translate(error, where) from error


def translate(error: Exception, where: str) -> errors.EventStoreError:
    """Return our error for one of `REFUSED`."""
    if isinstance(error, OverflowError):
        return errors.BadInputError("a value is larger than SQLite stores: nothing of this call was stored")
    if isinstance(error, UnicodeDecodeError):
        return errors.CorruptionError(f"{where} is damaged: what it names is not UTF-8; restore it from a backup")
    # The low byte is the primary code; the rest tells the variants apart.
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF
    if code in _BY_PRIMARY_CODE:
        kind, message = _BY_PRIMARY_CODE[code]
        return kind(message.format(where=where))
    if type(error) is sqlite3.OperationalError and not hasattr(error, "sqlite_errorcode"):
        # Not SQLite says so, but the driver, who makes texts of what it gives.
        return errors.CorruptionError(f"{where} is damaged: a text in it is not UTF-8; restore it from a backup")
    return errors.StorageError(f"SQLite refused the operation on {where}: {error}")
