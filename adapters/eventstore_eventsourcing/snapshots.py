"""Snapshots of aggregates, beside the log."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from eventsourcing import persistence as es

from eventstore.codec import envelope
from eventstore.recorders import Session
from eventstore.store import EventStore
from eventstore_eventsourcing.recorder import LogRecorder, OriginatorIdType, bounds, translated

# Past every version that a 64 bit integer can count.
_END = 2**63 - 1


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
        rows = [
            {
                "purpose": self.purpose,
                "name": self.name_of(stored.originator_id),
                "version": stored.originator_version,
                "topic": stored.topic,
                "payload": envelope.seal(stored.state),
            }
            for stored in stored_events
        ]

        def add(session: Session) -> None:
            # In one order for all writers, or two could wait for each other.
            for row in sorted(rows, key=lambda row: (row["name"], row["version"])):
                if not session.execute(self.store.queries["add_snapshot"], row):
                    raise es.IntegrityError(f"there is a snapshot of {row['name']!r} at version {row['version']}")

        if rows:
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
        params = {
            "purpose": self.purpose,
            "name": name,
            "after": after,
            "before": _END if before is None else before,
            "limit": _END if limit is None else limit,
        }
        with translated():
            query = self.store.queries["snapshots_backward" if desc else "snapshots_forward"]
            return [
                es.StoredEvent(
                    self.originator_of(name),
                    version,
                    topic,
                    envelope.unseal(bytes(payload), self.store.max_value_bytes),
                )
                for version, topic, payload in self.store.recorder.read(query, params)
            ]
