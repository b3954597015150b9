"""`health`."""

from __future__ import annotations

import socket
import sqlite3
import time
from contextlib import closing
from typing import Any

import psycopg

from eventstore import NewEvent
from langgraph.checkpoint.eventstore import EventStoreSaver
from tests.support.shell import Shell


def test_a_store_that_is_well_says_what_an_operator_watches(shell: Shell, agent: Any, saver: EventStoreSaver) -> None:
    events = len([*saver.store.feed()])
    found = shell.ok("health", "--all", "--json").document
    assert (found["ok"], found["problems"], found["reachable"], found["writable"]) == (True, [], True, True)
    assert (found["threads"], found["events"], found["feed"]) == (1, events, events)
    assert (found["feed_lag"], found["stalled"]) == (0, {"interrupt": 1})
    assert found["migrations"] == shell.ok("migrate", "--json").document["migrations"]
    sqlite = saver.store.recorder.dialect == "sqlite"
    assert (found["wal_bytes"] is not None) is sqlite
    assert (found["free_bytes"] is not None) is sqlite
    shown = shell.ok("health", "--all").out
    for name in ("✓ well", "writable", "migrations", "threads", "events", "content", "on disk", "feed", "1 interrupt"):
        assert name in shown
    assert ("write-ahead log" in shown) is sqlite
    quick = shell.ok("health", "--json").document
    assert [quick[name] for name in ("threads", "events", "stalled")] == [None] * 3
    assert quick["migrations"] == found["migrations"]


def test_what_is_not_well_is_told_by_words_and_by_the_exit_code(shell: Shell, agent: Any, sqlite_url: str) -> None:
    assert shell.ok("health", "--max-stalled", "0").code == 0  # a question is no failure
    agent.update_state({"configurable": {"thread_id": "died"}}, {"count": 1}, as_node="model")
    ran = shell("health", "--max-stalled", "0", "--older-than", "0s")
    assert ran.code == 1
    assert "✗ not well" in ran.out
    assert ran.err == "eventstore: 1 thread failed or died: see eventstore stalled\n"
    assert shell("health", "--max-stalled", "0", "--older-than", "0s", "--json").document["ok"] is False


def test_a_large_write_ahead_log_is_not_well(sqlite_url: str) -> None:
    with EventStoreSaver.from_conn_string(sqlite_url) as saver:
        saver.store.append("s", [NewEvent("n", b"x" * 1_000)])
        found = Shell(sqlite_url)("health", "--max-wal", "0", "--json")
        assert (found.code, found.document["ok"]) == (1, False)
        assert found.document["wal_bytes"] > 0
        assert found.document["problems"][0]["kind"] == "wal"


def test_a_feed_that_is_behind_is_not_well(postgres_url: str) -> None:
    shell = Shell(postgres_url)
    with EventStoreSaver.from_conn_string(postgres_url) as saver, psycopg.connect(postgres_url) as older:
        saver.store.append("s", [NewEvent("n")])
        # A transaction that stays open keeps what is younger out of the feed.
        older.execute("SELECT pg_current_xact_id()")
        saver.store.append("s", [NewEvent("n")])
        found = shell("health", "--max-lag", "0s", "--json")
        assert (found.code, found.document["feed_lag"]) == (1, 1)
        assert found.document["feed_lag_seconds"] > 0
        older.rollback()
        assert shell.ok("health", "--max-lag", "0s", "--json").document["feed_lag"] == 0


def test_a_store_that_is_not_there_is_said_to_be_so(tmp_path: Any, postgres_url: str) -> None:
    missing = Shell(f"sqlite:///{tmp_path / 'missing.db'}")("health", "--json")
    assert (missing.code, missing.document["ok"], missing.document["reachable"]) == (5, False, False)
    assert "there is no store" in missing.document["problems"][0]["message"]
    assert not [*tmp_path.iterdir()]
    empty = Shell(postgres_url)("health")
    assert empty.code == 6
    assert "✗ not well" in empty.out
    nobody = Shell("postgresql://ann:secret@127.0.0.1:1/agents?connect_timeout=1")(
        "health", "--timeout", "1s", "--json"
    )
    assert (nobody.code, nobody.document["problems"][0]["kind"]) == (5, "unreachable")
    assert "secret" not in nobody.out + nobody.err


def test_a_server_that_takes_calls_and_says_nothing_is_given_up_in_time() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"postgresql://ann:secret@127.0.0.1:{silent.getsockname()[1]}/agents"
        began = time.monotonic()
        ran = Shell(url)("health", "--timeout", "1s", "--json")
        assert time.monotonic() - began < 10
    assert (ran.code, [each["kind"] for each in ran.document["problems"]]) == (5, ["no answer"])
    assert "secret" not in ran.out + ran.err


def test_a_file_of_another_program_is_not_well_and_is_left_alone(tmp_path: Any) -> None:
    path = tmp_path / "other.db"
    with closing(sqlite3.connect(path)) as other:
        other.execute("CREATE TABLE theirs (id)")
    before = path.read_bytes()
    ran = Shell(f"sqlite:///{path}")("health", "--json")
    assert (ran.code, ran.document["problems"][0]["kind"]) == (6, "schema")
    assert path.read_bytes() == before


def test_a_disk_with_little_room_is_not_well(sqlite_url: str) -> None:
    with EventStoreSaver.from_conn_string(sqlite_url):
        found = Shell(sqlite_url)("health", "--min-free", "1000000000000", "--json")
    assert (found.code, found.document["problems"][0]["kind"]) == (1, "disk")


def test_a_server_that_only_reads_is_well_for_who_only_reads(postgres_url: str) -> None:
    with EventStoreSaver.from_conn_string(postgres_url), psycopg.connect(postgres_url, autocommit=True) as admin:
        admin.execute(f"ALTER DATABASE {admin.info.dbname} SET default_transaction_read_only = on")
    found = Shell(postgres_url)("health", "--json")
    assert (found.code, found.document["problems"][0]["kind"], found.document["writable"]) == (1, "read-only", False)
    assert Shell(postgres_url).ok("health", "--read-only", "--json").document["writable"] is False


def test_the_schema_that_the_address_says_is_the_one_that_is_looked_at(postgres_url: str) -> None:
    told = f"{postgres_url}{'&' if '?' in postgres_url else '?'}schema=agents"
    with EventStoreSaver.from_conn_string(told) as saver:
        saver.store.append("s", [NewEvent("n")])
    assert Shell(told).ok("health", "--all", "--json").document["events"] == 1
    assert Shell(postgres_url)("health").code == 6
    assert Shell(told)("health", "--schema", "others").code == 6
