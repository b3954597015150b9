"""The events that a few checkpoints of one thread take their values and pending writes from, fetched at once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from eventstore import CorruptionError, ErasedError, EventStore
from projections._finding import Located, opened, record_of
from projections._view import View, payloads, writes_rows
from projections.pending import PendingWrite, fold
from projections.records import HERE, CheckpointRecord, WritesRecord
from projections.serializer import Serializer
from projections.values import Place, restore


class Contents:
    """What some checkpoints consist of: two queries, and then no more.

    Args:
        store: The store.
        queries: The blocks of this package.
        view: The thread that the checkpoints are of.
        batch: The checkpoints.
        only: Of which channels the values are wanted; `None`: of all.
    """

    def __init__(
        self,
        store: EventStore,
        queries: Mapping[str, str],
        view: View,
        batch: Sequence[Located],
        only: frozenset[str] | None = None,
    ) -> None:
        self._thread = view.thread
        self._only = only
        self._writes_at = _writes_at(store, queries, view, batch)
        self._records = {located.version: located.record for located in batch}
        elsewhere = {
            entry.written_at
            for located in batch
            for channel, entry in located.record.manifest.items()
            if entry.written_at and self._wants(channel)
        }
        writes = {version for versions in self._writes_at.values() for version in versions}
        wanted = (elsewhere | writes) - self._records.keys()
        stored = payloads(store, view, wanted)
        if missing := wanted - stored.keys():
            raise ErasedError(f"thread {view.thread!r} has no event {min(missing)}, which a checkpoint refers to")
        self._records |= {version: record_of(stored[version]) for version in elsewhere - self._records.keys()}
        self._writes = {version: _writes(stored[version]) for version in writes}

    def values(self, located: Located, serializer: Serializer) -> dict[str, Any]:
        """The values of a checkpoint's channels.

        Raises:
            ChecksumError: A value is not what was stored.
        """
        return {
            channel: self._value(located, channel, entry.written_at, serializer)
            for channel, entry in located.record.manifest.items()
            if entry.written_at is not None and self._wants(channel)
        }

    def pending(self, located: Located) -> list[PendingWrite]:
        """The pending writes of a checkpoint."""
        return fold(self._writes[version] for version in self._writes_at.get((located.namespace, located.id), ()))

    def _wants(self, channel: str) -> bool:
        return self._only is None or channel in self._only

    def _value(self, located: Located, channel: str, written_at: int, serializer: Serializer) -> Any:
        record: CheckpointRecord = located.record if written_at == HERE else self._records[written_at]
        if channel not in record.changes:
            raise CorruptionError(
                f"checkpoint {located.id!r} of thread {self._thread!r} takes {channel!r} from version {written_at}, "
                "which does not hold it: verify the thread"
            )
        place = Place(self._thread, channel, written_at or located.version)
        return restore(record.changes[channel], serializer, place)


def _writes_at(
    store: EventStore, queries: Mapping[str, str], view: View, batch: Sequence[Located]
) -> dict[tuple[str, str], list[int]]:
    """By namespace and checkpoint: the versions of the events that hold its pending writes."""
    found: dict[tuple[str, str], list[int]] = {}
    for namespace in {located.namespace for located in batch}:
        ids = [located.id for located in batch if located.namespace == namespace]
        rows = writes_rows(store.recorder, queries, view, namespace, ids)
        found.update({(namespace, checkpoint): versions for checkpoint, versions in rows.items()})
    return found


def _writes(payload: bytes) -> tuple[str, WritesRecord]:
    cause, data = opened(payload)
    return cause.task or "", WritesRecord.unpack(data)
