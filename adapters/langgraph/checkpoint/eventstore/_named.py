"""Threads and checkpoints as they come: ids, LangGraph's configs, and whatever a listing gave."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, cast

from langgraph.checkpoint.eventstore import _config

if TYPE_CHECKING:
    from langchain_core.runnables import RunnableConfig
    from langgraph.checkpoint.base import CheckpointTuple
    from langgraph.types import StateSnapshot

    from projections import ComparedCheckpoint, Origin, RecoveryPoint, SavedCheckpoint, TimelineEntry

    Listed = (
        CheckpointTuple | StateSnapshot | TimelineEntry | RecoveryPoint | ComparedCheckpoint | Origin | SavedCheckpoint
    )
    Thread = str | RunnableConfig | Listed
    Checkpoint = str | RunnableConfig | Listed


def as_config(named: object) -> RunnableConfig | None:
    """Return the config of what names a checkpoint in LangGraph's words or in ours; `None` of anything else."""
    if isinstance(named, str):
        return None
    config = named if isinstance(named, Mapping) else getattr(named, "config", None)
    if isinstance(config, Mapping):  # of a CheckpointTuple, or a StateSnapshot
        return cast("RunnableConfig", config)
    thread, namespace = getattr(named, "thread", None), getattr(named, "namespace", None)
    checkpoint = getattr(named, "id", None) or getattr(named, "checkpoint", None)
    if isinstance(thread, str) and isinstance(namespace, str) and isinstance(checkpoint, str):
        return _config.to_config(thread, namespace, checkpoint)  # an entry of a timeline, and its like
    return None


def namespace_of(given: str | None, checkpoint: object, thread: object = None) -> str | None:
    """Return the namespace that is told: by itself, or by what names a checkpoint or, without one, the thread.

    `None`: it is not told. Of an id alone it is the one that the id is of.
    """
    if given is not None:
        return _config.namespace(given)
    config = as_config(thread if checkpoint is None else checkpoint)
    return None if config is None else _config.namespace_of_list(config)
