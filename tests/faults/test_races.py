"""Threads and processes that use one thread's history at the same time: never an error, never a wrong value."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable
from typing import Any

import pytest

from eventstore import ConflictError, EventStore, NewEvent, NotFoundError
from langgraph.checkpoint.eventstore import EventStoreSaver
from tests.support.processes import Pipe, child, in_processes
from tests.support.races import in_threads, until
from tests.support.saving import assert_true, at, everything, number_of, numbers, save, shown, step

MakeSaver = Callable[..., EventStoreSaver]


def put_from_many_threads(_: Pipe, url: str, process: int, threads: int, count: int) -> None:
    """From each of some threads: checkpoints of a history that all share, and of one's own."""
    with EventStoreSaver.from_conn_string(url) as saver:

        def put(worker: int) -> None:
            name = f"own {process} {worker}"
            for number in range(1, count + 1):
                unique = (process * threads + worker) * count + number
                save(saver, unique, {"count": unique}, thread="shared", user=name)
                saver.put_writes(at("shared", unique), [("count", unique)], f"task {name}")
                step(saver, number, thread=name, writes=True)

        in_threads(put, threads)


@pytest.mark.parametrize(("processes", "threads"), [(1, 12), (4, 3)], ids=["threads", "processes"])
def test_many_writers_of_the_same_and_of_different_threads_lose_nothing(
    url: str, make_saver: MakeSaver, processes: int, threads: int
) -> None:
    make_saver()
    count = 8
    in_processes(put_from_many_threads, [(url, process, threads, count) for process in range(processes)])
    saver = make_saver()
    everybody = processes * threads
    assert sorted(numbers(saver, "shared")) == [*range(1, everybody * count + 1)]
    for item in shown(saver, "shared"):
        number = number_of(item)
        assert item.checkpoint["channel_values"] == {"count": number}
        assert [write[1:] for write in item.pending_writes or ()] == [("count", number)]
    for process in range(processes):
        for worker in range(threads):
            assert [assert_true(item) for item in shown(saver, f"own {process} {worker}")] == [*range(count, 0, -1)]
    versions = [event.version for event in saver.store.read("shared")]
    assert versions == [*range(1, 2 * everybody * count + 1)]
    assert [entry.position for entry in saver.store.feed()] == [*range(1, 4 * everybody * count + 1)]
    saver.store.verify()


def read_until_stopped(pipe: Pipe, url: str, threads: list[str]) -> int:
    """Read in every way, and hold that each checkpoint is true."""
    read = 0
    with EventStoreSaver.from_conn_string(url) as saver:
        pipe.send("reading")
        while not pipe.poll():
            for thread in threads:
                read += read_everything(saver, thread)
            for item in saver.list(None, limit=20):
                assert_true(item)
    return read


def read_everything(saver: EventStoreSaver, thread: str) -> int:
    read = 0
    if item := saver.get_tuple(at(thread)):
        assert_true(item)
        again = saver.get_tuple(item.config)
        read += 1 if again is None else assert_true(again)
    for item in saver.list(at(thread)):
        read += assert_true(item)
    saver.get_delta_channel_history(config=at(thread), channels=["count", "third"])
    return read


def test_whoever_reads_while_others_put_prune_and_delete_sees_what_was_once_true(
    url: str, make_saver: MakeSaver
) -> None:
    saver = make_saver()
    threads = ["grows", "is pruned", "is deleted"]
    stopped = threading.Event()
    with child(read_until_stopped, url, threads) as other:
        assert other.pipe.recv() == "reading"
        readers = [until(stopped, lambda: [read_everything(saver, thread) for thread in threads]) for _ in range(2)]
        try:
            for number in range(1, 60):
                for thread in threads:
                    step(saver, number, thread=thread, writes=True)
                saver.prune(["is pruned"])
                if number % 3 == 0:
                    saver.delete_thread("is deleted")
        finally:
            stopped.set()
            for reader in readers:
                reader.join()
        other.pipe.send("stop")
        assert other.result() > 0
    assert numbers(saver, "grows") == [*range(59, 0, -1)]
    assert numbers(saver, "is pruned") == [59]
    assert numbers(saver, "is deleted") == [59, 58]
    saver.store.verify()


def change_until_stopped(pipe: Pipe, url: str, how: str) -> int:
    """Put, and prune or delete, over and over."""
    number = 0
    with EventStoreSaver.from_conn_string(url) as saver:
        while not pipe.poll():
            number += 1
            step(saver, number, writes=True)
            if how == "prune":
                saver.prune(["thread"])
            elif how == "delete" and number % 3 == 0:
                saver.delete_thread("thread")
            elif how == "delete runs" and number % 3 == 0:
                step(saver, number + 1, run_id=f"run {number}")
                saver.delete_for_runs([f"run {number}"])
            if number == 3:
                pipe.send("changing")
    return number


@pytest.mark.parametrize("how", ["prune", "delete", "delete runs"])
def test_copies_of_a_thread_that_is_pruned_or_deleted_meanwhile_are_whole_and_stay_so(
    url: str, make_saver: MakeSaver, how: str
) -> None:
    saver = make_saver()
    copies: dict[str, list[Any]] = {}
    with child(change_until_stopped, url, how) as other:
        assert other.pipe.recv() == "changing"
        while len(copies) < 12:
            name = f"copy {len(copies)}"
            try:
                saver.copy_thread("thread", name)
            except NotFoundError:
                assert how == "delete"
            else:
                copies[name] = shown(saver, name)
        other.pipe.send("stop")
        other.result()
    for name, copied in copies.items():
        assert copied, f"{name} is empty"
        seen = [assert_true(item) for item in copied]
        assert seen == [*range(seen[0], seen[0] - len(seen), -1)]
        if how == "delete runs":  # what a run wrote goes from copies, too
            assert [number_of(item) for item in shown(saver, name)] in (seen, seen[1:])
        else:
            assert shown(saver, name) == copied
    before = everything(saver, ["thread", *copies])
    saver.checkpoints.rebuild()
    assert everything(saver, ["thread", *copies]) == before
    # A copy goes on by itself.
    name, copied = next(iter(copies.items()))
    latest = number_of(copied[0])
    step(saver, latest + 1, thread=name)
    assert assert_true(shown(saver, name)[0]) == latest + 1
    saver.store.verify()


@pytest.mark.parametrize("how", ["prune", "delete"])
@pytest.mark.parametrize("where", ["same process", "another process"])
def test_a_run_goes_on_while_its_thread_is_pruned_or_deleted(
    url: str, make_saver: MakeSaver, how: str, where: str
) -> None:
    saver = make_saver()
    step(saver, 1)
    if where == "same process":
        stopped = threading.Event()
        forget = (lambda: saver.prune(["thread"])) if how == "prune" else (lambda: saver.delete_thread("thread"))
        other = until(stopped, forget)
        try:
            run(saver)
        finally:
            stopped.set()
            other.join()
    else:
        with child(forget_until_stopped, url, how) as forgetting:
            assert forgetting.pipe.recv() == "forgetting"
            run(saver)
            forgetting.pipe.send("stop")
            forgetting.result()
    # What was not forgotten is true, and the thread goes on.
    for item in shown(saver):
        assert_true(item)
    step(saver, 101, writes=True)
    step(saver, 102, writes=True)
    assert [assert_true(item) for item in shown(saver)][:2] == [102, 101]
    before = everything(saver, ["thread"])
    assert everything(make_saver(), ["thread"]) == before
    saver.checkpoints.rebuild()
    assert everything(saver, ["thread"]) == before
    saver.store.verify()


def run(saver: EventStoreSaver) -> None:
    for number in range(2, 100):
        step(saver, number, writes=True)
        latest = saver.get_tuple(at())
        assert latest is None or assert_true(latest) == number


def forget_until_stopped(pipe: Pipe, url: str, how: str) -> None:
    with EventStoreSaver.from_conn_string(url) as saver:
        pipe.send("forgetting")
        while not pipe.poll():
            if how == "prune":
                saver.prune(["thread"])
            else:
                saver.delete_thread("thread")


def take_turns(pipe: Pipe, url: str) -> None:
    """Do one thing whenever one's turn comes, always with the same saver and all that it remembers."""
    with EventStoreSaver.from_conn_string(url) as saver:
        while (turn := pipe.recv()) != "stop":
            pipe.send(act(saver, *turn))


def act(saver: EventStoreSaver, action: str, number: int) -> int | None:
    if action == "step":
        step(saver, number, writes=True)
    elif action == "prune":
        saver.prune(["thread"])
    elif action == "delete":
        saver.delete_thread("thread")
    elif action == "copy":
        saver.copy_thread("thread", f"copy {number}")
    latest = saver.get_tuple(at())
    return None if latest is None else assert_true(latest)


def test_two_processes_that_take_turns_on_a_thread_never_act_on_what_they_remember_of_it(
    url: str, make_saver: MakeSaver
) -> None:
    chance = random.Random(5)
    saver = make_saver()
    number, exists = 0, False
    copies: list[str] = []
    with child(take_turns, url) as other:
        for _ in range(150):
            action = chance.choices(["step", "prune", "delete", "copy"], [12, 2, 1, 1])[0]
            if action == "step" or (action == "copy" and not exists):
                action, number, exists = "step", number + 1, True
            elif action == "delete":
                exists = False
            elif action == "copy":
                copies.append(f"copy {len(copies)}")
            argument = len(copies) - 1 if action == "copy" else number
            if chance.random() < 0.5:
                other.pipe.send((action, argument))
                latest = other.pipe.recv()
            else:
                latest = act(saver, action, argument)
            assert latest == (number if exists else None)
            mine = saver.get_tuple(at())
            assert (assert_true(mine) if mine else None) == latest
        other.pipe.send("stop")
        other.result()
    for name in copies:
        assert [assert_true(item) for item in shown(saver, name)]
    saver.store.verify()


def test_of_two_runs_that_race_for_a_thread_one_is_turned_away_whatever_process_it_is_in(
    url: str, make_saver: MakeSaver
) -> None:
    make_saver()
    outcomes = in_processes(race, [(url, process) for process in range(3)])
    saver = make_saver()
    won = [number for outcome in outcomes for number, result in outcome if result == "stored"]
    assert sorted(won) == [*range(1, 21)]
    assert numbers(saver) == [*range(20, 0, -1)]
    saver.store.verify()


def race(_: Pipe, url: str, process: int) -> list[tuple[int, str]]:
    """Append to a stream with the version that was seen; each version is given once."""
    outcomes = []
    with EventStore.open(url) as store, EventStoreSaver.from_conn_string(url) as saver:
        number = 0
        while number < 20:
            head = store.head("turns")
            number = (head.version if head else 0) + 1
            if number > 20:
                break
            try:
                store.append("turns", [NewEvent("turn", str(process).encode())], expected_version=number - 1)
            except ConflictError:
                outcomes.append((number, "refused"))
            else:
                outcomes.append((number, "stored"))
                step(saver, number)
    return outcomes
