"""The common base of all recorders for `eventsourcing`: names of streams, and errors."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Literal
from uuid import UUID

from eventsourcing import persistence as es

from eventstore import errors
from eventstore.store import EventStore

OriginatorIdType = Literal["uuid", "text"]


class LogRecorder(es.Recorder):
    """The common base of the recorders.

    Args:
        store: The store.
        originator_id_type: The type in which originator ids are read back: `"uuid"`, or `"text"` for strings.
    """

    def __init__(self, store: EventStore, originator_id_type: OriginatorIdType = "uuid") -> None:
        self.store = store
        self.originator_id_type = originator_id_type

    def name_of(self, originator_id: UUID | str) -> str:
        """Return the name of the stream that holds the events of an originator."""
        if self.originator_id_type == "uuid" and not isinstance(originator_id, UUID):
            raise es.ProgrammingError(f"originator id {originator_id!r} is not a UUID: set ORIGINATOR_ID_TYPE to text")
        return str(originator_id)

    def originator_of(self, name: str) -> UUID | str:
        """The originator whose events the stream of this name holds."""
        if self.originator_id_type == "text":
            return name
        try:
            return UUID(name)
        except ValueError as error:
            raise es.DataError(f"stream {name!r} is not named by a UUID: set ORIGINATOR_ID_TYPE to text") from error


def bounds(gt: int | None, lte: int | None) -> tuple[int, int | None]:
    """The versions `after` and `before` those that are wanted."""
    return -1 if gt is None else gt, None if lte is None else lte + 1


_BY_KIND: Mapping[type[errors.EventStoreError], type[es.PersistenceError]] = {
    errors.ConflictError: es.IntegrityError,
    errors.SchemaError: es.ProgrammingError,
    errors.StorageError: es.OperationalError,
    errors.BadInputError: es.DataError,
    errors.CorruptionError: es.DatabaseError,
    errors.StoreClosedError: es.InterfaceError,
}


@contextmanager
def translated() -> Iterator[None]:
    """Raise the library's error for any of ours."""
    try:
        yield
    except errors.EventStoreError as error:
        kind = next((theirs for ours, theirs in _BY_KIND.items() if isinstance(error, ours)), es.PersistenceError)
        raise kind(str(error)) from error
