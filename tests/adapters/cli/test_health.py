"""`health`."""

from __future__ import annotations

from typing import Any

from eventstore import NewEvent
from langgraph.checkpoint.eventstore import EventStoreSaver
from tests.support.shell import Shell


def test_a_store_that_is_well_says_what_an_operator_watches(shell: Shell, agent: Any, saver: EventStoreSaver) -> None:
    found = shell.ok("health", "--json").document
    assert (found["ok"], found["problems"], found["reachable"]) == (True, [], True)
    assert (found["threads"], found["events"], found["feed"]) == (1, *[len([*saver.store.feed()])] * 2)
    assert (found["feed_lag"], found["stalled"]) == (0, {"interrupt": 1})
    assert found["migrations"] == shell.ok("migrate", "--json").document["migrations"]
    sqlite = saver.store.recorder.dialect == "sqlite"
    assert (found["wal"] is not None) is sqlite
    shown = shell.ok("health").out
    for name in ("✓ well", "migrations", "threads", "events", "content", "on disk", "feed", "1 interrupt"):
        assert name in shown
    assert ("write-ahead log" in shown) is sqlite


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
        assert found.document["wal"] > 0


def test_a_feed_that_is_behind_is_not_well(postgres_url: str) -> None:
    import psycopg

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
    assert "there is no store" in missing.document["problems"][0]
    empty = Shell(postgres_url)("health")
    assert empty.code == 6
    assert "✗ not well" in empty.out
