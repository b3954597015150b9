"""LangGraph's own names, of channels and tasks."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

NOBODY = "00000000-0000-0000-0000-000000000000"
"""The task of writes that no task made, but who called the graph: LangGraph's `NULL_TASK_ID`."""
SENDS = "__pregel_tasks"
"""The channel of packets that are to be sent to nodes."""
INPUT = "__start__"
"""The channel of the input, and the node that takes it in."""
ERROR, INTERRUPT, RESUME = "__error__", "__interrupt__", "__resume__"
ERROR_SOURCE = "__error_source_node__"
CONTROL = frozenset((ERROR, INTERRUPT, RESUME, ERROR_SOURCE, "__scheduled__"))
"""The channels that say what became of a task, not what it did: LangGraph's `CONTROL_WRITES`."""

BRANCH, JOIN = "branch:to:", "join:"
# What has seen channels, and is no node.
BUMPS = "__snapshot_bumps__"
NO_NODES = frozenset(("__input__", INTERRUPT, BUMPS))

OF_A_CHECKPOINT = frozenset({"source", "step", "parents", "writes", "run_id", "counters_since_delta_snapshot"})
"""The keys of metadata that LangGraph sets for a single checkpoint. All others are the caller's."""


def is_snapshot(value: object) -> bool:
    """Return whether a value is LangGraph's `_DeltaSnapshot`, which only shortens the replay of a `DeltaChannel`."""
    # By its name: it is of no use to import a private class of another package.
    return type(value).__name__ == "_DeltaSnapshot" and isinstance(value, tuple)


def of_the_caller(metadata: Mapping[str, Any]) -> dict[str, Any]:
    """Return the caller's metadata, without what LangGraph says of the single checkpoint."""
    if metadata.keys() <= OF_A_CHECKPOINT:  # most often
        return {}
    return {key: value for key, value in metadata.items() if key not in OF_A_CHECKPOINT}
