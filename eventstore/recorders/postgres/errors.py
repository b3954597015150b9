"""PostgreSQL's errors in terms of our own tree: by SQLSTATE, never by their text."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import psycopg

from eventstore import errors

_BY_STATE: dict[str, tuple[type[errors.EventStoreError], str]] = {
    "28P01": (errors.UnavailableError, "{where} refused the password: check the user and the password in the URL"),
    "28000": (
        errors.UnavailableError,
        "{where} refused this user: check the user in the URL and the server's pg_hba.conf",
    ),
    "3D000": (errors.UnavailableError, "{where} does not exist: create the database, or name another one in the URL"),
    "53100": (
        errors.StorageFullError,
        "no room left for {where}: nothing of this call was stored; free some disk space",
    ),
    "53300": (
        errors.UnavailableError,
        "{where} has no connection left: lower pool_size, or raise the server's max_connections",
    ),
    "42P07": (
        errors.NotAStoreError,
        "{where} holds another program's tables in this schema: name another schema, or another database",
    ),
    "25006": (errors.ReadOnlyError, "{where} is read-only (a standby, perhaps): name the primary server"),
    "42501": (errors.ReadOnlyError, "{where} does not let this user do that: grant it rights on the schema"),
    "55P03": (errors.BusyError, "another session holds {where}: try again"),
    "57014": (
        errors.BusyError,
        "{where} took too long and cancelled the statement: raise statement_timeout, or try again",
    ),
    "58030": (
        errors.UnavailableError,
        "{where} cannot read or write its files now: try again, and check the server's disk if that does not help",
    ),
    "XX001": (errors.CorruptionError, "{where} reports that its data is damaged: restore it from a backup"),
    "XX002": (errors.CorruptionError, "{where} reports that an index is damaged: REINDEX it, or restore a backup"),
    "40001": (errors.BusyError, "{where} gave precedence to another session: try again"),
    "40P01": (errors.BusyError, "{where} gave precedence to another session: try again"),
}
# Classes: connection exception, program limit exceeded, insufficient resources.
_BY_CLASS: dict[str, tuple[type[errors.EventStoreError], str]] = {
    "08": (errors.UnavailableError, "the connection to {where} broke: is the server running?"),
    "57": (errors.UnavailableError, "{where} is shutting down or starting: try again"),
    "54": (errors.BadInputError, "a value is larger than PostgreSQL stores (1 GB): nothing of this call was stored"),
    "53": (errors.UnavailableError, "{where} is out of resources: try again"),
}


@contextmanager
def translated(where: str) -> Iterator[None]:
    """Raise our own error for any of psycopg's."""
    try:
        yield
    except psycopg.Error as error:
        raise translate(error, where) from error


def translate(error: psycopg.Error, where: str) -> errors.EventStoreError:
    """Our error for one of psycopg's."""
    if error.pgconn is not None:  # it was an attempt to connect, for whose failures libpq has no codes
        reason = " ".join(str(error).split())
        return errors.UnavailableError(
            f"cannot connect to {where}: check that the server runs, and host, port, user, password and database in "
            f"the URL ({reason})"
        )
    if lost(error):
        return errors.ConnectionLostError(f"the connection to {where} broke: is the server running? Try again")
    state = error.sqlstate or ""
    if state in ("42P01", "3F000"):
        return errors.SchemaError(
            "eventstore", 0, 1, f"there is no store in {where}, or tables of it are missing: open it with migrate=True"
        )
    kind, message = _BY_STATE.get(state) or _BY_CLASS.get(state[:2]) or (None, "")
    if kind:
        return kind(message.format(where=where))
    if isinstance(error, psycopg.DataError):
        return errors.BadInputError(f"PostgreSQL cannot store a value: {error}")
    return errors.StorageError(f"{where} refused the operation: {error}")


# What says that the session is over: connection exceptions, and timeouts of sessions and of transactions that are idle
# or long (25P03, 25P04); 57P01 to 57P05: an administrator, a crash, a start, a dropped database, a timeout.
_SESSION_ENDED = ("08", "25P03", "25P04", "57P")


def lost(error: BaseException) -> bool:
    """Return whether the connection broke, which leaves it unknown whether the last statement was carried out."""
    if not isinstance(error, psycopg.Error):
        return False
    state = error.sqlstate
    if state is None:  # the server did not answer
        return isinstance(error, psycopg.OperationalError | psycopg.InterfaceError)
    # By the protocol, FATAL and PANIC end the session, whatever the reason.
    return state.startswith(_SESSION_ENDED) or error.diag.severity_nonlocalized in ("FATAL", "PANIC")


def is_unprepared(error: psycopg.Error) -> bool:
    """Tell whether a prepared statement is not there, or there already, or another one than it should be.

    Then nothing was carried out: the server says so before it begins.
    """
    if isinstance(error, psycopg.errors.ProtocolViolation):
        # It has other parameters. (A pooler says so of all that breaks, and hangs up.)
        return error.diag.severity_nonlocalized == "ERROR"
    return isinstance(error, psycopg.errors.InvalidSqlStatementName | psycopg.errors.DuplicatePreparedStatement)
