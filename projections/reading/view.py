"""The rows that a thread shows: those of its branch, and those that this goes on from, up to a rollback or fork."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import field
from itertools import groupby
from typing import Any

from eventstore import CorruptionError, EventStore
from eventstore.by_fields import ByFields, changeable
from eventstore.reading import Span
from projections.records import unpack_segment
from projections.tables import CheckpointRow, SegmentRow, Source, Tables, ViewRow, WrittenRow
from projections.values.change import Change


@changeable
class View(ByFields):
    """The rows that a thread shows.

    Attributes:
        thread: The thread's id.
        stream_id: Its stream.
        sources: The rows of the branch that it is on, then those that this goes on from, the nearest first.
        forked: Whether early versions of its log stand in other streams.
        since: Since which version the branch has been that it is on; 0: it is the thread's first.
        head: The last version of its stream when this was read.
        spans: The lineage of its stream, once it was asked for; see `lineage_of`.
        staying: For some checkpoints, by namespace and id, the versions of the only writes that are shown there.
    """

    thread: str
    stream_id: int
    sources: list[Source]
    forked: bool
    since: int = 0
    head: int = 0
    spans: list[Span] = field(default_factory=list)
    staying: Mapping[tuple[str, str], Collection[int]] = field(default_factory=dict)

    @property
    def branch_id(self) -> int:
        """The branch that the thread is on."""
        return self.sources[0].branch_id


def view_of(tables: Tables, thread: str) -> View | None:
    """Return the view of a thread, or `None` if there is no such thread."""
    row = tables.branches.view(thread)
    return None if row is None else _view(thread, row)


def view_at(
    tables: Tables, thread: str, namespace: str, checkpoint_id: str | None
) -> tuple[View, CheckpointRow | None] | None:
    """Return the view of a thread, and one checkpoint of its branch, or the latest there, in one query."""
    found = tables.checkpoints.of_thread(thread, namespace, checkpoint_id)
    return None if found is None else (_view(thread, found[0]), found[1])


def _view(thread: str, row: ViewRow) -> View:
    sources = [Source(row.branch_id), *row.inherited]
    return View(thread, row.stream_id, sources, row.forked, row.since, row.head)


def stored(store: EventStore, view: View, versions: Iterable[int]) -> dict[int, tuple[int, bytes]]:
    """When some of a thread's events were recorded, and their payloads, by version; missing ones are left out."""
    return {
        row.version: (row.recorded_at, row.payload)
        for stream_id, wanted in _by_stream(store, view, sorted(set(versions)))
        for row in store.log.events_at(stream_id, wanted)
    }


def payloads(store: EventStore, view: View, versions: Iterable[int]) -> dict[int, bytes]:
    """The payloads of some of a thread's events, by version; those that are missing are left out."""
    return {version: payload for version, (_, payload) in stored(store, view, versions).items()}


SegmentAt = tuple[int, str, int, Change]
"""A segment: the version that it ends at, its channel, its level, and the change."""


def segments(store: EventStore, tables: Tables, view: View, versions: Iterable[int]) -> Iterator[SegmentAt]:
    """The segments that end at some of a thread's versions."""
    for stream_id, wanted in _by_stream(store, view, sorted(set(versions))):
        yield from _unpacked(store, view, tables.segments.at(stream_id, wanted))


def payloads_and_segments(
    store: EventStore, tables: Tables, view: View, versions: Iterable[int], ends: Iterable[int]
) -> tuple[dict[int, bytes], list[SegmentAt]]:
    """`payloads` of some versions, and `segments` that end at others: one query for each stream."""
    events, merged = (dict(_by_stream(store, view, sorted(set(each)))) for each in (versions, ends))
    found: dict[int, bytes] = {}
    changes: list[SegmentAt] = []
    for stream_id in {**events, **merged}:
        stored, rows = tables.segments.with_events(stream_id, events.get(stream_id, ()), merged.get(stream_id, ()))
        found.update(stored)
        changes += _unpacked(store, view, rows)
    return found, changes


def _unpacked(store: EventStore, view: View, rows: Iterable[SegmentRow]) -> Iterator[SegmentAt]:
    for row in rows:
        try:
            change = unpack_segment(row.change, store.max_value_bytes)
        except CorruptionError as error:
            error.found_at(view.thread, row.version)
            raise
        yield row.version, row.channel, row.level, change


def writes_of(
    tables: Tables, view: View, namespace: str, checkpoint_ids: Sequence[str]
) -> dict[str, dict[int, WrittenRow]]:
    """Return the events that hold the pending writes of some checkpoints of one namespace, by version, in order."""
    found: dict[str, dict[int, WrittenRow]] = {}
    wanted = [*checkpoint_ids]
    for number, source in enumerate(view.sources, 1):
        for row in tables.writes.of(source, view.stream_id, namespace, wanted):
            found.setdefault(row.checkpoint, {})[row.version] = row
        if number < len(view.sources) and (taken_over := tables.checkpoints.taken_over(source, namespace, wanted)):
            # What a branch has taken over, it has with all that stays of its writes.
            wanted = [checkpoint_id for checkpoint_id in wanted if checkpoint_id not in taken_over]
    return {
        checkpoint_id: {version: rows[version] for version in sorted(_staying(view, namespace, checkpoint_id, rows))}
        for checkpoint_id, rows in found.items()
    }


def _staying(view: View, namespace: str, checkpoint_id: str, versions: Collection[int]) -> Collection[int]:
    staying = view.staying.get((namespace, checkpoint_id)) if view.staying else None
    return versions if staying is None else {*versions} & {*staying}


def sources_at(store: EventStore, tables: Tables, view: View, version: int) -> list[Source]:
    """Return the sources of the rows that a thread showed when its stream was at a version."""
    branch_id = tables.branches.at(stream_of(store, view, version), version)
    inherited = tables.sources.of_branch(branch_id, version)
    return [Source(branch_id, version), *(each.until(version) for each in inherited)]


def stream_of(store: EventStore, view: View, version: int) -> int:
    """The stream that holds a version of a thread's log."""
    if not view.forked:
        return view.stream_id
    return next(span.stream_id for span in lineage_of(store, view) if span.holds(version))


def lineage_of(store: EventStore, view: View) -> Sequence[Span]:
    """Return which streams hold the log of a thread, the oldest first; read once for a view."""
    if not view.spans:
        view.spans = store.log.lineage(view.stream_id)
    return view.spans


def _by_stream(store: EventStore, view: View, versions: list[int]) -> Iterable[tuple[int, list[int]]]:
    if not versions:
        return []
    if not view.forked:
        return [(view.stream_id, versions)]
    grouped: Any = groupby(versions, lambda version: stream_of(store, view, version))
    return [(stream_id, list(group)) for stream_id, group in grouped]
