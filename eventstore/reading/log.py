"""The rows of the log by name: streams, their events and the feed, as projections read them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import accumulate
from typing import Any, NamedTuple

from eventstore.codec import Codec, Opened, Row
from eventstore.codec.envelope import is_erased
from eventstore.errors import CorruptionError
from eventstore.metadata import described_by
from eventstore.reading.lineage import Span, lineage_read_by
from eventstore.recorders import Recorder, Rows, Session

_PAGE = 500
# Past every version and position that a 64 bit integer can count.
_END = 2**63 - 1
# Before the first version, which is 1, or 0 where a writer of eventsourcing chose that.
_BEGINNING = -1
# Before the first stream.
_FIRST_STREAM = -_END


class StreamRow(NamedTuple):
    """One stream.

    Attributes:
        stream_id: Its number, which never changes.
        name: Its name; of a closed one, the name that it had.
        closed: Whether it was closed, and the name is free for another one.
        begun_as: The name that its hash chain began with.
        parent_id: The number of the stream that it was forked from, if it was.
        parent_version: The version of the parent that it was forked at.
        described: Its metadata as the database gives it; `metadata` reads it.
    """

    stream_id: int
    name: str
    closed: bool
    begun_as: str
    parent_id: int | None
    parent_version: int | None
    described: str | Mapping[str, Any]

    @property
    def metadata(self) -> Mapping[str, Any]:
        """The metadata that it can be searched by.

        Raises:
            CorruptionError: It is not a JSON object.
        """
        return described_by(self.described)


class EventRow(NamedTuple):
    """One event of any stream.

    Attributes:
        stream_id: The stream's number.
        version: Its place in the stream.
        topic: The kind of event.
        recorded_at: Microseconds since 1970-01-01T00:00Z.
        payload: The sealed envelope; `LogReader.content` opens it.
    """

    stream_id: int
    version: int
    topic: str
    recorded_at: int
    payload: bytes


class FeedRow(NamedTuple):
    """One event in the order of the feed.

    Attributes:
        position: Its place in the feed; 0: it has none yet.
        stream_id: The stream's number.
        version: Its place in the stream.
        topic: The kind of event.
        recorded_at: Microseconds since 1970-01-01T00:00Z.
        payload: The sealed envelope; `LogReader.content` opens it.
    """

    position: int
    stream_id: int
    version: int
    topic: str
    recorded_at: int
    payload: bytes


class ContentSize(NamedTuple):
    """The size of an event's content that is not erased: its version, and the bytes of its payload as stored."""

    version: int
    size: int


class FeedSize(NamedTuple):
    """The size of an event in the feed: its position, and the bytes of its payload as stored."""

    position: int
    size: int


class StreamCounts(NamedTuple):
    """The number of streams: those that have their name, those of them that are forks, and those that were closed."""

    living: int
    forks: int
    closed: int


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


class LogReader:
    """Reads rows of the log: as they are now, or as one open transaction sees them.

    Streams are named by their numbers here, which never change. Payloads come as they are stored: who needs what is in
    them opens them with `content`, or with `EventStore.codec`, and who does not need it leaves them alone.

    Args:
        recorder: The database.
        queries: The blocks of this package.
        codec: Opens payloads.
        session: The open transaction to read in; `None`: each read is one of its own.
    """

    def __init__(
        self, recorder: Recorder, queries: Mapping[str, str], codec: Codec, session: Session | None = None
    ) -> None:
        self._recorder = recorder
        self._queries = queries
        self._codec = codec
        self._session = session

    def _read(self, sql: str, params: Mapping[str, object]) -> Rows:
        return self._recorder.read(sql, params) if self._session is None else self._session.execute(sql, params)

    # --- streams -----------------------------------------------------------------------------------------------------

    def stream_id(self, name: str) -> int | None:
        """Return the number of the stream that has a name now, or `None`."""
        rows = self._read(self._queries["stream_by_name"], {"name": name})
        return int(rows[0][0]) if rows else None

    def stream(self, stream_id: int) -> StreamRow | None:
        """Return a stream, closed or not, or `None` if there is none of that number."""
        rows = self._read(self._queries["stream_by_id"], {"stream_id": stream_id})
        return _stream_row(stream_id, *rows[0]) if rows else None

    def family(self, root_id: int) -> list[StreamRow]:
        """Return a stream that was forked from none, and all that descend from it, in the order of their numbers."""
        rows = self._read(self._queries["family_of_stream"], {"root_id": root_id})
        return [_stream_row(*row) for row in rows]

    def lineage(self, stream_id: int) -> list[Span]:
        """Return the spans that a stream is read from, the oldest ancestor's first, its own last."""
        return lineage_read_by(self._read, self._queries, stream_id)

    def closed_ancestors(self, stream_id: int) -> list[int]:
        """Return the numbers of a stream's ancestors that are closed: only forks keep their content alive."""
        return [int(row[0]) for row in self._read(self._queries["closed_ancestors"], {"stream_id": stream_id})]

    def pinned_upto(self, stream_id: int) -> int:
        """Return the version up to which living forks need a stream's own events; 0: none does."""
        return int(self._read(self._queries["pinned_upto"], {"stream_id": stream_id})[0][0])

    # --- events of streams -------------------------------------------------------------------------------------------

    def events(
        self, stream_id: int, *, after: int = _BEGINNING, before: int = _END, topics: Sequence[str] = ()
    ) -> Iterator[Row]:
        """Iterate over a stream's own events `after < version < before`, in order, read in pages of 500.

        Of a fork, the past that it shares is not among them: go through the spans of its `lineage`.

        Args:
            stream_id: The stream.
            after: The version that they follow.
            before: The version that they come before.
            topics: Only events of these kinds; none given: all.
        """
        query = self._queries["read_topics" if topics else "read_forward"]
        params: dict[str, object] = {"stream_id": stream_id, "after": after, "before": before, "limit": _PAGE}
        if topics:
            params["topics"] = self._recorder.list_of(topics)
        while page := self._read(query, params):
            yield from (_row(*stored) for stored in page)
            if len(page) < _PAGE:
                return
            params["after"] = page[-1][0]

    def events_at(self, stream_id: int, versions: Iterable[int]) -> list[Row]:
        """Return the stream's own events of some versions, in any order; those that are not there are left out."""
        params = {"stream_id": stream_id, "versions": self._recorder.list_of([*versions])}
        return [_row(*stored) for stored in self._read(self._queries["events_by_version"], params)]

    def events_of_all(self, topics: Sequence[str], *, page: int = _PAGE) -> Iterator[EventRow]:
        """Iterate over the events of some kinds, stream by stream in the order of their numbers, read in pages.

        Whatever is changed between two pages, no event is left out that was there before, and none comes twice.
        """
        stream_id, version = _FIRST_STREAM, _BEGINNING
        listed = self._recorder.list_of(topics)
        while True:
            params = {"stream_id": stream_id, "version": version, "topics": listed, "limit": page}
            rows = self._read(self._queries["read_topics_of_streams"], params)
            yield from (_event_row(*row) for row in rows)
            if len(rows) < page:
                return
            stream_id, version = rows[-1][:2]

    def content_sizes(self, stream_id: int, topics: Sequence[str], *, after: int = _BEGINNING) -> list[ContentSize]:
        """Return which of a stream's own events behind `after` still have their content, and how large each is.

        Args:
            stream_id: The stream.
            topics: Only events of these kinds.
            after: The version that they follow.
        """
        params = {"stream_id": stream_id, "after": after, "topics": self._recorder.list_of(topics)}
        return [ContentSize(*row) for row in self._read(self._queries["content_sizes"], params)]

    def erased_among(self, stream_id: int, versions: Iterable[int]) -> list[ContentSize]:
        """Return which of some of a stream's own events have lost their content, and the bytes that are left."""
        params = {"stream_id": stream_id, "versions": self._recorder.list_of([*versions])}
        return [ContentSize(*row) for row in self._read(self._queries["erased_among"], params)]

    def content(self, row: EventRow | FeedRow) -> Opened | None:
        """Return the content of an event, its data in the newest layout; `None` if it was erased.

        Raises:
            CorruptionError: It is not what was stored, or takes more than the store's `max_value_bytes`. It names the
                stream, as `#` and its number, and the version.
        """
        try:
            return None if is_erased(row.payload) else self._codec.open(row.topic, row.payload)
        except CorruptionError as error:
            error.found_at(f"#{row.stream_id}", row.version)
            raise

    # --- the feed ----------------------------------------------------------------------------------------------------

    def feed(self, *, after: int = 0, upto: int = _END, page: int = _PAGE) -> Iterator[FeedRow]:
        """Iterate over the feed `after < position <= upto`, as far as it is numbered, read in pages."""
        params = {"after": after, "upto": upto, "limit": page}
        while rows := self._read(self._queries["feed_rows"], params):
            yield from (_feed_row(*row) for row in rows)
            if len(rows) < page:
                return
            params["after"] = rows[-1][0]

    def feed_rest(self) -> list[FeedRow]:
        """Return what is committed and has no position yet, in the order in which it will be numbered.

        In PostgreSQL a transaction that stays open, of anybody, keeps what is younger out of the feed. In SQLite there
        is never any. The feed and this are all events only within one transaction that nobody can append beside.
        """
        return [_feed_row(*row) for row in self._read(self._queries["feed_rest"], {})]

    def feed_batch(self, *, after: int, upto: int, events: int, size: int) -> list[FeedRow]:
        """Return the next events of the feed: as many as are few and small enough, and at least one.

        Their sizes are asked for first, so that what would be too much is not read.

        Args:
            after: The position that they follow.
            upto: The last position that there is known to be, greater than `after`.
            events: The most events to return.
            size: The most bytes that their payloads may take together, as stored, if it is more than one event.

        Raises:
            CorruptionError: The feed has nothing there.
        """
        sizes = self.feed_sizes(after=after, upto=upto, limit=events)
        if not sizes:
            raise CorruptionError(f"the feed has a gap after position {after}: verify the store")
        fitting = sum(total <= size for total in accumulate(each.size for each in sizes))
        return [*self.feed(after=after, upto=sizes[max(fitting, 1) - 1].position, page=events)]

    def feed_sizes(self, *, after: int, upto: int = _END, limit: int = _PAGE) -> list[FeedSize]:
        """Return how large the payloads of the next events of the feed are."""
        params = {"after": after, "upto": upto, "limit": limit}
        return [FeedSize(*row) for row in self._read(self._queries["feed_sizes"], params)]

    def feed_at(self, positions: Iterable[int]) -> list[FeedRow]:
        """Return the events at some positions, in order; positions that nothing has are left out."""
        params = {"positions": self._recorder.list_of([*positions])}
        return [_feed_row(*row) for row in self._read(self._queries["feed_rows_at"], params)]

    # --- sizes -------------------------------------------------------------------------------------------------------

    def count_streams(self) -> StreamCounts:
        """Count the streams."""
        [counts] = self._read(self._queries["count_streams"], {})
        return StreamCounts(*map(int, counts))

    def count_events(self, span: Span | None = None) -> list[TopicCount]:
        """Count the events of each topic, in the order of topics; this looks at every one of them.

        Args:
            span: Only those of a span of a stream's `lineage`; `None`: all of the store, each once.
        """
        if span is None:
            return [_topic_count(*row) for row in self._read(self._queries["count_events"], {})]
        upto = _END if span.upto is None else span.upto
        params = {"stream_id": span.stream_id, "after": span.after, "upto": upto}
        return [_topic_count(*row) for row in self._read(self._queries["count_events_of_stream"], params)]

    def bytes_on_disk(self) -> int:
        """Return the bytes of all tables and indexes of the schema; in SQLite of the file, without its log."""
        return int(self._read(self._queries["bytes_on_disk"], {"schema": self._recorder.schema})[0][0])


def _stream_row(
    stream_id: int,
    name: str,
    closed: object,
    begun_as: str,
    parent_id: int | None,
    parent_version: int | None,
    described: str | Mapping[str, Any],
) -> StreamRow:
    return StreamRow(int(stream_id), name, bool(closed), begun_as, parent_id, parent_version, described)


def _row(version: int, topic: str, recorded_at: int, digest: bytes, payload: bytes) -> Row:
    return Row(version, topic, recorded_at, bytes(digest), bytes(payload))


def _event_row(stream_id: int, version: int, topic: str, recorded_at: int, payload: bytes) -> EventRow:
    return EventRow(stream_id, version, topic, recorded_at, bytes(payload))


def _feed_row(position: int, stream_id: int, version: int, topic: str, recorded_at: int, payload: bytes) -> FeedRow:
    return FeedRow(position, stream_id, version, topic, recorded_at, bytes(payload))


def _topic_count(topic: str, events: int, size: int, first: int, last: int) -> TopicCount:
    return TopicCount(topic, int(events), int(size), first, last)
