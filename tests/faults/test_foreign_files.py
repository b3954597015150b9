"""Databases that are newer, older, somebody else's, or no databases at all: refused, and left as they were."""

from __future__ import annotations

import asyncio
import sqlite3
from contextlib import closing
from functools import partial
from hashlib import sha256
from pathlib import Path
from typing import Any

import psycopg
import pytest
from langgraph.checkpoint.sqlite import SqliteSaver

from eventstore import (
    CorruptionError,
    EventStore,
    EventStoreError,
    InvalidUrlError,
    NotAStoreError,
    SchemaError,
    StorageError,
    UnavailableError,
    UnknownFormatError,
)
from langgraph.checkpoint.eventstore import EventStoreSaver
from tests.support.flavour import Flavour
from tests.support.saving import Calls, at, save
from tests.support.tables import execute, forge, path_of, rows


def open_saver(url: str, flavour: Flavour, **options: Any) -> None:
    """Open a saver and close it again."""

    async def enter() -> None:
        async with EventStoreSaver.from_conn_string(url, **options):
            pass

    if flavour is Flavour.ASYNC:
        asyncio.run(enter())
    else:
        with EventStoreSaver.from_conn_string(url, **options):
            pass


@pytest.mark.parametrize("component", ["eventstore", "projections"])
@pytest.mark.parametrize("migrate", [True, False])
def test_a_store_of_a_newer_schema_is_refused_and_nothing_of_it_is_changed(
    url: str, flavour: Flavour, component: str, migrate: bool
) -> None:
    open_saver(url, flavour)
    execute(url, f"INSERT INTO eventstore_migrations VALUES ('{component}', 99, 'from the future', '', 0)")
    before = rows(url)
    with pytest.raises(SchemaError, match="upgrade") as refusal:
        open_saver(url, flavour, migrate=migrate)
    assert (refusal.value.component, refusal.value.found) == (component, 99)
    assert refusal.value.known < 99
    assert rows(url) == before


def test_a_store_whose_migrations_are_not_those_of_this_package_is_refused(url: str, flavour: Flavour) -> None:
    open_saver(url, flavour)
    execute(url, "UPDATE eventstore_migrations SET digest = 'another'")
    before = rows(url)
    with pytest.raises(SchemaError):
        open_saver(url, flavour)
    assert rows(url) == before


def test_a_new_store_is_not_created_where_that_is_not_allowed(new_url: str, flavour: Flavour) -> None:
    with pytest.raises(SchemaError, match="migrate=True") as refusal:
        open_saver(new_url, flavour, migrate=False)
    assert (refusal.value.found, refusal.value.component) == (0, "eventstore")
    assert rows(new_url) == {}
    open_saver(new_url, flavour, migrate=True)
    open_saver(new_url, flavour, migrate=False)


def test_a_log_without_the_savers_tables_is_not_completed_where_that_is_not_allowed(
    new_url: str, flavour: Flavour
) -> None:
    EventStore.open(new_url).close()
    before = rows(new_url)
    with pytest.raises(SchemaError) as refusal:
        open_saver(new_url, flavour, migrate=False)
    assert refusal.value.component == "projections"
    assert rows(new_url) == before


def test_tables_that_vanish_are_told_of_and_not_made_again_behind_ones_back(saver: EventStoreSaver, url: str) -> None:
    save(saver, 1)
    for table in ("checkpoints", "writes"):
        execute(url, f"ALTER TABLE {table} RENAME TO {table}_moved")
    for flavour in Flavour:
        calls = Calls(saver, flavour)
        for call in (partial(calls.get_tuple, at()), partial(save, calls, 2), partial(calls.list, None)):
            with pytest.raises(StorageError):
                call()
    for table in ("checkpoints", "writes"):
        execute(url, f"ALTER TABLE {table}_moved RENAME TO {table}")
    save(saver, 2, parent=1)
    assert saver.store.verify("thread").events == 2


@pytest.mark.parametrize(
    "content",
    [b"not a database\n" * 1000, b"\0" * 8192, b"SQLite format 3\0" + b"\xff" * 4080, b"%PDF-1.7"],
    ids=["text", "zeros", "only the beginning of one", "another format"],
)
def test_a_file_that_is_no_database_is_refused_and_left_as_it_is(
    tmp_path: Path, flavour: Flavour, content: bytes
) -> None:
    path = tmp_path / "notes.txt"
    path.write_bytes(content)
    for migrate in (True, False):
        with pytest.raises((NotAStoreError, CorruptionError), match=r"notes\.txt"):
            open_saver(f"sqlite:///{path}", flavour, migrate=migrate)
    assert path.read_bytes() == content
    assert sorted(file.name for file in tmp_path.iterdir()) == ["notes.txt"]


def test_an_empty_file_becomes_a_store(tmp_path: Path, flavour: Flavour) -> None:
    path = tmp_path / "empty.db"
    path.touch()
    open_saver(str(path), flavour)
    open_saver(str(path), flavour, migrate=False)


def test_the_file_of_another_program_is_refused_and_left_as_it_is(tmp_path: Path, flavour: Flavour) -> None:
    path = tmp_path / "theirs.db"
    with closing(sqlite3.connect(path, isolation_level=None)) as theirs:
        theirs.execute("CREATE TABLE invoices (number INTEGER PRIMARY KEY)")
        theirs.execute("INSERT INTO invoices VALUES (1)")
    before = sha256(path.read_bytes()).digest()
    for migrate in (True, False):
        with pytest.raises(NotAStoreError, match="the tables of another program"):
            open_saver(f"sqlite:///{path}", flavour, migrate=migrate)
    assert sha256(path.read_bytes()).digest() == before


def test_the_file_of_langgraphs_own_saver_is_refused_and_goes_on_to_work(tmp_path: Path, flavour: Flavour) -> None:
    path = tmp_path / "checkpoints.db"
    with SqliteSaver.from_conn_string(str(path)) as theirs:
        save(theirs, 1)
        with pytest.raises(NotAStoreError):
            open_saver(str(path), flavour)
        save(theirs, 2, parent=1)
        assert theirs.get_tuple(at()) is not None
    assert set(rows(f"sqlite:///{path}")) == {"checkpoints", "writes"}


def test_another_programs_tables_in_our_schema_are_refused_and_left_as_they_are(
    postgres_url: str, flavour: Flavour
) -> None:
    with psycopg.connect(postgres_url, autocommit=True) as theirs:
        theirs.execute("CREATE SCHEMA eventstore")
        theirs.execute("CREATE TABLE eventstore.streams (name text)")
        theirs.execute("INSERT INTO eventstore.streams VALUES ('theirs')")
    with pytest.raises(NotAStoreError, match="schema"):
        open_saver(postgres_url, flavour)
    assert rows(postgres_url) == {"streams": [("theirs",)]}
    open_saver(postgres_url, flavour, schema="ours")


def test_a_folder_is_no_store_and_a_missing_folder_is_not_made(tmp_path: Path, flavour: Flavour) -> None:
    for path in (tmp_path, tmp_path / "missing" / "store.db"):
        with pytest.raises(UnavailableError, match="folder"):
            open_saver(str(path), flavour)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "url",
    [
        "",
        "mysql://localhost/agents",
        "sqlite://",
        "sqlite:///",
        "sqlite://relative.db",
        "a\0b",
        "postgresql://[::1/db",
        "postgresql://localhost:port/db",
        "http://localhost",
    ],
)
def test_an_address_that_is_none_is_refused_with_the_forms_that_are(url: str, flavour: Flavour) -> None:
    with pytest.raises(InvalidUrlError, match="postgresql://"):
        open_saver(url, flavour)


@pytest.mark.parametrize("url", ["postgresql://localhost/db?no_such_option=1", "sqlite:///agents.db?mode=ro"])
def test_an_option_that_is_none_is_refused_with_those_that_are(url: str, flavour: Flavour) -> None:
    with pytest.raises(InvalidUrlError, match="There are migrate, schema, pool_size, "):
        open_saver(url, flavour)


@pytest.mark.parametrize("schema", ["", "a-b", 'a"b', "a;b", "é", "x" * 64, "a b", "a\0"])
def test_a_schema_that_is_no_identifier_is_refused(postgres_url: str, flavour: Flavour, schema: str) -> None:
    with pytest.raises(EventStoreError, match="identifier"):
        open_saver(postgres_url, flavour, schema=schema)


def test_damage_in_the_file_is_told_of_and_never_read_as_a_value(sqlite_url: str, flavour: Flavour) -> None:
    path = path_of(sqlite_url)
    with EventStoreSaver.from_conn_string(sqlite_url):
        pass
    empty = path.stat().st_size // 4096  # the pages that are read when the store is opened
    with EventStoreSaver.from_conn_string(sqlite_url) as saver:
        for number in range(1, 200):
            save(saver, number, {"state": ["x" * 100, number]}, parent=number - 1 or None)
    content = bytearray(path.read_bytes())
    for page in range(empty, len(content) // 4096):
        content[page * 4096 + 1000 : page * 4096 + 3000] = b"\xa5" * 2000
    path.write_bytes(content)
    with EventStoreSaver.from_conn_string(sqlite_url) as saver:
        calls = Calls(saver, flavour)
        with pytest.raises(EventStoreError):
            calls.list(None)
        with pytest.raises(EventStoreError):
            saver.store.verify()


def test_a_newer_format_of_events_is_refused_by_its_number(saver: EventStoreSaver, flavour: Flavour, url: str) -> None:
    save(saver, 1)
    forge(url, lambda payload: payload)
    payload = "X'FF00'" if url.startswith("sqlite") else r"'\xff00'"
    execute(url, f"UPDATE events SET payload = {payload}")
    with pytest.raises(UnknownFormatError, match="255"):
        Calls(saver, flavour).get_tuple(at())
