"""LangGraph's savers as what is moved from: the database of one is read on a connection of its own."""

from __future__ import annotations

import os
import sqlite3
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from langgraph.checkpoint.base import BaseCheckpointSaver
from langgraph.checkpoint.memory import InMemorySaver

from eventstore import BadInputError, UnavailableError
from eventstore.address import PostgresAddress, SQLiteAddress, parse
from eventstore.arguments import refused

Origin = str | os.PathLike[str] | BaseCheckpointSaver[Any]
"""What threads come from: an address, or a saver."""

_SQLITE = ("langgraph.checkpoint.sqlite", "SqliteSaver")
_ASYNC_SQLITE = ("langgraph.checkpoint.sqlite.aio", "AsyncSqliteSaver")
_POSTGRES = (
    ("langgraph.checkpoint.postgres", "PostgresSaver"),
    ("langgraph.checkpoint.postgres.aio", "AsyncPostgresSaver"),
)
_ADVICE = "use the address of its database, such as 'sqlite:///old.db' or 'postgresql://me@host/app'"


def check_origin(name: str, origin: object) -> None:
    """Hold that something can be moved from.

    Raises:
        BadInputError: It cannot; the message says what can.
    """
    if isinstance(origin, str | os.PathLike):
        parse(origin)
    elif _is_a(origin, _ASYNC_SQLITE):
        raise refused(
            name, origin, "its connection cannot be asked for its file: use 'sqlite:///' and the path of that, as text"
        )
    elif not (isinstance(origin, InMemorySaver) or _is_a(origin, _SQLITE, *_POSTGRES)):
        raise refused(name, origin, f"{_ADVICE}, or an InMemorySaver, SqliteSaver, PostgresSaver or AsyncPostgresSaver")


def database_of(origin: Origin) -> SQLiteAddress | PostgresAddress | None:
    """Return the address of the database of what is moved from; `None`: it is in memory, and only the saver reads it.

    Raises:
        BadInputError: See `check_origin`; or the connection of a saver does not tell where its database is.
        UnavailableError: The connection of a saver is closed.
    """
    check_origin("what is moved from", origin)
    if isinstance(origin, str | os.PathLike):
        return parse(origin)
    if isinstance(origin, InMemorySaver):
        return None
    held: Any = origin
    return _file_of(held) if _is_a(origin, _SQLITE) else _server_of(held.conn)


def _is_a(origin: object, *kinds: tuple[str, str]) -> bool:
    # Of what was never imported there is no object: the savers, and PostgreSQL's driver, are extras.
    found = (getattr(sys.modules.get(module), name, None) for module, name in kinds)
    return isinstance(origin, tuple(kind for kind in found if kind))


def _file_of(saver: Any) -> SQLiteAddress | None:
    try:
        with saver.lock:
            files = {name: file for _, name, file in saver.conn.execute("PRAGMA database_list").fetchall()}
    except sqlite3.ProgrammingError as error:
        raise UnavailableError(f"the SqliteSaver cannot be asked for its file ({error}): {_ADVICE}") from error
    return SQLiteAddress(Path(files["main"])) if files["main"] else None


def _server_of(connection: Any) -> PostgresAddress:
    from psycopg import OperationalError, pq  # noqa: PLC0415 (an extra)
    from psycopg.conninfo import make_conninfo  # noqa: PLC0415

    if (info := getattr(connection, "info", None)) is not None:
        try:
            conninfo = make_conninfo("", **info.get_parameters(), password=info.password or None)
        except OperationalError as error:
            raise UnavailableError(f"the connection of the PostgresSaver is closed: {_ADVICE}") from error
    else:  # a pool
        keywords = {option.keyword.decode() for option in pq.Conninfo.get_defaults()}
        if not (isinstance(connection.conninfo, str) and isinstance(connection.kwargs or {}, Mapping)):
            raise BadInputError(f"the pool of the PostgresSaver makes its address anew each time: {_ADVICE}")
        given = {key: value for key, value in (connection.kwargs or {}).items() if key in keywords}
        conninfo = make_conninfo(connection.conninfo, **given)
    if not conninfo:
        raise BadInputError(f"the connection of the PostgresSaver names no database: {_ADVICE}")
    return PostgresAddress(conninfo)
