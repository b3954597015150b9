"""Stores that are migrated by half, or note what they are not: an error that says what to do, and nothing changes."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path

import psycopg
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from eventstore import EventStoreError
from langgraph.checkpoint.eventstore import EventStoreSaver
from tests.support.saving import at, save

# What somebody may do to a store's tables, on both databases.
OF_ROWS = [
    "DELETE FROM eventstore_migrations",
    "DELETE FROM eventstore_migrations WHERE component = 'projections'",
    "DELETE FROM eventstore_migrations WHERE component = 'eventstore'",
    "DELETE FROM eventstore_migrations WHERE number = 1",
    "UPDATE eventstore_migrations SET number = number + 100",
    "UPDATE eventstore_migrations SET number = -number",
    "UPDATE eventstore_migrations SET number = 0 WHERE component = 'eventstore' AND number = 1",
    "UPDATE eventstore_migrations SET digest = 'other'",
    "UPDATE eventstore_migrations SET component = 'other' WHERE component = 'projections'",
]
OF_TABLES = [
    *(f"DROP TABLE {table}" for table in ("checkpoints", "writes", "eventstore_migrations", "reflog", "audit_names")),
    *(f"ALTER TABLE {table} RENAME TO other_{table}" for table in ("events", "streams", "branches", "segments")),
    "CREATE TABLE foreign_table (id INTEGER)",
]
FOREIGN = ["events", "streams", "eventstore_migrations", "checkpoints", "writes", "feed", "lineage", "branches"]


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store in a file."""
    path = tmp_path_factory.mktemp("migrations") / "template.db"
    with EventStoreSaver.from_conn_string(f"sqlite:///{path}") as saver:
        save(saver, 1, {"count": 1})
    return path


def dump(path: Path) -> list[str]:
    """All that is in a file."""
    with closing(sqlite3.connect(path)) as database:
        return [*database.iterdump()]


def opens(url: str, *, migrate: bool) -> bool:
    """Open and read a store; tell whether it was refused as a whole, and hold that this says what to do."""
    try:
        with EventStoreSaver.from_conn_string(url, migrate=migrate) as saver:
            saver.get_tuple(at())
    except EventStoreError as error:
        return len(str(error)) < 20
    return True


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(st.lists(st.sampled_from([*OF_ROWS, *OF_TABLES]), min_size=1, max_size=3, unique=True), st.booleans())
@example([OF_ROWS[0]], True)
@example([OF_ROWS[1]], True)
@example([OF_ROWS[3]], True)
@example([OF_TABLES[0]], True)
@example([OF_TABLES[5]], False)
def test_a_file_is_opened_or_left_as_it_is(template: Path, tmp_path: Path, done: list[str], migrate: bool) -> None:
    path = tmp_path / "store.db"
    for old in tmp_path.iterdir():
        old.unlink()
    shutil.copy(template, path)
    with closing(sqlite3.connect(path, isolation_level=None)) as database:
        for statement in done:
            with suppress(sqlite3.Error):  # what it is about may be gone already
                database.execute(statement)
    before = dump(path)
    if not opens(f"sqlite:///{path}", migrate=migrate):
        assert dump(path) == before


@pytest.mark.parametrize("table", FOREIGN)
def test_a_foreign_table_of_a_name_of_ours_is_left_as_it_is(table: str, tmp_path: Path) -> None:
    path = tmp_path / "foreign.db"
    with closing(sqlite3.connect(path)) as database:
        database.execute(f"CREATE TABLE {table} (id INTEGER, mine TEXT)")
        database.execute(f"INSERT INTO {table} VALUES (1, 'kept')")
        database.commit()
    before = dump(path)
    assert not opens(f"sqlite:///{path}", migrate=True)
    assert dump(path) == before


@pytest.fixture
def on_server(postgres_url: str) -> Iterator[psycopg.Connection]:
    """A connection to a database with a store."""
    with EventStoreSaver.from_conn_string(postgres_url) as saver:
        save(saver, 1, {"count": 1})
    with psycopg.connect(postgres_url, autocommit=True) as database:
        database.execute("SET search_path TO eventstore")
        yield database


def tables(database: psycopg.Connection) -> list[tuple[object, ...]]:
    """All tables with their columns, and the migrations that are noted."""
    found = database.execute(
        "SELECT table_name, column_name, data_type FROM information_schema.columns WHERE table_schema = 'eventstore'"
        " ORDER BY 1, 2"
    ).fetchall()
    noted = database.execute("SELECT to_regclass('eventstore_migrations')::text").fetchone()
    if noted and noted[0]:
        found += database.execute("SELECT component, number::text, digest FROM eventstore_migrations ORDER BY 1, 2")
    return found


def test_a_schema_is_opened_or_left_as_it_is(postgres_url: str, on_server: psycopg.Connection) -> None:
    refused = 0
    for statement in OF_ROWS:
        with psycopg.connect(postgres_url, autocommit=True) as saved:
            kept = saved.execute("SELECT * FROM eventstore.eventstore_migrations").fetchall()
        on_server.execute(statement)
        before = tables(on_server)
        if not opens(postgres_url, migrate=True):
            refused += 1
            assert tables(on_server) == before, statement
        on_server.execute("DELETE FROM eventstore_migrations")
        marks = ", ".join(["%s"] * len(kept[0]))
        for row in kept:
            on_server.execute(f"INSERT INTO eventstore_migrations VALUES ({marks})", row)
    assert refused
    assert opens(postgres_url, migrate=False)


def test_a_foreign_table_in_a_schema_is_left_as_it_is(postgres_url: str) -> None:
    with psycopg.connect(postgres_url, autocommit=True) as database:
        for table in FOREIGN:
            database.execute("CREATE SCHEMA eventstore")
            database.execute("SET search_path TO eventstore")
            database.execute(f"CREATE TABLE {table} (id INTEGER, mine TEXT)")
            database.execute(f"INSERT INTO {table} VALUES (1, 'kept')")
            assert not opens(postgres_url, migrate=True), table
            assert database.execute(f"SELECT * FROM {table}").fetchall() == [(1, "kept")], table
            database.execute("DROP SCHEMA eventstore CASCADE")
