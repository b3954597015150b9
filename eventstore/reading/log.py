"""The rows of the log by name: streams, their events and the feed, as projections read them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import accumulate
from typing import TYPE_CHECKING

from eventstore.codec import Codec, Opened, Row
from eventstore.codec.envelope import is_erased
from eventstore.errors import CorruptionError
from eventstore.reading.lineage import Span, lineage
from eventstore.recorders.tables import BEGINNING, END, ContentSize, LogTables, StreamCounts, StreamRow, TopicCount

if TYPE_CHECKING:
    from eventstore.recorders.tables import FeedRow, FeedSize

_PAGE = 500
# Before the first stream.
_FIRST_STREAM = -END


class LogReader:
    """Reads rows of the log: as they are now, or as one open transaction sees them.

    Streams are named by their numbers here, which never change. Payloads come as they are stored: who needs what is in
    them opens them with `content`, or with `EventStore.codec`, and who does not need it leaves them alone.

    Args:
        tables: The tables of the log, as they are now or within an open transaction.
        codec: Opens payloads.
    """

    def __init__(self, tables: LogTables, codec: Codec) -> None:
        self._tables = tables
        self._codec = codec

    # --- streams -----------------------------------------------------------------------------------------------------

    def stream_id(self, name: str) -> int | None:
        """Return the number of the stream that has a name now, or `None`."""
        return self._tables.streams.id_of(name)

    def was_given_up(self, name: str) -> bool:
        """Return whether a stream that had the name was closed, or renamed: there may be a new one since."""
        return self._tables.former_names.has(name)

    def stream(self, stream_id: int) -> StreamRow | None:
        """Return a stream, closed or not, or `None` if there is none of that number."""
        return self._tables.streams.by_id(stream_id)

    def family(self, root_id: int) -> list[StreamRow]:
        """Return a stream that was forked from none, and all that descend from it, in the order of their numbers."""
        return self._tables.streams.family(root_id)

    def lineage(self, stream_id: int) -> list[Span]:
        """Return the spans that a stream is read from, the oldest ancestor's first, its own last."""
        return lineage(self._tables.lineage, stream_id)

    def closed_ancestors(self, stream_id: int) -> list[int]:
        """Return the numbers of a stream's ancestors that are closed: only forks keep their content alive."""
        return self._tables.lineage.closed_ancestors(stream_id)

    def pinned_upto(self, stream_id: int, *, without: int | None = None) -> int:
        """Return the version up to which living forks need a stream's own events; 0: none does.

        Args:
            stream_id: The stream.
            without: A fork that does not count, as if it were closed already.
        """
        return self._tables.lineage.pinned_upto(stream_id, without=without)

    # --- events of streams -------------------------------------------------------------------------------------------

    def events(
        self, stream_id: int, *, after: int = BEGINNING, before: int = END, topics: Sequence[str] = ()
    ) -> Iterator[Row]:
        """Iterate over a stream's own events `after < version < before`, in order, read in pages of 500.

        Of a fork, the past that it shares is not among them: go through the spans of its `lineage`.

        Args:
            stream_id: The stream.
            after: The version that they follow.
            before: The version that they come before.
            topics: Only events of these kinds; none given: all.
        """
        table = self._tables.events
        while True:
            if topics:
                page = table.page_of_topics(stream_id, topics, after=after, before=before, limit=_PAGE)
            else:
                page = table.page(stream_id, after=after, before=before, limit=_PAGE)
            yield from page
            if len(page) < _PAGE:
                return
            after = page[-1].version

    def events_at(self, stream_id: int, versions: Iterable[int]) -> list[Row]:
        """Return the stream's own events of some versions, in any order; those that are not there are left out."""
        return self._tables.events.at(stream_id, versions)

    def positions(self, stream_id: int, first: int, last: int) -> list[int]:
        """Return the places in the feed of a stream's own events `first <= version <= last`, of those that have one."""
        return self._tables.feed.positions(stream_id, first, last)

    def content_sizes(self, stream_id: int, topics: Sequence[str], *, after: int = BEGINNING) -> list[ContentSize]:
        """Return which of a stream's own events behind `after` still have their content, and how large each is.

        Args:
            stream_id: The stream.
            topics: Only events of these kinds.
            after: The version that they follow.
        """
        return self._tables.events.content_sizes(stream_id, topics, after=after)

    def erased_among(self, stream_id: int, versions: Iterable[int]) -> list[ContentSize]:
        """Return which of some of a stream's own events have lost their content, and the bytes that are left."""
        return self._tables.events.erased_among(stream_id, versions)

    def content(self, row: FeedRow) -> Opened | None:
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

    def feed(self, *, after: int = 0, upto: int = END, page: int = _PAGE) -> Iterator[FeedRow]:
        """Iterate over the feed `after < position <= upto`, as far as it is numbered, read in pages."""
        while rows := self._tables.feed.page(after=after, upto=upto, limit=page):
            yield from rows
            if len(rows) < page:
                return
            after = rows[-1].position

    def feed_rest(self, *, after: int) -> list[FeedRow]:
        """Return all that is committed and was not numbered up to a position, in the order in which it is or will be.

        In PostgreSQL a transaction that stays open, of anybody, keeps what is younger out of the feed. In SQLite there
        is never any. The feed up to a position and this are all events that there were when this was read.

        Args:
            after: The last position that was read from the feed.
        """
        return self._tables.feed.rest(after)

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
        # By positions, which have no gaps: one that is damaged would be taken for the next otherwise.
        sizes = self.feed_sizes(after=after, upto=min(after + events, upto), limit=events)
        if not sizes:
            raise CorruptionError(f"the feed has a gap after position {after}: verify the store")
        fitting = sum(total <= size for total in accumulate(each.size for each in sizes))
        return [*self.feed(after=after, upto=sizes[max(fitting, 1) - 1].position, page=events)]

    def feed_sizes(self, *, after: int, upto: int = END, limit: int = _PAGE) -> list[FeedSize]:
        """Return how large the payloads of the next events of the feed are."""
        return self._tables.feed.sizes(after=after, upto=upto, limit=limit)

    def feed_at(self, positions: Iterable[int]) -> list[FeedRow]:
        """Return the events at some positions, in order; positions that nothing has are left out."""
        return self._tables.feed.at(positions)

    # --- sizes -------------------------------------------------------------------------------------------------------

    def count_streams(self) -> StreamCounts:
        """Count the streams."""
        return self._tables.streams.count()

    def count_events(self, span: Span | None = None) -> list[TopicCount]:
        """Count the events of each topic, in the order of topics; this looks at every one of them.

        Args:
            span: Only those of a span of a stream's `lineage`; `None`: all of the store, each once.
        """
        if span is None:
            return self._tables.events.count()
        upto = END if span.upto is None else span.upto
        return self._tables.events.count_of(span.stream_id, after=span.after, upto=upto)

    def bytes_on_disk(self) -> int:
        """Return the bytes of all tables and indexes of the schema; in SQLite of the file, without its log."""
        return self._tables.bytes_on_disk()
