"""Opening a store: addresses, tables that are made once by whoever comes first, and options."""

from __future__ import annotations

import logging
import shutil
import socket
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from uuid import uuid4

import psycopg
import pytest
from psycopg.sql import SQL, Identifier, Literal

from eventstore import (
    BadInputError,
    EventStore,
    InvalidIdError,
    InvalidUrlError,
    NewEvent,
    NotAStoreError,
    SchemaError,
    UnavailableError,
    migration_sql,
)
from eventstore.address import PostgresAddress, SQLiteAddress, parse
from langgraph.checkpoint.eventstore import EventStoreSaver

ROOT = Path(__file__).parents[2]
OPENER = """
import sys
from eventstore import EventStore, NewEvent
from langgraph.checkpoint.eventstore import EventStoreSaver
sys.stdin.readline()
with EventStoreSaver.from_conn_string(sys.argv[1]) as saver:
    saver.store.append("s", [NewEvent("opened")])
"""


@pytest.mark.parametrize(
    ("url", "address"),
    [
        ("sqlite:///agents.db", SQLiteAddress(Path("agents.db"))),
        ("sqlite:////var/lib/agents.db", SQLiteAddress(Path("/var/lib/agents.db"))),
        ("sqlite:///with%20space.db", SQLiteAddress(Path("with space.db"))),
        ("sqlite:///:memory:", SQLiteAddress(None)),
        (":memory:", SQLiteAddress(None)),
        ("agents.db", SQLiteAddress(Path("agents.db"))),
        ("sqlite:///what%3F%23.db", SQLiteAddress(Path("what?#.db"))),
        ("names=agents.db", SQLiteAddress(Path("names=agents.db"))),
        (Path("user=ann.db"), SQLiteAddress(Path("user=ann.db"))),
        (Path("/tmp/agents.db"), SQLiteAddress(Path("/tmp/agents.db"))),
        ("postgresql://user@host/db", PostgresAddress("postgresql://user@host/db")),
        ("postgres://user@host/db?sslmode=require", PostgresAddress("postgresql://user@host/db?sslmode=require")),
        ("host=db.example.org dbname=agents", PostgresAddress("host=db.example.org dbname=agents")),
        (" dbname = agents user = ann", PostgresAddress(" dbname = agents user = ann")),
    ],
)
def test_a_store_is_named_by_a_url_or_a_path(url: str, address: SQLiteAddress | PostgresAddress) -> None:
    assert parse(url) == address


@pytest.mark.parametrize("url", ["", "sqlite://agents.db", "sqlite://", "sqlite:///", "mysql://host/db", "a\0b"])
def test_an_address_that_names_no_store_is_refused_with_the_forms_there_are(url: str) -> None:
    with pytest.raises(InvalidUrlError, match="postgresql://"):
        EventStore.open(url)


@pytest.mark.parametrize(
    "url",
    [
        "postgresql:user:hunter2@db/agents",
        "postgres:/user:hunter2@db/agents",
        "sqlite:hunter2.db",
        "sqlite:///agents.db?mode=ro",
        "sqlite:///agents.db#hunter2",
    ],
)
def test_what_looks_like_another_address_is_no_path_and_is_not_shown(url: str) -> None:
    with pytest.raises(InvalidUrlError) as refused:
        parse(url)
    assert "hunter2" not in str(refused.value)


def test_an_address_does_not_show_its_password() -> None:
    address = parse("postgresql://ann:secret@host:5433/db?password=secret")
    assert "secret" not in f"{address} {address!r}"
    assert "ann@host:5433/db" in str(address)


def test_what_is_in_memory_is_seen_by_all_threads_and_gone_when_it_is_closed() -> None:
    with EventStore.open("sqlite:///:memory:") as store:
        store.append("s", [NewEvent("kept")])
        assert store.head("s") is not None
    with EventStore.open("sqlite:///:memory:") as store:
        assert store.head("s") is None


async def test_a_store_is_an_async_context_manager_too(url: str) -> None:
    async with EventStore.open(url) as store:
        await store.aappend("s", [NewEvent("kept")])
    async with EventStore.open(url) as store:
        assert (await store.ahead("s")) is not None


def test_ten_processes_can_open_a_new_store_at_once(url: str) -> None:
    environment = {"PYTHONPATH": f"{ROOT}:{ROOT / 'adapters'}", "PATH": ""}
    command = [sys.executable, "-c", OPENER, url]
    processes = [
        subprocess.Popen(command, env=environment, stdin=subprocess.PIPE, stderr=subprocess.PIPE) for _ in range(10)
    ]
    for process in processes:  # all have started by now, or are about to: they open together
        assert process.stdin
        process.stdin.write(b"\n")
        process.stdin.close()
    errors = []
    for process in processes:
        with process:
            errors.append(process.stderr.read().decode() if process.stderr else "")
    assert [process.returncode for process in processes] == [0] * 10, errors
    with EventStore.open(url, migrate=False) as store:
        assert [event.version for event in store.read("s")] == list(range(1, 11))


def test_a_store_that_may_not_be_migrated_is_verified_only(new_url: str) -> None:
    with pytest.raises(SchemaError, match="migrate=True") as refused:
        EventStore.open(new_url, migrate=False)
    assert (refused.value.component, refused.value.found) == ("eventstore", 0)
    EventStore.open(new_url).close()
    with EventStore.open(new_url, migrate=False) as store:
        store.append("s", [NewEvent("kept")])
    with (
        pytest.raises(SchemaError, match="projections"),
        EventStoreSaver.from_conn_string(new_url, migrate=False),
    ):
        pass


def test_a_dba_can_run_the_printed_sql_by_hand_on_sqlite(sqlite_url: str, tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / "store.db")) as database:
        for component in ("eventstore", "projections"):
            database.executescript(migration_sql(component, "sqlite"))
    with EventStoreSaver.from_conn_string(sqlite_url, migrate=False) as saver:
        saver.store.append("s", [NewEvent("kept")])


def test_a_dba_can_run_the_printed_sql_by_hand_on_postgresql(postgres_url: str) -> None:
    with psycopg.connect(postgres_url, autocommit=True) as database:
        for component in ("eventstore", "projections"):
            database.execute(migration_sql(component, "postgres", schema="by_hand").encode())
    with EventStoreSaver.from_conn_string(postgres_url, migrate=False, schema="by_hand") as saver:
        saver.store.append("s", [NewEvent("kept")])


def test_a_migration_that_is_not_the_one_that_was_applied_is_refused(
    store: EventStore, make_store: Callable[..., EventStore]
) -> None:
    table = f"{'' if store.recorder.dialect == 'sqlite' else 'eventstore.'}eventstore_migrations"
    store.recorder.write(lambda session: session.execute(f"UPDATE {table} SET digest = 'edited' WHERE number = 1", {}))
    for migrate in (True, False):
        with pytest.raises(SchemaError, match="not the one of this package"):
            make_store(migrate=migrate)


def test_a_database_can_hold_several_stores_each_in_its_schema(postgres_url: str) -> None:
    with EventStore.open(postgres_url, schema="one") as one, EventStore.open(postgres_url, schema="two") as two:
        one.append("s", [NewEvent("in one")])
        assert two.head("s") is None
        assert [entry.event.topic for entry in one.feed()] == ["in one"]
        assert list(two.feed()) == []


@pytest.mark.parametrize("schema", ["", "two words", 'quo"te', "x" * 64, "1st"])
def test_a_schema_that_is_no_plain_identifier_is_refused(postgres_url: str, schema: str) -> None:
    with pytest.raises(InvalidIdError):
        EventStore.open(postgres_url, schema=schema)


def test_a_store_works_without_prepared_statements(postgres_url: str) -> None:
    with EventStoreSaver.from_conn_string(postgres_url, prepare=False) as saver:
        for _ in range(10):
            saver.store.append("s", [NewEvent("kept")])
        with psycopg.connect(postgres_url) as observer:
            observer.execute("SELECT 1")
        prepared = saver.store.recorder.read("SELECT count(*) FROM pg_prepared_statements", {})
        assert (saver.store.head("s").version, prepared) == (10, [(0,)])


@pytest.mark.parametrize("isolation", ["repeatable read", "serializable"])
def test_every_connection_reads_what_is_committed_whatever_the_database_prefers(
    postgres_url: str, isolation: str
) -> None:
    with psycopg.connect(postgres_url, autocommit=True) as admin:
        admin.execute(
            SQL("ALTER DATABASE {} SET default_transaction_isolation = {}").format(
                Identifier(admin.info.dbname), Literal(isolation)
            )
        )
    with EventStore.open(postgres_url) as store:
        ask = "SELECT current_setting('transaction_isolation')"
        assert store.recorder.read(ask, {}) == [("read committed",)]
        assert store.recorder.write(lambda session: session.execute(ask, {})) == [("read committed",)]


def test_names_are_any_text_whatever_the_environment_says_about_the_client(
    postgres_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PGCLIENTENCODING", "LATIN1")
    for url in (postgres_url, f"{postgres_url}?client_encoding=latin1"):
        with EventStore.open(url) as store:
            store.append("ü🎉", [NewEvent("größe")], metadata={"user": "Łódź"})
            [info] = store.streams().streams
            assert (info.name, info.metadata) == ("ü🎉", {"user": "Łódź"})
            assert store.verify().events == info.version


@pytest.mark.parametrize("encoding", ["SQL_ASCII", "LATIN1"])
def test_a_database_that_cannot_hold_all_text_is_refused(pg_server: str, encoding: str) -> None:
    name = f"test_{uuid4().hex}"
    options = SQL("ENCODING {} TEMPLATE template0 LC_COLLATE 'C' LC_CTYPE 'C'").format(Literal(encoding))
    with psycopg.connect(pg_server, autocommit=True) as admin:
        admin.execute(SQL("CREATE DATABASE {} {}").format(Identifier(name), options))
        try:
            with pytest.raises(NotAStoreError, match="UTF8"):
                EventStore.open(make_url(pg_server, name))
        finally:
            admin.execute(SQL("DROP DATABASE {} WITH (FORCE)").format(Identifier(name)))


def make_url(server: str, database: str) -> str:
    parts = urlsplit(server)
    return f"{parts.scheme}://{parts.netloc}/{database}" + (f"?{parts.query}" if parts.query else "")


def test_a_server_that_does_not_answer_is_waited_for_no_longer_than_one_asks_for() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        began = time.monotonic()
        with pytest.raises(UnavailableError):
            EventStore.open(f"postgresql://user@127.0.0.1:{silent.getsockname()[1]}/db", connect_timeout=1.0)
        assert time.monotonic() - began < 20


@pytest.mark.parametrize("options", [{"pool_size": 0}, {"synchronous": "OFF"}])
def test_options_that_make_no_sense_are_refused(sqlite_url: str, options: dict[str, object]) -> None:
    with pytest.raises(BadInputError):
        EventStore.open(sqlite_url, **options)  # type: ignore[arg-type]  # that is what is tested


def test_sqlite_writes_are_on_disk_before_they_return_unless_one_asks_for_less(sqlite_url: str) -> None:
    for synchronous, level in (("FULL", 2), ("NORMAL", 1)):
        with EventStore.open(sqlite_url, synchronous=synchronous) as store:  # type: ignore[arg-type]
            found = store.recorder.write(lambda session: session.execute("PRAGMA synchronous", {}))
            assert found == [(level,)]
            assert store.recorder.read("PRAGMA journal_mode", {}) == [("wal",)]


def test_what_is_erased_in_sqlite_is_overwritten(sqlite_url: str) -> None:
    with EventStore.open(sqlite_url) as store:
        assert store.recorder.write(lambda session: session.execute("PRAGMA secure_delete", {})) == [(1,)]


def test_a_file_is_the_one_that_was_opened_wherever_the_process_goes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path)
    with EventStore.open("agents.db") as store:
        monkeypatch.chdir(tmp_path / "elsewhere")
        store.append("s", [NewEvent("t")])
        assert store.head("s")
    assert not (tmp_path / "elsewhere" / "agents.db").exists()


@pytest.mark.parametrize("replaced", [True, False])
def test_a_file_that_was_moved_away_is_not_written_anew(replaced: bool, tmp_path: Path) -> None:
    path = tmp_path / "agents.db"
    with EventStore.open(path) as store:
        store.append("s", [NewEvent("t")])
    with EventStore.open(path) as store:
        path.rename(tmp_path / "moved.db")
        if replaced:
            shutil.copy(tmp_path / "moved.db", path)
        with pytest.raises(UnavailableError, match="open the store again"):
            store.append("s", [NewEvent("t")])
        assert path.exists() == replaced
    with EventStore.open(tmp_path / "moved.db") as moved:
        assert [event.version for event in moved.read("s")] == [1]


def test_who_only_reads_opens_no_connection_to_write(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with EventStore.open(tmp_path / "agents.db") as store:
        store.append("s", [NewEvent("t")])

    def connections() -> int:
        return sum(getattr(record, "action", "") == "connect" for record in caplog.records)

    with caplog.at_level(logging.DEBUG, "eventstore"), EventStore.open(tmp_path / "agents.db") as store:
        assert [event.topic for event in store.read("s")] == ["t"]
        assert connections() == 1
        store.append("s", [NewEvent("t")])
        assert connections() == 2


@pytest.mark.parametrize("made", ["CREATE TEMP VIEW", "CREATE TEMP TRIGGER"])
def test_an_interrupt_while_a_batched_statement_is_made_leaves_the_store_usable(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, made: str
) -> None:
    interrupting: list[str] = []

    class Connection(sqlite3.Connection):
        def execute(self, sql: str, *params: Any) -> sqlite3.Cursor:
            done = super().execute(sql, *params)
            if interrupting and sql.startswith(interrupting[0]):
                interrupting.clear()
                raise KeyboardInterrupt
            return done

    monkeypatch.setattr(sqlite3, "connect", partial(sqlite3.connect, factory=Connection))
    with EventStore.open(tmp_path / "agents.db") as store:
        store.append("s", [NewEvent("t")])  # makes the stream
        interrupting.append(made)
        with pytest.raises(KeyboardInterrupt):
            store.append("s", [NewEvent("t")])  # the first of many that are carried out by the same statement
        store.append("s", [NewEvent("t")])
        assert len([*store.read("s")]) == 2
