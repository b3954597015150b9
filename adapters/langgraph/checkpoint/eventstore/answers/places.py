"""The task that makes a call, as LangGraph tells it in the config that is passed down to models and tools."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

from langchain_core.runnables.config import ensure_config
from langgraph.checkpoint.base import get_checkpoint_metadata

from eventstore.tuples import NamedTuple
from langgraph.checkpoint.eventstore import _config
from projections.answers.calls import Place

_SAVER = "__pregel_checkpointer"


class Where(NamedTuple):
    """A task at work, and the saver of its graph.

    Attributes:
        place: The task.
        attempt: What tells this attempt at the task from any other of this process.
        checkpoints: The `checkpoints` of its graph's saver, if that is one of ours.
        metadata: The caller's metadata.
    """

    place: Place
    attempt: object
    checkpoints: object
    metadata: Mapping[str, Any]


def here() -> Where | None:
    """Return the task that runs here; `None` if none does."""
    config = ensure_config()
    configurable = _config.configurable(config)
    info = getattr(configurable.get(_config.RUNTIME), "execution_info", None)
    if info is None:
        return None
    told = config.get("metadata") or {}
    graph, _, own = str(info.checkpoint_ns).rpartition("|")
    thread = configurable.get("thread_id")
    run = told.get("run_id") or configurable.get("run_id") or info.run_id
    place = Place(
        thread=None if thread is None else _config.thread_id(thread),
        namespace=graph,
        checkpoint=info.checkpoint_id,
        task=info.task_id,
        node=str(told.get("langgraph_node") or own.partition(":")[0]),
        step=int(told.get("langgraph_step") or 0),
        path=str(told.get("langgraph_path") or ""),
        attempt=info.node_attempt,
        run=_config.run(run) if run else None,
    )
    return Where(
        place,
        (info.node_first_attempt_time, info.node_attempt),
        getattr(configurable.get(_SAVER), "checkpoints", None),
        cast("dict[str, Any]", get_checkpoint_metadata(config, {})),
    )
