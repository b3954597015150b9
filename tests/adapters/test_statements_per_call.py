"""How often a saver asks the database: counted, so that queries cannot creep back."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from typing import Any

import psycopg
import pytest

from eventstore import EventStore
from eventstore.recorders import Append, Recorder
from langgraph.checkpoint.eventstore import EventStoreSaver
from tests.support.delta_channels import writing
from tests.support.relays import Counting
from tests.support.saving import at, save

SELDOM = 1_000
"""A snapshot frequency that no test here reaches."""


class Asked(Counting):
    """Counts reads and appends since it was looked at last."""

    def __init__(self, inner: Recorder) -> None:
        super().__init__(inner)
        self.appends = 0

    def append(self, *appends: Append) -> bool:
        self.appends += 1
        return super().append(*appends)

    def by(self, call: Callable[[], object]) -> tuple[int, int]:
        """How many reads and appends a call makes."""
        self.reads.clear()
        self.appends = 0
        call()
        return len(self.reads), self.appends


@pytest.fixture
def asked(url: str) -> Iterator[Asked]:
    with EventStore.open(url) as store:
        yield Asked(store.recorder)


def saver_on(asked: Asked) -> EventStoreSaver:
    """A saver that remembers nothing yet."""
    return EventStoreSaver(EventStore(asked))


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The messages that are sent to PostgreSQL, and waited for, on all connections."""
    sent: list[str] = []
    execute: Any = psycopg.Connection.execute

    def hear(connection: Any, sql: str, *args: Any, **options: Any) -> Any:
        sent.append(sql)
        return execute(connection, sql, *args, **options)

    monkeypatch.setattr(psycopg.Connection, "execute", hear)
    return sent


def test_a_server_is_asked_once_as_a_store_is_opened_and_twice_for_its_first_read(
    postgres_url: str, sent: list[str]
) -> None:
    with EventStoreSaver.from_conn_string(postgres_url) as saver:
        save(saver, 1, {"log": ["a" * 200]})
    sent.clear()
    with EventStoreSaver.from_conn_string(postgres_url) as saver:
        assert len(sent) == 1, "the session is prepared and the migrations are read by one message"
        assert saver.get_tuple(at())
        assert len(sent) == 3


def test_a_file_is_asked_three_times_as_a_store_is_opened(sqlite_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    EventStoreSaver.from_conn_string(sqlite_url).__enter__().store.close()
    asked: list[str] = []
    connect: Any = sqlite3.connect

    def overheard(*args: Any, **options: Any) -> sqlite3.Connection:
        connection: sqlite3.Connection = connect(*args, **options)
        connection.set_trace_callback(asked.append)
        return connection

    monkeypatch.setattr(sqlite3, "connect", overheard)
    with EventStoreSaver.from_conn_string(sqlite_url):
        queries = [sql for sql in asked if not sql.startswith("PRAGMA")]
        assert len(queries) == 3, "whose tables it holds, and whether there are migrations, and which"


@pytest.mark.parametrize(("steps", "reads"), [(1, 2), (10, 3), (40, 4), (150, 4)])
def test_the_first_read_of_a_long_thread_takes_a_few_queries(asked: Asked, steps: int, reads: int) -> None:
    saver = saver_on(asked)
    log: list[str] = []
    for step in range(1, steps + 1):
        log.append(f"entry {step} " * 20)
        save(saver, step, {"log": log}, parent=step - 1 or None)
    assert asked.by(lambda: saver_on(asked).get_tuple(at())) == (reads, 0)


def test_a_step_is_one_append_for_its_writes_and_one_for_its_checkpoint(asked: Asked) -> None:
    saver = saver_on(asked)
    save(saver, 1, {"log": ["a"]})
    assert asked.by(lambda: saver.put_writes(at(number=1), [("log", ["b"])], "task")) == (0, 1)
    assert asked.by(lambda: save(saver, 2, {"log": ["a", "b"]}, parent=1)) == (0, 1)


def test_a_warm_read_is_two_queries_with_pending_writes_or_without(asked: Asked) -> None:
    saver = saver_on(asked)
    save(saver, 1, {"log": ["a" * 200]})
    save(saver, 2, {"log": ["a" * 200, "b"]}, parent=1)
    assert asked.by(lambda: saver.get_tuple(at())) == (2, 0)
    saver.put_writes(at(number=2), [("log", ["c"])], "task")
    assert asked.by(lambda: saver.get_tuple(at())) == (2, 0)
    assert asked.by(lambda: saver.get_tuple(at(number=2))) == (2, 0)


def test_what_is_not_there_is_one_query(asked: Asked) -> None:
    saver = saver_on(asked)
    assert asked.by(lambda: saver.get_tuple(at("nobody"))) == (1, 0)
    save(saver, 1)
    assert asked.by(lambda: saver.get_tuple(at(number=2))) == (1, 0)


@pytest.mark.parametrize("steps", [20, 80])
def test_a_long_replay_is_read_in_pages_and_then_kept(asked: Asked, steps: int) -> None:
    run_of(saver_on(asked), steps)
    saver = saver_on(asked)
    where = config_of(saver)

    def replay() -> None:
        saver.get_delta_channel_history(config=where, channels=["log", "files"])

    # The view, pages of 16, 64 and 256 ancestors, what was written to all of them, and whether that is still there.
    assert asked.by(replay) == (3 + (2 if steps == 20 else 3), 0)
    assert asked.by(replay) == (1, 0)
    saver.put_writes(where, [("log", ["more"])], "task")
    assert asked.by(replay) == (2, 0)


def test_a_whole_history_asks_once_for_each_state(asked: Asked) -> None:
    graph = run_of(saver_on(asked), 40)
    saver = saver_on(asked)
    states = len(list(saver.list(at())))
    graph = writing(SELDOM, steps=40).compile(checkpointer=saver)
    reads, _ = asked.by(lambda: list(graph.get_state_history(at())))
    assert states <= reads < states + 20


def run_of(saver: EventStoreSaver, steps: int) -> Any:
    """A graph that has written its DeltaChannels so often."""
    graph: Any = writing(SELDOM, steps=steps).compile(checkpointer=saver)
    graph.invoke({"log": ["in"]}, {**at(), "recursion_limit": 2 * steps})
    return graph


def config_of(saver: EventStoreSaver) -> Any:
    saved = saver.get_tuple(at())
    assert saved
    return saved.config
