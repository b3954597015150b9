"""The values that checkpoints take and return: plain, without a database and without LangGraph."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import field
from datetime import datetime
from typing import Any

from eventstore.by_fields import ByFields, Immutable, OnOneLine, frozen

ChannelVersion = str | int | float


@frozen
class NewCheckpoint(ByFields):
    """A checkpoint to be saved.

    Attributes:
        thread: The thread's id.
        namespace: The subgraph's path, empty for the outermost graph.
        id: The checkpoint's id.
        parent: The id of the checkpoint that it follows, if any.
        format: LangGraph's version of the layout.
        ts: The checkpoint's own time.
        channel_versions: The version of every channel that has one.
        new_versions: The channels that have a new version, with it.
        values: The values of the channels that have one.
        versions_seen: Which versions each node has seen.
        updated_channels: The channels that the step updated, if known.
        extras: Whatever else the checkpoint holds.
        metadata: The caller's metadata, plain values.
        run: The id of the run.
        branch: The `SavedCheckpoint.branch` that its run read first; `None`: it is not known.
            If the thread was put on another one since, the checkpoint is refused.
    """

    thread: str
    namespace: str
    id: str
    parent: str | None
    format: int
    ts: str
    channel_versions: Mapping[str, ChannelVersion]
    new_versions: Mapping[str, ChannelVersion]
    values: Mapping[str, Any]
    versions_seen: Mapping[str, Any] = field(default_factory=dict)
    updated_channels: Sequence[str] | None = None
    extras: Mapping[str, Any] = field(default_factory=dict)
    metadata: Mapping[str, Any] = field(default_factory=dict)
    run: str | None = None
    branch: int | None = None


@frozen
class NewWrites(ByFields):
    """The writes of one task, to be kept with a checkpoint until the next step applies them.

    Attributes:
        thread: The thread's id.
        namespace: The subgraph's path.
        checkpoint: The id of the checkpoint; it may be saved later.
        task: The task's id.
        task_path: The task's path, by which a step's writes are ordered.
        writes: Channel, place among the task's writes (negative for special ones), and value.
        node: The node that the task runs, if known.
        run: The id of the run.
        metadata: The caller's metadata, plain values.
    """

    thread: str
    namespace: str
    checkpoint: str
    task: str
    task_path: str
    writes: Sequence[tuple[str, int, Any]]
    node: str | None = None
    run: str | None = None
    metadata: Mapping[str, Any] = field(default_factory=dict)


def searchable(metadata: Mapping[str, Any], run: str | None) -> Mapping[str, Any]:
    """Return a checkpoint's metadata with the id of the run that saved it, where only the log's record of it says."""
    return metadata if run is None or "run_id" in metadata else {**metadata, "run_id": run}


@frozen
class SavedCheckpoint(OnOneLine, Immutable):
    """A checkpoint as it is read.

    Attributes:
        version: The version, in the thread's stream, of the event that holds it.
        saved_at: When it was recorded, UTC.
        pending: The pending writes: task, channel, value.
        size: The bytes of its event as stored.
        branch: The branch that the thread was on when it was read, by the version since which that has been; 0: its
            first. A rollback puts it on another one.
        folded: By which rule values were made of writes, of the channels where they were. Only `Timeline` makes such.
        replayed: The channels of which only the writes are stored, and no rule is known to make a value of them.
        run: The id of the run that saved it, if that is known; its metadata need not say.
        made: How many of `pending`, the last ones, are not stored: upcasters have made them of writes to old channels.

    The others are those of `NewCheckpoint`; `parent` is `None` also where the parent was pruned.
    """

    thread: str
    namespace: str
    id: str
    parent: str | None
    version: int
    saved_at: datetime
    format: int
    ts: str
    channel_versions: Mapping[str, ChannelVersion]
    values: Mapping[str, Any]
    versions_seen: Mapping[str, Any]
    updated_channels: Sequence[str] | None
    extras: Mapping[str, Any]
    metadata: Mapping[str, Any]
    pending: Sequence[tuple[str, str, Any]]
    size: int
    branch: int = 0
    folded: Mapping[str, str] = field(default_factory=dict)
    replayed: Sequence[str] = ()
    run: str | None = None
    made: int = 0

    @property
    def searchable(self) -> Mapping[str, Any]:
        """Its metadata, as filters look at it: with the id of its run."""
        return searchable(self.metadata, self.run)


@frozen
class ChannelHistory(OnOneLine, Immutable):
    """The seed and the writes from which a channel is replayed.

    Attributes:
        writes: Task, channel and value of each write since the seed, oldest first.
        seeded: Whether there is a stored value to begin with.
        seed: That value.
    """

    writes: Sequence[tuple[str, str, Any]]
    seeded: bool = False
    seed: Any = None
