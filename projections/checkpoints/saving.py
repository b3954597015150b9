"""From checkpoints and writes to events, and the rows that go with them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

from eventstore import BadInputError, Cause, ConflictError, Decision, EventStore, NewEvent
from eventstore.erasing import OpenLog
from eventstore.events import Appended, Head
from eventstore.recorders import Statement
from eventstore.tuples import NamedTuple
from eventstore.writing import Decide
from projections.checkpoints.bases import Bases
from projections.checkpoints.manifests import NO_ANCESTOR, Ancestor, Key, Manifests
from projections.checkpoints.preparing import DESCENDS, Prepared, PreparedCheckpoint, PreparedWrites
from projections.model import NewCheckpoint
from projections.pregel import SENDS, of_the_caller, sent_to
from projections.reading.finding import Finder
from projections.records import (
    CHECKPOINT_SAVED,
    HERE,
    CheckpointRecord,
    Entry,
    Manifest,
    WritesRecord,
)
from projections.tables import Tables
from projections.values.change import WHOLE, Change
from projections.values.kinds import TAKEN_APART, kind_of
from projections.values.live import LiveValues, Slot
from projections.values.merging import SnapshotPolicy
from projections.values.parts import PART_BYTES
from projections.values.serializer import for_each
from projections.values.value import NewValue, Value, new_value

_JOINING = {PreparedWrites}


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
        self._live = live
        self._manifests = Manifests()
        bases = Bases(store, tables, finder, live)
        self._ground = _Ground(tables, finder, self._manifests, bases, policy, store.max_value_bytes)

    def save(self, items: Sequence[Prepared], check: Callable[[], None] | None = None) -> None:
        """Store checkpoints and writes of one thread, in their order, all or none; nothing if `check` raises."""
        decide: Decide = partial(_Batch.decided, self._ground, items)
        # What tasks write in parallel is stored together. A checkpoint has to see the rows of those before it.
        joins = check is None and {*map(type, items)} == _JOINING
        if check:
            decide = _checking(check, decide)
        first = items[0]
        # The caller's, by which a thread that begins is found.
        metadata = first.checkpoint.metadata if isinstance(first, PreparedCheckpoint) else first.event.cause.metadata
        appended = self._store.commit(first.thread, decide, metadata=of_the_caller(metadata), joins=joins)
        saved: _Batch = appended.result
        if saved.manifests:
            self._manifests.put(saved.stream_id, saved.head, saved.manifests)
        if saved.values:
            self._live.put_all(saved.values)
        self._live.tell(saved.stream_id, saved.recorded)

    def save_all(
        self,
        thread: str,
        items: Callable[[], Iterable[Prepared]],
        expected_version: int,
        metadata: Mapping[str, Any],
        *,
        again: bool,
    ) -> int:
        """See `projections.checkpoints.moving_in.save_all`."""

        def decide(stream_id: int, head: Head) -> Decision:
            if head.version != expected_version:
                raise ConflictError(thread, expected_version, head.version)
            decision = _Batch.decided(self._ground, items(), stream_id, head)

            def work(log: OpenLog) -> None:
                # In the transaction, which comes after that in which the name was given up: it may have been just now.
                if not (expected_version or again) and log.was_given_up(thread):
                    raise ConflictError(thread, 0, None, _GIVEN_UP.format(thread))
                # Each by itself: thousands of them are no statement that a server would plan.
                for statement in decision.then:
                    log.carry_out(statement)

            return replace(decision, then=(), work=work)

        return self._store.commit(thread, decide, metadata=metadata).last

    def discard(self) -> None:
        """Drop what is remembered of running threads. It costs queries, nothing else."""
        self._manifests.discard()
        self._live.discard()


class _Ground(NamedTuple):
    """The ground that decisions stand on.

    Attributes:
        tables: The tables.
        finder: Finds the parents of checkpoints that are not remembered.
        remembered: The manifests of checkpoints that were saved lately.
        bases: Finds the values that changes build upon.
        policy: How far changes may build upon each other.
        longest: How many bytes a value may take.
    """

    tables: Tables
    finder: Finder
    remembered: Manifests
    bases: Bases
    policy: SnapshotPolicy
    longest: int


class _Batch:
    """The events and rows of some checkpoints and writes, worked out on a head: anew whenever the stream has moved on.

    Attributes:
        stream_id: The stream.
        head: The head.
        manifests: What children of the checkpoints need.
        values: The values that the checkpoints hold.
        recorded: The events: the version of each, the event, and what its data holds.
    """

    def __init__(self, ground: _Ground, stream_id: int, head: Head) -> None:
        self._tables, self._finder, self._remembered, self._bases, self._policy, self._longest = ground
        self.stream_id = stream_id
        self.head = head
        self.manifests: dict[Key, Ancestor] = {}
        self.values: dict[Slot, Value] = {}
        self.recorded: list[tuple[int, NewEvent, CheckpointRecord | WritesRecord]] = []

    @classmethod
    def decided(cls, ground: _Ground, items: Iterable[Prepared], stream_id: int, head: Head) -> Decision:
        """Return the decision on a head, whose result is the batch."""
        batch = cls(ground, stream_id, head)
        tables = ground.tables
        events: list[NewEvent] = []
        then: list[Statement] = []
        record: CheckpointRecord | WritesRecord
        for version, item in enumerate(items, head.version + 1):
            if isinstance(item, PreparedCheckpoint):
                event, record, segments = batch._checkpoint(item, version)
                then += tables.checkpoints.saving(stream_id, version, event.cause, item.checkpoint.parent)
                then += segments
            else:
                event, record = item.event, item.record
                then.append(tables.writes.saving(stream_id, version, event.cause))
            events.append(event)
            batch.recorded.append((version, event, record))
        return Decision(events, then, result=batch)

    def _checkpoint(
        self, prepared: PreparedCheckpoint, version: int
    ) -> tuple[NewEvent, CheckpointRecord, list[Statement]]:
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
        return NewEvent(CHECKPOINT_SAVED, record.pack(), cause), record, segments

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
            base = self._base(checkpoint.thread, slot, inherited.written_at)
        return new_value(value, channel, prepared.serializer, self._policy, base)

    def _base(self, thread: str, slot: Slot, version: int) -> Value | None:
        """Return the value of a channel that the event at `version` holds; `None` if nothing is built upon it."""
        known = self.values.get(slot)
        if known and known.version == version:
            return known
        # Of this batch the last values are kept; what it holds besides is not in the database yet.
        return self._bases.find(thread, slot, version) if version <= self.head.version else None

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
            raise BadInputError(DESCENDS.format(checkpoint.id, ancestor))


def _ahead(checkpoint: str, parent: str | None) -> str:
    """Return a checkpoint's parent if that has the greater id."""
    return parent if parent is not None and parent > checkpoint else ""


_GIVEN_UP = "thread {!r} was deleted here, or has another id now; nothing was stored"
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


def _checking(check: Callable[[], None], decide: Decide) -> Decide:
    def decide_checked(stream_id: int, head: Head) -> Decision | Appended:
        check()
        return decide(stream_id, head)

    return decide_checked


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
