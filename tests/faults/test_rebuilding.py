"""The projections are made anew from the log: no read is different afterwards, whatever has happened before."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable
from typing import Any

import pytest

from eventstore import NotFoundError
from langgraph.checkpoint.eventstore import EventStoreSaver
from projections import Checkpoints
from tests.support.flavour import Flavour
from tests.support.races import until
from tests.support.saving import Calls, assert_true, at, everything, number_of, numbers, save, shown, step
from tests.support.tables import execute, rows

MakeSaver = Callable[..., EventStoreSaver]
THREADS = ["one", "two", "three"]


def live(saver: EventStoreSaver, chance: random.Random, steps: int) -> list[str]:
    """Do at random all that can be done to threads; the names of all that there ever were."""
    threads, number = [*THREADS], 0
    for _ in range(steps):
        calls = Calls(saver, chance.choice(list(Flavour)))
        thread = chance.choice(threads)
        namespace = chance.choice(["", "", "", "inner", "inner:task"])
        known = [item for item in shown(calls, thread) if item.config["configurable"]["checkpoint_ns"] == namespace]
        action = chance.choices(
            ["put", "put again", "writes", "copy", "prune", "delete runs", "delete"], [40, 6, 25, 8, 6, 4, 2]
        )[0]
        if action == "put" or not known:
            number += 1
            parent = number_of(chance.choice(known[:3])) if known else None
            run = f"run {chance.randrange(6)}"
            save(calls, number, thread=thread, parent=parent, namespace=namespace, run_id=run)
        elif action == "put again":
            again = number_of(chance.choice(known))
            save(calls, again, {"again": again}, thread=thread, namespace=namespace)
        elif action == "writes":
            place = at(thread, number_of(chance.choice(known[:3])), namespace)
            calls.put_writes(place, [("count", 1), ("__interrupt__", "?")], f"task {chance.randrange(3)}")
        elif action == "copy":
            name = f"copy {len(threads)}"
            calls.copy_thread(thread, name)
            threads.append(name)
        elif action == "prune":
            calls.prune([thread])
        elif action == "delete runs":
            calls.delete_for_runs([f"run {chance.randrange(6)}"])
        else:
            calls.delete_thread(thread)
    return threads


@pytest.mark.parametrize("seed", range(3))
def test_after_any_history_a_rebuild_changes_no_read_and_not_the_log(
    saver: EventStoreSaver, make_saver: MakeSaver, url: str, seed: int
) -> None:
    threads = live(saver, random.Random(seed), 150)
    before, log = everything(saver, threads), rows(url)["events"]
    assert before["listed"]
    saver.checkpoints.rebuild()
    assert everything(saver, threads) == before
    # Another one reads the same, and so does this one when all rows were lost.
    assert everything(make_saver(), threads) == before
    for table in ("checkpoints", "writes", "sources"):
        execute(url, f"DELETE FROM {table}")
    assert list(saver.list(None)) == []
    saver.checkpoints.rebuild()
    assert everything(saver, threads) == before
    assert rows(url)["events"] == log
    saver.store.verify()


@pytest.mark.parametrize("seed", range(2))
def test_a_store_lives_on_after_a_rebuild_as_if_there_had_been_none(
    make_saver: MakeSaver, tmp_path: Any, seed: int
) -> None:
    rebuilt = make_saver()
    with EventStoreSaver.from_conn_string(str(tmp_path / "other.db")) as untouched:
        chances = random.Random(seed), random.Random(seed)
        for saver, chance in zip((rebuilt, untouched), chances, strict=True):
            threads = live(saver, chance, 80)
        rebuilt.checkpoints.rebuild()
        for saver, chance in zip((rebuilt, untouched), chances, strict=True):
            threads += live(saver, chance, 0)
            for thread in threads[:6]:
                if found := saver.get_tuple(at(thread)):
                    save(saver, number_of(found) + 1000, thread=thread, parent=number_of(found))
                saver.prune([thread])
        assert [tuple(item) for item in everything(rebuilt, threads)["listed"]] == [
            tuple(item) for item in everything(untouched, threads)["listed"]
        ]
        rebuilt.store.verify()


def test_whoever_reads_and_writes_during_a_rebuild_notices_nothing(saver: EventStoreSaver) -> None:
    for number in range(1, 30):
        step(saver, number, writes=True)
    saver.copy_thread("thread", "copy")
    stopped = threading.Event()
    failed: list[BaseException] = []

    def read() -> None:
        try:
            assert [assert_true(item) for item in saver.list(at("copy"))] == [*range(29, 0, -1)]
            latest = saver.get_tuple(at())
            assert latest
            assert assert_true(latest) >= 29
        except BaseException as error:
            failed.append(error)
            raise

    reader = until(stopped, read)
    try:
        for number in range(30, 45):
            saver.checkpoints.rebuild()
            step(saver, number, writes=True)
    finally:
        stopped.set()
        reader.join()
    assert not failed
    assert numbers(saver) == [*range(44, 0, -1)]
    saver.store.verify()


def test_an_empty_store_is_rebuilt_to_an_empty_one(saver: EventStoreSaver) -> None:
    saver.checkpoints.rebuild()
    assert list(saver.list(None)) == []
    with pytest.raises(NotFoundError):
        Checkpoints(saver.store).copy("nobody", "copy")
