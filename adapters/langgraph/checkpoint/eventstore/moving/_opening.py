"""Opening a database of LangGraph's savers, to move from it or to it, once it is clear whose it is."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, suppress
from copy import copy
from functools import partial
from typing import Any, cast

from langgraph.checkpoint.base import BaseCheckpointSaver
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.checkpoint.serde.base import SerializerProtocol
from langgraph.checkpoint.serde.jsonplus import JsonPlusSerializer

from eventstore import BusyError, NotAStoreError, ReadOnlyError, SchemaError, UnavailableError
from eventstore.address import PostgresAddress, SQLiteAddress, parse
from langgraph.checkpoint.eventstore.moving._as_stored import carrying
from langgraph.checkpoint.eventstore.moving._contents import Target
from langgraph.checkpoint.eventstore.moving._saver_end import MemoryEnd, SaverEnd
from langgraph.checkpoint.eventstore.moving._savers import Origin, database_of
from langgraph.checkpoint.eventstore.moving._tables import COLUMNS, SaverTables

_OUR_OWN = "eventstore_migrations"
# A file in WAL mode is read with the help of two others beside it, which are made if they are not there.
_READ_ONLY = (
    "{where} cannot be written, as SQLite has to even to read a file in WAL mode: check the permissions of the file "
    "and of its folder, or use a copy of it (with its -wal file, if there is one) in a folder where you may write"
)
Translated = Callable[[], AbstractContextManager[None]]
"""Turns errors of a driver into ours."""


@contextmanager
def source_of(origin: Origin, serde: SerializerProtocol | None, *, pickled: bool) -> Iterator[SaverEnd | MemoryEnd]:
    """Open what is moved from. Nothing of it is changed.

    Args:
        origin: The address of the database, or the saver.
        serde: The serializer that it was stored with; `None`: the saver's, or LangGraph's own.
        pickled: Whether pickled values are read.
    """
    with source_at(database_of(origin), origin, serde, pickled=pickled) as source:
        yield source


@contextmanager
def source_at(
    address: SQLiteAddress | PostgresAddress | None, origin: Origin, serde: SerializerProtocol | None, *, pickled: bool
) -> Iterator[SaverEnd | MemoryEnd]:
    """Open what is moved from, whose address is known: see `database_of` and `source_of`."""
    own = origin.serde if isinstance(origin, BaseCheckpointSaver) else JsonPlusSerializer()
    carried = carrying(serde or own, pickled=pickled)
    if isinstance(origin, InMemorySaver):
        yield MemoryEnd(origin, carried)
    elif address is None:
        yield _read_from(*_of_memory(origin, carried), SQLiteAddress(None))
    else:
        if isinstance(address, SQLiteAddress):
            _check_there(address)
        with _opened(address, carried) as (saver, tables, translated):
            if isinstance(address, SQLiteAddress):
                tables.read_only()  # of a PostgreSQL session it would stay, behind a pooler, for whoever comes next
            yield _read_from(saver, tables, translated, address)


def _read_from(
    saver: Any, tables: SaverTables, translated: Translated, address: SQLiteAddress | PostgresAddress
) -> SaverEnd:
    check_layout(tables, str(address), saver)
    has_paths = tables.has_paths()
    if isinstance(address, SQLiteAddress):
        saver.is_setup = True  # which would change the tables
        saver._has_task_path = has_paths
    return SaverEnd(saver, tables, str(address), translated)


def _of_memory(saver: Any, serde: SerializerProtocol) -> tuple[Any, SaverTables, Translated]:
    """A `SqliteSaver` whose database nobody else reaches, as a copy that shares its connection and its lock."""
    shared = copy(saver)
    shared.serde = serde
    translating = partial(_of_sqlite, str(SQLiteAddress(None)))
    return shared, SaverTables(shared, "sqlite", translating), translating


@contextmanager
def target_of(url: str | os.PathLike[str], serde: SerializerProtocol | None) -> Iterator[Target]:
    """Open what is moved to. The tables are made if there are none.

    Args:
        url: The address of the database.
        serde: The serializer that it is stored with; `None`: LangGraph's own.
    """
    address = parse(url)
    if isinstance(address, SQLiteAddress) and address.path is None:
        raise UnavailableError("a database in memory is gone when it is written: name a file")
    with _opened(address, carrying(serde or JsonPlusSerializer())) as (saver, tables, translated):
        if tables.is_new():
            if isinstance(address, SQLiteAddress) and tables.names():
                check_layout(tables, str(address), saver)
        else:
            check_layout(tables, str(address), saver)
        with translated():
            saver.setup()
        tables.has_paths()
        transaction = saver.conn.transaction if isinstance(address, PostgresAddress) else partial(_together, saver)
        yield SaverEnd(saver, tables, str(address), translated, transaction)


def check_layout(tables: SaverTables, where: str, saver: Any) -> None:
    """Refuse a database that the saver which is installed does not read.

    Raises:
        NotAStoreError: It is another program's.
        SchemaError: It is of another version, or was left half migrated.
    """
    names, missing = tables.names(), tables.missing()
    if not missing:
        known = len(getattr(saver, "MIGRATIONS", ())) - 1
        if known >= 0 and (found := tables.migration()) > known:
            raise SchemaError(
                type(saver).__name__,
                found,
                known,
                "a newer release of langgraph-checkpoint-postgres made these tables: pip install --upgrade it here",
            )
        return
    if _OUR_OWN in names:
        raise NotAStoreError(
            f"{where} is a store of this package already, and no database of LangGraph's savers: to copy a store, copy "
            "its file or dump its schema"
        )
    if not names & COLUMNS[tables.dialect].keys():
        held = "the tables of another program" if names else "no tables"
        raise NotAStoreError(f"{where} holds {held}, and none of LangGraph's {type(saver).__name__}: check the address")
    raise SchemaError(
        type(saver).__name__,
        0,
        0,
        f"{where} lacks {', '.join(missing)}: it is of another version of {type(saver).__name__}, or its migration was "
        f"cut off. Let the release that is installed here migrate it ({type(saver).__name__}.setup()), or a copy of it",
    )


@contextmanager
def _opened(
    address: SQLiteAddress | PostgresAddress, serde: SerializerProtocol
) -> Iterator[tuple[Any, SaverTables, Callable[[], AbstractContextManager[None]]]]:
    """A saver of LangGraph's, its tables, and what turns errors of its driver into ours."""
    open_saver, translating = _loaded(address)
    translated = partial(translating, str(address))
    with ExitStack() as stack:
        with translated():
            saver = stack.enter_context(open_saver())
        saver.serde = serde
        yield saver, SaverTables(saver, _dialect(address), translated), translated


def _loaded(
    address: SQLiteAddress | PostgresAddress,
) -> tuple[Callable[[], AbstractContextManager[Any]], Callable[[str], AbstractContextManager[None]]]:
    # The savers, and PostgreSQL's driver, are extras.
    try:
        if isinstance(address, SQLiteAddress):
            from langgraph.checkpoint.sqlite import SqliteSaver  # noqa: PLC0415

            return partial(SqliteSaver.from_conn_string, str(address.path)), _of_sqlite
        from langgraph.checkpoint.postgres import PostgresSaver  # noqa: PLC0415

        from eventstore.recorders.postgres.errors import translated as of_postgres  # noqa: PLC0415

        return partial(PostgresSaver.from_conn_string, address.conninfo), of_postgres
    except ImportError as error:
        raise UnavailableError(
            "LangGraph's own savers read and write their databases, and are not installed here: "
            "pip install 'langgraph-checkpoint-eventstore[moving]'"
        ) from error


@contextmanager
def _of_sqlite(where: str) -> Iterator[None]:
    """Turn SQLite's errors into ours, of a file that another program made: nobody here sets how it is opened."""
    from eventstore.recorders.sqlite.errors import translated  # noqa: PLC0415 (not every program has a file)

    try:
        with translated(where):
            yield
    except BusyError as error:
        raise BusyError(f"another program holds {where} locked: try again when it has let go of it") from error
    except ReadOnlyError as error:
        raise ReadOnlyError(_READ_ONLY.format(where=where)) from error


def _dialect(address: SQLiteAddress | PostgresAddress) -> Any:
    return "sqlite" if isinstance(address, SQLiteAddress) else "postgres"


def _check_there(address: SQLiteAddress) -> None:
    if address.path is None:
        raise UnavailableError("a database in memory is its program's alone: pass its saver to import_from, in Python")
    with suppress(PermissionError):  # which SQLite says, too
        if not address.path.is_file() or not address.path.stat().st_size:
            raise UnavailableError(f"there is no database in {address.path}: check the address")


class _Uncommitted:
    """A connection whose transaction goes on when the saver commits."""

    def __init__(self, connection: Any) -> None:
        self._connection = connection

    def __getattr__(self, name: str) -> Any:
        return getattr(self._connection, name)

    def commit(self) -> None:
        """Leave it open."""


@contextmanager
def _together(saver: Any) -> Iterator[None]:
    """One transaction of what `SqliteSaver` commits call by call."""
    connection = saver.conn
    saver.conn = cast("Any", _Uncommitted(connection))
    try:
        yield
        connection.commit()
    except BaseException:
        connection.rollback()
        raise
    finally:
        saver.conn = connection
