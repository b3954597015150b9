"""The contents of a few checkpoints of one thread: their values and pending writes, fetched at once."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

from eventstore import Cause, ChecksumError, ErasedError, EventStore
from projections.reading.chains import Chains, Wanted
from projections.reading.located import Located, hold_that_it_leads_to, opened
from projections.reading.pending import PendingWrite, fold
from projections.reading.view import View, writes_of
from projections.records import WritesRecord
from projections.tables import Tables, WrittenRow
from projections.values.change import WHOLE, Location, checksum, restore
from projections.values.live import LiveValues, Slot
from projections.values.serializer import Serializer, for_each
from projections.values.value import Value, as_read


class Contents:
    """Everything that some checkpoints consist of: a few queries, and then no more.

    Args:
        store: The store.
        tables: The tables.
        view: The thread that the checkpoints are of.
        batch: The checkpoints.
        chains: Reads the values; what it has read before is not read again.
        only: Of which channels the values are wanted; `None`: of all.
        live: Values that are known already; those that are read are added. Without, the checkpoints of the same
            `chains` share the objects that their values have in common.
    """

    def __init__(
        self,
        store: EventStore,
        tables: Tables,
        view: View,
        batch: Sequence[Located],
        chains: Chains,
        *,
        only: Collection[str] | None = None,
        live: LiveValues | None = None,
    ) -> None:
        self._view = view
        self._only = only
        self._chains = chains
        self._live = live
        for located in batch:
            chains.know(located.version, located.record, located.size)
        self._known = self._known_of(batch)
        wanted = {each for located in batch for each in self._wanted(located)} - self._known.keys()
        chains.fetch(version for version, _ in wanted)
        self._restored = chains.restore(each for each in wanted if chains.change(each).operation != WHOLE)
        self._writes = _writes_of(store, tables, view, batch)

    def values(self, located: Located, serializer: Serializer) -> dict[str, Any]:
        """The values of a checkpoint's channels.

        Raises:
            ChecksumError: A value is not what was stored.
            TypeNotAllowedError: Values are of types that may not be made again: all of these.
        """
        wanted = self._wanted(located)
        values = for_each(lambda each: self._value(located, each, serializer), wanted)
        return dict(zip((channel for _, channel in wanted), values, strict=True))

    def pending(self, located: Located) -> list[PendingWrite]:
        """The pending writes of a checkpoint."""
        return fold(self._writes.get((located.namespace, located.id), ()))

    def _wanted(self, located: Located) -> list[Wanted]:
        return [
            (entry.written_at or located.version, channel)
            for channel, entry in located.record.manifest.items()
            if entry.written_at is not None and (self._only is None or channel in self._only)
        ]

    def _known_of(self, batch: Sequence[Located]) -> dict[Wanted, Value]:
        if self._live is None:
            return {}
        found = (
            (each, self._live.get(self._slot(located, each), each[0]))
            for located in batch
            for each in self._wanted(located)
        )
        return {each: value for each, value in found if value}

    def _value(self, located: Located, wanted: Wanted, serializer: Serializer) -> Any:
        if known := self._known.get(wanted):
            value = known.restore(serializer)
            if self._live is not None:
                self._live.weigh(self._slot(located, wanted), known)
            return value
        version, channel = wanted
        restored = self._restored.get(wanted)
        if restored is None:
            change = self._chains.change(wanted)
            value = restore(change, serializer, Location(self._view.thread, channel, version))
            self._keep(located, wanted, as_read(change, version))
            return value
        if self._live is None:
            return self._chains.shared(channel, restored, serializer)
        self._keep(located, wanted, restored)
        return restored.restore(serializer)

    def _keep(self, located: Located, wanted: Wanted, value: Value) -> None:
        if self._live is not None:
            self._live.put(self._slot(located, wanted), value)

    def _slot(self, located: Located, wanted: Wanted) -> Slot:
        return Slot(self._view.stream_id, located.namespace, wanted[1])


def _writes_of(
    store: EventStore, tables: Tables, view: View, batch: Sequence[Located]
) -> dict[tuple[str, str], list[tuple[str, WritesRecord]]]:
    """By namespace and checkpoint: the tasks that have written to it, and what, in the order of the log."""
    found: dict[tuple[str, str], list[tuple[str, WritesRecord]]] = {}
    for namespace in {located.namespace for located in batch}:
        ids = [located.id for located in batch if located.namespace == namespace]
        for checkpoint, rows in writes_of(tables, view, namespace, ids).items():
            found[namespace, checkpoint] = [writes_in(store, view.thread, namespace, row) for row in rows.values()]
    return found


def writes_in(store: EventStore, thread: str, namespace: str, row: WrittenRow) -> tuple[str, WritesRecord]:
    """Return the task whose writes an event holds, and the writes.

    Raises:
        ErasedError: The log does not have the event, or its content was erased.
        ChecksumError: A write is not what was stored.
        CorruptionError: The event is of another checkpoint.
    """
    if row.payload is None:
        raise ErasedError(f"thread {thread!r} has no event {row.version}, which a checkpoint refers to")
    cause, record = writes_opened(store, thread, row.version, row.payload)
    hold_that_it_leads_to(cause, namespace, row.checkpoint, thread, row.version)
    return cause.task or "", record


def writes_opened(store: EventStore, thread: str, version: int, payload: bytes) -> tuple[Cause, WritesRecord]:
    """Return the cause of a `writes.saved` event, and the writes.

    Raises:
        ErasedError: Its content was erased.
        ChecksumError: A write is not what was stored.
    """
    cause, record = opened(store, thread, version, payload, WritesRecord.unpack)
    for write in record.writes:
        if checksum(write.encoding, write.data) != write.checksum:
            raise ChecksumError(thread, write.channel, version)
    return cause, record
