"""Listing checkpoints from an event loop."""

from __future__ import annotations

from collections.abc import Callable

from langgraph.checkpoint.eventstore import EventStoreSaver
from tests.support.saving import at, id_of, save


async def test_an_async_listing_reads_nothing_before_it_is_consumed(make_saver: Callable[..., EventStoreSaver]) -> None:
    saver = make_saver(concurrent_runs="reject")
    listing = saver.alist(at("thread", 1))
    save(saver, 1)
    assert [found.checkpoint["id"] async for found in listing] == [id_of(1)]


async def test_an_async_listing_goes_on_as_far_as_there_are_checkpoints(saver: EventStoreSaver) -> None:
    for number in range(1, 31):
        save(saver, number, parent=number - 1 or None)
    found = [found.checkpoint["id"] async for found in saver.alist(at())]
    assert found == [id_of(number) for number in range(30, 0, -1)]
    assert [each.checkpoint["id"] async for each in saver.alist(at(), limit=2)] == found[:2]
