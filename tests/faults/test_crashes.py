"""Processes that are killed at any moment: what was acknowledged is there, and nothing is there by half."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable
from contextlib import suppress
from multiprocessing.connection import wait
from typing import Any

import psycopg
import pytest

from eventstore import UnserializableError
from langgraph.checkpoint.eventstore import EventStoreSaver
from tests.support import points
from tests.support.points import ALL
from tests.support.processes import Pipe, child
from tests.support.races import in_threads
from tests.support.saving import assert_true, at, everything, number_of, numbers, shown, step
from tests.support.tables import rows

# Ten stores, each killed twenty times, or one.
KILLS, STORES, INTERRUPTS = (20, 10, 250) if ALL else (8, 1, 15)
THREADS = ["one", "two", "three"]
"""Written at the same time, by as many threads of each process: they commit together."""


def write_until_killed(pipe: Pipe, url: str) -> None:
    """Go on with each thread where the process before left off, and tell of everything that is acknowledged."""
    telling = threading.Lock()

    def tell(*news: Any) -> None:
        with telling:
            pipe.send(news)

    with EventStoreSaver.from_conn_string(url) as saver:

        def write(worker: int) -> None:
            thread = THREADS[worker]
            latest = saver.get_tuple(at(thread))
            number = number_of(latest) + 1 if latest else 1
            while True:
                step(saver, number, thread=thread)
                tell("put", thread, number)
                saver.put_writes(at(thread, number), [("count", number), ("third", -number)], "task")
                tell("writes", thread, number)
                if number % 4 == 0:
                    saver.copy_thread(thread, f"{thread} {number}")
                    tell("copied", f"{thread} {number}", number)
                if number % 7 == 0:
                    saver.prune([thread])
                    tell("pruned", thread, number)
                number += 1

        in_threads(write, len(THREADS))


def nobody_else_is_connected(url: str) -> None:
    """Return when the server has noticed that its clients are gone: until then it carries out what they sent."""
    if url.startswith("postgresql"):
        with psycopg.connect(url, autocommit=True) as admin:
            others = "SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
            while admin.execute(others + " AND backend_type = 'client backend'").fetchone():
                pass


@pytest.mark.parametrize("store", range(STORES))
def test_after_kills_at_random_everything_that_was_acknowledged_is_there_and_nothing_by_half(
    url: str, store: int
) -> None:
    chance = points.chance("kills", store)
    told: set[tuple[str, str, int]] = set()
    found = dict.fromkeys(THREADS, 0)
    for _ in range(KILLS):
        with child(write_until_killed, url) as writer:
            told.update(writer.pipe.recv() for _ in range(chance.randrange(1, 25)))
            writer.kill()
            with suppress(EOFError):  # what it told before it died
                while True:
                    told.add(writer.pipe.recv())
        nobody_else_is_connected(url)
        with EventStoreSaver.from_conn_string(url) as saver:
            for thread in THREADS:
                found[thread] = assert_whole(saver, thread, told, found[thread])
            saver.store.verify()
    with EventStoreSaver.from_conn_string(url) as saver:
        copies = {thread: number for kind, thread, number in told if kind == "copied"}
        for copy, number in copies.items():
            assert [assert_true(item) for item in shown(saver, copy)][:1] == [number]
        before = everything(saver, [*THREADS, *copies])
        saver.checkpoints.rebuild()
        assert everything(saver, [*THREADS, *copies]) == before
        saver.store.verify()


def assert_whole(saver: EventStoreSaver, thread: str, told: set[tuple[str, str, int]], found: int) -> int:
    """Hold that a thread is at what was acknowledged last, or found there by the last process, or one further."""
    items = {assert_true(item): item for item in shown(saver, thread)}
    latest = max(items, default=0)

    def told_last(kind: str) -> int:
        return max((number for this, of, number in told if (this, of) == (kind, thread)), default=0)

    known = max(told_last("put"), found)
    assert latest in (known, known + 1)
    # From the last prune on, or from one that was under way at a kill.
    first = min(items, default=1)
    assert sorted(items) == [*range(first, latest + 1)]
    assert first == (told_last("pruned") or 1) or (first > told_last("pruned") and first % 7 == 0)
    for number, item in items.items():
        assert item.pending_writes or ("writes", thread, number) not in told
    return latest


def open_it(pipe: Pipe, url: str) -> None:
    pipe.send("opening")
    with EventStoreSaver.from_conn_string(url) as saver:
        step(saver, 1)


def test_a_process_that_is_killed_while_it_makes_the_tables_leaves_a_store_that_opens(
    url: str, make_saver: Callable[..., EventStoreSaver]
) -> None:
    chance = points.chance("opening")
    for _ in range(8):
        with child(open_it, url) as opener:
            assert opener.pipe.recv() == "opening"
            # Somewhere between the first statement and the last.
            wait([opener.pipe], chance.uniform(0, 0.03))
            opener.kill()
        nobody_else_is_connected(url)
        if rows(url).get("checkpoints"):
            break
    saver = make_saver()
    step(saver, 2)
    assert numbers(saver)[0] == 2
    saver.store.verify()


def write_until_interrupted(pipe: Pipe, url: str) -> list[int]:
    """Put from the main thread, which Ctrl-C reaches at any moment, while other threads put, too."""
    stopped = threading.Event()
    interruptible = False

    def interrupt(*_: Any) -> None:
        nonlocal interruptible
        if interruptible:
            interruptible = False  # the next one when this one is over
            raise KeyboardInterrupt

    signal.signal(signal.SIGINT, interrupt)
    with EventStoreSaver.from_conn_string(url) as saver:

        def other(worker: int) -> None:
            number = 1
            while not stopped.is_set():
                step(saver, number, thread=THREADS[worker], writes=True)
                number += 1

        others = [threading.Thread(target=other, args=(worker,)) for worker in range(len(THREADS))]
        for thread in others:
            thread.start()
        number = 1
        for interrupted in range(INTERRUPTS):
            with suppress(KeyboardInterrupt, UnserializableError):  # in a callback of the packer it becomes the latter
                while True:
                    pipe.send(("putting", number))
                    interruptible = True
                    step(saver, number)
                    interruptible = False
                    number += 1
            latest = saver.get_tuple(at())
            # What was under way is there, or it is not; whoever asks knows.
            assert latest is None or number_of(latest) in (number, number - 1)
            number = number_of(latest) + 1 if latest else 1
            pipe.send(("interrupted", interrupted))
        pipe.send("done")
        stopped.set()
        for thread in others:
            thread.join()
        saver.store.verify()
        return [len([assert_true(item) for item in shown(saver, thread)]) for thread in ["thread", *THREADS]]


def test_ctrl_c_at_any_moment_leaves_the_store_usable_and_nothing_by_half(url: str) -> None:
    chance = points.chance("interrupts")
    with child(write_until_interrupted, url) as writer:
        reached = 0
        while (news := writer.pipe.recv()) != "done":
            kind, number = news
            assert kind != "raised", number
            if kind == "putting":
                reached = number
                if chance.random() < 0.3:
                    writer.interrupt()
        seen, *others = writer.result()
    assert seen >= reached - 1
    assert all(others)
