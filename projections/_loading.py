"""From rows and events to checkpoints."""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any, TypeVar

from eventstore import ChecksumError, CorruptionError, ErasedError, EventStore
from eventstore.codec import unpack
from eventstore.events import Cause, from_microseconds
from eventstore.recorders import Rows
from projections._view import END, LAST, Source, View, payloads, view_of, writes_rows
from projections.model import ChannelHistory, SavedCheckpoint
from projections.pending import PendingWrite, fold
from projections.records import HERE, CheckpointRecord, WritesRecord
from projections.serializer import Serializer
from projections.values import ChecksumMismatchError, load, restore

T = TypeVar("T")

# How many checkpoints are read at a time: a long listing is never in memory as a whole.
_PAGE = 50


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


class Loader:
    """Reads checkpoints of one store."""

    def __init__(self, store: EventStore, queries: Mapping[str, str]) -> None:
        self._store = store
        self._queries = queries

    def view(self, thread: str) -> View | None:
        """What a thread shows."""
        return view_of(self._store, self._queries, thread)

    def get(
        self, thread: str, namespace: str, checkpoint_id: str | None, serializer: Serializer
    ) -> SavedCheckpoint | None:
        """One checkpoint, or the latest of a namespace."""

        def attempt() -> SavedCheckpoint | None:
            view = self.view(thread)
            located = view and self.locate(view, namespace, checkpoint_id)
            if not view or not located:
                return None
            return self._complete(view, [located], serializer)[0]

        return self._twice(attempt)

    def locate(self, view: View, namespace: str, checkpoint_id: str | None, *, retired: bool = False) -> Located | None:
        """The row and event of one checkpoint, or of the latest of a namespace."""
        query = (
            "latest_checkpoint"
            if checkpoint_id is None
            else "one_checkpoint_or_retired"
            if retired
            else "one_checkpoint"
        )
        best: tuple[Any, ...] | None = None
        for source in view.sources:
            params = {**source.bounds, "namespace": namespace, "checkpoint_id": checkpoint_id}
            if checkpoint_id is None:
                del params["checkpoint_id"]
            rows = self._store.recorder.read(self._queries[query], params)
            # The own row of a checkpoint that was saved again comes before the inherited one.
            if rows and (best is None or rows[0][1] > best[1]):
                best = rows[0]
        return _located(best) if best else None

    def latest_id(self, view: View, namespace: str) -> str | None:
        """The id of the latest checkpoint of a namespace."""
        found = (
            self._store.recorder.read(self._queries["latest_id"], {**source.bounds, "namespace": namespace})
            for source in view.sources
        )
        return max((rows[0][0] for rows in found if rows), default=None)

    def list_thread(
        self, thread: str, namespace: str | None, before: str | None, serializer: Serializer
    ) -> Iterator[SavedCheckpoint]:
        """A thread's checkpoints, the latest first; of one namespace or of all."""
        view = self.view(thread)
        if view is None:
            return
        pages = [self._pages(source, namespace, before) for source in view.sources]
        yield from self._batched(
            (located for _, located in _merged(pages)), lambda located: (view, located), serializer
        )

    def list_store(self, before: str | None, serializer: Serializer) -> Iterator[SavedCheckpoint]:
        """The checkpoints of all threads, the latest first."""
        views: dict[str, View] = {}
        streams = [self._store_pages(before, views)]
        for view in self._views_with_sources():
            views[view.thread] = view
            # What a fork inherits is listed as its own, unless it has saved it again.
            streams.append(self._inherited(view, before))
        merged = heapq.merge(*streams, key=lambda item: (item[1].id, item[1].namespace, item[0]), reverse=True)
        yield from self._batched(merged, lambda item: (views[item[0]], item[1]), serializer)

    def history(
        self, thread: str, namespace: str, checkpoint_id: str | None, channels: Sequence[str], serializer: Serializer
    ) -> dict[str, ChannelHistory]:
        """What each channel is replayed from: the nearest stored value before a checkpoint, and the writes since.

        The checkpoint's own writes belong to the next step, and are left out.
        """
        return self._twice(lambda: self._history(thread, namespace, checkpoint_id, channels, serializer))

    def _history(
        self, thread: str, namespace: str, checkpoint_id: str | None, channels: Sequence[str], serializer: Serializer
    ) -> dict[str, ChannelHistory]:
        view = self.view(thread)
        current = view and self.locate(view, namespace, checkpoint_id, retired=True)
        remaining = set(channels)
        collected: dict[str, list[PendingWrite]] = {channel: [] for channel in channels}
        seeds: dict[str, Any] = {}
        while view and current and remaining and current.record.parent is not None:
            current = self.locate(view, namespace, current.record.parent, retired=True)
            if current is None:
                break
            for pending in reversed(self._pending(view, [current])[0]):
                if pending.write.channel in remaining:
                    collected[pending.write.channel].append(pending)
            stored = {channel for channel in remaining if current.record.holds(channel)}
            if stored:
                seeds.update(self._values(view, [current], serializer, only=stored)[0])
                remaining -= stored
        return {
            channel: ChannelHistory(
                [_loaded(pending, serializer) for pending in reversed(collected[channel])],
                channel in seeds,
                seeds.get(channel),
            )
            for channel in channels
        }

    def _pages(self, source: Source, namespace: str | None, before: str | None) -> Iterator[Located]:
        query = self._queries["page_of_thread" if namespace is None else "page_of_namespace"]
        params: dict[str, Any] = {**source.bounds, "before": before or LAST, "limit": _PAGE}
        if namespace is None:
            params["before_namespace"] = ""  # the bound itself is not part of the listing
        else:
            params["namespace"] = namespace
        while rows := self._store.recorder.read(query, params):
            yield from map(_located, rows)
            if len(rows) < _PAGE:
                return
            params["before"] = rows[-1][1]
            if namespace is None:
                params["before_namespace"] = rows[-1][0]

    def _store_pages(self, before: str | None, views: dict[str, View]) -> Iterator[tuple[str, Located]]:
        params: dict[str, Any] = {"before": before or LAST, "before_namespace": "", "before_stream": 0, "limit": _PAGE}
        while rows := self._store.recorder.read(self._queries["page_of_store"], params):
            for thread, stream_id, forked, *row in rows:
                if thread not in views:
                    views[thread] = View(thread, [Source(stream_id, END)], bool(forked))
                yield thread, _located(tuple(row))
            if len(rows) < _PAGE:
                return
            params |= {"before": rows[-1][4], "before_namespace": rows[-1][3], "before_stream": rows[-1][1]}

    def _inherited(self, view: View, before: str | None) -> Iterator[tuple[str, Located]]:
        pages = [self._pages(source, None, before) for source in view.sources]
        return ((view.thread, located) for rank, located in _merged(pages) if rank > 0)

    def _views_with_sources(self) -> list[View]:
        rows: Rows = self._store.recorder.read(self._queries["views_with_sources"], {})
        views = []
        for (thread, stream_id), group in groupby(rows, lambda row: (row[0], row[1])):
            inherited = [Source(source, upto) for _, _, source, upto in group]
            views.append(View(thread, [Source(stream_id, END), *inherited], forked=True))
        return views

    def _batched(
        self, items: Iterator[Any], place: Callable[[Any], tuple[View, Located]], serializer: Serializer
    ) -> Iterator[SavedCheckpoint]:
        """Load values for a few checkpoints of one thread at a time."""
        batch: list[Located] = []
        view: View | None = None
        size = 1  # whoever wants only the first does not wait for a page
        for item in items:
            its_view, located = place(item)
            if batch and (its_view is not view or len(batch) >= size):
                yield from self._complete_again(view, batch, serializer)
                batch, size = [], min(size * 4, _PAGE)
            view = its_view
            batch.append(located)
        if batch:
            yield from self._complete_again(view, batch, serializer)

    def _complete_again(self, view: View | None, batch: list[Located], serializer: Serializer) -> list[SavedCheckpoint]:
        """Load the values; checkpoints that a prune has removed meanwhile are left out."""
        assert view is not None
        try:
            return self._complete(view, batch, serializer)
        except ErasedError:
            fresh = [self.locate(view, located.namespace, located.id) for located in batch]
            return self._complete(view, [located for located in fresh if located], serializer)

    def _complete(self, view: View, batch: Sequence[Located], serializer: Serializer) -> list[SavedCheckpoint]:
        values = self._values(view, batch, serializer)
        pending = self._pending(view, batch)
        return [
            SavedCheckpoint(
                thread=view.thread,
                namespace=located.namespace,
                id=located.id,
                parent=located.parent,
                version=located.version,
                saved_at=from_microseconds(located.recorded_at),
                format=located.record.format,
                ts=located.record.ts,
                channel_versions={
                    channel: entry.channel_version
                    for channel, entry in located.record.manifest.items()
                    if entry.channel_version is not None
                },
                values=values[index],
                versions_seen=located.record.versions_seen,
                updated_channels=located.record.updated_channels,
                extras=load(*located.record.extras, serializer) if located.record.extras else {},
                metadata=located.cause.metadata,
                pending=[_loaded(write, serializer) for write in pending[index]],
                size=located.size,
            )
            for index, located in enumerate(batch)
        ]

    def _values(
        self, view: View, batch: Sequence[Located], serializer: Serializer, *, only: set[str] | None = None
    ) -> list[dict[str, Any]]:
        """The values of each checkpoint's channels."""
        elsewhere = {
            entry.written_at
            for located in batch
            for channel, entry in located.record.manifest.items()
            if entry.written_at and (only is None or channel in only)
        }
        known = {located.version: located.record for located in batch}
        records = self._records(view, elsewhere - known.keys()) | known
        return [
            {
                channel: self._value(view, located, channel, entry.written_at, records, serializer)
                for channel, entry in located.record.manifest.items()
                if entry.written_at is not None and (only is None or channel in only)
            }
            for located in batch
        ]

    def _value(
        self,
        view: View,
        located: Located,
        channel: str,
        written_at: int,
        records: Mapping[int, CheckpointRecord],
        serializer: Serializer,
    ) -> Any:
        record = located.record if written_at == HERE else records[written_at]
        if channel not in record.changes:
            raise CorruptionError(
                f"checkpoint {located.id!r} of thread {view.thread!r} takes {channel!r} from version {written_at}, "
                "which does not hold it: verify the thread"
            )
        try:
            return restore(record.changes[channel], serializer)
        except ChecksumMismatchError as error:
            raise ChecksumError(view.thread, channel, written_at or located.version) from error

    def _records(self, view: View, versions: set[int]) -> dict[int, CheckpointRecord]:
        stored = payloads(self._store, view, versions)
        if missing := versions - stored.keys():
            raise ErasedError(f"thread {view.thread!r} has no event {min(missing)}, which a checkpoint refers to")
        return {version: record_of(payload) for version, payload in stored.items()}

    def _pending(self, view: View, batch: Sequence[Located]) -> list[list[PendingWrite]]:
        """The pending writes of each checkpoint."""
        at: dict[tuple[str, str], list[int]] = {}
        for namespace in {located.namespace for located in batch}:
            ids = [located.id for located in batch if located.namespace == namespace]
            rows = writes_rows(self._store.recorder, self._queries, view, namespace, ids)
            at.update({(namespace, checkpoint): versions for checkpoint, versions in rows.items()})
        stored = payloads(self._store, view, (version for versions in at.values() for version in versions))
        events = {version: unpack(payload) for version, payload in stored.items()}
        return [
            fold(
                (cause.task or "", WritesRecord.unpack(data))
                for version in at.get((located.namespace, located.id), ())
                for _, cause, data in [events[version]]
            )
            for located in batch
        ]

    def _twice(self, attempt: Callable[[], T]) -> T:
        # Between the query for the checkpoint and that for its values a prune may have erased both: then the second
        # attempt no longer finds the checkpoint.
        try:
            return attempt()
        except ErasedError:
            return attempt()


def record_of(payload: bytes) -> CheckpointRecord:
    """The record of a `checkpoint.saved` event's stored payload."""
    return CheckpointRecord.unpack(unpack(payload)[2])


def _located(row: tuple[Any, ...]) -> Located:
    namespace, checkpoint_id, version, parent, payload, recorded_at = row
    _, cause, data = unpack(bytes(payload))
    record = CheckpointRecord.unpack(data)
    return Located(namespace, checkpoint_id, version, parent, cause, record, recorded_at, len(payload))


def _merged(pages: Sequence[Iterator[Located]]) -> Iterator[tuple[int, Located]]:
    """The pages of several sources as one listing, each checkpoint once, with the rank of the source that shows it."""
    ranked = [_with_rank(rank, page) for rank, page in enumerate(pages)]
    merged = heapq.merge(*ranked, key=lambda item: (item[1].id, item[1].namespace, -item[0]), reverse=True)
    for _, same in groupby(merged, key=lambda item: (item[1].id, item[1].namespace)):
        yield next(same)  # a thread's own row comes before the one that it inherits


def _with_rank(rank: int, page: Iterator[Located]) -> Iterator[tuple[int, Located]]:
    return ((rank, located) for located in page)


def _loaded(pending: PendingWrite, serializer: Serializer) -> tuple[str, str, Any]:
    write = pending.write
    return pending.task, write.channel, load(write.encoding, write.data, serializer)
