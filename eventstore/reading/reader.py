"""Reading streams and the feed, in pages."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from eventstore.codec import Codec, Row
from eventstore.events import Event, FeedEvent, Head
from eventstore.reading.lineage import Span, lineage
from eventstore.recorders import Recorder
from eventstore.recorders.tables import END, LogTables

_PAGE = 256


class Reader:
    """Reads from one recorder."""

    def __init__(self, recorder: Recorder, tables: LogTables, codec: Codec) -> None:
        self._recorder = recorder
        self._tables = tables
        self._codec = codec

    def stream_id(self, stream: str) -> int | None:
        """The number of the stream that has the name now, or `None`."""
        return self._tables.streams.id_of(stream)

    def head(self, stream: str) -> Head | None:
        """The head of a stream, or `None` if it does not exist or has no events."""
        found = self._tables.streams.head(stream)
        return found.head if found else None

    def read(
        self, stream: str, *, after: int, before: int | None, backward: bool, limit: int | None
    ) -> Iterator[list[Event]]:
        """See `EventStore.read`."""
        found = self._tables.streams.head(stream)
        if found is None or found.head is None:
            return  # a fork may take over a stream that has no events, and give it another lineage
        spans = lineage(self._tables.lineage, found.stream_id)
        for span in reversed(spans) if backward else spans:
            for rows in self._rows(span, after, before, backward, limit):
                yield [self._codec.decode(stream, row) for row in rows]
                if limit is not None and (limit := limit - len(rows)) == 0:
                    return

    def feed(
        self, *, after: int, limit: int | None, topics: Sequence[str], upto: int | None = None
    ) -> Iterator[list[FeedEvent]]:
        """See `EventStore.feed`. `upto` is the last position that is wanted, if it is known that it was given."""
        end = self._recorder.sequence() if upto is None else upto
        while limit is None or limit > 0:
            size = _PAGE if limit is None else min(limit, _PAGE)
            rows = self._tables.feed.named(after=after, upto=end, limit=size, topics=topics)
            if not rows:
                return
            yield [FeedEvent(each.position, self._codec.decode(each.stream, each.row)) for each in rows]
            if len(rows) < size:
                return
            after = rows[-1].position
            if limit is not None:
                limit -= len(rows)

    def _rows(
        self, span: Span, after: int, before: int | None, backward: bool, limit: int | None
    ) -> Iterator[list[Row]]:
        low = max(after, span.after)
        high = min(END if before is None else before, END if span.upto is None else span.upto + 1)
        while low + 1 < high and (limit is None or limit > 0):
            size = _PAGE if limit is None else min(limit, _PAGE)
            rows = self._tables.events.page(span.stream_id, after=low, before=high, limit=size, backward=backward)
            if not rows:
                return
            yield rows
            if len(rows) < size:
                return
            if backward:
                high = rows[-1].version
            else:
                low = rows[-1].version
            if limit is not None:
                limit -= len(rows)
