"""Snapshots of aggregates, beside the log."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from eventsourcing import persistence as es

from eventstore.codec import envelope
from eventstore.recorders import Session
from eventstore.recorders.tables import END
from eventstore.recorders.tables.snapshots import SnapshotRow
from eventstore.store import EventStore
from eventstore_eventsourcing.recorder import LogRecorder, OriginatorIdType, bounds, translated


class LogSnapshotRecorder(LogRecorder, es.AggregateRecorder):
    """A recorder of snapshots, which are derived from aggregates and stored with their versions.

    They are not in the log. A snapshot is no event: it has its aggregate's version, so there are gaps, and
    an older one may be taken after a newer one. In a stream of its own it would need other versions than that, and in
    the feed it would take places between an application's events.

    Args:
        store: The store.
        originator_id_type: See `LogRecorder`.
        purpose: The purpose, by which the snapshots of different recorders are told apart.
    """

    def __init__(
        self, store: EventStore, originator_id_type: OriginatorIdType = "uuid", *, purpose: str = "snapshots"
    ) -> None:
        super().__init__(store, originator_id_type)
        self.purpose = purpose

    def insert_events(self, stored_events: Sequence[es.StoredEvent], **_: Any) -> Sequence[int] | None:
        """Store snapshots, all of them or none.

        Raises:
            IntegrityError: There is a snapshot of that aggregate and version.
        """
        snapshots = [
            (
                self.name_of(stored.originator_id),
                SnapshotRow(stored.originator_version, stored.topic, envelope.seal(stored.state)),
            )
            for stored in stored_events
        ]

        def add(session: Session) -> None:
            table = self.store.tables.within(session).snapshots
            # In one order for all writers, or two could wait for each other.
            for name, snapshot in sorted(snapshots, key=lambda each: (each[0], each[1].version)):
                if not table.add(self.purpose, name, snapshot):
                    raise es.IntegrityError(f"there is a snapshot of {name!r} at version {snapshot.version}")

        if snapshots:
            with translated():
                self.store.recorder.write(add)
        return None

    def select_events(
        self,
        originator_id: UUID | str,
        *,
        gt: int | None = None,
        lte: int | None = None,
        desc: bool = False,
        limit: int | None = None,
    ) -> Sequence[es.StoredEvent]:
        """The snapshots of one aggregate, after version `gt` and up to `lte`."""
        name = self.name_of(originator_id)
        after, before = bounds(gt, lte)
        with translated():
            snapshots = self.store.tables.snapshots.page(
                self.purpose,
                name,
                after=after,
                before=END if before is None else before,
                limit=END if limit is None else limit,
                backward=desc,
            )
            return [
                es.StoredEvent(
                    self.originator_of(name),
                    each.version,
                    each.topic,
                    envelope.unseal(each.payload, self.store.max_value_bytes),
                )
                for each in snapshots
            ]
