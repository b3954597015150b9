"""From checkpoints and writes to events, and the rows that go with them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from eventstore import Cause, Decision, EventStore, NewEvent
from eventstore.events import Head
from eventstore.recorders import Statement
from projections._finding import Finder
from projections._manifests import Key, Manifests
from projections.model import NewCheckpoint, NewWrites
from projections.records import (
    CHECKPOINT_SAVED,
    HERE,
    WRITES_SAVED,
    CheckpointRecord,
    Entry,
    Manifest,
    Write,
    WritesRecord,
)
from projections.serializer import Serializer, dump
from projections.values import Change, encoding_number, whole


@dataclass(frozen=True, slots=True)
class PreparedWrites:
    """What a task wrote, in bytes: what becomes of the values meanwhile makes no difference."""

    thread: str
    event: NewEvent


@dataclass(frozen=True, slots=True)
class PreparedCheckpoint:
    """A checkpoint whose new values are in bytes.

    Attributes:
        checkpoint: The checkpoint.
        changes: The values of the channels that have a new version.
        extras: What else it holds.
        change_of: The value of another channel, for the rare case that the parent cannot lend it.
    """

    checkpoint: NewCheckpoint
    changes: Mapping[str, Change]
    extras: tuple[str | int, bytes] | None
    change_of: Callable[[str], Change]

    @property
    def thread(self) -> str:
        """The thread's id."""
        return self.checkpoint.thread


Prepared = PreparedCheckpoint | PreparedWrites


def prepare_checkpoint(checkpoint: NewCheckpoint, serializer: Serializer) -> PreparedCheckpoint:
    """Turn a checkpoint's values into bytes.

    Raises:
        UnserializableError: The serializer refuses one.
    """

    def change_of(channel: str) -> Change:
        return whole(*dump(serializer, channel, checkpoint.values[channel]))

    changes = {channel: change_of(channel) for channel in checkpoint.new_versions if channel in checkpoint.values}
    extras = None
    if checkpoint.extras:
        encoding, data = dump(serializer, "checkpoint", checkpoint.extras)
        extras = (encoding_number(encoding), data)
    return PreparedCheckpoint(checkpoint, changes, extras, change_of)


def prepare_writes(writes: NewWrites, serializer: Serializer) -> PreparedWrites:
    """Turn the values that a task wrote into bytes.

    Raises:
        UnserializableError: The serializer refuses one.
    """
    packed = []
    for channel, slot, value in writes.writes:
        encoding, data = dump(serializer, channel, value)
        packed.append(Write(channel, slot, encoding_number(encoding), data))
    cause = Cause(writes.namespace, writes.checkpoint, writes.run, writes.node, writes.task, writes.metadata)
    event = NewEvent(WRITES_SAVED, WritesRecord(writes.task_path, packed).pack(), cause)
    return PreparedWrites(writes.thread, event)


class Saver:
    """Saves checkpoints and writes into one store."""

    def __init__(self, store: EventStore, queries: Mapping[str, str], finder: Finder) -> None:
        self._store = store
        self._queries = queries
        self._finder = finder
        self._manifests = Manifests()

    def save(self, items: Sequence[Prepared], check: Callable[[], None] | None = None) -> None:
        """Store checkpoints and writes of one thread, in their order, all of them or none, unless `check` raises."""
        batch = _Batch(self._queries, self._finder, self._manifests, items)

        def decide(stream_id: int, head: Head) -> Decision:
            if check:
                check()
            return batch.decide(stream_id, head)

        appended = self._store.commit(items[0].thread, decide, metadata=_searchable(_metadata(items[0])))
        self._manifests.put(batch.stream_id, batch.head, appended.hash, batch.manifests)

    def forget(self) -> None:
        """Drop what is remembered of running threads. It costs queries, nothing else."""
        self._manifests.forget()


class _Batch:
    """The events and rows of some checkpoints and writes, worked out anew whenever the stream has moved on."""

    def __init__(
        self,
        queries: Mapping[str, str],
        finder: Finder,
        remembered: Manifests,
        items: Iterable[Prepared],
    ) -> None:
        self._queries = queries
        self._finder = finder
        self._remembered = remembered
        self._items = items
        self.stream_id = 0
        self.head = Head(0, b"")
        self.manifests: dict[Key, Manifest] = {}

    def decide(self, stream_id: int, head: Head) -> Decision:
        self.stream_id, self.head, self.manifests = stream_id, head, {}
        events: list[NewEvent] = []
        then: list[Statement] = []
        for version, item in enumerate(self._items, head.version + 1):
            if isinstance(item, PreparedCheckpoint):
                event = self._checkpoint(item, version)
                then += checkpoint_rows(self._queries, stream_id, version, event.cause, item.checkpoint.parent)
            else:
                event = item.event
                then.append(writes_row(self._queries, stream_id, version, event.cause))
            events.append(event)
        return Decision(events, then)

    def _checkpoint(self, prepared: PreparedCheckpoint, version: int) -> NewEvent:
        checkpoint = prepared.checkpoint
        manifest, changes = _manifest(prepared, self._parent_manifest(checkpoint))
        self.manifests[checkpoint.namespace, checkpoint.id] = _placed(manifest, version)
        record = CheckpointRecord(
            parent=checkpoint.parent,
            format=checkpoint.format,
            ts=checkpoint.ts,
            versions_seen=checkpoint.versions_seen,
            updated_channels=checkpoint.updated_channels,
            manifest=manifest,
            changes=changes,
            extras=prepared.extras,
        )
        cause = Cause(checkpoint.namespace, checkpoint.id, checkpoint.run, metadata=checkpoint.metadata)
        return NewEvent(CHECKPOINT_SAVED, record.pack(), cause)

    def _parent_manifest(self, checkpoint: NewCheckpoint) -> Manifest:
        if checkpoint.parent is None:
            return {}
        key = (checkpoint.namespace, checkpoint.parent)
        known = self.manifests.get(key) or self._remembered.get(self.stream_id, self.head, key)
        if known is not None:
            return known
        view = self._finder.view(checkpoint.thread)
        parent = self._finder.locate(view, *key) if view else None
        return _placed(parent.record.manifest, parent.version) if parent else {}


def checkpoint_rows(
    queries: Mapping[str, str], stream_id: int, version: int, cause: Cause, parent: str | None
) -> list[Statement]:
    """What a `checkpoint.saved` event does to the rows."""
    place = _place(stream_id, version, cause)
    return [
        Statement(queries["replace_checkpoint"], place),
        Statement(queries["save_checkpoint"], {**place, "parent_id": parent, "run_id": cause.run}),
    ]


def writes_row(queries: Mapping[str, str], stream_id: int, version: int, cause: Cause) -> Statement:
    """The row of a `writes.saved` event."""
    return Statement(queries["save_writes"], _place(stream_id, version, cause))


def _place(stream_id: int, version: int, cause: Cause) -> dict[str, int | str | None]:
    return {
        "stream_id": stream_id,
        "event_version": version,
        "namespace": cause.namespace,
        "checkpoint_id": cause.checkpoint,
    }


def _manifest(prepared: PreparedCheckpoint, inherited: Manifest) -> tuple[dict[str, Entry], dict[str, Change]]:
    """Where the value of each channel is, and the values that the checkpoint's own event has to hold."""
    checkpoint, changes = prepared.checkpoint, dict(prepared.changes)
    manifest: dict[str, Entry] = {}
    for channel, version in checkpoint.channel_versions.items():
        lent = inherited.get(channel)
        if channel in changes:
            manifest[channel] = Entry(version, HERE)
        elif channel not in checkpoint.new_versions and lent and lent.channel_version == version:
            manifest[channel] = Entry(version, lent.written_at)
        elif channel not in checkpoint.new_versions and channel in checkpoint.values:
            changes[channel] = prepared.change_of(channel)
            manifest[channel] = Entry(version, HERE)
        else:
            manifest[channel] = Entry(version, None)
    for channel in checkpoint.values:  # a value without a version is a value all the same
        if channel not in manifest:
            changes.setdefault(channel, prepared.change_of(channel))
            manifest[channel] = Entry(None, HERE)
    return manifest, changes


def _placed(manifest: Manifest, version: int) -> Manifest:
    """A manifest as other events see it: what stands in its own event stands at `version`."""
    return {
        channel: Entry(entry.channel_version, version) if entry.written_at == HERE else entry
        for channel, entry in manifest.items()
    }


def _metadata(item: Prepared) -> Mapping[str, object]:
    return item.checkpoint.metadata if isinstance(item, PreparedCheckpoint) else item.event.cause.metadata


def _searchable(metadata: Mapping[str, object]) -> dict[str, object]:
    """What a thread can be searched by: the caller's metadata, without what LangGraph says of the single checkpoint."""
    return {key: value for key, value in metadata.items() if key not in _LANGGRAPH}


_LANGGRAPH = frozenset({"source", "step", "parents", "writes", "run_id", "counters_since_delta_snapshot"})
