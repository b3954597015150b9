"""Checkpoints as they are found: a row with its event, opened."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from eventstore import CorruptionError, ErasedError, EventStore, UnknownFormatError
from eventstore.events import Cause
from eventstore.tuples import NamedTuple
from projections.model import searchable
from projections.records import CHECKPOINT_SAVED, WRITES_SAVED, CheckpointRecord, WritesRecord
from projections.tables import CheckpointRow

T = TypeVar("T")

# Whose records say of which topic their events are.
_TOPICS: Mapping[Callable[[bytes], object], str] = {
    CheckpointRecord.unpack: CHECKPOINT_SAVED,
    WritesRecord.unpack: WRITES_SAVED,
}


class Located(NamedTuple):
    """A checkpoint's row with its event, not yet its values."""

    namespace: str
    id: str
    version: int
    parent: str | None
    cause: Cause
    record: CheckpointRecord
    recorded_at: int
    size: int

    @property
    def searchable(self) -> Mapping[str, Any]:
        """Its metadata, as filters look at it: with the id of its run."""
        return searchable(self.cause.metadata, self.cause.run)


def opened(
    store: EventStore,
    thread: str,
    version: int,
    payload: bytes,
    unpacked: Callable[[bytes], T],
    topic: str | None = None,
) -> tuple[Cause, T]:
    """The cause of one of this package's events, and what its data holds.

    Args:
        store: The store.
        thread: The thread, and
        version: which of its events it is, for errors.
        payload: The payload, as stored.
        unpacked: Reads its data.
        topic: The event's topic; it need not be given where the record says it.

    Raises:
        UnknownFormatError: A newer version of the package has stored it, in another layout.
        CorruptionError: It is not what was stored.
    """
    try:
        schema, cause, data = store.codec.open(topic or _TOPICS.get(unpacked, ""), payload)
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


def located_of(store: EventStore, thread: str, row: CheckpointRow) -> Located:
    """Return the checkpoint of a row, with its event opened."""
    cause, record = opened(store, thread, row.version, row.payload, CheckpointRecord.unpack)
    hold_that_it_leads_to(cause, row.namespace, row.id, thread, row.version)
    return Located(row.namespace, row.id, row.version, row.parent, cause, record, row.recorded_at, len(row.payload))


def hold_that_it_leads_to(cause: Cause, namespace: str, checkpoint: str, thread: str, version: int) -> None:
    """Hold that the event which a row leads to is of the row's checkpoint: rows have no checksum of their own.

    Raises:
        CorruptionError: It is of another one.
    """
    if (cause.checkpoint or "") != checkpoint or cause.namespace != namespace:
        error = CorruptionError(f"the row of checkpoint {checkpoint!r} leads to an event of another: rebuild it")
        error.found_at(thread, version)
        raise error
