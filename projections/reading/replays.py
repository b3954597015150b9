"""The writes and snapshots that `DeltaChannel`s are replayed from: their values are not stored.

LangGraph asks for it whenever it loads a state: for each of them the latest snapshot, and all that was written since.
What a thread has shown is therefore kept in memory, and brought up to date from the events that its stream has got
since, by whatever process. Losing it costs queries, never correctness.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from operator import attrgetter
from typing import Any, NamedTuple

from eventstore import CycleError, ErasedError, EventStore, EventStoreError, NotFoundError, OvertakenError
from projections.diffing.content import ABSENT
from projections.model import ChannelHistory
from projections.reading.chains import Chains
from projections.reading.contents import writes_in, writes_opened
from projections.reading.finding import Finder
from projections.reading.located import hold_that_it_leads_to, opened
from projections.reading.pending import fold
from projections.reading.shaping import upcasters_of
from projections.reading.view import View, writes_of
from projections.records import (
    BRANCH_DELETED,
    CHECKPOINT_SAVED,
    MOVES,
    RUNS_DELETED,
    THREAD_DELETED,
    THREAD_PROMOTED,
    THREAD_PRUNED,
    WRITES_SAVED,
    CheckpointRecord,
    Manifest,
    WritesRecord,
)
from projections.tables import Tables
from projections.values.change import WHOLE, Location, restore
from projections.values.live import LiveValues, Slot, Space
from projections.values.serializer import Serializer, for_each
from projections.values.value import Value, as_read, written_value

# After one of these something is gone that the thread has shown.
_FORGETTING = (THREAD_PRUNED, THREAD_DELETED, RUNS_DELETED, BRANCH_DELETED)
# After one of these a thread shows other checkpoints, or other writes to them, than what its stream has got since.
_CHANGING = MOVES | {*_FORGETTING, THREAD_PROMOTED}
# How many new events are read, at most, to bring up to date what is kept.
_FOLLOWED = 1_000
# How many checkpoints are read at a time: the first time, and at most.
_PAGES = (16, 256)
# For how many checkpoints the writes are read at a time.
_BATCH = 500
# What an event takes in memory besides its bytes, which it holds up to four times: as bytes, in a copier, in copies.
_EVENT_MEMORY = 4_000
_COPIES_IN_MEMORY = 4


class _Written(NamedTuple):
    """A write of a task to a channel.

    Attributes:
        at: Its place among the writes at a checkpoint.
        task: The task.
        channel: The channel, by the name that it had.
        value: The value.
    """

    at: int
    task: str
    channel: str
    value: Value


@dataclass(slots=True, eq=False)
class _Checkpoint:
    """A checkpoint that a replay goes through.

    Attributes:
        parent: Its parent, as the log names it.
        version: The version of its event.
        manifest: The places of its values.
        events: The tasks that have written to it, and what, by the events' versions; `None`: not read yet.
        writes: The writes that count, by channel; made of the events when it is asked for.
    """

    parent: str | None
    version: int
    manifest: Manifest
    events: dict[int, tuple[str, WritesRecord]] | None = None
    writes: dict[str, list[_Written]] | None = None

    def place(self, names: Sequence[str]) -> tuple[int, str] | None:
        """The version of the event that holds a channel's value, and the name by which it does."""
        for name in names:
            entry = self.manifest.get(name)
            if entry is not None and entry.written_at is not None:
                return entry.written_at or self.version, name
        return None

    def written(self, names: Sequence[str]) -> Sequence[_Written]:
        """Return the writes to a channel, in the order in which a step applies them."""
        if self.writes is None:
            self.writes = {}
            events = self.events or {}
            for at, (task, _, write) in enumerate(fold(events[version] for version in sorted(events))):
                kept = _Written(at, task, write.channel, written_value(write.encoding, write.data))
                self.writes.setdefault(write.channel, []).append(kept)
        if len(names) == 1:
            return self.writes.get(names[0], ())
        return sorted((each for name in names for each in self.writes.get(name, ())), key=attrgetter("at"))


@dataclass(slots=True, eq=False)
class Replay:
    """A namespace's checkpoints and the writes to them, as of a version of the thread's stream.

    Attributes:
        branch_id: The branch that the thread was on.
        version: The version.
        checkpoints: The checkpoints that were come upon, by id.
        read_bytes: How many bytes of events were read.
        events: How many events.
        lock: Is held while it is brought up to date.
    """

    branch_id: int
    version: int
    checkpoints: dict[str, _Checkpoint] = field(default_factory=dict)
    read_bytes: int = 0
    events: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def memory(self) -> int:
        """The bytes that it takes in memory, estimated rather too high."""
        return _COPIES_IN_MEMORY * self.read_bytes + _EVENT_MEMORY * (1 + self.events)

    def add(self, checkpoint_id: str, record: CheckpointRecord, version: int, payload: bytes) -> None:
        """Add a checkpoint, whose tasks' writes are not known: they may have come long before it."""
        self.checkpoints[checkpoint_id] = _Checkpoint(record.parent, version, record.manifest)
        self.count(payload)

    def begin_anew(self, view: View) -> None:
        """Drop everything, to be read again as of a view."""
        self.checkpoints.clear()
        self.read_bytes = self.events = 0
        self.branch_id, self.version = view.branch_id, view.head

    def count(self, payload: bytes) -> None:
        """Count an event that was read."""
        self.read_bytes += len(payload)
        self.events += 1


class Replays:
    """Finds what channels are replayed from.

    Args:
        store: The store.
        tables: The tables.
        finder: Finds checkpoints.
        live: What is kept of live threads.
    """

    def __init__(self, store: EventStore, tables: Tables, finder: Finder, live: LiveValues) -> None:
        self._store = store
        self._tables = tables
        self._finder = finder
        self._live = live

    def history(
        self, thread: str, namespace: str, checkpoint_id: str | None, channels: Sequence[str], serializer: Serializer
    ) -> dict[str, ChannelHistory]:
        """Return the history that each channel is replayed from: see `Checkpoints.history`.

        Raises:
            NotFoundError: The thread does not show the checkpoint that was named, or does not show it any more.
            ErasedError: A prune has erased some of it meanwhile.
            OvertakenError: Some of it was forgotten between two queries: they do not belong together.
        """
        view = self._finder.view(thread)
        latest = checkpoint_id is None
        if view and checkpoint_id is None:
            checkpoint_id = self._finder.latest_id(view, namespace)
        if checkpoint_id is None:
            return dict.fromkeys(channels, ChannelHistory([]))
        if view is None:
            raise _not_shown(thread, checkpoint_id)
        space = Space(view.stream_id, namespace)
        upcasters = upcasters_of(serializer)
        names = {channel: upcasters.names(channel) if upcasters else [channel] for channel in channels}
        try:
            found = self._found(view, space, checkpoint_id, names, latest=latest)
        except EventStoreError:
            self._live.drop(space)  # it may be half read
            raise
        histories: dict[str, ChannelHistory] = {}
        for channel, (written, place) in found.items():
            values = for_each(lambda each: each.value.restore(serializer), written)
            seed = ABSENT if place is None else self._seed(view, Slot(*space, place[1]), place[0], serializer)
            if upcasters:
                values = [
                    upcasters.made(each.channel, channel, value, serializer)
                    for each, value in zip(written, values, strict=True)
                ]
                seed = seed if place is None else upcasters.made(place[1], channel, seed, serializer)
            writes = [
                (each.task, channel, value) for each, value in zip(written, values, strict=True) if value is not ABSENT
            ]
            seeded = seed is not ABSENT
            histories[channel] = ChannelHistory(writes, seeded, seed if seeded else None)
        return histories

    def _found(
        self, view: View, space: Space, checkpoint_id: str, names: Mapping[str, Sequence[str]], *, latest: bool
    ) -> dict[str, tuple[list[_Written], tuple[int, str] | None]]:
        """Return the writes to each channel since its seed, the oldest first, and the place of the seed.

        A channel is looked for by all names that it has had.
        """
        replay = self._live.replay(space)
        if not isinstance(replay, Replay) or replay.branch_id != view.branch_id:
            replay = Replay(view.branch_id, view.head)
        with replay.lock:
            if not self._follow(view, space, replay):
                replay.begin_anew(view)
            way: dict[str, _Checkpoint] = {}
            places: dict[str, tuple[int, str] | None] = dict.fromkeys(names)
            ends = dict.fromkeys(names, 0)  # how many checkpoints of the way each channel takes its writes from
            for id_, at in self._way(view, space, replay, checkpoint_id):
                way[id_] = at
                for channel in [channel for channel, place in places.items() if place is None]:
                    places[channel], ends[channel] = at.place(names[channel]), len(way)
                if None not in places.values():
                    break
            if not latest and checkpoint_id not in replay.checkpoints:
                raise _not_shown(view.thread, checkpoint_id)
            read = self._read_writes(view, space, replay, [id_ for id_, at in way.items() if at.events is None])
            if (read or latest) and self._was_forgotten(view):
                replay.begin_anew(view)
                raise OvertakenError
            passed = [*way.values()]
            found = {
                channel: [each for at in reversed(passed[: ends[channel]]) for each in at.written(of_it)]
                for channel, of_it in names.items()
            }
        self._live.put(space, replay)
        return {channel: (writes, places[channel]) for channel, writes in found.items()}

    def _was_forgotten(self, view: View) -> bool:
        """Tell whether something was pruned or deleted since the view: rows that were read since may lack others."""
        return any(True for _ in self._store.log.events(view.stream_id, after=view.head, topics=_FORGETTING))

    def _follow(self, view: View, space: Space, replay: Replay) -> bool:
        """Take in what the stream has got since; return whether what is kept is up to date then."""
        if view.head - replay.version > _FOLLOWED:
            return False
        if view.head <= replay.version:
            return True
        try:
            followed = self._take_in(view, space, replay)
        except ErasedError:  # what has erased it changes the rest, too
            return False
        if followed:
            replay.version = view.head
        return followed

    def _take_in(self, view: View, space: Space, replay: Replay) -> bool:
        for row in self._store.log.events(view.stream_id, after=replay.version, before=view.head + 1):
            if row.topic in _CHANGING:
                return False
            if row.topic == CHECKPOINT_SAVED:
                cause, checkpoint = opened(self._store, view.thread, row.version, row.payload, CheckpointRecord.unpack)
                if cause.namespace == space.namespace and cause.checkpoint is not None:
                    replay.add(cause.checkpoint, checkpoint, row.version, row.payload)
            elif row.topic == WRITES_SAVED:
                cause, writes = writes_opened(self._store, view.thread, row.version, row.payload)
                at = replay.checkpoints.get(cause.checkpoint or "")
                if cause.namespace == space.namespace and at is not None and at.events is not None:
                    at.events[row.version] = (cause.task or "", writes)
                    at.writes = None
                    replay.count(row.payload)
        return True

    def _way(self, view: View, space: Space, replay: Replay, checkpoint_id: str) -> Iterator[tuple[str, _Checkpoint]]:
        """The ancestors of a checkpoint, the nearest first: those that are not kept are read in pages that grow."""
        met: set[str] = set()
        size, most = _PAGES
        wanted: str | None = checkpoint_id
        while wanted is not None:
            if wanted in met:
                raise CycleError(view.thread, space.namespace, wanted)
            met.add(wanted)
            at = replay.checkpoints.get(wanted)
            if at is None:
                self._read_way(view, space, replay, wanted, size)
                size = min(4 * size, most)
                if (at := replay.checkpoints.get(wanted)) is None:
                    return
            if wanted != checkpoint_id:  # its own writes belong to the next step
                yield wanted, at
            wanted = at.parent

    def _read_way(self, view: View, space: Space, replay: Replay, checkpoint_id: str, limit: int) -> None:
        for row in self._finder.page_of_way(view, space.namespace, checkpoint_id, limit, retired=True):
            if row.id not in replay.checkpoints:
                cause, record = opened(self._store, view.thread, row.version, row.payload, CheckpointRecord.unpack)
                hold_that_it_leads_to(cause, space.namespace, row.id, view.thread, row.version)
                replay.add(row.id, record, row.version, row.payload)

    def _read_writes(self, view: View, space: Space, replay: Replay, ids: Sequence[str]) -> bool:
        """Read what was written to some checkpoints; return whether there were any."""
        for start in range(0, len(ids), _BATCH):
            batch = ids[start : start + _BATCH]
            found = writes_of(self._tables, view, space.namespace, batch)
            for checkpoint in batch:
                rows = found.get(checkpoint, {})
                events = {
                    version: writes_in(self._store, view.thread, space.namespace, row) for version, row in rows.items()
                }
                for row in rows.values():
                    replay.count(row.payload or b"")
                replay.checkpoints[checkpoint].events = events
        return bool(ids)

    def _seed(self, view: View, slot: Slot, version: int, serializer: Serializer) -> Any:
        if known := self._live.get(slot, version):
            return known.restore(serializer)
        chains = Chains(self._store, self._tables, view)
        chains.fetch([version])
        change = chains.change((version, slot.channel))
        if change.operation != WHOLE:  # the channel was another one before
            return chains.restore([(version, slot.channel)])[version, slot.channel].restore(serializer)
        seed = restore(change, serializer, Location(view.thread, slot.channel, version))
        self._live.put(slot, as_read(change, version))
        return seed


def _not_shown(thread: str, checkpoint: str) -> NotFoundError:
    # LangGraph asks for the checkpoint that it has just loaded: without writes, its state would be one that never was.
    return NotFoundError(
        f"thread {thread!r} does not show checkpoint {checkpoint!r}, or not any more: it was pruned, deleted or rolled "
        "back while it was read. Read the thread again"
    )
