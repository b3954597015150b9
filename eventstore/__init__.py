"""The log: append-only streams of events in SQLite or PostgreSQL, hash-chained, forkable, followable."""

import logging
from typing import TYPE_CHECKING

from eventstore.codec import Upcasters
from eventstore.errors import (
    BadInputError,
    BusyError,
    ChainError,
    ChecksumError,
    ConflictError,
    ConnectionLostError,
    CorruptionError,
    CycleError,
    ErasedError,
    EventStoreError,
    IdempotencyError,
    InvalidIdError,
    InvalidUrlError,
    NotAStoreError,
    NotFoundError,
    OvertakenError,
    ReadOnlyError,
    RecordedFailureError,
    SchemaError,
    StorageError,
    StorageFullError,
    StoreClosedError,
    TooLargeError,
    TypeChangedError,
    TypeNotAllowedError,
    UnavailableError,
    UnknownFormatError,
    UnknownOptionError,
    UnreadableError,
    UnrecordedCallError,
    UnserializableError,
    UpcastError,
)
from eventstore.events import Appended, Cause, Event, FeedEvent, Head, NewEvent, StreamInfo, StreamPage
from eventstore.later import later as _later
from eventstore.recorders.migrating import migration_sql
from eventstore.store import EventStore
from eventstore.writing.deciding import Decision

if TYPE_CHECKING:
    from eventstore.health import Health, Problem
    from eventstore.reading.verifying import Verification
    from eventstore.settings import from_environment
    from eventstore.sharing import open_on
    from eventstore.subscription import Subscription

# Quiet, as libraries are, until a program asks to hear it.
logging.getLogger("eventstore").addHandler(logging.NullHandler())

__all__ = [
    "Appended",
    "BadInputError",
    "BusyError",
    "Cause",
    "ChainError",
    "ChecksumError",
    "ConflictError",
    "ConnectionLostError",
    "CorruptionError",
    "CycleError",
    "Decision",
    "ErasedError",
    "Event",
    "EventStore",
    "EventStoreError",
    "FeedEvent",
    "Head",
    "Health",
    "IdempotencyError",
    "InvalidIdError",
    "InvalidUrlError",
    "NewEvent",
    "NotAStoreError",
    "NotFoundError",
    "OvertakenError",
    "Problem",
    "ReadOnlyError",
    "RecordedFailureError",
    "SchemaError",
    "StorageError",
    "StorageFullError",
    "StoreClosedError",
    "StreamInfo",
    "StreamPage",
    "Subscription",
    "TooLargeError",
    "TypeChangedError",
    "TypeNotAllowedError",
    "UnavailableError",
    "UnknownFormatError",
    "UnknownOptionError",
    "UnreadableError",
    "UnrecordedCallError",
    "UnserializableError",
    "UpcastError",
    "Upcasters",
    "Verification",
    "from_environment",
    "migration_sql",
    "open_on",
]


# Most programs follow no feed and never verify, and they open connections of their own.
__getattr__ = _later(
    globals(),
    {
        "eventstore.health": ["Health", "Problem"],
        "eventstore.reading.verifying": ["Verification"],
        "eventstore.settings": ["from_environment"],
        "eventstore.sharing": ["open_on"],
        "eventstore.subscription": ["Subscription"],
    },
)
