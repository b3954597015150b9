"""Moves that are killed at any moment: each thread is there whole or not at all, and the next call goes on."""

from __future__ import annotations

import random
from contextlib import suppress
from pathlib import Path
from typing import Any

from eventstore import EventStore
from langgraph.checkpoint.eventstore import EventStoreSaver
from langgraph.checkpoint.eventstore.moving import Moving
from tests.support.histories import an_agent, config, hello
from tests.support.observation import assert_same
from tests.support.points import ALL
from tests.support.processes import Pipe, child
from tests.support.stock import Stock, opened, seen, threads_of

THREADS = [f"thread-{number}" for number in range(6)]
KILLS = 12 if ALL else 2


def fill(saver: Any) -> None:
    """Let an agent work on some threads."""
    agent = an_agent(saver)
    for thread in THREADS:
        for number in range(1, 4):
            agent.invoke(hello(number), config(thread))


def bring_in(pipe: Pipe, url: str, origin: str) -> None:
    """Import all threads, and tell how far it is."""
    with EventStoreSaver.from_conn_string(url) as saver:
        pipe.send("ready")
        Moving(saver).import_from(origin, progress=lambda *told: pipe.send(told))


def read_all(pipe: Pipe, url: str, origin: str) -> None:
    """Read all threads, which come in thereby, and tell how far it is."""
    with EventStoreSaver.from_conn_string(url, moving_from=origin) as saver:
        pipe.send("ready")
        for thread in THREADS:
            saver.get_tuple(config(thread))
            pipe.send(thread)


def send_out(pipe: Pipe, url: str, target: str) -> None:
    """Export all threads, and tell how far it is."""
    with EventStoreSaver.from_conn_string(url) as saver:
        pipe.send("ready")
        Moving(saver).export_to(target, progress=lambda *told: pipe.send(told))


def killed(chance: random.Random, work: Any, *args: Any) -> None:
    """Let a process work, and kill it at some time."""
    with child(work, *args) as moving:
        with suppress(EOFError):
            for _ in range(chance.randrange(1, 8)):
                moving.pipe.recv()
            moving.pipe.poll(chance.random() / 20)
        moving.kill()


def test_an_import_that_is_killed_shows_whole_threads_and_is_finished_by_the_next(from_sqlite: Stock, url: str) -> None:
    fill(from_sqlite.saver)
    expected = {thread: seen(from_sqlite.saver, thread) for thread in THREADS}
    chance = random.Random(7)
    EventStore.open(url).close()
    for _ in range(KILLS):
        killed(chance, bring_in, url, from_sqlite.origin)
        with EventStoreSaver.from_conn_string(url) as saver:
            for stream in saver.store.streams().streams:
                assert_same(seen(saver, stream.name), expected[stream.name])
    with EventStoreSaver.from_conn_string(url) as saver:
        report = Moving(saver).import_from(from_sqlite.origin)
        assert report.ok
        assert report.moved + report.up_to_date == len(THREADS)
        assert_same(seen(saver, *THREADS), seen(from_sqlite.saver, *THREADS))
        saver.store.verify()


def test_a_process_that_is_killed_while_threads_come_in_on_demand_leaves_whole_ones(
    from_sqlite: Stock, sqlite_url: str
) -> None:
    fill(from_sqlite.saver)
    chance = random.Random(7)
    EventStore.open(sqlite_url).close()
    for _ in range(KILLS // 2):
        killed(chance, read_all, sqlite_url, from_sqlite.origin)
        with EventStoreSaver.from_conn_string(sqlite_url) as saver:
            here = [stream.name for stream in saver.store.streams().streams]
            assert_same(seen(saver, *here), seen(from_sqlite.saver, *here))
    with EventStoreSaver.from_conn_string(sqlite_url, moving_from=from_sqlite.origin) as saver:
        assert_same(seen(saver, *THREADS), seen(from_sqlite.saver, *THREADS))
        saver.store.verify()


def test_an_export_that_is_killed_shows_whole_threads_and_is_finished_by_the_next(
    sqlite_url: str, tmp_path: Path
) -> None:
    path = tmp_path / "new.db"
    with EventStoreSaver.from_conn_string(sqlite_url) as saver:
        fill(saver)
        expected = {thread: seen(saver, thread) for thread in THREADS}
    chance = random.Random(7)
    for _ in range(KILLS):
        killed(chance, send_out, sqlite_url, str(path))
        with opened(f"sqlite:///{path}") as stock:
            for thread in threads_of(path):
                assert_same(seen(stock.saver, thread), expected[thread])
    with EventStoreSaver.from_conn_string(sqlite_url) as saver:
        assert Moving(saver).export_to(path).ok
    assert threads_of(path) == THREADS
