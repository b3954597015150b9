"""Operations of a stage around a prune, and the state that they leave a thread in."""

from __future__ import annotations

from typing import Any

from langgraph.checkpoint.eventstore import PruneReport
from tests.support.observation import exactly
from tests.support.stage import Stage, thread


def own(stage: Stage, name: str = "main") -> str:
    """The id under which a stage keeps a thread."""
    chosen: str = stage.here(thread(name))["configurable"]["thread_id"]
    return chosen


async def prune(stage: Stage, *names: str, **options: Any) -> PruneReport:
    """Prune some threads of a stage."""
    threads = [own(stage, name) for name in names]
    report: PruneReport = await stage.call(stage.saver, "prune", threads, **options)
    return report


async def copy(stage: Stage, source: str, target: str) -> None:
    """Copy a thread of a stage."""
    await stage.call(stage.saver, "copy_thread", own(stage, source), own(stage, target))


async def all_of(stage: Stage, name: str) -> list[Any]:
    """A thread to the byte, and what its DeltaChannels are replayed from."""
    saved = await stage.saved(thread(name))
    histories = [
        await stage.call(stage.saver, "get_delta_channel_history", config=each.config, channels=["log"])
        for each in saved
    ]
    return [*exactly(saved), *histories]
