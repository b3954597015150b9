"""The metadata of threads and events as listings show it: what the caller gave, and not what LangGraph adds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from projections.diffing.glance import glance

# What LangGraph, its server and LangSmith write into the config's metadata of every run.
_BEGIN = ("langgraph_", "ls_", "lc_", "__", "checkpoint_", "x-")
_OWN = {
    *("assistant_id", "created_by", "cron_id", "from_studio", "graph_id", "is_resuming", "parents", "revision_id"),
    *("run_attempt", "run_id", "source", "step", "thread_id", "triggers", "writes"),
}
_LONGEST = 40


def told(metadata: Mapping[str, Any], asked: Sequence[str] = (), *, without: Sequence[str] = ()) -> str:
    """Return metadata on one line.

    Args:
        metadata: All of it.
        asked: The keys that are asked for; none: all but LangGraph's own.
        without: Keys that stand elsewhere.
    """
    keys = [key for key in asked if key in metadata] if asked else [key for key in metadata if not is_langgraphs(key)]
    return ", ".join(f"{key}={_value(metadata[key])}" for key in keys if key not in without)


def is_langgraphs(key: str) -> bool:
    """Return whether LangGraph or its server writes a key of its own accord."""
    return key in _OWN or key.startswith(_BEGIN)


def _value(value: Any) -> str:
    return value if isinstance(value, str) and len(value) <= _LONGEST else glance(value, _LONGEST)
