"""Checkpoints without a graph: what LangGraph would call, with any values, as fast as the saver goes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.base import ChannelVersions, Checkpoint, CheckpointMetadata, CheckpointTuple, empty_checkpoint
from langgraph.checkpoint.base.id import uuid6

from benchmarks.graphs import Saver

Put = tuple[RunnableConfig, Checkpoint, CheckpointMetadata, ChannelVersions]
"""The arguments of a saver's `put`."""


class Stepper:
    """One thread, checkpoint after checkpoint.

    Args:
        saver: Who saves.
        name: The thread's id.

    Attributes:
        config: The latest checkpoint.
    """

    def __init__(self, saver: Saver, name: str) -> None:
        self._saver = saver
        self._versions: dict[str, Any] = {}
        self._step = -1
        self.config: RunnableConfig = {"configurable": {"thread_id": name, "checkpoint_ns": ""}}

    def put(self, values: Mapping[str, Any], changed: Iterable[str] | None = None) -> None:
        """Save a checkpoint with these values, of which some (or all) channels changed."""
        self.config = self._saver.put(*self.next(values, changed))

    def next(self, values: Mapping[str, Any], changed: Iterable[str] | None = None) -> Put:
        """The arguments of the next `put`; whoever calls it sets `config` to its result."""
        new = {
            channel: self._saver.get_next_version(self._versions.get(channel), None)
            for channel in (values if changed is None else changed)
        }
        self._versions.update(new)
        checkpoint = empty_checkpoint()
        checkpoint["id"] = str(uuid6(clock_seq=self._step))
        checkpoint["channel_values"] = dict(values)
        checkpoint["channel_versions"] = dict(self._versions)
        metadata: CheckpointMetadata = {"source": "loop", "step": self._step, "parents": {}}
        self._step += 1
        return self.config, checkpoint, metadata, new

    def resume(self, latest: CheckpointTuple) -> None:
        """Go on after a checkpoint that is there."""
        self.config = latest.config
        self._versions = dict(latest.checkpoint["channel_versions"])
        self._step = latest.metadata["step"] + 1

    def task(self) -> str:
        """An id for the next task."""
        return str(uuid6(clock_seq=self._step))
