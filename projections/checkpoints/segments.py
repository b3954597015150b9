"""The segments that changes are merged into, as a projection."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress

from eventstore import CorruptionError, EventStore
from eventstore.codec.envelope import is_erased
from eventstore.erasing import OpenLog
from eventstore.reading import FeedRow
from eventstore.recorders import Statement
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

    Who saves a checkpoint stores the segments that end with it, by the statement that is used here, too. They are made
    anew in steps, since later ones are put together from earlier ones; readers use each as soon as it is there.

    Args:
        store: The store.
        tables: The tables.
        policy: When changes are merged.
    """

    name = "segments"
    tables = ("segments",)
    inline = True
    at_once = False

    def __init__(self, store: EventStore, tables: Tables, policy: SnapshotPolicy) -> None:
        self._store = store
        self._tables = tables
        self._policy = policy

    def prepare(self, events: Sequence[FeedRow]) -> Work:
        """See `Projection.prepare`."""
        statements = [
            statement
            for event in events
            if event.topic == CHECKPOINT_SAVED and not is_erased(event.payload)
            for statement in self._statements(event)
        ]
        return lambda log: self._tables.within(log).carry_out(*statements)

    def clear(self, log: OpenLog) -> None:
        """See `Projection.clear`."""
        self._tables.within(log).segments.clear()

    def _statements(self, event: FeedRow) -> Iterator[Statement]:
        stream_id, version = event.stream_id, event.version
        record = record_of(self._store, f"#{stream_id}", version, event.payload)
        due = [(version, channel) for channel, change in record.changes.items() if _ends_one(change, self._policy)]
        if not due:
            return
        # What stands in the stream's own past, whatever is shown of it now.
        chains = Chains(self._store, self._tables, View("", stream_id, [], forked=True))
        for each in due:
            # An event may be kept for one of its values, and what another builds upon be erased. And what was damaged
            # is for those to hear of who read it.
            with suppress(CorruptionError):
                value = chains.restore_events([each])[each]
                for level, change in segments_of(value, self._policy):
                    yield self._tables.segments.saving(stream_id, version, each[1], level, change)


def _ends_one(change: Change, policy: SnapshotPolicy) -> bool:
    return len(change.path) >= policy.rows
