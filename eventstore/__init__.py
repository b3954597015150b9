"""The log: append-only streams of events in SQLite or PostgreSQL, hash-chained, forkable, followable."""

from eventstore._appender import Decision, OvertakenError
from eventstore._verify import Verification
from eventstore.codec import Upcasters
from eventstore.errors import (
    BadInputError,
    BusyError,
    ChainError,
    ChecksumError,
    ConflictError,
    ConnectionLostError,
    CorruptionError,
    ErasedError,
    EventStoreError,
    IdempotencyError,
    InvalidIdError,
    InvalidUrlError,
    NotAStoreError,
    NotFoundError,
    ReadOnlyError,
    SchemaError,
    StorageError,
    StorageFullError,
    StoreClosedError,
    UnavailableError,
    UnknownFormatError,
    UnserializableError,
)
from eventstore.events import Appended, Cause, Event, FeedEvent, Head, NewEvent, StreamInfo, StreamPage
from eventstore.migrations import migration_sql
from eventstore.store import EventStore
from eventstore.subscription import Subscription

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
    "Decision",
    "ErasedError",
    "Event",
    "EventStore",
    "EventStoreError",
    "FeedEvent",
    "Head",
    "IdempotencyError",
    "InvalidIdError",
    "InvalidUrlError",
    "NewEvent",
    "NotAStoreError",
    "NotFoundError",
    "OvertakenError",
    "ReadOnlyError",
    "SchemaError",
    "StorageError",
    "StorageFullError",
    "StoreClosedError",
    "StreamInfo",
    "StreamPage",
    "Subscription",
    "UnavailableError",
    "UnknownFormatError",
    "UnserializableError",
    "Upcasters",
    "Verification",
    "migration_sql",
]
