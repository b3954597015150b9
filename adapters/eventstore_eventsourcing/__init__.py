"""The log as a persistence module of the `eventsourcing` library: its applications and projections run on it.

    PERSISTENCE_MODULE=eventstore.persistence
    EVENTSTORE_URL=sqlite:///orders.db                # or postgresql://…

An aggregate is a stream: its id is the stream's name, its versions are the stream's. The notification log is the feed.
A store holds one application: give each application of a system a store of its own, by a URL or a PostgreSQL schema
with its name before it (`ORDERS_EVENTSTORE_URL`, `ORDERS_EVENTSTORE_SCHEMA`). A view may share its application's store.

Differences from the library's own modules: an aggregate's versions begin at 0 or 1 and have no gaps; what does not
follow the stream's head is an `IntegrityError`. In PostgreSQL writers of different aggregates do not wait for each
other to store, only for the numbers of what they stored (see `LogApplicationRecorder.insert_events`).
"""

from eventstore_eventsourcing.events import (
    LogAggregateRecorder,
    LogApplicationRecorder,
    LogProcessRecorder,
    LogSubscription,
)
from eventstore_eventsourcing.factory import Factory
from eventstore_eventsourcing.snapshots import LogSnapshotRecorder
from eventstore_eventsourcing.tracking import LogTrackingRecorder

__all__ = [
    "Factory",
    "LogAggregateRecorder",
    "LogApplicationRecorder",
    "LogProcessRecorder",
    "LogSnapshotRecorder",
    "LogSubscription",
    "LogTrackingRecorder",
]
