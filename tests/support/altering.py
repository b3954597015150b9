"""Rows that are altered past all of our own code, as damage, or somebody else, might do."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from random import Random
from typing import Any

import psycopg
from psycopg.types.json import JsonDumper

from tests.support.tables import path_of

Row = Mapping[str, Any]

KEYS = {
    "events": ("stream_id", "version"),
    "streams": ("stream_id",),
    "former_names": ("name",),
    "lineage": ("stream_id", "ancestor_id"),
    "idempotency": ("stream_id", "key"),
    "checkpoints": ("branch_id", "namespace", "checkpoint_id", "shown_from"),
    "writes": ("branch_id", "namespace", "checkpoint_id", "version"),
    "sources": ("branch_id", "source_id"),
    "segments": ("stream_id", "version", "channel", "level"),
    "branches": ("branch_id",),
    "reflog": ("stream_id", "version"),
    "audit": ("position",),
    "audit_names": ("stream_id", "version"),
    "audit_spans": ("span",),
    "usage_seen": ("position", "ordinal"),
    "progress": ("projection",),
    "eventstore_migrations": ("component", "number"),
}
"""By which columns a row is found again, of each table."""

TEXTS = {"name", "namespace", "checkpoint_id", "topic", "metadata", "channels", "key", "component"}


def flipped(data: bytes, place: int, chance: Random) -> bytes:
    """Bytes with one bit flipped."""
    changed = bytearray(data)
    changed[place] ^= 1 << chance.randrange(8)
    return bytes(changed)


class RawTables:
    """The rows of a store, past all of our own code."""

    def __init__(self, url: str) -> None:
        self._sqlite = url.startswith("sqlite")
        self._bind = "?" if self._sqlite else "%s"
        if self._sqlite:
            self._connection: Any = sqlite3.connect(path_of(url), isolation_level=None)
            self._connection.execute("PRAGMA synchronous = OFF")
        else:
            self._connection = psycopg.connect(url, autocommit=True, options="-csearch_path=eventstore")
            self._connection.adapters.register_dumper(dict, JsonDumper)
            self._connection.execute("SET session_replication_role = replica")  # no references are checked

    def close(self) -> None:
        self._connection.close()

    def rows(self, table: str) -> list[Row]:
        """All rows of a table."""
        found = self._connection.execute(f"SELECT * FROM {table}")
        names = [column[0] for column in found.description]
        return [dict(zip(names, row, strict=True)) for row in found]

    def delete(self, table: str, column: str, value: Any) -> None:
        """Delete rows, whatever refers to them."""
        self._connection.execute(f"DELETE FROM {table} WHERE {column} = {self._bind}", (value,))

    def change(self, table: str, key: Row, column: str, value: Any) -> bool:
        """Change what a row holds; whether the database takes that."""
        bind = self._bind
        as_text = isinstance(value, bytes) and column in TEXTS
        if as_text and not self._sqlite:
            return False  # PostgreSQL holds no text that is none
        new = "CAST(? AS TEXT)" if as_text else bind
        where = " AND ".join(f"{name} = {bind}" for name in key)
        try:
            self._connection.execute(f"UPDATE {table} SET {column} = {new} WHERE {where}", (value, *key.values()))
        except (sqlite3.Error, psycopg.Error):
            return False
        return True

    def delete_one(self, table: str, key: Row) -> None:
        """Delete one row, whatever refers to it."""
        where = " AND ".join(f"{name} = {self._bind}" for name in key)
        self._connection.execute(f"DELETE FROM {table} WHERE {where}", (*key.values(),))

    def cut(self, stream_id: int, version: int) -> None:
        """Delete the events of a stream from a version on."""
        bind = self._bind
        self._connection.execute(
            f"DELETE FROM events WHERE stream_id = {bind} AND version >= {bind}", (stream_id, version)
        )

    def restore(self, tables: Mapping[str, list[Row]]) -> None:
        """Put all rows back as they were."""
        if self.rows("streams") != tables["streams"]:
            # A stream that is inserted gets its first branch by a trigger; all branches are put back after it.
            self._connection.execute("DELETE FROM branches")
        for table, rows in tables.items():
            there = self.rows(table)
            for row in there:
                if row not in rows:
                    self.delete_one(table, {name: row[name] for name in KEYS[table]})
            for row in rows:
                if row not in there:
                    names, values = ", ".join(row), ", ".join([self._bind] * len(row))
                    own = "" if self._sqlite else "OVERRIDING SYSTEM VALUE"
                    self._connection.execute(f"INSERT INTO {table} ({names}) {own} VALUES ({values})", (*row.values(),))
