"""The log: append-only streams of events in SQLite or PostgreSQL, hash-chained, forkable, followable."""

import logging

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
    UnserializableError,
)
from eventstore.events import Appended, Cause, Event, FeedEvent, Head, NewEvent, StreamInfo, StreamPage
from eventstore.reading.verifying import Verification
from eventstore.recorders.migrating import migration_sql
from eventstore.sharing import open_on
from eventstore.store import EventStore
from eventstore.subscription import Subscription
from eventstore.writing.deciding import Decision

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
    "TooLargeError",
    "TypeChangedError",
    "TypeNotAllowedError",
    "UnavailableError",
    "UnknownFormatError",
    "UnknownOptionError",
    "UnreadableError",
    "UnserializableError",
    "Upcasters",
    "Verification",
    "migration_sql",
    "open_on",
]
