"""The rows of usage, as a projection that follows the feed."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from itertools import chain

from eventstore import CorruptionError, EventStore
from eventstore.erasing import OpenLog
from eventstore.reading import FeedRow, LogReader
from projections.audit.rows import forget_erased
from projections.projection import BATCH_EVENTS, Turn, Work
from projections.records import THREAD_PRUNED
from projections.records.prunes import PruneRecord
from projections.tables import END
from projections.tables.usage import SeenRow, UsageTable
from projections.usage.pairing import Pairing
from projections.usage.sightings import Rank, Sighting, remembered_sighting, sightings_in

# What a prune remembers comes after all that is still there, which says more of who it was.
_REMEMBERED = 10
_RANKED_LATER = (Rank.TASK, Rank.GIVEN, Rank.CHECKPOINT, Rank.HANDED_ON)


class UsageRows:
    """Usage as a projection, which follows the feed: see `projections.projection.Projection`.

    Args:
        store: The store.
        table: The table.
        events: How many events lose their content in one transaction, at most.
    """

    name = "usage"
    tables = ("usage_seen",)
    inline = False
    step = BATCH_EVENTS

    def __init__(self, store: EventStore, table: UsageTable, *, events: int = BATCH_EVENTS) -> None:
        self._store = store
        self._table = table
        self._events = events

    def prepare(self, events: Sequence[FeedRow]) -> Work | None:
        """See `Projection.prepare`."""
        log = self._store.log
        gone = self._pruned(events)
        found = [*chain.from_iterable(self._sightings(row) for row in events)]
        if not found and not gone:
            return None
        # A look that no message without an id has needs no pairing, and most are such.
        bare = {each.look for each in found if each.bare}
        bare |= self._table.bare({each.look for each in found} - bare)
        known = map(_sighting, self._table.alike(bare)) if bare else ()
        new, changed = Pairing(known, bare, lru_cache(maxsize=None)(log.lineage)).pair(found)

        def enter(log: OpenLog) -> None:
            table = self._table.within(log)
            for stream_id, versions in gone.items():
                table.forget(stream_id, versions)
            table.add([_columns(each) for each in new])
            for each in changed:
                table.change(each.position, each.ordinal, each.spending)

        return enter

    def clear(self, log: OpenLog) -> None:
        """See `Projection.clear`."""
        self._table.within(log).clear()

    def forget(self, events: Sequence[FeedRow], turn: Turn) -> None:
        """See `Forgetting.forget`."""
        # What a prune erases is exchanged for what it remembers of it, in one transaction: see `prepare`.
        forget_erased(self._store.log, [row for row in events if row.topic != THREAD_PRUNED], turn, self._drop)

    def _sightings(self, row: FeedRow) -> list[Sighting]:
        log = self._store.log
        if row.topic != THREAD_PRUNED:
            return sightings_in(row, log)
        # What prunes remember of a thread goes with it.
        if _is_closed(log, row.stream_id) or (content := log.content(row)) is None:
            return []
        try:
            kept = PruneRecord.unpack(content.data).remembered
        except CorruptionError:  # anybody may append events of this topic with other data
            return []
        first = kept[0].version if kept else 0
        positions = log.positions(row.stream_id, first, kept[-1].version) if kept else []
        return [
            remembered_sighting(each, row.stream_id, positions[each.version - first], -number)
            for number, each in enumerate(kept, 1)
        ]

    def _pruned(self, events: Sequence[FeedRow]) -> dict[int, list[int]]:
        """Return the versions of the events that prunes among some events have erased, and that rows tell of."""
        found: dict[int, list[int]] = {}
        for stream_id in dict.fromkeys(row.stream_id for row in events if row.topic == THREAD_PRUNED):
            versions = [version for _, version in self._table.versions(stream_id, after=0, upto=END, limit=END)]
            if erased := [each.version for each in self._store.log.erased_among(stream_id, versions)]:
                found[stream_id] = erased
        return found

    def _drop(self, stream_id: int, after: int, upto: int, log: OpenLog) -> int | None:
        """Drop what is known of some of a stream's events whose content was erased; see `AuditRows`."""
        table = self._table.within(log)
        if _is_closed(log, stream_id):
            table.forget_remembered(stream_id)
        rows = table.versions(stream_id, after=after, upto=upto, limit=self._events)
        if erased := [each.version for each in log.erased_among(stream_id, [version for _, version in rows])]:
            table.forget(stream_id, erased)
        return rows[-1][0] if len(rows) == self._events else None


def _is_closed(log: LogReader, stream_id: int) -> bool:
    stream = log.stream(stream_id)
    return stream is not None and stream.closed


def _columns(each: Sighting) -> list[object]:
    rank = int(each.rank)
    if each.ordinal < 0 and each.rank in _RANKED_LATER:
        rank += _REMEMBERED
    place = (each.position, each.ordinal, each.stream_id, each.version, rank)
    return [
        *place,
        each.spending,
        each.look,
        each.step,
        each.task,
        each.caller,
        int(each.bare),
        each.model,
        *each.tokens,
    ]


def _sighting(row: SeenRow) -> Sighting:
    rank = row.rank - _REMEMBERED if row.rank >= _REMEMBERED else row.rank
    return Sighting(*row[:4], Rank(rank), *row[5:-1], bare=bool(row.bare), is_new=False)
