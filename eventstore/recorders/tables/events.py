"""The table `events`: the events of streams, each under the version that it has in its stream."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from eventstore.codec import Row
from eventstore.recorders.tables.table import BEGINNING, Table
from eventstore.tuples import NamedTuple


class ContentSize(NamedTuple):
    """The size of an event's payload: its version, and the bytes as stored."""

    version: int
    size: int


class TopicCount(NamedTuple):
    """The events of one topic.

    Attributes:
        topic: The topic.
        events: The number of events.
        bytes: The bytes of their payloads as stored: compressed, and of erased ones the digest.
        first: When the first was recorded, in microseconds since 1970-01-01T00:00Z.
        last: When the last was recorded.
    """

    topic: str
    events: int
    bytes: int
    first: int
    last: int


class EventsTable(Table):
    """The statements of the table `events`. A stream's own events: of a fork, those behind the past that it shares."""

    # --- reading -----------------------------------------------------------------------------------------------------

    def page(self, stream_id: int, *, after: int, before: int, limit: int, backward: bool = False) -> list[Row]:
        """Return a page of a stream's own events `after < version < before`, in order or backward."""
        params = {"stream_id": stream_id, "after": after, "before": before, "limit": limit}
        return [row_of(*stored) for stored in self._run("read_backward" if backward else "read_forward", params)]

    def page_of_topics(
        self, stream_id: int, topics: Sequence[str], *, after: int, before: int, limit: int
    ) -> list[Row]:
        """Return a page of a stream's own events of some kinds, in order."""
        params = {"stream_id": stream_id, "after": after, "before": before, "limit": limit}
        stored = self._run("read_topics", {**params, "topics": self._list_of(topics)})
        return [row_of(*each) for each in stored]

    def at(self, stream_id: int, versions: Iterable[int]) -> list[Row]:
        """Return a stream's own events of some versions, in any order; those that are not there are left out."""
        params = {"stream_id": stream_id, "versions": self._list_of([*versions])}
        return [row_of(*stored) for stored in self._run("events_by_version", params)]

    def hash_at(self, stream_id: int, version: int | None) -> bytes | None:
        """Return the hash of a stream's own event, or `None` if it is not there."""
        rows = self._run("hash_at", {"stream_id": stream_id, "version": version})
        return bytes(rows[0][0]) if rows else None

    def without_a_stream(self) -> list[tuple[int, int]]:
        """Return the numbers of streams that are missing though they have events, and the first version of each."""
        return [(int(stream_id), int(version)) for stream_id, version in self._run("events_without_a_stream", {})]

    # --- sizes -------------------------------------------------------------------------------------------------------

    def content_sizes(self, stream_id: int, topics: Sequence[str], *, after: int = BEGINNING) -> list[ContentSize]:
        """Return which of a stream's own events behind a version still have their content, and how large each is."""
        params = {"stream_id": stream_id, "after": after, "topics": self._list_of(topics)}
        return [ContentSize(*row) for row in self._run("content_sizes", params)]

    def erased_among(self, stream_id: int, versions: Iterable[int]) -> list[ContentSize]:
        """Return which of some of a stream's own events have lost their content, and the bytes that are left."""
        params = {"stream_id": stream_id, "versions": self._list_of([*versions])}
        return [ContentSize(*row) for row in self._run("erased_among", params)]

    def count(self) -> list[TopicCount]:
        """Count the events of each topic, in the order of topics."""
        return [_topic_count(*row) for row in self._run("count_events", {})]

    def count_of(self, stream_id: int, *, after: int, upto: int) -> list[TopicCount]:
        """Count a stream's own events `after < version <= upto` of each topic, in the order of topics."""
        params = {"stream_id": stream_id, "after": after, "upto": upto}
        return [_topic_count(*row) for row in self._run("count_events_of_stream", params)]

    # --- changing ----------------------------------------------------------------------------------------------------

    def add_first(self, stream_id: int, row: Row) -> None:
        """Add a stream's first own event. All others are added by `Recorder.append`."""
        params = {
            "stream_id": stream_id,
            "version": row.version,
            "topic": row.topic,
            "recorded_at": row.recorded_at,
            "hash": row.hash,
            "payload": row.payload,
        }
        self._run("append_first_event", params)

    def erase(self, stream_id: int, versions: Iterable[int]) -> None:
        """Erase the content of some of a stream's own events; their digests stay."""
        self._run("erase_events", {"stream_id": stream_id, "versions": self._list_of([*versions])})

    def erase_after(self, stream_id: int, after: int, topics: Sequence[str]) -> None:
        """Erase the content of all of a stream's own events behind a version that are of some kinds."""
        self._run("erase_events_after", {"stream_id": stream_id, "after": after, "topics": self._list_of(topics)})


def row_of(version: int, topic: str, recorded_at: int, digest: bytes, payload: bytes) -> Row:
    """Return an event's columns, as a driver gives them, by name."""
    return Row(version, topic, recorded_at, bytes(digest), bytes(payload))


def _topic_count(topic: str, events: int, size: int, first: int, last: int) -> TopicCount:
    return TopicCount(topic, int(events), int(size), first, last)
