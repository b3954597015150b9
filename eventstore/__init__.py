"""The log: append-only streams of events in SQLite or PostgreSQL, hash-chained, forkable, followable."""

import logging
from importlib import import_module
from typing import TYPE_CHECKING, Any

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
)
from eventstore.events import Appended, Cause, Event, FeedEvent, Head, NewEvent, StreamInfo, StreamPage
from eventstore.recorders.migrating import migration_sql
from eventstore.store import EventStore
from eventstore.subscription import Subscription
from eventstore.writing.deciding import Decision

if TYPE_CHECKING:
    from eventstore.reading.verifying import Verification

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
    "Upcasters",
    "Verification",
    "migration_sql",
]


def __getattr__(name: str) -> Any:
    if name == "Verification":  # most programs never verify
        globals()[name] = import_module("eventstore.reading.verifying").Verification
        return globals()[name]
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
