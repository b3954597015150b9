"""LangGraph's conformance suite: all eight capabilities, by the async methods and by the sync ones."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping, Sequence
from typing import Any

import pytest
from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.base import (
    BaseCheckpointSaver,
    ChannelVersions,
    Checkpoint,
    CheckpointMetadata,
    CheckpointTuple,
    DeltaChannelHistory,
)
from langgraph.checkpoint.conformance import checkpointer_test, validate
from langgraph.checkpoint.conformance.capabilities import Capability

from langgraph.checkpoint.eventstore import EventStoreSaver


class BySyncMethods(BaseCheckpointSaver[Any]):
    """A saver whose async methods call another one's sync methods, and nothing else."""

    def __init__(self, saver: EventStoreSaver) -> None:
        super().__init__(serde=saver.serde)
        self._saver = saver

    def get_next_version(self, current: Any, channel: None) -> Any:
        return self._saver.get_next_version(current, channel)

    async def aget_tuple(self, config: RunnableConfig) -> CheckpointTuple | None:
        return self._saver.get_tuple(config)

    async def alist(self, config: RunnableConfig | None, **options: Any) -> AsyncIterator[CheckpointTuple]:
        for found in self._saver.list(config, **options):
            yield found

    async def aput(
        self,
        config: RunnableConfig,
        checkpoint: Checkpoint,
        metadata: CheckpointMetadata,
        new_versions: ChannelVersions,
    ) -> RunnableConfig:
        return self._saver.put(config, checkpoint, metadata, new_versions)

    async def aput_writes(
        self, config: RunnableConfig, writes: Sequence[tuple[str, Any]], task_id: str, task_path: str = ""
    ) -> None:
        self._saver.put_writes(config, writes, task_id, task_path)

    async def adelete_thread(self, thread_id: str) -> None:
        self._saver.delete_thread(thread_id)

    async def adelete_for_runs(self, run_ids: Sequence[str]) -> None:
        self._saver.delete_for_runs(run_ids)

    async def acopy_thread(self, source_thread_id: str, target_thread_id: str) -> None:
        self._saver.copy_thread(source_thread_id, target_thread_id)

    async def aprune(self, thread_ids: Sequence[str], **options: Any) -> None:
        self._saver.prune(thread_ids, **options)

    async def aget_delta_channel_history(
        self, *, config: RunnableConfig, channels: Sequence[str]
    ) -> Mapping[str, DeltaChannelHistory]:
        return self._saver.get_delta_channel_history(config=config, channels=channels)


@pytest.mark.parametrize("methods", [lambda saver: saver, BySyncMethods], ids=["async", "sync"])
async def test_every_capability_is_there_and_passes_all_of_its_specifications(
    saver: EventStoreSaver, methods: Callable[[EventStoreSaver], BaseCheckpointSaver[Any]]
) -> None:
    @checkpointer_test(name="EventStoreSaver")
    async def specified() -> AsyncGenerator[BaseCheckpointSaver[Any], None]:
        yield methods(saver)

    report = await validate(specified)
    assert {name: result.failures for name, result in report.results.items() if result.failures} == {}
    assert set(report.results) == {capability.value for capability in Capability}
    assert len(report.results) == 8
    for name, result in report.results.items():
        assert (result.detected, result.passed, result.tests_failed, result.tests_skipped) == (True, True, 0, 0), name
        assert result.tests_passed > 0, name
