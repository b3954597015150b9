"""A process that forks with a store open: parent and child go on, each by itself, and neither loses anything."""

from __future__ import annotations

import asyncio
import multiprocessing
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, nullcontext
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import pytest

from eventstore import Decision, EventStore, NewEvent, NotAStoreError, UnavailableError
from eventstore.events import Head
from langgraph.checkpoint.eventstore import EventStoreSaver
from projections import Audit
from tests.support.flavour import Flavour
from tests.support.processes import Pipe, copies
from tests.support.races import in_threads
from tests.support.saving import Calls, at, numbers, save

# Python says so of itself: that is what is tried here.
pytestmark = pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")


@contextmanager
def busy(saver: EventStoreSaver, threads: int = 3) -> Iterator[list[int]]:
    """Threads of this process, and workers for async calls, that never stop to save; how far each has come."""
    stop = threading.Event()
    reached = [0] * threads
    errors: list[BaseException] = []

    def work(number: int) -> None:
        calls = Calls(saver, list(Flavour)[number % 2])
        try:
            while not stop.is_set() or not reached[number]:
                save(calls, reached[number] + 1, thread=f"busy {number}", parent=reached[number] or None)
                reached[number] += 1
        except BaseException as error:
            errors.append(error)
            raise

    workers = [threading.Thread(target=work, args=(number,)) for number in range(threads)]
    for worker in workers:
        worker.start()
    try:
        while not all(reached) and not errors:
            stop.wait(0.001)
        yield reached
    finally:
        stop.set()
        for worker in workers:
            worker.join()
    assert not errors


def live_on(pipe: Pipe, number: int, saver: EventStoreSaver, flavour: Flavour, rounds: int = 3) -> str:
    """Save and read as a worker does, with the store that its parent has opened."""
    calls = Calls(saver, flavour)
    thread = f"child {number}"
    for step in range(1, rounds + 1):
        save(calls, step, thread=thread, parent=step - 1 or None)
        calls.put_writes(at(thread, step), [("count", step)], "task")
    assert numbers(calls, thread) == [*range(rounds, 0, -1)]
    assert numbers(calls, "busy 0")
    assert [entry.version for entry in saver.store.read(thread)] == [*range(1, 2 * rounds + 1)]
    assert len([*Audit(saver.store).entries(thread=thread)]) == 2 * rounds
    return thread


def test_a_child_that_is_forked_while_its_parent_is_busy_goes_on_by_itself(
    saver: EventStoreSaver, url: str, flavour: Flavour
) -> None:
    with busy(saver) as reached, copies(6, live_on, saver, flavour) as children:
        assert [child.result() for child in children] == [f"child {number}" for number in range(6)]
        before = list(reached)
        while reached == before:  # the parent goes on
            pass
    with EventStoreSaver.from_conn_string(url) as fresh:
        for number, last in enumerate(reached):
            assert numbers(fresh, f"busy {number}") == [*range(last, 0, -1)]
        for number in range(6):
            assert numbers(fresh, f"child {number}") == [3, 2, 1]
        fresh.store.verify()
        positions = [entry.position for entry in fresh.store.feed()]
        assert positions == [*range(1, len(positions) + 1)]


def test_workers_go_on_when_the_process_that_opened_the_store_has_closed_it(url: str, flavour: Flavour) -> None:
    def work(pipe: Pipe, number: int) -> None:
        calls = Calls(saver, flavour)
        for step in range(1, 4):
            save(calls, step, thread=f"worker {number}", parent=step - 1 or None)
        pipe.send("at work")
        assert pipe.recv() == "the parent has closed it"
        for step in range(4, 7):
            save(calls, step, thread=f"worker {number}", parent=step - 1)

    with EventStoreSaver.from_conn_string(url) as saver:
        save(saver, 1, thread="parent")
        with copies(3, work) as workers:
            assert [worker.pipe.recv() for worker in workers] == ["at work"] * 3
            saver.store.close()
            for worker in workers:
                worker.pipe.send("the parent has closed it")
            for worker in workers:
                worker.result()
    with EventStoreSaver.from_conn_string(url) as fresh:
        assert [numbers(fresh, f"worker {number}") for number in range(3)] == [[6, 5, 4, 3, 2, 1]] * 3
        fresh.store.verify()


def test_a_child_that_closes_the_store_closes_it_for_itself(saver: EventStoreSaver, flavour: Flavour) -> None:
    def work(_pipe: Pipe, _number: int) -> None:
        save(Calls(saver, flavour), 1, thread="child")
        saver.store.close()

    save(Calls(saver, flavour), 1, thread="parent")
    with copies(2, work) as children:
        save(Calls(saver, flavour), 2, thread="parent", parent=1)
        for child in children:
            child.result()
    save(Calls(saver, flavour), 3, thread="parent", parent=2)
    assert numbers(Calls(saver, flavour), "parent") == [3, 2, 1]


def test_a_lock_that_a_thread_of_the_parent_holds_is_not_waited_for(store: EventStore) -> None:
    deciding, go_on = threading.Event(), threading.Event()

    def decide(_stream_id: int, _head: Head) -> Decision:
        deciding.set()
        go_on.wait()
        return Decision([NewEvent("parent")])

    def work(_pipe: Pipe, _number: int) -> int:
        return store.append("s", [NewEvent("child")]).last

    parent = threading.Thread(target=store.commit, args=("s", decide))
    parent.start()
    deciding.wait()
    with copies(1, work) as (child,):
        assert child.result() == 1
    go_on.set()
    parent.join()
    assert [event.topic for event in store.read("s")] == ["child", "parent"]


def test_a_store_that_could_not_be_opened_does_not_hold_a_fork_up(tmp_path: Path) -> None:
    def work(_pipe: Pipe, _number: int) -> str:
        return "forked"

    path = tmp_path / "not a database"
    path.write_text("not a database, and longer than the header of one. " * 20)
    with pytest.raises(NotAStoreError) as kept:  # and with it the store, of which a fork would wait for an hour
        EventStore.open(f"sqlite:///{path}", busy_timeout=3600)
    with copies(1, work) as (child,):
        assert child.result() == "forked"
    assert kept.type is NotAStoreError  # the error is kept until here


def test_a_subscription_is_followed_by_parent_and_child_each_by_itself(
    store: EventStore, make_store: Callable[..., EventStore]
) -> None:
    other = make_store()

    def follow(pipe: Pipe, _number: int) -> list[int]:
        seen = [next(subscription).position]
        pipe.send("follows")
        return [*seen, *(next(subscription).position for _ in range(2))]

    store.append("s", [NewEvent("before")])
    with store.subscribe() as subscription, copies(2, follow) as children:
        assert next(subscription).position == 1
        assert [child.pipe.recv() for child in children] == ["follows"] * 2
        store.append("s", [NewEvent("by this store")])
        other.append("s", [NewEvent("by another one")])
        assert [next(subscription).position for _ in range(2)] == [2, 3]
        assert [child.result() for child in children] == [[1, 2, 3]] * 2


def test_what_is_in_memory_stays_the_parents_and_a_child_is_told(flavour: Flavour) -> None:
    with EventStoreSaver.from_conn_string("sqlite:///:memory:") as saver:
        save(saver, 1)

        def work(_pipe: Pipe, _number: int) -> None:
            for call in (lambda: save(Calls(saver, flavour), 2), lambda: numbers(Calls(saver, flavour))):
                with pytest.raises(UnavailableError, match="use a file"):
                    call()
            saver.store.close()

        with busy(saver), copies(1, work) as (child,):
            child.result()
        assert numbers(saver) == [1]


def test_a_child_of_a_child_goes_on_by_itself_too(saver: EventStoreSaver, flavour: Flavour) -> None:
    def work(pipe: Pipe, number: int) -> None:
        save(Calls(saver, flavour), 1, thread="child")
        with copies(2, grandchild) as grandchildren:
            for each in grandchildren:
                each.result()

    def grandchild(_pipe: Pipe, number: int) -> None:
        save(Calls(saver, flavour), 1, thread=f"grandchild {number}")

    with copies(1, work) as (child,):
        child.result()
    assert sorted(stream.name for stream in saver.store.streams().streams) == ["child", "grandchild 0", "grandchild 1"]


async def test_a_child_that_is_forked_within_an_event_loop_has_one_of_its_own(saver: EventStoreSaver) -> None:
    def work(_pipe: Pipe, _number: int) -> list[int]:
        calls = Calls(saver, Flavour.ASYNC)
        save(calls, 1, thread="child")
        return numbers(calls, "child")

    saving = [asyncio.create_task(saver.store.aappend(f"s {number}", [NewEvent("x")])) for number in range(20)]
    await asyncio.sleep(0)
    with copies(1, work) as (child,):
        assert await asyncio.to_thread(child.result) == [1]
    await asyncio.gather(*saving)
    assert len(saver.store.streams().streams) == 21


_opened: dict[str, EventStoreSaver] = {}
"""Stores that a worker's module keeps open; a process that is forked finds its parent's here."""


def serve(url: str, number: int) -> bool:
    """Work as a worker of a pool: use the store that is there, or open one."""
    there = url in _opened
    with nullcontext(_opened[url]) if there else EventStoreSaver.from_conn_string(url) as saver:
        save(saver, 1, thread=f"worker {number}")
        assert numbers(saver, f"worker {number}") == [1]
        assert numbers(saver, "parent") == [1]
    return there


@pytest.mark.parametrize("method", ["fork", "spawn", "forkserver"])
def test_the_workers_of_a_pool_share_a_store_however_they_are_started(
    saver: EventStoreSaver, url: str, method: Any
) -> None:
    save(saver, 1, thread="parent")
    _opened[url] = saver
    try:
        with multiprocessing.get_context(method).Pool(2) as pool:
            there = pool.starmap(serve, [(url, number) for number in range(4)], chunksize=1)
    finally:
        del _opened[url]
    assert there == [method == "fork"] * 4
    assert len(saver.store.streams().streams) == 5
    saver.store.verify()


@contextmanager
def served(url: str, *command: str) -> Iterator[tuple[int, int]]:
    """The application under a web server, whose command may name the socket `{fd}`; its process and its port."""
    with (
        socket.create_server(("127.0.0.1", 0)) as listener,
        subprocess.Popen(
            [sys.executable, "-m", *(part.format(fd=listener.fileno()) for part in command)],
            env={**os.environ, "STORE_URL": url, "PYTHONPATH": os.pathsep.join(sys.path)},
            pass_fds=[listener.fileno()],
        ) as server,
    ):
        try:
            yield server.pid, int(listener.getsockname()[1])
        finally:
            server.terminate()


def use_a_server(saver: EventStoreSaver, port: int) -> set[tuple[int, int]]:
    """Save through a server from several threads, hold that nothing is lost; who opened the store, and who saved."""

    def use(number: int) -> set[tuple[int, int]]:
        answers = set()
        for step in range(1, 11):
            with closing(HTTPConnection("127.0.0.1", port)) as client:
                client.request("POST", f"/thread{number}/{step}")
                opened_by, saved_by = client.getresponse().read().split()
                answers.add((int(opened_by), int(saved_by)))
        return answers

    answered = set[tuple[int, int]]().union(*in_threads(use, 6))
    assert [numbers(saver, f"thread{number}") for number in range(6)] == [[*range(10, 0, -1)]] * 6
    assert [entry.position for entry in saver.store.feed()] == [*range(1, 61)]
    saver.store.verify()
    return answered


def test_workers_of_a_web_server_share_a_store(saver: EventStoreSaver, url: str) -> None:
    uvicorn = ["uvicorn", "tests.support.application:app", "--workers=3", "--fd={fd}", "--log-level=warning"]
    with served(url, *uvicorn) as (_, port):
        assert all(opened_by == saved_by for opened_by, saved_by in use_a_server(saver, port))


@pytest.mark.parametrize("workers", [["--workers=3"], ["--workers=2", "--threads=3"]], ids=["processes", "threads"])
def test_workers_of_a_web_server_go_on_with_a_store_that_was_opened_before_they_were_forked(
    saver: EventStoreSaver, url: str, workers: list[str]
) -> None:
    gunicorn = ["gunicorn", "tests.support.application:wsgi", "--preload", *workers]
    with served(url, *gunicorn, "--bind=fd://{fd}", "--log-level=warning") as (server, port):
        assert all(opened_by == server != saved_by for opened_by, saved_by in use_a_server(saver, port))
