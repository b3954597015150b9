"""Checkpoints as they are found: a row with its event, opened."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

from eventstore import CorruptionError, ErasedError, EventStore, UnknownFormatError
from eventstore.codec import unpack
from eventstore.events import Cause
from projections.records import CheckpointRecord

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Located:
    """A checkpoint's row with its event, not yet its values."""

    namespace: str
    id: str
    version: int
    parent: str | None
    cause: Cause
    record: CheckpointRecord
    recorded_at: int
    size: int


def opened(
    store: EventStore, thread: str, version: int, payload: bytes, unpacked: Callable[[bytes], T]
) -> tuple[Cause, T]:
    """The cause of one of this package's events, and what its data holds.

    Args:
        store: The store.
        thread: The thread, and
        version: which of its events it is, for errors.
        payload: The payload, as stored.
        unpacked: Reads its data.

    Raises:
        UnknownFormatError: A newer version of the package has stored it, in another layout.
        CorruptionError: It is not what was stored.
    """
    try:
        schema, cause, data = unpack(payload, store.max_value_bytes)
        if schema != 1:
            raise UnknownFormatError(f"an event of layout {schema} was found, this version knows layout 1: upgrade it")
        return cause, unpacked(data)
    except ErasedError:  # no damage: who asked for it says what needs it
        raise
    except CorruptionError as error:
        error.found_at(thread, version)
        raise


def record_of(store: EventStore, thread: str, version: int, payload: bytes) -> CheckpointRecord:
    """The record of a `checkpoint.saved` event's stored payload."""
    return opened(store, thread, version, payload, CheckpointRecord.unpack)[1]


def located_of(store: EventStore, thread: str, row: tuple[Any, ...]) -> Located:
    namespace, checkpoint_id, version, parent, payload, recorded_at = row
    cause, record = opened(store, thread, version, bytes(payload), CheckpointRecord.unpack)
    return Located(namespace, checkpoint_id, version, parent, cause, record, recorded_at, len(payload))
