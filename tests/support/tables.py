"""The store's tables and files as they are, past all of our own code."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

import psycopg
from psycopg.sql import SQL, Identifier

from eventstore import EventStore
from eventstore.codec.envelope import seal, unseal
from eventstore.queries import load_queries


def blocks_of(store: EventStore, file: str, package: str = "projections") -> Mapping[str, str]:
    """The named blocks of SQL that a package runs on a store."""
    recorder = store.recorder
    return load_queries(package, recorder.dialect, recorder.schema, file)


def rows(url: str) -> dict[str, list[tuple[Any, ...]]]:
    """All rows of all of the store's tables."""
    if url.startswith("sqlite"):
        with closing(sqlite3.connect(path_of(url))) as connection:
            names = connection.execute("SELECT name FROM sqlite_schema WHERE type = 'table'").fetchall()
            return {name: sorted(connection.execute(f'SELECT * FROM "{name}"'), key=repr) for (name,) in names}
    with psycopg.connect(url, autocommit=True) as connection:
        names = connection.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'eventstore'").fetchall()
        return {
            name: sorted(connection.execute(SQL("SELECT * FROM eventstore.{}").format(Identifier(name))), key=repr)
            for (name,) in names
        }


def execute(url: str, sql: str) -> None:
    """Change the store behind its back."""
    if url.startswith("sqlite"):
        with closing(sqlite3.connect(path_of(url), isolation_level=None)) as connection:
            connection.execute(sql)
    else:
        with psycopg.connect(url, autocommit=True, options="-csearch_path=eventstore") as connection:
            connection.execute(sql)


def forge(url: str, change: Callable[[bytes], bytes]) -> None:
    """Change the content of all events, as somebody might who can write to the database but knows no hashes."""
    if url.startswith("sqlite"):
        with closing(sqlite3.connect(path_of(url), isolation_level=None)) as connection:
            for stream_id, version, payload in connection.execute(
                "SELECT stream_id, version, payload FROM events"
            ).fetchall():
                forged = (seal(change(unseal(payload))), stream_id, version)
                connection.execute("UPDATE events SET payload = ? WHERE stream_id = ? AND version = ?", forged)
        return
    with psycopg.connect(url, autocommit=True, options="-csearch_path=eventstore") as server:
        for stream_id, version, payload in server.execute("SELECT stream_id, version, payload FROM events").fetchall():
            forged = (seal(change(unseal(payload))), stream_id, version)
            server.execute("UPDATE events SET payload = %s WHERE stream_id = %s AND version = %s", forged)


def content_of(url: str) -> bytes:
    """The content of all events, one after the other, as it is before it is sealed."""
    payloads: list[bytes] = []

    def look(payload: bytes) -> bytes:
        payloads.append(payload)
        return payload

    forge(url, look)
    return b"".join(payloads)


def path_of(url: str) -> Path:
    """The file of an SQLite store."""
    return Path(url.removeprefix("sqlite:///"))


def stored_bytes(url: str) -> bytes:
    """Everything that is on disk of a store: its files, or all the values of all rows, as PostgreSQL returns them."""
    if url.startswith("sqlite"):
        path = path_of(url)
        return b"".join(file.read_bytes() for file in sorted(path.parent.glob(path.name + "*")))
    flat = (value for table in rows(url).values() for row in table for value in row)
    return b"".join(bytes(value) if isinstance(value, bytes | memoryview) else str(value).encode() for value in flat)
