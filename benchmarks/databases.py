"""Where the measured savers store: files in a folder, and databases on a PostgreSQL whose commits wait for the disk."""

from __future__ import annotations

import os
import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import Literal
from uuid import uuid4

import psycopg
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from psycopg.sql import SQL, Identifier

from tests.support.postgres import running_server

Kind = Literal["SQLite", "PostgreSQL", "memory"]

_TABLES = """
    SELECT sum(pg_total_relation_size(c.oid))::bigint
    FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace
    WHERE c.relkind = 'r' AND n.nspname <> 'information_schema' AND n.nspname NOT LIKE 'pg\\_%'
"""


class Databases:
    """Makes empty databases, one for each contestant, so that a size is that contestant's alone.

    Args:
        folder: Where the SQLite files go.
        server: The URL of a PostgreSQL server where databases may be created.
    """

    def __init__(self, folder: Path, server: str) -> None:
        self._folder = folder
        self._server = server
        self._made: list[str] = []

    def fresh(self, kind: Kind) -> str:
        """The address of a new and empty database: a file's path, a URL, or nothing for what is in memory."""
        if kind == "memory":
            return ""
        name = f"bench_{uuid4().hex}"
        if kind == "SQLite":
            return str(self._folder / f"{name}.db")
        with psycopg.connect(self._server, autocommit=True) as admin:
            admin.execute(SQL("CREATE DATABASE {}").format(Identifier(name)))
        self._made.append(name)
        return url_of(make_conninfo(self._server, dbname=name))

    def size(self, kind: Kind, address: str) -> int:
        """How many bytes a database takes, also while it is in use.

        SQLite: the file, after the write-ahead log was written back into it, and what is left of that log. PostgreSQL:
        the tables with their indexes and TOAST, after `VACUUM`; not what every empty database has.
        """
        if kind == "SQLite":
            with closing(sqlite3.connect(address)) as connection:
                connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            files = Path(address), Path(f"{address}-wal")
            return sum(file.stat().st_size for file in files if file.exists())
        if kind == "PostgreSQL":
            with psycopg.connect(address, autocommit=True) as connection:
                connection.execute("VACUUM")
                (size,) = connection.execute(_TABLES).fetchone() or (0,)
                return int(size or 0)
        return 0

    def version(self, kind: Kind) -> str:
        """Return the version of the database."""
        if kind == "SQLite":
            return sqlite3.sqlite_version
        with psycopg.connect(self._server) as connection:
            (version,) = connection.execute("SHOW server_version").fetchone() or ("",)
            return str(version).split()[0]

    def drop(self) -> None:
        """Remove the PostgreSQL databases; the folder belongs to whoever made it."""
        with psycopg.connect(self._server, autocommit=True) as admin:
            for name in self._made:
                admin.execute(SQL("DROP DATABASE {} WITH (FORCE)").format(Identifier(name)))
        self._made.clear()


@contextmanager
def running_databases() -> Iterator[Databases]:
    """Databases on a server of their own, or on the one that EVENTSTORE_TEST_POSTGRES_URL names."""
    given = os.environ.get("EVENTSTORE_TEST_POSTGRES_URL")
    with ExitStack() as stack:
        server = given or stack.enter_context(running_server(fsync="on", full_page_writes="on"))
        folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="eventstore-bench-"))
        databases = Databases(Path(folder), server)
        stack.callback(databases.drop)
        yield databases


def url_of(conninfo: str) -> str:
    """The same address as a URL, which is what an `EventStore` is opened with."""
    parts = conninfo_to_dict(conninfo)
    user = ":".join(str(parts[key]) for key in ("user", "password") if parts.get(key))
    return f"postgresql://{user}@/{parts['dbname']}?host={parts['host']}&port={parts.get('port', 5432)}"
