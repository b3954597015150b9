"""LangGraph's savers as what is moved from: the database of one is read on a connection of its own."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

from langgraph.checkpoint.base import BaseCheckpointSaver
from langgraph.checkpoint.memory import InMemorySaver

from eventstore import BadInputError, EventStoreError, UnavailableError
from eventstore.address import PostgresAddress, SQLiteAddress, parse
from eventstore.arguments import refused

Origin = str | os.PathLike[str] | BaseCheckpointSaver[Any]
"""The end that threads come from: an address, or a saver."""

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
    from eventstore.recorders.sqlite.errors import translated  # noqa: PLC0415 (not every program has a file)

    try:
        with saver.lock, translated("the database of the SqliteSaver"):
            files = {name: file for _, name, file in saver.conn.execute("PRAGMA database_list").fetchall()}
    except EventStoreError as error:
        raise UnavailableError(f"the SqliteSaver cannot be asked for its file, {error}: {_ADVICE}") from error
    return SQLiteAddress(Path(files["main"])) if files["main"] else None


def _server_of(connection: Any) -> PostgresAddress:
    from eventstore.recorders.postgres.addresses import address_of  # noqa: PLC0415 (an extra)

    try:
        address = address_of(connection)
    except UnavailableError as error:
        raise UnavailableError(f"the PostgresSaver cannot be asked for its database, {error}: {_ADVICE}") from error
    if address is None:
        raise BadInputError(f"the PostgresSaver does not tell where its database is: {_ADVICE}")
    return address
