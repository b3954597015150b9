"""A closed store: every method says so at once, whoever calls it and whatever was under way."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from typing import Any

import pytest

from eventstore import EventStore, NewEvent, StoreClosedError
from langgraph.checkpoint.eventstore import EventStoreSaver
from tests.support.flavour import Flavour
from tests.support.races import in_threads
from tests.support.saving import Calls, at, checkpoint, numbers, save


def everything_a_saver_does(calls: Calls) -> dict[str, Callable[[], Any]]:
    return {
        "get_tuple": lambda: calls.get_tuple(at()),
        "get": lambda: calls.get(at()),
        "list": lambda: calls.list(at()),
        "list all": lambda: calls.list(None),
        "put": lambda: save(calls, 2),
        "put on a new thread": lambda: save(calls, 1, thread="new"),
        "put_writes": lambda: calls.put_writes(at(number=1), [("count", 2)], "task"),
        "delete_thread": lambda: calls.delete_thread("thread"),
        "delete_for_runs": lambda: calls.delete_for_runs(["run"]),
        "copy_thread": lambda: calls.copy_thread("thread", "copy"),
        "prune": lambda: calls.prune(["thread"]),
        "prune dry": lambda: calls.prune(["thread"], dry_run=True),
        "prune by deleting": lambda: calls.prune(["thread"], strategy="delete"),
        "get_delta_channel_history": lambda: calls.get_delta_channel_history(config=at(), channels=["count"]),
    }


@pytest.mark.parametrize("concurrent_runs", ["keep", "reject"])
def test_every_method_of_a_saver_whose_store_is_closed_says_so(
    make_saver: Callable[..., EventStoreSaver], flavour: Flavour, concurrent_runs: str
) -> None:
    saver = make_saver(concurrent_runs=concurrent_runs)
    calls = Calls(saver, flavour)
    save(calls, 1)
    saver.store.close()
    for call in everything_a_saver_does(calls).values():
        with pytest.raises(StoreClosedError, match="open it again"):
            call()


def test_every_method_of_a_closed_store_says_so(store: EventStore) -> None:
    store.append("stream", [NewEvent("topic")])
    listing, feed = store.read("stream"), store.feed()
    subscription = store.subscribe()
    store.close()
    store.close()
    calls: list[Callable[[], Any]] = [
        lambda: store.append("stream", [NewEvent("topic")]),
        lambda: store.append("stream", []),
        lambda: store.append("new", [NewEvent("topic")], expected_version=0, idempotency_key="key"),
        lambda: store.read("stream"),
        lambda: store.head("stream"),
        store.feed,
        store.subscribe,
        store.streams,
        lambda: store.fork("stream", "fork"),
        store.verify,
        lambda: store.verify("stream"),
        # What was begun before does not go on either.
        lambda: list(listing),
        lambda: list(feed),
        lambda: next(subscription),
    ]
    with subscription:
        for call in calls:
            with pytest.raises(StoreClosedError):
                call()


async def test_every_async_method_of_a_closed_store_says_so(store: EventStore) -> None:
    await store.aappend("stream", [NewEvent("topic")])
    listing = store.aread("stream")
    await store.aclose()
    await store.aclose()
    calls: list[Callable[[], Any]] = [
        lambda: store.aappend("stream", [NewEvent("topic")]),
        lambda: anext(listing),
        lambda: anext(store.aread("stream")),
        lambda: anext(store.afeed()),
        lambda: store.ahead("stream"),
        store.astreams,
        lambda: store.afork("stream", "fork"),
        store.averify,
    ]
    for call in calls:
        with pytest.raises(StoreClosedError):
            await call()


def test_a_listing_that_was_begun_before_the_close_says_so_when_it_goes_on(saver: EventStoreSaver) -> None:
    for number in range(1, 20):
        save(saver, number)
    listing = saver.list(at())
    next(listing)
    saver.store.close()
    with pytest.raises(StoreClosedError):
        list(listing)


def test_a_store_in_memory_is_gone_when_it_is_closed(flavour: Flavour) -> None:
    with EventStoreSaver.from_conn_string("sqlite:///:memory:") as saver:
        calls = Calls(saver, flavour)
        save(calls, 1)
    for call in everything_a_saver_does(calls).values():
        with pytest.raises(StoreClosedError):
            call()


def test_whoever_is_at_work_when_the_store_is_closed_finishes_or_hears_of_it(
    make_saver: Callable[..., EventStoreSaver],
) -> None:
    saver = make_saver()
    begun = threading.Barrier(9)

    def work(worker: int) -> int:
        if worker == 8:
            begun.wait()
            saver.store.close()
            return 0
        save(saver, 1, thread=f"thread {worker}")
        begun.wait()
        for number in range(2, 10_000):
            try:
                save(saver, number, thread=f"thread {worker}")
                saver.get_tuple(at(f"thread {worker}"))
            except StoreClosedError:
                return number
        raise AssertionError("nobody closed the store")

    first_refused = in_threads(work, 9)
    reopened = make_saver()
    for worker, number in enumerate(first_refused[:8]):
        # The one that was refused may have been stored, if it was the read after it that heard of the end.
        assert numbers(reopened, f"thread {worker}")[0] in (number, number - 1)
    reopened.store.verify()


async def test_tasks_that_are_under_way_when_the_store_is_closed_finish_or_hear_of_it(
    make_saver: Callable[..., EventStoreSaver],
) -> None:
    saver = make_saver()

    async def put(thread: int) -> list[int]:
        done = []
        for number in range(1, 10_000):
            try:
                config = at(f"thread {thread}")
                await saver.aput(config, checkpoint(number, {}), {}, {})
                done.append(number)
            except StoreClosedError:
                return done
        raise AssertionError("nobody closed the store")

    tasks = [asyncio.create_task(put(thread)) for thread in range(20)]
    while not await saver.aget_tuple(at("thread 19")):
        pass
    await saver.store.aclose()
    acknowledged = await asyncio.wait_for(asyncio.gather(*tasks), 30)
    reopened = make_saver()
    for thread, done in enumerate(acknowledged):
        assert numbers(reopened, f"thread {thread}") == [*reversed(done)]


def test_a_subscriber_that_waits_when_the_store_is_closed_is_woken(store: EventStore) -> None:
    store.append("stream", [NewEvent("topic")])
    seen: list[int] = []
    heard: list[BaseException] = []

    def follow() -> None:
        try:
            with store.subscribe() as subscription:
                seen.extend(entry.position for entry in subscription)
        except StoreClosedError as closed:
            heard.append(closed)

    follower = threading.Thread(target=follow)
    follower.start()
    store.append("stream", [NewEvent("topic")])
    store.close()
    follower.join(timeout=30)
    assert not follower.is_alive()
    assert heard
