"""The address of the persistence module for the `eventsourcing` library: `PERSISTENCE_MODULE=eventstore.persistence`.

The module itself is the adapter `eventstore_eventsourcing`. Nothing in this package imports this address.
"""

from eventstore_eventsourcing import (
    Factory,
    LogAggregateRecorder,
    LogApplicationRecorder,
    LogProcessRecorder,
    LogSnapshotRecorder,
    LogSubscription,
    LogTrackingRecorder,
)

__all__ = [
    "Factory",
    "LogAggregateRecorder",
    "LogApplicationRecorder",
    "LogProcessRecorder",
    "LogSnapshotRecorder",
    "LogSubscription",
    "LogTrackingRecorder",
]
