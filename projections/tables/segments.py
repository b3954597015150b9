"""The table `segments`: changes of a channel's value that are merged into larger ones."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from eventstore.recorders import Statement
from eventstore.recorders.tables import Table
from eventstore.tuples import NamedTuple
from projections.records import pack_channel, pack_segment, unpack_channel
from projections.values.change import Change


class SegmentRow(NamedTuple):
    """A segment that ends at a version: `records.unpack_segment` reads its change."""

    version: int
    channel: str
    level: int
    change: bytes


class SegmentsTable(Table):
    """The statements of the table `segments`."""

    def at(self, stream_id: int, versions: Iterable[int]) -> list[SegmentRow]:
        """Return the segments that end at some versions of a stream."""
        rows = self._run("segments_at", {"stream_id": stream_id, "versions": self._list_of([*versions])})
        return [*map(_row, rows)]

    def with_events(
        self, stream_id: int, versions: Iterable[int], ends: Iterable[int]
    ) -> tuple[dict[int, bytes], list[SegmentRow]]:
        """Return the payloads of events of a stream, by version, and the segments that end at some, in one query.

        Args:
            stream_id: The stream.
            versions: The versions of the events; those that are not there are left out.
            ends: The versions that the segments end at.
        """
        params = {
            "stream_id": stream_id,
            "versions": self._list_of([*versions]),
            "ends": self._list_of([*ends]),
        }
        rows = self._run("events_and_segments", params)
        payloads = {version: bytes(payload) for version, channel, _, payload in rows if channel is None}
        return payloads, [_row(row) for row in rows if row[1] is not None]

    def saving(self, stream_id: int, version: int, channel: str, level: int, change: Change) -> Statement:
        """Return the statement by which an event adds a segment. It is there once, however often it is added."""
        params = {
            "stream_id": stream_id,
            "event_version": version,
            "channel": pack_channel(channel),
            "level": level,
            "change": pack_segment(change),
        }
        return Statement(self._blocks["save_segment"], params)

    def drop(self, stream_id: int, versions: Iterable[int]) -> None:
        """Drop the segments that end at some versions."""
        self._run("drop_segments", {"stream_id": stream_id, "versions": self._list_of([*versions])})

    def drop_after(self, stream_id: int, after: int) -> None:
        """Drop the segments that end after a version."""
        self._run("drop_segments_after", {"stream_id": stream_id, "after": after})

    def clear(self) -> None:
        """Drop all."""
        self._run("clear_segments", {})


def _row(row: Sequence[Any]) -> SegmentRow:
    version, channel, level, change = row
    return SegmentRow(version, unpack_channel(bytes(channel)), level, bytes(change))
