"""Which checkpoints there are: rows and their events, not yet the values."""

from __future__ import annotations

import heapq
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from eventstore import EventStore, UnknownFormatError
from eventstore.codec import unpack
from eventstore.events import Cause
from projections._view import END, LAST, Source, View, view_of
from projections.records import CheckpointRecord

# How many checkpoints are read at a time: a long listing is never in memory as a whole.
PAGE = 50


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


class Finder:
    """Finds the checkpoints of one store."""

    def __init__(self, store: EventStore, queries: Mapping[str, str]) -> None:
        self._store = store
        self._queries = queries

    def view(self, thread: str) -> View | None:
        """What a thread shows."""
        return view_of(self._store, self._queries, thread)

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

    def of_thread(self, view: View, namespace: str | None, before: str | None) -> Iterator[Located]:
        """A thread's checkpoints, the latest first; of one namespace or of all."""
        pages = [self._pages(source, namespace, before) for source in view.sources]
        return (located for _, located in _merged(pages))

    def of_store(self, before: str | None) -> Iterator[tuple[View, Located]]:
        """The checkpoints of all threads, the latest first."""
        views: dict[str, View] = {}
        streams = [self._store_pages(before, views)]
        for view in self._views_with_sources():
            views[view.thread] = view
            # What a fork inherits is listed as its own, unless it has saved it again.
            streams.append(self._inherited(view, before))
        merged = heapq.merge(*streams, key=lambda item: (item[1].id, item[1].namespace, item[0]), reverse=True)
        return ((views[thread], located) for thread, located in merged)

    def _pages(self, source: Source, namespace: str | None, before: str | None) -> Iterator[Located]:
        query = self._queries["page_of_thread" if namespace is None else "page_of_namespace"]
        params: dict[str, Any] = {**source.bounds, "before": before or LAST, "limit": PAGE}
        if namespace is None:
            params["before_namespace"] = ""  # the bound itself is not part of the listing
        else:
            params["namespace"] = namespace
        while rows := self._store.recorder.read(query, params):
            yield from map(_located, rows)
            if len(rows) < PAGE:
                return
            params["before"] = rows[-1][1]
            if namespace is None:
                params["before_namespace"] = rows[-1][0]

    def _store_pages(self, before: str | None, views: dict[str, View]) -> Iterator[tuple[str, Located]]:
        params: dict[str, Any] = {"before": before or LAST, "before_namespace": "", "before_stream": 0, "limit": PAGE}
        while rows := self._store.recorder.read(self._queries["page_of_store"], params):
            for thread, stream_id, forked, *row in rows:
                if thread not in views:
                    views[thread] = View(thread, [Source(stream_id, END)], bool(forked))
                yield thread, _located(tuple(row))
            if len(rows) < PAGE:
                return
            params |= {"before": rows[-1][4], "before_namespace": rows[-1][3], "before_stream": rows[-1][1]}

    def _inherited(self, view: View, before: str | None) -> Iterator[tuple[str, Located]]:
        pages = [self._pages(source, None, before) for source in view.sources]
        return ((view.thread, located) for rank, located in _merged(pages) if rank > 0)

    def _views_with_sources(self) -> list[View]:
        rows = self._store.recorder.read(self._queries["views_with_sources"], {})
        views = []
        for (thread, stream_id), group in groupby(rows, lambda row: (row[0], row[1])):
            inherited = [Source(source, upto) for _, _, source, upto in group]
            views.append(View(thread, [Source(stream_id, END), *inherited], forked=True))
        return views


def opened(payload: bytes) -> tuple[Cause, bytes]:
    """The cause and data of one of this package's events.

    Raises:
        UnknownFormatError: A newer version of the package has stored it, in another layout.
    """
    schema, cause, data = unpack(payload)
    if schema != 1:
        raise UnknownFormatError(f"an event of layout {schema} was found, this version knows layout 1: upgrade it")
    return cause, data


def record_of(payload: bytes) -> CheckpointRecord:
    """The record of a `checkpoint.saved` event's stored payload."""
    return CheckpointRecord.unpack(opened(payload)[1])


def _located(row: tuple[Any, ...]) -> Located:
    namespace, checkpoint_id, version, parent, payload, recorded_at = row
    cause, data = opened(bytes(payload))
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
