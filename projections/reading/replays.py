"""The writes and snapshots that `DeltaChannel`s are replayed from: their values are not stored.

LangGraph asks for it whenever it loads a state: for each of them the latest snapshot, and all that was written since.
What a thread has shown is therefore kept in memory, and brought up to date by the events that its stream has got since:
as this process has stored them, or from the log, where others have. Losing it costs queries, never correctness.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

from eventstore import Cause, CycleError, ErasedError, EventStore, EventStoreError, NotFoundError, OvertakenError
from projections.diffing.content import ABSENT
from projections.model import ChannelHistory
from projections.reading.chains import Chains
from projections.reading.contents import writes_in, writes_opened
from projections.reading.finding import Finder
from projections.reading.followed import FOLLOWED, Answer, Passed, Replay, Search
from projections.reading.located import hold_that_it_leads_to, opened
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
    WritesRecord,
)
from projections.tables import Tables
from projections.values.change import WHOLE, Location, restore
from projections.values.live import LiveValues, Recorded, Slot, Space
from projections.values.serializer import Serializer, for_each
from projections.values.value import as_read

# After one of these something is gone that the thread has shown.
_FORGETTING = (THREAD_PRUNED, THREAD_DELETED, RUNS_DELETED, BRANCH_DELETED)
# After one of these a thread shows other checkpoints, or other writes to them, than what its stream has got since.
_CHANGING = MOVES | {*_FORGETTING, THREAD_PROMOTED}
# How many checkpoints are read at a time: the first time, and at most.
_PAGES = (16, 256)
# For how many checkpoints the writes are read at a time.
_BATCH = 500


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
        for channel, (_, written, place) in found.items():
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
    ) -> dict[str, Answer]:
        """Return the writes to each channel since its seed, and the place of the seed.

        A channel is looked for by all names that it has had.
        """
        replay = self._live.replay(space)
        if not isinstance(replay, Replay) or replay.branch_id != view.branch_id:
            replay = Replay(view.branch_id, view.head)
        with replay.lock:
            if not self._follow(view, space, replay):
                replay.begin_anew(view)
            searches = {channel: Search(of_it, replay.answers.get(tuple(of_it))) for channel, of_it in names.items()}
            way = self._walk(view, space, replay, checkpoint_id, searches.values())
            if not latest and checkpoint_id not in replay.checkpoints:
                raise _not_shown(view.thread, checkpoint_id)
            read = self._read_writes(view, space, replay, [id_ for id_, at in way.items() if at.events is None])
            if (read or latest) and self._was_forgotten(view):
                replay.begin_anew(view)
                raise OvertakenError
            found = {channel: search.answer(checkpoint_id) for channel, search in searches.items()}
            last = [*way.values()][-1] if way else replay.checkpoints.get(checkpoint_id)
            for channel, search in searches.items():
                # Where a parent is missing, it may be saved later.
                if search.ended or (last is not None and last.parent is None):
                    replay.answers[tuple(search.names)] = found[channel]
            replay.passed.update(way)
        self._live.put_replay(space, replay)
        return found

    def _walk(
        self, view: View, space: Space, replay: Replay, checkpoint_id: str, searches: Collection[Search]
    ) -> dict[str, Passed]:
        """Walk back from a checkpoint until each search has ended; return the ancestors that were come by, by id."""
        way: dict[str, Passed] = {}
        for search in searches:
            search.begin(checkpoint_id)
        going_on = [search for search in searches if not search.ended]
        for id_, at in self._way(view, space, replay, checkpoint_id) if going_on else ():
            way[id_] = at
            for search in going_on:
                search.go_on(id_, at)
            going_on = [search for search in going_on if not search.ended]
            if not going_on:
                break
        return way

    def _was_forgotten(self, view: View) -> bool:
        """Tell whether something was pruned or deleted since the view: rows that were read since may lack others."""
        return any(True for _ in self._store.log.events(view.stream_id, after=view.head, topics=_FORGETTING))

    def _follow(self, view: View, space: Space, replay: Replay) -> bool:
        """Take in what the stream has got since; return whether what is kept is up to date then."""
        if view.head - replay.version > FOLLOWED:
            return False
        if view.head <= replay.version:
            return True
        try:
            events = replay.told_up_to(view.head)
            if events is None:
                events = self._read_events(view, replay)
        except ErasedError:  # what has erased it changes the rest, too
            return False
        if events is None:
            return False
        for event in events:
            replay.take_in(space.namespace, event)
        replay.version = view.head
        if replay.newest is None:
            # Asked behind what was taken in: of writes that have come meanwhile, it names too many rather than too few.
            ids = [self._tables.writes.newest(source, space.namespace) for source in view.sources]
            replay.newest = max(ids)
        return True

    def _read_events(self, view: View, replay: Replay) -> list[Recorded] | None:
        """Read what the stream has got since; return `None` if it changes more than it adds."""
        events: list[Recorded] = []
        for row in self._store.log.events(view.stream_id, after=replay.version, before=view.head + 1):
            if row.topic in _CHANGING:
                return None
            cause: Cause
            record: CheckpointRecord | WritesRecord
            if row.topic == CHECKPOINT_SAVED:
                cause, record = opened(self._store, view.thread, row.version, row.payload, CheckpointRecord.unpack)
            elif row.topic == WRITES_SAVED:
                cause, record = writes_opened(self._store, view.thread, row.version, row.payload)
            else:
                continue
            events.append(Recorded(row.version, cause, record, len(row.payload)))
            replay.count(len(row.payload))
        return events

    def _way(self, view: View, space: Space, replay: Replay, checkpoint_id: str) -> Iterator[tuple[str, Passed]]:
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
                replay.add(row.id, record, row.version)
                replay.count(len(row.payload))

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
                    replay.count(len(row.payload or b""))
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
