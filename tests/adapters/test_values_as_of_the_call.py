"""A checkpoint is saved as it was when it was handed over, though LangGraph goes on to change its values."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from typing import Any

import pytest
from langgraph.checkpoint.base import empty_checkpoint

from langgraph.checkpoint.eventstore import EventStoreSaver
from tests.support.histories import config

HELD: dict[str, Callable[[], Any]] = {
    "join:a+c:d": lambda: {"a"},
    "join:a+b:c": lambda: ({"a"}, False),
    "topic": lambda: ["a"],
    "context": lambda: {"a": 1},
}


def handed_over() -> tuple[dict[str, Any], Any]:
    """Values that LangGraph's channels go on to change, and a checkpoint that holds them."""
    values = {channel: make() for channel, make in HELD.items()}
    checkpoint = empty_checkpoint()
    checkpoint["channel_values"] = dict(values)
    checkpoint["channel_versions"] = dict.fromkeys(values, 1)
    return values, checkpoint


def go_on(values: dict[str, Any]) -> None:
    """Change the values as the next step does."""
    values["join:a+c:d"].add("c")
    values["join:a+b:c"][0].add("b")
    values["topic"].append("b")
    values["context"]["b"] = 2


def assert_as_they_were(saver: EventStoreSaver) -> None:
    saved = saver.get_tuple(config())
    assert saved is not None
    expected = {channel: make() for channel, make in HELD.items()}
    # LangGraph's serializer makes lists of tuples.
    expected["join:a+b:c"] = [*expected["join:a+b:c"]]
    assert saved.checkpoint["channel_values"] == expected


@pytest.mark.parametrize("first", [True, False])
async def test_while_it_waits_for_a_thread(saver: EventStoreSaver, first: bool) -> None:
    parent = config() if first else saver.put(config(), empty_checkpoint(), {}, {})
    released = threading.Event()
    busy = [asyncio.create_task(saver.store.workers.run(released.wait)) for _ in range(64)]
    await asyncio.sleep(0)  # so that they are at work
    values, checkpoint = handed_over()
    saving = asyncio.create_task(saver.aput(parent, checkpoint, {}, dict(checkpoint["channel_versions"])))
    await asyncio.sleep(0)
    go_on(values)
    released.set()
    await asyncio.gather(saving, *busy)
    assert_as_they_were(saver)
