"""The rows that a thread shows: those of its line, and those that the line goes on from, up to a rollback or fork."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from typing import Any, NamedTuple

from eventstore import CorruptionError, EventStore
from eventstore.reading import Segment, lineage
from eventstore.recorders import Recorder, Rows
from projections.records import unpack_channel, unpack_segment
from projections.values.change import Change

# Past every version: the open end of a thread's own rows.
END = 2**63 - 1
# Sorts after every id.
LAST = "\U0010ffff"


Read = Callable[[str, Mapping[str, Any]], Rows]
"""Runs a query: of a recorder, or in an open transaction."""


class Line(NamedTuple):
    """A line of a thread: see the table `lines`.

    Attributes:
        line_id: Its number.
        since: The version of the event that began it, 0 for the first.
        left_at: The version of the event by which the thread left it; `None`: it is on it.
    """

    line_id: int
    since: int
    left_at: int | None


@dataclass(frozen=True, slots=True)
class Source:
    """Rows of one line, up to a version, and, where it was gone on from at a checkpoint, up to that one's id."""

    line_id: int
    upto: int = END
    last_id: str | None = None

    @property
    def bounds(self) -> dict[str, Any]:
        """The parameters that the queries bind."""
        return {"line_id": self.line_id, "upto": self.upto, "last_id": LAST if self.last_id is None else self.last_id}

    def until(self, version: int, last_id: str | None = None) -> Source:
        """Return the part of these rows that was there at a version, and is not behind a checkpoint."""
        ids = [each for each in (self.last_id, last_id) if each is not None]
        return Source(self.line_id, min(self.upto, version), min(ids, default=None))

    def shows(self, checkpoint_id: str, shown_from: int, retired_at: int | None) -> bool:
        """Tell whether a row of the line is shown."""
        known = self.last_id is None or checkpoint_id <= self.last_id
        return known and shown_from <= self.upto and (retired_at is None or retired_at > self.upto)


@dataclass(slots=True)
class View:
    """The rows that a thread shows.

    Attributes:
        thread: The thread's id.
        stream_id: Its stream.
        sources: The rows of the line that it is on, then those that this line goes on from, the nearest first.
        forked: Whether early versions of its log stand in other streams.
        staying: For some checkpoints, by namespace and id, the versions of the only writes that are shown there.
    """

    thread: str
    stream_id: int
    sources: list[Source]
    forked: bool
    segments: list[Segment] = field(default_factory=list)
    staying: Mapping[tuple[str, str], Collection[int]] = field(default_factory=dict)

    @property
    def line_id(self) -> int:
        """The line that the thread is on."""
        return self.sources[0].line_id


def view_of(store: EventStore, queries: Mapping[str, str], thread: str) -> View | None:
    """Return the view of a thread, or `None` if there is no such thread."""
    rows = store.recorder.read(queries["thread_view"], {"name": thread})
    if not rows:
        return None
    stream_id, forked, line_id = rows[0][:3]
    inherited = nearest_first(row[3:] for row in rows if row[3] is not None)
    return View(thread, stream_id, [Source(line_id), *inherited], bool(forked))


def nearest_first(rows: Iterable[Sequence[Any]]) -> list[Source]:
    """Return the sources that a line goes on from, in the order in which they are searched."""
    return sorted((Source(*row) for row in rows), key=lambda source: source.upto, reverse=True)


def stored(store: EventStore, view: View, versions: Iterable[int]) -> dict[int, tuple[int, bytes]]:
    """When some of a thread's events were recorded, and their payloads, by version; missing ones are left out."""
    found: dict[int, tuple[int, bytes]] = {}
    for stream_id, wanted in _by_stream(store, view, sorted(set(versions))):
        params = {"stream_id": stream_id, "versions": store.recorder.list_of(wanted)}
        for version, _, recorded_at, _, payload in store.recorder.read(store.queries["events_by_version"], params):
            found[version] = (recorded_at, bytes(payload))
    return found


def payloads(store: EventStore, view: View, versions: Iterable[int]) -> dict[int, bytes]:
    """The payloads of some of a thread's events, by version; those that are missing are left out."""
    return {version: payload for version, (_, payload) in stored(store, view, versions).items()}


def segments(
    store: EventStore, queries: Mapping[str, str], view: View, versions: Iterable[int]
) -> Iterator[tuple[int, str, int, Change]]:
    """The segments that end at some of a thread's versions: version, channel, level, and the change."""
    for stream_id, wanted in _by_stream(store, view, sorted(set(versions))):
        params = {"stream_id": stream_id, "versions": store.recorder.list_of(wanted)}
        for version, channel, level, data in store.recorder.read(queries["segments_at"], params):
            try:
                change = unpack_segment(bytes(data), store.max_value_bytes)
            except CorruptionError as error:
                error.found_at(view.thread, version)
                raise
            yield version, unpack_channel(bytes(channel)), level, change


def writes_rows(
    recorder: Recorder, queries: Mapping[str, str], view: View, namespace: str, checkpoint_ids: Sequence[str]
) -> dict[str, list[int]]:
    """The versions of the events that hold the pending writes of some checkpoints of one namespace, in order."""
    found: dict[str, set[int]] = {}
    wanted = [*checkpoint_ids]
    for number, source in enumerate(view.sources, 1):
        params = {**source.bounds, "namespace": namespace, "checkpoint_ids": recorder.list_of(wanted)}
        rows: Rows = recorder.read(queries["writes_of"], params)
        for checkpoint_id, version in rows:
            found.setdefault(checkpoint_id, set()).add(version)
        if number < len(view.sources) and (taken := recorder.read(queries["taken_over"], params)):
            # What a line has taken over, it has with all that stays of its writes.
            taken_over = {checkpoint_id for _, checkpoint_id in taken}
            wanted = [checkpoint_id for checkpoint_id in wanted if checkpoint_id not in taken_over]
    for checkpoint_id in found:
        if (staying := view.staying.get((namespace, checkpoint_id))) is not None:
            found[checkpoint_id] &= {*staying}
    return {checkpoint_id: sorted(versions) for checkpoint_id, versions in found.items()}


def sources_at(store: EventStore, queries: Mapping[str, str], view: View, version: int) -> list[Source]:
    """Return the sources of the rows that a thread showed when its stream was at a version."""
    stream_id = stream_of(store, view, version)
    line_id = line_at(store.recorder.read, queries, stream_id, version)
    inherited = nearest_first(store.recorder.read(queries["sources_of_line"], {"line_id": line_id, "version": version}))
    return [Source(line_id, version), *(each.until(version) for each in inherited)]


def lines_of(read: Read, queries: Mapping[str, str], stream_id: int) -> list[Line]:
    """The lines of a stream, in no order. One that was never moved has one, of its own number."""
    rows = read(queries["lines_of_stream"], {"stream_id": stream_id})
    return [Line(*row) for row in rows] or [Line(stream_id, 0, None)]


def line_at(read: Read, queries: Mapping[str, str], stream_id: int, version: int) -> int:
    """The line that a thread was on when its own stream was at a version."""
    rows = read(queries["line_at"], {"stream_id": stream_id, "version": version})
    return int(rows[0][0]) if rows else stream_id


def stream_of(store: EventStore, view: View, version: int) -> int:
    """The stream that holds a version of a thread's log."""
    if not view.forked:
        return view.stream_id
    return next(segment.stream_id for segment in lineage_of(store, view) if segment.holds(version))


def lineage_of(store: EventStore, view: View) -> Sequence[Segment]:
    """Return which streams hold the log of a thread, the oldest first; read once for a view."""
    if not view.segments:
        view.segments = lineage(store.recorder, store.queries, view.stream_id)
    return view.segments


def _by_stream(store: EventStore, view: View, versions: list[int]) -> Iterable[tuple[int, list[int]]]:
    if not versions:
        return []
    if not view.forked:
        return [(view.stream_id, versions)]
    grouped: Any = groupby(versions, lambda version: stream_of(store, view, version))
    return [(stream_id, list(group)) for stream_id, group in grouped]
