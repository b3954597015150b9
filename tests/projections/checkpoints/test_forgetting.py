"""Forgetting takes nothing from those who still need it, and the log alone tells it again."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from itertools import permutations
from typing import Any
from uuid import UUID

import psycopg
import pytest
from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.base import Checkpoint, CheckpointTuple

from eventstore import EventStore
from langgraph.checkpoint.eventstore import EventStoreSaver
from tests.support.relays import Counting


def id_of(number: int) -> str:
    return str(UUID(int=number))


def at(thread: str, number: int | None = None) -> RunnableConfig:
    chosen = {} if number is None else {"checkpoint_id": id_of(number)}
    return {"configurable": {"thread_id": thread, "checkpoint_ns": "", **chosen}}


def put(
    saver: EventStoreSaver,
    thread: str,
    number: int,
    values: Mapping[str, Any],
    *,
    parent: int | None = None,
    versions: Mapping[str, int] | None = None,
    **metadata: Any,
) -> None:
    versions = versions or dict.fromkeys(values, number)
    checkpoint = Checkpoint(
        v=4,
        id=id_of(number),
        ts="2026-01-01T00:00:00+00:00",
        channel_values=dict(values),
        channel_versions=dict(versions),
        versions_seen={},
        updated_channels=None,
    )
    described: Any = {"source": "loop", "step": number, "parents": {}, **metadata}
    saver.put(at(thread, parent), checkpoint, described, dict(versions))


def everything(saver: EventStoreSaver, *threads: str) -> dict[str, list[CheckpointTuple]]:
    return {thread: list(saver.list({"configurable": {"thread_id": thread}})) for thread in threads}


def test_deleting_runs_leaves_the_delta_channels_of_forks_whole(saver: EventStoreSaver) -> None:
    put(saver, "main", 1, {"log": ["seed"]}, run_id="old")
    saver.put_writes(at("main", 1), [("log", ["one"])], "task-1")
    counted = {"counters_since_delta_snapshot": {"log": (1, 1)}}
    put(saver, "main", 2, {}, parent=1, versions={"log": 2}, run_id="old", **counted)
    saver.put_writes(at("main", 2), [("log", ["two"])], "task-2")
    saver.copy_thread("main", "fork")
    put(saver, "fork", 3, {}, parent=2, versions={"log": 3}, run_id="new", **counted)
    before = saver.get_delta_channel_history(config=at("fork", 3), channels=["log"])
    assert before["log"]["seed"] == ["seed"]
    assert [value for _, _, value in before["log"]["writes"]] == [["one"], ["two"]]

    saver.delete_for_runs(["old"])
    assert saver.get_delta_channel_history(config=at("fork", 3), channels=["log"]) == before
    [left] = saver.list(at("fork"))
    assert (left.config["configurable"]["checkpoint_id"], left.parent_config) == (id_of(3), None)
    assert list(saver.list(at("main"))) == []


@pytest.mark.parametrize("order", [*permutations(["main", "fork", "forks fork"])])
def test_deletions_count_the_bytes_that_they_erase_in_any_order(order: Sequence[str], saver: EventStoreSaver) -> None:
    def stored() -> int:
        feed = saver.store.feed(topics=["checkpoint.saved", "writes.saved"])
        return sum(entry.event.size for entry in feed)

    for number, thread in enumerate(("main", "fork", "forks fork"), start=1):
        put(saver, thread, number, {"word": f"{number} " * 100}, parent=number - 1 or None)
        saver.put_writes(at(thread, number), [("word", "later " * 100)], "task")
        if number < 3:
            saver.copy_thread(thread, "fork" if number == 1 else "forks fork")
        put(saver, thread, number + 10, {"word": f"{number} beside " * 100}, parent=number)
    for thread in order:
        before = stored()
        foretold = saver.prune([thread], strategy="delete", dry_run=True)
        report = saver.prune([thread], strategy="delete")
        assert report.bytes == foretold.bytes == before - stored()
    assert stored() == 9 * 34  # what is left of an erased event


def test_a_checkpoint_that_is_saved_again_stays_as_it_was_for_forks_from_before(saver: EventStoreSaver) -> None:
    put(saver, "main", 1, {"word": "first"})
    saver.copy_thread("main", "fork")
    before = everything(saver, "fork")
    put(saver, "main", 1, {"word": "again"})
    assert everything(saver, "fork") == before
    [main] = saver.list(at("main"))
    assert main.checkpoint["channel_values"] == {"word": "again"}
    saver.prune(["main"])
    saver.delete_thread("main")
    assert everything(saver, "fork") == before


def test_a_deleted_threads_id_begins_anew_and_its_forks_go_on(saver: EventStoreSaver) -> None:
    put(saver, "main", 1, {"word": "first"})
    saver.copy_thread("main", "fork")
    before = everything(saver, "fork")
    saver.delete_thread("main")
    assert saver.get_tuple(at("main")) is None
    put(saver, "main", 9, {"word": "anew"})
    assert [shown.checkpoint["channel_values"] for shown in saver.list(at("main"))] == [{"word": "anew"}]
    assert everything(saver, "fork") == before
    saver.store.verify()


@pytest.mark.parametrize("first", ["main", "fork"])
def test_what_nobody_needs_any_longer_is_erased(saver: EventStoreSaver, first: str) -> None:
    put(saver, "main", 1, {"word": "of both"})
    saver.copy_thread("main", "fork")
    put(saver, "fork", 2, {"word": "of the fork"}, parent=1)
    for thread in (first, "fork" if first == "main" else "main"):
        saver.delete_thread(thread)
    contents = [entry.event for entry in saver.store.feed() if entry.event.topic == "checkpoint.saved"]
    assert [event.erased for event in contents] == [True, True]
    assert saver.store.verify().erased == 2


def test_a_history_of_all_kinds_is_told_again_by_the_log(saver: EventStoreSaver) -> None:
    for number in range(1, 6):
        put(saver, "a", number, {"n": number}, parent=number - 1 or None, run_id=f"run-{number}")
        saver.put_writes(at("a", number), [("n", number)], f"task-{number}")
    saver.copy_thread("a", "b")
    put(saver, "b", 6, {"n": 6}, parent=5)
    saver.copy_thread("b", "c")
    saver.prune(["b"])
    saver.copy_thread("b", "d")
    saver.delete_for_runs(["run-3"])
    saver.prune(["a"])
    put(saver, "a", 7, {"n": 7}, parent=5)
    put(saver, "a", 7, {"n": 70}, parent=5)
    saver.delete_thread("d")
    put(saver, "d", 1, {"n": 1})
    threads = ("a", "b", "c", "d")
    before = everything(saver, *threads)
    assert [len(before[thread]) for thread in threads] == [2, 1, 5, 1]
    saver.checkpoints.rebuild()
    assert everything(saver, *threads) == before
    saver.checkpoints.rebuild()
    assert everything(saver, *threads) == before


def test_a_rebuild_misses_nothing_while_somebodys_transaction_is_open(postgres_url: str) -> None:
    with EventStoreSaver.from_conn_string(postgres_url) as saver, psycopg.connect(postgres_url) as somebody:
        somebody.execute("SELECT pg_current_xact_id()")
        put(saver, "thread", 1, {"word": "kept"})
        assert list(saver.store.feed()) == [], "the feed waits"
        before = everything(saver, "thread")
        saver.checkpoints.rebuild()
        assert everything(saver, "thread") == before
        assert len(before["thread"]) == 1


def test_a_pruned_fork_lists_each_of_its_checkpoints_once(saver: EventStoreSaver) -> None:
    put(saver, "main", 1, {"n": 1})
    saver.copy_thread("main", "fork")
    put(saver, "fork", 2, {"n": 2}, parent=1)
    saver.prune(["fork"])
    shown = [(item.config["configurable"]["thread_id"], item.checkpoint["id"]) for item in saver.list(None)]
    assert shown == [("fork", id_of(2)), ("main", id_of(1))]


def test_a_prune_keeps_the_latest_checkpoint_also_where_it_was_saved_twice(saver: EventStoreSaver) -> None:
    put(saver, "main", 1, {"n": 1})
    saver.copy_thread("main", "fork")
    put(saver, "main", 2, {"n": 2}, parent=1)
    put(saver, "main", 2, {"n": 3}, parent=1)
    saver.copy_thread("main", "later")
    put(saver, "main", 2, {"n": 4}, parent=1)
    before = everything(saver, "fork", "later")
    for _ in range(2):
        saver.prune(["main"])
        assert [item.checkpoint["channel_values"] for item in saver.list(at("main"))] == [{"n": 4}]
        assert everything(saver, "fork", "later") == before
    saver.checkpoints.rebuild()
    assert [item.checkpoint["channel_values"] for item in saver.list(at("main"))] == [{"n": 4}]
    assert everything(saver, "fork", "later") == before


def test_a_delta_channel_replays_through_the_later_of_two_saves_however_often_one_prunes(
    saver: EventStoreSaver,
) -> None:
    put(saver, "main", 1, {"log": ["first"]})
    put(saver, "main", 1, {"log": ["again"]}, versions={"log": 2})
    put(saver, "main", 2, {}, parent=1, versions={"log": 3}, counters_since_delta_snapshot={"log": (1, 1)})
    for _ in range(3):
        saver.prune(["main"])
        history = saver.get_delta_channel_history(config=at("main", 2), channels=["log"])
        assert history["log"]["seed"] == ["again"]


def test_relatives_that_are_deleted_at_the_same_time_leave_nothing_behind(saver: EventStoreSaver) -> None:
    for number in range(8):
        main, fork = f"main {number}", f"fork {number}"
        put(saver, main, 1, {"word": "of both"})
        saver.copy_thread(main, fork)
        deleters = [threading.Thread(target=saver.delete_thread, args=(thread,)) for thread in (main, fork)]
        for deleter in deleters:
            deleter.start()
        for deleter in deleters:
            deleter.join()
    contents = [entry.event for entry in saver.store.feed() if entry.event.topic == "checkpoint.saved"]
    assert [event.erased for event in contents] == [True] * 8


def test_deleting_a_run_looks_once_at_each_checkpoint_that_a_delta_channel_is_replayed_through(
    saver: EventStoreSaver,
) -> None:
    length = 40
    put(saver, "main", 1, {"log": ["seed"]}, run_id="old")
    for number in range(2, length + 1):
        counted = {"counters_since_delta_snapshot": {"log": (number, number)}}
        put(saver, "main", number, {}, parent=number - 1, versions={"log": number}, run_id="new", **counted)
    counting = Counting(saver.store.recorder)
    EventStoreSaver(EventStore(counting)).delete_for_runs(["old"])
    # Each is looked at for itself, and once as another's parent: not as often as there are pairs.
    assert length < len(counting.reads) < 3 * length
    assert saver.get_delta_channel_history(config=at("main", length), channels=["log"])["log"]["seed"] == ["seed"]


@pytest.mark.parametrize("forget", ["delete the run", "prune"])
def test_what_follows_a_checkpoint_that_was_just_forgotten_holds_its_values_itself(
    saver: EventStoreSaver, forget: str
) -> None:
    if forget == "prune":
        put(saver, "main", 8, {"word": "kept"})
    put(saver, "main", 1, {"word": "inherited", "log": ["seed"]}, run_id="run")
    if forget == "prune":
        saver.prune(["main"])
    else:
        saver.delete_for_runs(["run"])
    # The run goes on: of its channels only one is new.
    following = Checkpoint(
        v=4,
        id=id_of(9),
        ts="2026-01-01T00:00:00+00:00",
        channel_values={"word": "inherited", "log": ["seed", "more"]},
        channel_versions={"word": 1, "log": 9},
        versions_seen={},
        updated_channels=None,
    )
    saver.put(at("main", 1), following, {"source": "loop", "step": 2, "parents": {}}, {"log": 9})
    latest = saver.get_tuple(at("main"))
    assert latest
    assert latest.checkpoint["channel_values"] == following["channel_values"]
