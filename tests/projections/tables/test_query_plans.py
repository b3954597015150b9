"""Query plans: nothing done at each step of a run, or by somebody who looks on, reads whole tables or sorts.

Each operation runs on a store that is large enough for PostgreSQL's planner to choose, and each statement that it sent
is explained with the values that it had; in PostgreSQL also as the generic plan that prepared statements come to.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from itertools import islice
from typing import Any

import psycopg
import pytest

from eventstore import EventStore
from langgraph.checkpoint.eventstore import EventStoreSaver
from projections import SnapshotPolicy
from projections.reading.finding import PAGE
from tests.conftest import explained
from tests.support.plans import costly, overheard, plans
from tests.support.relays import Counting
from tests.support.saving import at, id_of, save
from tests.support.tables import blocks_of

# In one thread; how many threads there are besides, each of them with forks, and with a fork of a fork.
LENGTH, THREADS, FORKS = 2000, 40, 40
# How often some of the threads were rolled back.
ROLLBACKS = 60
LONG = "thread 0"
# How often a value changes, of which two changes at a time are merged.
CHANGES, PAIRS = 300, SnapshotPolicy(rows=2)
WHOLE: Any = {"configurable": {"thread_id": LONG}}
# Some want the second page, too.
MORE_THAN_A_PAGE = 2 * PAGE


def look_at_streams(saver: EventStoreSaver) -> None:
    page = saver.store.streams(prefix="thread", limit=5)
    saver.store.streams(prefix="thread", limit=5, cursor=page.next_cursor)


# To hold another operation to this, name it here. It gets a saver that remembers nothing.
OPERATIONS: dict[str, Callable[[EventStoreSaver], object]] = {
    "put": lambda saver: save(saver, 2 * LENGTH, thread=LONG, parent=LENGTH),
    "put, to a new thread": lambda saver: save(saver, 1, thread="new", metadata={"user": "ann"}),
    "put, to a fork": lambda saver: save(saver, 2 * LENGTH, thread="fork 3 of 3", parent=2),
    "put_writes": lambda saver: saver.put_writes(at(LONG, LENGTH), [("log", "x")], "another task"),
    "get_tuple, the latest": lambda saver: saver.get_tuple(at(LONG)),
    "get_tuple, by id": lambda saver: saver.get_tuple(at(LONG, 700)),
    "get_tuple, of a value of many changes": lambda saver: saver.get_tuple(at("thread of changes")),
    "put, upon a value of many changes": lambda saver: save(
        saver, 2 * LENGTH, {"log": growing(CHANGES + 1)}, thread="thread of changes", parent=CHANGES
    ),
    "list values of many changes": lambda saver: list(islice(saver.list(at("thread of changes")), MORE_THAN_A_PAGE)),
    "get_tuple, of a fork": lambda saver: saver.get_tuple(at("fork of fork 3 of 3")),
    "list a namespace": lambda saver: list(islice(saver.list(at(LONG)), MORE_THAN_A_PAGE)),
    "list a thread": lambda saver: list(islice(saver.list(WHOLE), MORE_THAN_A_PAGE)),
    "list a fork": lambda saver: list(saver.list({"configurable": {"thread_id": "fork of fork 3 of 3"}})),
    "list all threads": lambda saver: list(islice(saver.list(None), MORE_THAN_A_PAGE)),
    "list all threads, from a forked one": lambda saver: list(
        islice(saver.list(None, before=at(number=3)), MORE_THAN_A_PAGE)
    ),
    "get_delta_channel_history": lambda saver: saver.get_delta_channel_history(
        config=at(LONG, LENGTH - 1), channels=["log"]
    ),
    "copy_thread": lambda saver: saver.copy_thread(LONG, "another fork"),
    "copy_thread, of a fork": lambda saver: saver.copy_thread("fork 3 of 3", "another fork of a fork"),
    "rollback": lambda saver: saver.checkpoints.rollback("changes 2", to=id_of(30)),
    "rollback, again": lambda saver: saver.checkpoints.rollback("changes 3", back=2),
    "undo": lambda saver: (saver.checkpoints.rollback("changes 4", back=1), saver.checkpoints.undo("changes 4")),
    "get_tuple, after rollbacks": lambda saver: saver.get_tuple(at("changes 5")),
    "put, after rollbacks": lambda saver: save(saver, 80, thread="changes 6", parent=7),
    "prune": lambda saver: saver.prune(["thread 5"]),
    "delete_thread": lambda saver: saver.delete_thread("thread 6"),
    "streams, by name": look_at_streams,
    "read": lambda saver: list(islice(saver.store.read(LONG, after=300), 300)),
    "read backward": lambda saver: list(islice(saver.store.read(LONG, backward=True), 300)),
    "read a fork": lambda saver: list(saver.store.read("fork of fork 3 of 3")),
    "was_given_up": lambda saver: saver.store.log.was_given_up("thread 7"),
    "feed": lambda saver: list(saver.store.feed(after=1000, limit=300)),
    "feed of some topics": lambda saver: list(saver.store.feed(after=1000, limit=10, topics=["writes.saved"])),
}


# A generic plan knows nothing of the prefix: it expects next to no stream to have it.
ONLY_WITH_ITS_VALUES = {"streams, by name"}


@pytest.fixture(scope="module", params=["sqlite", "postgres"])
def filled(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URL of a store with a long thread of many namespaces, some short ones, and many forks."""
    with explained(request, tmp_path_factory, make) as url:
        yield url


def make(url: str) -> None:
    with EventStoreSaver.from_conn_string(url, synchronous="NORMAL", snapshots=PAIRS) as saver:
        fill(saver)
        list(saver.store.feed())  # all of it has its place
    if url.startswith("postgresql"):
        with psycopg.connect(url) as server:
            # As many as of a store in which threads were promoted and deleted for long.
            server.execute("INSERT INTO eventstore.former_names SELECT 'former ' || n FROM generate_series(1, 5000) n")


def fill(saver: EventStoreSaver) -> None:
    for thread in range(1, THREADS):
        for number in (1, 2, 3):
            save(saver, number, thread=f"thread {thread}", parent=number - 1 or None)
            saver.put_writes(at(f"thread {thread}", number), [("log", number)], "task")
        for fork in range(FORKS):
            saver.copy_thread(f"thread {thread}", f"fork {fork} of {thread}")
        saver.copy_thread(f"fork 3 of {thread}", f"fork of fork 3 of {thread}")
    for number in range(1, LENGTH + 1):
        namespace = "" if number % 4 else f"tool:{number // 8}"
        save(saver, number, {"count": number}, thread=LONG, namespace=namespace)
        saver.put_writes(at(LONG, number, namespace), [("log", number)], "task")

    for number in range(1, CHANGES + 1):
        save(saver, number, {"log": growing(number)}, thread="thread of changes", parent=number - 1 or None)
    for thread in range(30):
        for number in range(1, 41):
            save(saver, number, {"log": growing(number)}, thread=f"changes {thread}", parent=number - 1 or None)
        for _ in range(ROLLBACKS):
            saver.checkpoints.rollback(f"changes {thread}", back=1)
            saver.checkpoints.undo(f"changes {thread}")
        saver.checkpoints.rollback(f"changes {thread}", back=1)
        save(saver, 41, thread=f"changes {thread}", parent=39)
        saver.checkpoints.undo(f"changes {thread}")


def growing(length: int) -> list[str]:
    return [f"line {number} of a log that grows by one line at each step" for number in range(length)]


@pytest.mark.parametrize("operation", OPERATIONS)
def test_no_statement_reads_a_whole_table_or_sorts(filled: str, operation: str) -> None:
    with EventStoreSaver.from_conn_string(filled) as saver:
        saver.store.recorder.sequence()  # what gives new events their place sorts them: that is what it is for
        with overheard(saver.store) as (store, statements):
            OPERATIONS[operation](EventStoreSaver(store))
        assert statements
        for statement in statements:
            for plan in plans(store, filled, statement)[: 1 if operation in ONLY_WITH_ITS_VALUES else None]:
                assert not costly(store.recorder.dialect, statement, plan), f"{statement[0]}\n\n{plan}"


def test_a_plan_that_sorts_or_reads_a_table_is_seen(filled: str) -> None:
    with EventStoreSaver.from_conn_string(filled) as saver:
        with overheard(saver.store) as (store, statements):
            EventStoreSaver(store).get_tuple(at(LONG))
        table = re.findall(r"FROM (\S*checkpoints) c", " ".join(sql for sql, _ in statements))[0]
        for unwise in (f"SELECT run_id FROM {table} ORDER BY version", f"SELECT run_id FROM {table} WHERE version = 0"):
            [plan, *_] = plans(saver.store, filled, (unwise, {}))
            assert costly(saver.store.recorder.dialect, (unwise, {}), plan)


@pytest.mark.parametrize("config", [at(LONG), WHOLE, None], ids=["namespace", "thread", "all threads"])
def test_a_listing_reads_a_page_ahead_at_most(filled: str, config: Any) -> None:
    read, yielded, ahead = 0, 0, []
    with EventStore.open(filled) as store:
        blocks = blocks_of(store, "checkpoints")
        listing = {blocks[name] for name in ("page_of_namespace", "page_of_store")}
        counting = Counting(store.recorder)
        for _ in EventStoreSaver(EventStore(counting)).list(config, before=at(number=LENGTH)):
            yielded += 1
            read += sum(len(each.rows) for each in counting.reads if each.sql in listing)
            counting.reads.clear()
            ahead.append(read - yielded)
            if yielded == LENGTH // 2:
                break
    assert yielded == LENGTH // 2
    # Of several namespaces at once, each has a page; most of these are short.
    assert max(ahead) <= 2 * PAGE


def test_no_checkpoint_of_a_listing_is_missing(filled: str) -> None:
    with EventStoreSaver.from_conn_string(filled) as saver:
        thread = [item.config["configurable"]["checkpoint_id"] for item in saver.list(WHOLE)]
        assert [each for each in thread if each <= id_of(LENGTH)] == [id_of(number) for number in range(LENGTH, 0, -1)]
        forks = [
            item.config["configurable"]["thread_id"]
            for item in islice(saver.list(None, before=at(number=2)), THREADS * (FORKS + 2) + 5)
            if item.config["configurable"]["thread_id"].endswith(" of 7")
        ]
        assert forks == ["fork of fork 3 of 7", *(f"fork {fork} of 7" for fork in range(FORKS - 1, -1, -1))]
