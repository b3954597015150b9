"""The segments that changes are merged into, as a projection."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress

from eventstore import CorruptionError, EventStore
from eventstore.codec.envelope import is_erased
from eventstore.erasing import OpenLog
from eventstore.reading import FeedRow
from eventstore.recorders import Statement
from eventstore.tuples import NamedTuple
from projections.projection import Work
from projections.reading.chains import Chains
from projections.reading.located import record_of
from projections.reading.view import View
from projections.records import CHECKPOINT_SAVED
from projections.tables import Tables
from projections.values.change import Change
from projections.values.merging import SnapshotPolicy
from projections.values.value import segments_of


class SegmentRows:
    """Segments as a projection: see `projections.projection.Projection`.

    A checkpoint is saved with the segments that end with it, by the statement that is used here, too. They are rebuilt
    in steps; readers use each as soon as it is there.

    Args:
        store: The store.
        tables: The tables.
        policy: When changes are merged.
    """

    name = "segments"
    tables = ("segments",)
    inline = True
    step = 1  # later ones are put together from earlier ones

    def __init__(self, store: EventStore, tables: Tables, policy: SnapshotPolicy) -> None:
        self._store = store
        self._tables = tables
        self._policy = policy

    def prepare(self, events: Sequence[FeedRow]) -> Work | None:
        """See `Projection.prepare`."""
        made = [
            segment
            for event in events
            if event.topic == CHECKPOINT_SAVED and not is_erased(event.payload)
            for segment in self._made(event)
        ]
        return (lambda log: self._store_those(made, log)) if made else None

    def _store_those(self, made: Sequence[_Made], log: OpenLog) -> None:
        tables = self._tables.within(log)
        for each in made:
            # What is erased from here on waits, and drops what it was merged into; what was erased meanwhile is seen.
            log.lock_family(each.stream_id)
            if len(log.erased_among(each.stream_id, each.versions)) == each.erased:
                tables.carry_out(*each.statements)

    def clear(self, log: OpenLog) -> None:
        """See `Projection.clear`."""
        self._tables.within(log).segments.clear()

    def _made(self, event: FeedRow) -> Iterator[_Made]:
        stream_id, version = event.stream_id, event.version
        record = record_of(self._store, f"#{stream_id}", version, event.payload)
        for channel, change in record.changes.items():
            if not _ends_one(change, self._policy):
                continue
            versions = range(min(change.path), version + 1)
            erased = len(self._store.log.erased_among(stream_id, versions))
            # What stands in the stream's own past, whatever is shown of it now.
            chains = Chains(self._store, self._tables, View("", stream_id, [], forked=True))
            # An event may be kept for one of its values, and what another builds upon be erased. And what was damaged
            # is for those to hear of who read it.
            with suppress(CorruptionError):
                value = chains.restore_events([(version, channel)])[version, channel]
                statements = [
                    self._tables.segments.saving(stream_id, version, channel, level, merged)
                    for level, merged in segments_of(value, self._policy)
                ]
                yield _Made(stream_id, versions, erased, statements)


class _Made(NamedTuple):
    """The segments that end with an event, and the versions that they are made of, so many of which are erased."""

    stream_id: int
    versions: range
    erased: int
    statements: Sequence[Statement]


def _ends_one(change: Change, policy: SnapshotPolicy) -> bool:
    return len(change.path) >= policy.rows
