"""From checkpoints and writes to events, and the rows that go with them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from eventstore import BadInputError, Cause, ConflictError, Decision, EventStore, NewEvent
from eventstore.arguments import refused
from eventstore.events import Head
from eventstore.recorders import Statement
from eventstore.writing import Decide
from projections.checkpoints.bases import Bases
from projections.checkpoints.manifests import NO_ANCESTOR, Ancestor, Key, Manifests
from projections.checkpoints.shapes import check_checkpoint, check_writes
from projections.model import NewCheckpoint, NewWrites
from projections.pregel import NOBODY, OF_A_CHECKPOINT, SENDS, sent_to
from projections.reading.finding import Finder
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
from projections.tables import Tables
from projections.values.change import WHOLE, Change, checksum, encoding_number
from projections.values.kinds import TAKEN_APART, kind_of
from projections.values.live import LiveValues, Slot
from projections.values.merging import SnapshotPolicy
from projections.values.parts import PART_BYTES
from projections.values.serializer import Serializer, dump, for_each
from projections.values.value import NewValue, Value, new_value


@dataclass(frozen=True, slots=True)
class PreparedWrites:
    """The writes of a task, as bytes: later changes to the values make no difference."""

    thread: str
    event: NewEvent


@dataclass(frozen=True, slots=True)
class PreparedCheckpoint:
    """A checkpoint that can be saved.

    Attributes:
        thread: The thread's id.
        checkpoint: The checkpoint.
        serializer: Turns its values into bytes.
        begun: Values that are recorded already: those of a checkpoint that follows no other.
        extras: What else it holds.
    """

    thread: str
    checkpoint: NewCheckpoint
    serializer: Serializer
    begun: Mapping[str, NewValue]
    extras: tuple[str | int, bytes] | None


Prepared = PreparedCheckpoint | PreparedWrites

_JOINING = {PreparedWrites}
_NOWHERE = Head(0, b"")


def prepare_checkpoint(checkpoint: NewCheckpoint, serializer: Serializer) -> PreparedCheckpoint:
    """Turn into bytes the content of a checkpoint that does not depend on others.

    Raises:
        UnserializableError: The serializer refuses a value.
        BadInputError: The checkpoint is its own parent, or a part of it is of another type than it has to be.
        TypeNotAllowedError: The values hold types that it would refuse to load; the error names all of them.
    """
    check_checkpoint(checkpoint)
    if checkpoint.parent == checkpoint.id:
        raise BadInputError(_DESCENDS.format(checkpoint.id, checkpoint.parent))
    begun: dict[str, NewValue] = {}
    if checkpoint.parent is None:
        channels = [channel for channel in checkpoint.new_versions if channel in checkpoint.values]
        first = for_each(lambda channel: new_value(checkpoint.values[channel], channel, serializer), channels)
        begun = dict(zip(channels, first, strict=True))
    extras = None
    if checkpoint.extras:
        encoding, data = dump(serializer, "checkpoint", checkpoint.extras)
        extras = (encoding_number(encoding), data)
    return PreparedCheckpoint(checkpoint.thread, checkpoint, serializer, begun, extras)


def prepare_writes(writes: NewWrites, serializer: Serializer) -> PreparedWrites:
    """Turn the values that a task wrote into bytes.

    Raises:
        UnserializableError: The serializer refuses one.
        BadInputError: A part of them is of another type than it has to be.
        TypeNotAllowedError: It would not make types again that they hold: all of these.
    """
    check_writes(writes)

    def packed_one(write: tuple[str, int, Any]) -> Write:
        channel, slot, value = write
        encoding, data = dump(serializer, channel, value)
        number = encoding_number(encoding)
        return Write(channel, slot, number, data, checksum(number, data))

    packed = for_each(packed_one, writes.writes)
    cause = Cause(writes.namespace, writes.checkpoint, writes.run, writes.node, writes.task, writes.metadata)
    # Where the graph's caller sends packets, the checkpoint does not record the receivers.
    given = [value for channel, _, value in writes.writes if channel == SENDS] if writes.task == NOBODY else ()
    event = NewEvent(WRITES_SAVED, WritesRecord(writes.task_path, packed, sent_to(given)).pack(), cause)
    return PreparedWrites(writes.thread, event)


def check_prepared(items: object) -> None:
    """Refuse what `prepare_checkpoint` and `prepare_writes` did not give, or not for one thread.

    Raises:
        BadInputError: It is such.
    """
    if isinstance(items, Sequence) and {*map(type, items)} <= {PreparedCheckpoint, PreparedWrites}:
        if len({item.thread for item in items}) == 1:
            return
        raise BadInputError("items are saved to one thread: pass those of one, at least one of them")
    raise refused("items", items, "use a list of what prepare_checkpoint and prepare_writes return")


class Saver:
    """Saves checkpoints and writes into one store."""

    def __init__(
        self,
        store: EventStore,
        tables: Tables,
        finder: Finder,
        live: LiveValues,
        policy: SnapshotPolicy,
    ) -> None:
        self._store = store
        self._tables = tables
        self._finder = finder
        self._live = live
        self._policy = policy
        self._manifests = Manifests()
        self._bases = Bases(store, tables, finder, live)
        self._longest = store.max_value_bytes

    def save(self, items: Sequence[Prepared], check: Callable[[], None] | None = None) -> None:
        """Store checkpoints and writes of one thread, in their order, all or none; nothing if `check` raises."""
        batch = _Batch(self._tables, self._finder, self._manifests, self._bases, self._policy, self._longest, items)
        decide: Decide = batch.decide
        joins = False
        if check:

            def decide(stream_id: int, head: Head) -> Decision:
                check()
                return batch.decide(stream_id, head)

        elif {*map(type, items)} == _JOINING:
            # What tasks write in parallel is stored together. A checkpoint has to see the rows of those before it.
            joins = True
        self._store.commit(items[0].thread, decide, metadata=_searchable(items[0]), joins=joins)
        if batch.manifests:
            self._manifests.put(batch.stream_id, batch.head, batch.manifests)
        for slot, value in batch.values.items():
            self._live.put(slot, value)

    def discard(self) -> None:
        """Drop what is remembered of running threads. It costs queries, nothing else."""
        self._manifests.discard()
        self._live.discard()


class _Batch:
    """The events and rows of some checkpoints and writes, worked out anew whenever the stream has moved on."""

    def __init__(
        self,
        tables: Tables,
        finder: Finder,
        remembered: Manifests,
        bases: Bases,
        policy: SnapshotPolicy,
        longest: int,
        items: Iterable[Prepared],
    ) -> None:
        self._tables = tables
        self._finder = finder
        self._remembered = remembered
        self._bases = bases
        self._policy = policy
        self._longest = longest
        self._items = items
        self.stream_id = 0
        self.head = _NOWHERE
        self.manifests: dict[Key, Ancestor] = {}
        self.values: dict[Slot, Value] = {}

    def decide(self, stream_id: int, head: Head) -> Decision:
        self.stream_id, self.head, self.manifests, self.values = stream_id, head, {}, {}
        events: list[NewEvent] = []
        then: list[Statement] = []
        for version, item in enumerate(self._items, head.version + 1):
            if isinstance(item, PreparedCheckpoint):
                event, segments = self._checkpoint(item, version)
                then += self._tables.checkpoints.saving(stream_id, version, event.cause, item.checkpoint.parent)
                then += segments
            else:
                event = item.event
                then.append(self._tables.writes.saving(stream_id, version, event.cause))
            events.append(event)
        return Decision(events, then)

    def _checkpoint(self, prepared: PreparedCheckpoint, version: int) -> tuple[NewEvent, list[Statement]]:
        checkpoint = prepared.checkpoint
        parent = self._parent(checkpoint)
        ahead = parent.ahead
        if checkpoint.parent is not None and checkpoint.parent > checkpoint.id:
            ahead = max(ahead, checkpoint.parent)
        if checkpoint.parent is not None and (parent.parent == checkpoint.id or checkpoint.id <= ahead):
            self._check_descent(checkpoint, checkpoint.parent, parent, ahead)
        manifest, placed, here = _manifest(checkpoint, parent.manifest, version)
        afresh = self._policy.nodes and parent.has_run(self._policy.nodes, checkpoint.versions_seen)
        made = for_each(partial(self._new_value, prepared, {} if afresh else parent.manifest), here)
        self.manifests[checkpoint.namespace, checkpoint.id] = Ancestor(
            placed,
            checkpoint.versions_seen,
            checkpoint.parent,
            ahead,
        )
        changes: dict[str, Change] = {}
        segments: list[Statement] = []
        for channel, value in zip(here, made, strict=True):
            self._take(checkpoint.namespace, channel, value.value, version)
            changes[channel] = value.change
            for level, change in value.segments:
                segments.append(self._tables.segments.saving(self.stream_id, version, channel, level, change))
        record = CheckpointRecord(
            parent=checkpoint.parent,
            format=checkpoint.format,
            ts=checkpoint.ts,
            versions_seen=checkpoint.versions_seen,
            updated_channels=checkpoint.updated_channels,
            manifest=manifest,
            changes=changes,
            extras=prepared.extras,
            packets=sent_to(checkpoint.values[SENDS]) if SENDS in checkpoint.values else (),
        )
        cause = Cause(checkpoint.namespace, checkpoint.id, checkpoint.run, metadata=checkpoint.metadata)
        return NewEvent(CHECKPOINT_SAVED, record.pack(), cause), segments

    def _take(self, namespace: str, channel: str, value: Value, version: int) -> None:
        """Note a value as it is at a version.

        Raises:
            BadInputError: It is too large to be read back; small changes can make it so.
        """
        size = max(value.size, PART_BYTES * len(value.parts.stored))
        if size > self._longest:
            raise BadInputError(
                f"the value of channel {channel!r} takes {size:,} bytes, and max_value_bytes is {self._longest:,}; "
                "nothing was stored. Keep less in the channel, or open the store with a larger max_value_bytes"
            )
        value.version = version
        self.values[Slot(self.stream_id, namespace, channel)] = value

    def _new_value(self, prepared: PreparedCheckpoint, manifest: Manifest, channel: str) -> NewValue:
        """Record a channel's value, as a change of the one that the parent's manifest names, if it can be."""
        if channel in prepared.begun:
            return prepared.begun[channel]
        checkpoint = prepared.checkpoint
        value, base = checkpoint.values[channel], None
        inherited = manifest.get(channel) if type(value) in TAKEN_APART else None
        if inherited and inherited.written_at and kind_of(value) != WHOLE:
            slot = Slot(self.stream_id, checkpoint.namespace, channel)
            base = self.values.get(slot) or self._bases.find(checkpoint.thread, slot, inherited.written_at)
            if base and base.version != inherited.written_at:
                base = self._bases.find(checkpoint.thread, slot, inherited.written_at)
        return new_value(value, channel, prepared.serializer, self._policy, base)

    def _parent(self, checkpoint: NewCheckpoint) -> Ancestor:
        if checkpoint.parent is None:
            return NO_ANCESTOR
        key = (checkpoint.namespace, checkpoint.parent)
        known = self.manifests.get(key) or self._remembered.get(self.stream_id, self.head, key)
        if known is not None:
            return known
        view = self._finder.view(checkpoint.thread)
        if view and view.stream_id != self.stream_id:
            raise ConflictError(checkpoint.thread, checkpoint.parent, None, _PROMOTED.format(checkpoint.thread))
        if view and checkpoint.branch is not None and self._finder.was_moved(view, checkpoint.branch):
            raise ConflictError(checkpoint.thread, checkpoint.parent, None, _MOVED.format(checkpoint.thread))
        parent = self._finder.locate(view, *key) if view else None
        if view and parent is None and self._finder.unreachable(view, *key):
            raise ConflictError(checkpoint.thread, checkpoint.parent, None, _ROLLED_BACK.format(*key[1:]))
        if view and parent is None and self._finder.was_promoted(view) and self._finder.is_saved(*key):
            raise ConflictError(checkpoint.thread, checkpoint.parent, None, _PROMOTED.format(checkpoint.thread))
        if parent is None:
            return NO_ANCESTOR
        record = parent.record
        manifest = _placed(record.manifest, parent.version)
        return Ancestor(manifest, record.versions_seen, record.parent, _ahead(parent.id, record.parent))

    def _check_descent(self, checkpoint: NewCheckpoint, ancestor: str, parent: Ancestor, ahead: str) -> None:
        """Refuse a checkpoint that would descend from itself, as far as that costs nothing where ids grow with time.

        In every ring some checkpoint's parent has the greater id. It is found in full if that one closes it, or is
        remembered since this process has written to the thread; else if it is a ring of two.
        """
        if parent is NO_ANCESTOR:
            return
        closed = parent.parent == checkpoint.id
        if not closed and (view := self._finder.view(checkpoint.thread)):
            named = (
                checkpoint.id == ahead or self._finder.since_when(view, checkpoint.namespace, checkpoint.id) is not None
            )
            way = self._finder.ancestors(view, checkpoint.namespace, ancestor) if named else ()
            closed = any(checkpoint.id in (located.id, located.parent) for located in way)
        if closed:
            raise BadInputError(_DESCENDS.format(checkpoint.id, ancestor))


def _ahead(checkpoint: str, parent: str | None) -> str:
    """Return a checkpoint's parent if that has the greater id."""
    return parent if parent is not None and parent > checkpoint else ""


_DESCENDS = (
    "checkpoint {!r} cannot follow {!r}, which is the same or descends from it; nothing was stored. The config that is "
    "passed with a checkpoint is that of its parent: to copy one, pass its parent_config"
)
_PROMOTED = (
    "another branch was promoted to be thread {!r}, and this checkpoint's parent is not in it; nothing was stored. "
    "Run it again from where the thread is now"
)
_MOVED = (
    "thread {!r} was rolled back, or switched to another branch, while this run was at work; nothing was stored. "
    "Run it again from where the thread is now, or undo the rollback"
)
_ROLLED_BACK = (
    "the thread was rolled back past checkpoint {!r}, which this one follows; nothing was stored. "
    "Run it again from where the thread is now, or undo the rollback"
)


def _manifest(
    checkpoint: NewCheckpoint, inherited: Manifest, event_version: int
) -> tuple[dict[str, Entry], Manifest, list[str]]:
    """Return the place of each channel's value, as the checkpoint's event says it, and as others see it; and `here`.

    Those are the channels of which the checkpoint's own event has to hold the values: `HERE` marks them in it.
    """
    manifest: dict[str, Entry] = {}
    placed: dict[str, Entry] = {}
    here: list[str] = []
    for channel, version in checkpoint.channel_versions.items():
        known = inherited.get(channel)
        if channel not in checkpoint.new_versions and known and known.channel_version == version:
            # (1 and 1.0 are the same version, and are stored as they come.)
            same = known if type(version) is type(known.channel_version) else Entry(version, known.written_at)
            manifest[channel] = placed[channel] = same
        elif channel in checkpoint.values:
            manifest[channel], placed[channel] = Entry(version, HERE), Entry(version, event_version)
            here.append(channel)
        else:
            manifest[channel] = placed[channel] = Entry(version, None)
    for channel in checkpoint.values:  # a value without a version is a value all the same
        if channel not in manifest:
            manifest[channel], placed[channel] = Entry(None, HERE), Entry(None, event_version)
            here.append(channel)
    return manifest, placed, here


def _placed(manifest: Manifest, version: int) -> Manifest:
    """A manifest as other events see it: the values in its own event are at `version`."""
    return {
        channel: Entry(entry.channel_version, version) if entry.written_at == HERE else entry
        for channel, entry in manifest.items()
    }


def _searchable(item: Prepared) -> dict[str, object]:
    """Return a thread's searchable metadata: the caller's, without LangGraph's on the single checkpoint."""
    metadata = item.checkpoint.metadata if isinstance(item, PreparedCheckpoint) else item.event.cause.metadata
    if metadata.keys() <= OF_A_CHECKPOINT:
        return {}
    return {key: value for key, value in metadata.items() if key not in OF_A_CHECKPOINT}
