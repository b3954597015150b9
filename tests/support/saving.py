"""Checkpoints for tests that need no graph, and what all of a saver's reads show."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from typing import Any
from uuid import UUID

from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.base import Checkpoint, CheckpointTuple

from eventstore import NewEvent
from langgraph.checkpoint.eventstore import EventStoreSaver
from tests.support.flavour import Flavour


class Calls:
    """A saver's methods, called in one flavour: as they are, or through their async twins, each in a loop of its own.

    `list` gives a list.
    """

    def __init__(self, saver: EventStoreSaver, flavour: Flavour = Flavour.SYNC) -> None:
        self.saver = saver
        self.flavour = flavour

    def __getattr__(self, name: str) -> Callable[..., Any]:
        if self.flavour is Flavour.SYNC:
            return lambda *args, **kwargs: _listed(getattr(self.saver, name)(*args, **kwargs))
        return lambda *args, **kwargs: asyncio.run(_awaited(getattr(self.saver, f"a{name}")(*args, **kwargs)))


def _listed(result: Any) -> Any:
    return list(result) if hasattr(result, "__next__") else result


async def _awaited(result: Any) -> Any:
    return [item async for item in result] if hasattr(result, "__anext__") else await result


def id_of(number: int) -> str:
    """The id of the checkpoint of that number: ids sort as their numbers do."""
    return str(UUID(int=number))


def at(thread: Any = "thread", number: int | None = None, namespace: str = "", **more: Any) -> RunnableConfig:
    """The config of a thread, or of one of its checkpoints."""
    named = {} if number is None else {"checkpoint_id": id_of(number)}
    return {"configurable": {"thread_id": thread, "checkpoint_ns": namespace, **named, **more}}


def checkpoint(number: int, values: Mapping[str, Any], versions: Mapping[str, int] | None = None) -> Checkpoint:
    """A checkpoint whose channels are at the versions given, or at that of its own number."""
    return Checkpoint(
        v=4,
        id=id_of(number),
        ts="2026-01-01T00:00:00+00:00",
        channel_values=dict(values),
        channel_versions=dict(versions or dict.fromkeys(values, number)),
        versions_seen={},
        updated_channels=None,
    )


def save(
    calls: Any,
    number: int,
    values: Mapping[str, Any] | None = None,
    *,
    thread: Any = "thread",
    parent: int | None = None,
    namespace: str = "",
    metadata: Mapping[str, Any] | None = None,
    **more: Any,
) -> RunnableConfig:
    """Put one checkpoint, all of whose channels are new."""
    new = checkpoint(number, {"count": number} if values is None else values)
    described: Any = {"source": "loop", "step": number, **(metadata or {})}
    saved: RunnableConfig = calls.put(at(thread, parent, namespace, **more), new, described, new["channel_versions"])
    return saved


def truth(number: int) -> dict[str, Any]:
    """Return the values that make the checkpoint of that number a true one: most of them are older than it."""
    return {"count": number, "third": f"third {number // 3}", "tenth": [number // 10] * 5}


def step(calls: Any, number: int, *, thread: str = "thread", writes: bool = False, **more: Any) -> None:
    """Put the true checkpoint of a number after the one before it, as a run does, and perhaps two writes."""
    versions, before = _versions(number), _versions(number - 1)
    new = {channel: version for channel, version in versions.items() if version != before[channel]}
    described: Any = {"source": "loop", "step": number}
    saved = calls.put(at(thread, number - 1, **more), checkpoint(number, truth(number), versions), described, new)
    if writes:
        calls.put_writes(saved, [("count", number), ("third", -number)], "task")


def every_write(calls: Calls) -> list[Callable[[], Any]]:
    """Every kind of write to a store that has checkpoint 1 of `thread`."""
    return [
        lambda: save(calls, 2),
        lambda: save(calls, 1, thread="new"),
        lambda: calls.put_writes(at(number=1), [("count", 3)], "task"),
        lambda: calls.copy_thread("thread", "copy"),
        lambda: calls.delete_thread("thread"),
        lambda: calls.saver.store.append("log", [NewEvent("topic")]),
    ]


def number_of(item: CheckpointTuple) -> int:
    """The number of a checkpoint."""
    return UUID(item.checkpoint["id"]).int


def assert_true(item: CheckpointTuple) -> int:
    """Hold that a checkpoint which `step` put is what it has to be, or was; its number."""
    number = number_of(item)
    assert item.checkpoint["channel_values"] == truth(number)
    assert item.checkpoint["channel_versions"] == _versions(number)
    assert item.metadata.get("step") == number
    assert item.pending_writes in ([], [("task", "count", number), ("task", "third", -number)])
    return number


def _versions(number: int) -> dict[str, int]:
    return {"count": number + 1, "third": number // 3 + 1, "tenth": number // 10 + 1}


def shown(calls: Any, thread: Any = "thread") -> list[CheckpointTuple]:
    """All that a thread shows."""
    return list(calls.list({"configurable": {"thread_id": thread}}))


def numbers(calls: Any, thread: Any = "thread") -> list[int]:
    """The numbers of the checkpoints that a thread shows, the latest first."""
    return [number_of(item) for item in shown(calls, thread)]


def everything(saver: EventStoreSaver, threads: Sequence[str]) -> dict[str, Any]:
    """All that reading can tell: the whole store, and each thread and checkpoint by itself."""
    listed = list(saver.list(None))
    by_thread = {thread: shown(saver, thread) for thread in threads}
    one_by_one = [saver.get_tuple(item.config) for item in listed]
    latest = {thread: saver.get_tuple(at(thread)) for thread in threads}
    return {"listed": listed, "threads": by_thread, "one by one": one_by_one, "latest": latest}
