"""The results of an audit query: plain frozen values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from eventstore.by_fields import OnOneLine


@dataclass(frozen=True, slots=True, repr=False)
class AuditEntry(OnOneLine):
    """One event of the log, without its content.

    Attributes:
        position: Its place in the feed: 1, 2, 3, … without gaps.
        thread: The name of the thread that recorded it. A fork shares its parent's events: these are the parent's.
        version: Its place in the thread, from 1.
        topic: What kind of event it is.
        recorded_at: When it was recorded, in UTC, to the microsecond.
        size: The bytes of its payload as stored.
        erased: Whether its content was erased, by a prune or a delete. Then all that follows is empty.
        namespace: `checkpoint_ns`, a subgraph's path; empty for the outermost graph.
        checkpoint: The id of the checkpoint that it saves or belongs to.
        run: The id of the run.
        node: The graph's node, of what a task wrote. (A checkpoint may hold what several nodes wrote: it has none.)
        task: The id of the task.
        channels: The channels whose values it holds: those that a checkpoint changed, or that a task wrote.
        metadata: The caller's metadata (user, tenant, …), as far as it is text, a number, true, false or null.
    """

    position: int
    thread: str
    version: int
    topic: str
    recorded_at: datetime
    size: int
    erased: bool
    namespace: str = ""
    checkpoint: str | None = None
    run: str | None = None
    node: str | None = None
    task: str | None = None
    channels: Sequence[str] = ()
    metadata: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, repr=False)
class AuditPage(OnOneLine):
    """One page of an audit; pass `next_cursor` to get the one after it (`None`: this is the last)."""

    entries: list[AuditEntry]
    next_cursor: str | None
