"""The schema that readers are shown is the one that migrations make."""

from __future__ import annotations

import re
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import psycopg

from eventstore import EventStore
from projections import Checkpoints
from projections.audit.rows import AuditRows
from projections.checkpoints.rows import CheckpointRows
from projections.checkpoints.segments import SegmentRows
from projections.usage.rows import UsageRows
from tests.support.tables import path_of, rows

# As they are read one after the other: projections stand beside the log.
SQL_FILES = [Path(__file__).parents[2] / package / "sql" for package in ("eventstore", "projections")]
COLUMNS = """
SELECT c.relname, a.attnum, a.attname, format_type(a.atttypid, a.atttypmod), a.attnotnull, a.attidentity, a.attstorage,
       a.attcollation::regcollation::text, pg_get_expr(d.adbin, d.adrelid)
FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid
LEFT JOIN pg_attrdef d ON (d.adrelid, d.adnum) = (c.oid, a.attnum)
WHERE c.relnamespace = %(schema)s::regnamespace AND c.relkind = 'r' AND a.attnum > 0
"""
INDEXES = "SELECT tablename, indexname, indexdef FROM pg_indexes WHERE schemaname = %(schema)s"
TRIGGERS = """
SELECT tgrelid::regclass::text, tgname, pg_get_triggerdef(t.oid), pg_get_functiondef(tgfoid)
FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid
WHERE c.relnamespace = %(schema)s::regnamespace AND NOT tgisinternal
"""
VIEWS = "SELECT viewname, definition FROM pg_views WHERE schemaname = %(schema)s"
CONSTRAINTS = """
SELECT conrelid::regclass::text, conname, pg_get_constraintdef(oid) FROM pg_constraint
WHERE connamespace = %(schema)s::regnamespace
"""


def test_the_schema_shown_is_the_one_that_migrations_make_on_sqlite(sqlite_url: str) -> None:
    with EventStore.open(sqlite_url) as store:
        Checkpoints(store)
    with closing(sqlite3.connect(path_of(sqlite_url))) as made, closing(sqlite3.connect(":memory:")) as shown:
        for folder in SQL_FILES:
            shown.executescript((folder / "sqlite" / "schema.sql").read_text(encoding="utf-8"))
        assert catalog_of_file(shown) == catalog_of_file(made)


def test_the_schema_shown_is_the_one_that_migrations_make_on_postgresql(postgres_url: str) -> None:
    with (
        EventStore.open(postgres_url, schema="made") as store,
        psycopg.connect(postgres_url, autocommit=True) as database,
    ):
        Checkpoints(store)
        for folder in SQL_FILES:
            database.execute((folder / "postgres" / "schema.sql").read_bytes())
        assert catalog_of_schema(database, "eventstore") == catalog_of_schema(database, "made")


def test_each_table_of_projections_belongs_to_one_of_them(new_url: str) -> None:
    with EventStore.open(new_url) as store:
        of_the_log = rows(new_url).keys()
        Checkpoints(store)
    named = [table for projection in (CheckpointRows, SegmentRows, AuditRows, UsageRows) for table in projection.tables]
    assert sorted([*named, "progress"]) == sorted(rows(new_url).keys() - of_the_log)


def catalog_of_file(database: sqlite3.Connection) -> dict[str, Any]:
    """Return what SQLite knows of its tables, however the statements that made them were spelled."""
    ask = database.execute
    tables = {name: details for _, name, _, *details in ask("PRAGMA table_list") if not name.startswith("sqlite_")}
    assert {"events", "checkpoints"} <= tables.keys()
    return {
        table: (
            details,
            ask(f"PRAGMA table_xinfo({table})").fetchall(),
            ask(f"PRAGMA foreign_key_list({table})").fetchall(),
            {
                index: (flags, ask(f"PRAGMA index_xinfo({index})").fetchall(), condition_of(database, index))
                for _, index, *flags in ask(f"PRAGMA index_list({table})").fetchall()
            },
        )
        for table, details in tables.items()
    }


def condition_of(database: sqlite3.Connection, index: str) -> str:
    # The index of a primary key without row ids has no entry of its own, that of a constraint has no text.
    found = database.execute("SELECT coalesce(sql, '') FROM sqlite_schema WHERE name = ?", (index,)).fetchone()
    return found[0].partition(" WHERE ")[2] if found else ""


def catalog_of_schema(database: psycopg.Connection, schema: str) -> list[list[str]]:
    """Return what PostgreSQL knows of the tables of a schema, without the schema's name."""
    catalog = [
        sorted(
            repr([re.sub(rf'"?{schema}"?\.', "", str(column)) for column in row])
            for row in database.execute(query, {"schema": schema})
        )
        for query in (COLUMNS, INDEXES, CONSTRAINTS, TRIGGERS, VIEWS)
    ]
    assert all(catalog)
    return catalog
