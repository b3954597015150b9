"""Tasks that are cancelled at any moment: what they were saving is there as a whole, or not at all."""

from __future__ import annotations

import asyncio
import random
import threading
from collections.abc import Callable
from typing import Any

import psycopg
import pytest

from eventstore import NewEvent
from langgraph.checkpoint.eventstore import EventStoreSaver
from tests.support.saving import assert_true, at, checkpoint, numbers, save, shown, step, truth

MakeSaver = Callable[..., EventStoreSaver]


async def aput(saver: EventStoreSaver, number: int, thread: str) -> None:
    """The async twin of `step`, for a thread of one checkpoint."""
    new = checkpoint(number, truth(number), {"count": number + 1, "third": number // 3 + 1, "tenth": number // 10 + 1})
    described: Any = {"step": number}
    await saver.aput(at(thread), new, described, new["channel_versions"])


async def after_a_while(turns: int, task: asyncio.Task[Any]) -> bool:
    """Let the loop go round some times, cancel a task, and wait for its end; whether it was through before."""
    for _ in range(turns):
        await asyncio.sleep(0)
    task.cancel()
    try:
        await task
    except asyncio.CancelledError:
        return False
    return True


async def test_cancelled_puts_are_whole_or_nothing_and_the_store_goes_on(make_saver: MakeSaver) -> None:
    chance = random.Random(11)
    saver = make_saver(pool_size=4)
    await aput(saver, 1, "base")
    acknowledged: set[str] = set()

    async def put(number: int) -> None:
        thread = f"thread {number:03}"
        if await after_a_while(chance.randrange(60), asyncio.create_task(aput(saver, number, thread))):
            acknowledged.add(thread)

    for start in range(1, 200, 20):
        await asyncio.gather(*(put(number) for number in range(start, start + 20)))
    await saver.store.aclose()  # what had begun ends
    saver = make_saver()
    stored = {stream.name for stream in saver.store.streams(prefix="thread", limit=1000).streams}
    assert acknowledged <= stored
    for thread in stored:
        [item] = shown(saver, thread)
        assert assert_true(item) == int(thread[-3:])
    assert saver.store.verify().events == len(stored) + 1


async def test_cancelled_writes_are_whole_or_nothing(make_saver: MakeSaver) -> None:
    chance = random.Random(12)
    saver = make_saver(pool_size=4)
    step(saver, 1)
    names = [f"channel {number}" for number in range(20)]
    acknowledged: set[str] = set()

    async def write(task: str) -> None:
        writing = saver.aput_writes(at(number=1), [(name, task) for name in names], task)
        if await after_a_while(chance.randrange(60), asyncio.create_task(writing)):
            acknowledged.add(task)

    for start in range(0, 200, 20):
        await asyncio.gather(*(write(f"task {number}") for number in range(start, start + 20)))
    await saver.store.aclose()
    saver = make_saver()
    found = saver.get_tuple(at())
    assert found is not None
    by_task: dict[str, list[str]] = {}
    for task, name, value in found.pending_writes or ():
        assert value == task
        by_task.setdefault(task, []).append(name)
    assert acknowledged <= by_task.keys()
    assert all(written == names for written in by_task.values())
    saver.store.verify()


async def test_no_connection_and_no_thread_is_lost_to_cancelled_tasks(saver: EventStoreSaver, url: str) -> None:
    chance = random.Random(13)
    for number in range(1, 20):
        step(saver, number, writes=True)

    async def first(_: int) -> None:
        async for _item in saver.alist(at()):
            break

    operations: list[Callable[[int], Any]] = [
        lambda number: saver.aget_tuple(at(number=number % 19 + 1)),
        lambda number: aput(saver, number, f"thread {number}"),
        lambda number: saver.acopy_thread("thread", f"copy {number}"),
        lambda number: saver.aprune([f"thread {number - 20}"]),
        lambda number: saver.adelete_thread(f"thread {number - 40}"),
        lambda number: saver.store.aappend("log", [NewEvent("topic")]),
        lambda _: saver.store.averify("thread"),
        first,
    ]
    for start in range(0, 300, 30):
        await asyncio.gather(
            *(
                after_a_while(chance.randrange(40), asyncio.ensure_future(operations[number % 8](number)))
                for number in range(start, start + 30)
            ),
            return_exceptions=True,
        )
    # As many at once as there are connections and threads, all of which have to be free again.
    async with asyncio.timeout(60):
        found = await asyncio.gather(*(saver.aget_tuple(at()) for _ in range(32)))
        await asyncio.gather(*(aput(saver, 1, f"last {number}") for number in range(32)))
    assert {assert_true(item) for item in found if item} == {19}
    if url.startswith("postgresql"):
        with psycopg.connect(url, autocommit=True) as admin:
            ours = "application_name = 'eventstore' AND datname = current_database()"
            states = [state for (state,) in admin.execute(f"SELECT state FROM pg_stat_activity WHERE {ours}")]
        assert len(states) <= 8 + 1  # the notifier may have begun to connect
        assert not [state for state in states if state.startswith("idle in transaction")]
    saver.store.verify()


async def test_a_timeout_on_a_put_leaves_it_whole_or_nothing(saver: EventStoreSaver) -> None:
    stored = 0
    for number in range(1, 40):
        try:
            async with asyncio.timeout(0.0002 * number):
                await aput(saver, number, f"thread {number}")
            stored += 1
        except TimeoutError:
            pass
    async with asyncio.timeout(60):
        await aput(saver, 1, "last")
    for number in range(1, 40):
        assert {assert_true(item) for item in shown(saver, f"thread {number}")} <= {number}
    assert saver.store.verify().events >= stored


async def test_a_task_that_is_cancelled_before_a_thread_was_free_for_it_does_nothing(make_saver: MakeSaver) -> None:
    saver = make_saver(pool_size=1)
    save(saver, 1, thread="first")
    # One thread, kept busy by the first; the others have not begun when they are cancelled.
    begun, let_go = threading.Event(), threading.Event()

    def be_busy() -> None:
        begun.set()
        assert let_go.wait(60)

    busy = asyncio.create_task(saver.workers.run(be_busy))
    assert await asyncio.to_thread(begun.wait, 60)
    waiting = [asyncio.create_task(aput(saver, number, "waiting")) for number in range(1, 50)]
    await asyncio.sleep(0)
    for task in waiting:
        task.cancel()
    outcomes = await asyncio.gather(*waiting, return_exceptions=True)
    let_go.set()
    await busy
    assert all(isinstance(outcome, asyncio.CancelledError) for outcome in outcomes)
    await saver.store.aclose()
    saver = make_saver()
    assert not numbers(saver, "waiting")
    assert numbers(saver, "first") == [1]


async def test_an_async_listing_that_is_left_half_way_leaves_nothing_behind(saver: EventStoreSaver) -> None:
    for number in range(1, 60):
        step(saver, number)
    for count in (1, 2, 30):
        listing = saver.alist(at())
        seen = [assert_true(await anext(listing)) for _ in range(count)]
        assert seen == [*range(59, 59 - count, -1)]
        await listing.aclose()  # type: ignore[attr-defined]
        with pytest.raises(StopAsyncIteration):
            await anext(listing)
    async with asyncio.timeout(60):
        await asyncio.gather(*(saver.aget_tuple(at()) for _ in range(32)))
