"""From checkpoints and writes to events, and the rows that go with them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from eventstore import Cause, ConflictError, Decision, EventStore, NewEvent
from eventstore.events import Appended, Head
from eventstore.recorders import Statement
from projections._finding import Finder
from projections._manifests import Manifests
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

ANY = object()
"""Any head will do: two runs that race on one thread are both kept."""


class Saver:
    """Saves checkpoints and writes into one store."""

    def __init__(self, store: EventStore, queries: Mapping[str, str], finder: Finder) -> None:
        self._store = store
        self._queries = queries
        self._finder = finder
        self._manifests = Manifests()

    def save(
        self,
        checkpoint: NewCheckpoint,
        writes: Sequence[NewWrites],
        serializer: Serializer,
        expected: str | object | None = ANY,
    ) -> None:
        """Store a checkpoint, and writes that waited for it, in one transaction."""
        changes = {
            channel: whole(*dump(serializer, channel, checkpoint.values[channel]))
            for channel in checkpoint.new_versions
            if channel in checkpoint.values
        }
        extras = dump(serializer, "checkpoint", checkpoint.extras) if checkpoint.extras else None
        tasks = [_writes_event(each, serializer) for each in writes]
        key = (checkpoint.namespace, checkpoint.id)
        saved: list[Manifest] = []
        before: list[tuple[int, Head]] = []

        def decide(stream_id: int, head: Head) -> Decision:
            self._check_head(checkpoint, expected)
            inherited = self._parent_manifest(checkpoint, stream_id, head)
            manifest = _manifest(checkpoint, inherited, changes, serializer)
            saved[:], before[:] = [manifest], [(stream_id, head)]
            record = CheckpointRecord(
                parent=checkpoint.parent,
                format=checkpoint.format,
                ts=checkpoint.ts,
                versions_seen=checkpoint.versions_seen,
                updated_channels=checkpoint.updated_channels,
                manifest=manifest,
                changes=changes,
                extras=(encoding_number(extras[0]), extras[1]) if extras else None,
            )
            cause = Cause(checkpoint.namespace, checkpoint.id, checkpoint.run, metadata=checkpoint.metadata)
            event = NewEvent(CHECKPOINT_SAVED, record.pack(), cause)
            then = checkpoint_rows(self._queries, stream_id, head.version + 1, cause, checkpoint.parent)
            then += [
                writes_row(self._queries, stream_id, head.version + 2 + index, task.cause)
                for index, task in enumerate(tasks)
            ]
            return Decision([event, *tasks], then)

        appended = self._store.commit(checkpoint.thread, decide, metadata=_searchable(checkpoint.metadata))
        [(stream_id, head)] = before
        self._manifests.put(stream_id, head, appended.hash, key, _placed(saved[0], appended))

    def save_writes(self, writes: NewWrites, serializer: Serializer) -> None:
        """Store what a task wrote."""
        event = _writes_event(writes, serializer)
        before: list[tuple[int, Head]] = []

        def decide(stream_id: int, head: Head) -> Decision:
            before[:] = [(stream_id, head)]
            return Decision([event], [writes_row(self._queries, stream_id, head.version + 1, event.cause)])

        appended = self._store.commit(writes.thread, decide, metadata=_searchable(writes.metadata))
        [(stream_id, head)] = before
        self._manifests.put(stream_id, head, appended.hash)

    def forget(self) -> None:
        """Drop what is remembered of running threads. It costs queries, nothing else."""
        self._manifests.forget()

    def _check_head(self, checkpoint: NewCheckpoint, expected: str | object | None) -> None:
        if expected is ANY:
            return
        view = self._finder.view(checkpoint.thread)
        head = self._finder.latest_id(view, checkpoint.namespace) if view else None
        if head not in (None, expected, checkpoint.parent, checkpoint.id):
            raise ConflictError(checkpoint.thread, checkpoint.parent, head)

    def _parent_manifest(self, checkpoint: NewCheckpoint, stream_id: int, head: Head) -> Manifest:
        if checkpoint.parent is None:
            return {}
        known = self._manifests.get(stream_id, head, (checkpoint.namespace, checkpoint.parent))
        if known is not None:
            return known
        view = self._finder.view(checkpoint.thread)
        parent = view and self._finder.locate(view, checkpoint.namespace, checkpoint.parent)
        if not parent:
            return {}
        return {channel: _at(entry, parent.version) for channel, entry in parent.record.manifest.items()}


def checkpoint_rows(
    queries: Mapping[str, str], stream_id: int, version: int, cause: Cause, parent: str | None
) -> list[Statement]:
    """What a `checkpoint.saved` event does to the rows."""
    place = {
        "stream_id": stream_id,
        "event_version": version,
        "namespace": cause.namespace,
        "checkpoint_id": cause.checkpoint,
    }
    return [
        Statement(queries["replace_checkpoint"], place),
        Statement(queries["save_checkpoint"], {**place, "parent_id": parent, "run_id": cause.run}),
    ]


def writes_row(queries: Mapping[str, str], stream_id: int, version: int, cause: Cause) -> Statement:
    """The row of a `writes.saved` event."""
    params = {
        "stream_id": stream_id,
        "event_version": version,
        "namespace": cause.namespace,
        "checkpoint_id": cause.checkpoint,
    }
    return Statement(queries["save_writes"], params)


def _manifest(
    checkpoint: NewCheckpoint, inherited: Manifest, changes: dict[str, Change], serializer: Serializer
) -> dict[str, Entry]:
    """Where the value of each channel is. What the parent cannot lend is added to `changes`."""
    manifest: dict[str, Entry] = {}
    for channel, version in checkpoint.channel_versions.items():
        lent = inherited.get(channel)
        if channel in changes:
            manifest[channel] = Entry(version, HERE)
        elif channel not in checkpoint.new_versions and lent and lent.channel_version == version:
            manifest[channel] = Entry(version, lent.written_at)
        elif channel not in checkpoint.new_versions and channel in checkpoint.values:
            changes[channel] = whole(*dump(serializer, channel, checkpoint.values[channel]))
            manifest[channel] = Entry(version, HERE)
        else:
            manifest[channel] = Entry(version, None)
    for channel in checkpoint.values.keys() - manifest.keys():  # a value without a version is a value all the same
        changes.setdefault(channel, whole(*dump(serializer, channel, checkpoint.values[channel])))
        manifest[channel] = Entry(None, HERE)
    return manifest


def _placed(manifest: Manifest, appended: Appended) -> Manifest:
    return {channel: _at(entry, appended.first) for channel, entry in manifest.items()}


def _at(entry: Entry, version: int) -> Entry:
    return Entry(entry.channel_version, version) if entry.written_at == HERE else entry


def _writes_event(writes: NewWrites, serializer: Serializer) -> NewEvent:
    packed = []
    for channel, index, value in writes.writes:
        encoding, data = dump(serializer, channel, value)
        packed.append(Write(channel, index, encoding_number(encoding), data))
    cause = Cause(writes.namespace, writes.checkpoint, writes.run, writes.node, writes.task, writes.metadata)
    return NewEvent(WRITES_SAVED, WritesRecord(writes.task_path, packed).pack(), cause)


def _searchable(metadata: Mapping[str, object]) -> dict[str, object]:
    """What a thread can be searched by: the caller's metadata, without what LangGraph says of the single checkpoint."""
    return {key: value for key, value in metadata.items() if key not in _LANGGRAPH}


_LANGGRAPH = frozenset({"source", "step", "parents", "writes", "run_id", "counters_since_delta_snapshot"})
