"""A view that lives in the store's own database: counters, and how far they have come, in one transaction."""

from __future__ import annotations

from eventsourcing.persistence import Tracking
from eventsourcing.tests.projection import EventCountersView
from eventstore_eventsourcing.recorder import OriginatorIdType

from eventstore import EventStore
from eventstore.persistence import LogTrackingRecorder
from eventstore.queries import prepare
from eventstore.recorders import Session

CREATE = "CREATE TABLE IF NOT EXISTS counters (name text PRIMARY KEY, counted bigint NOT NULL)"
COUNT = """
    INSERT INTO counters (name, counted) VALUES (:name, 1)
    ON CONFLICT (name) DO UPDATE SET counted = counters.counted + 1
"""
COUNTED = "SELECT counted FROM counters WHERE name = :name"


class CountersView(LogTrackingRecorder, EventCountersView):
    def __init__(self, store: EventStore, originator_id_type: OriginatorIdType = "uuid") -> None:
        super().__init__(store, originator_id_type)
        store.recorder.write(lambda session: session.execute(CREATE, {}))

    def get_created_event_counter(self) -> int:
        return self.counted("created")

    def get_subsequent_event_counter(self) -> int:
        return self.counted("subsequent")

    def incr_created_event_counter(self, tracking: Tracking) -> None:
        self.count("created", tracking)

    def incr_subsequent_event_counter(self, tracking: Tracking) -> None:
        self.count("subsequent", tracking)

    def count(self, name: str, tracking: Tracking) -> None:
        def add(session: Session) -> None:
            session.execute(self.sql(COUNT), {"name": name})

        self.track(tracking, add)

    def counted(self, name: str) -> int:
        rows = self.store.recorder.read(self.sql(COUNTED), {"name": name})
        return int(rows[0][0]) if rows else 0

    def sql(self, text: str) -> str:
        return prepare(text, self.store.recorder.dialect, self.store.recorder.schema)
