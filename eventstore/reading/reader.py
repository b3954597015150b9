"""Reading streams and the feed, in pages."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from eventstore.codec import Codec, Row
from eventstore.events import Event, FeedEvent, Head
from eventstore.reading.lineage import Span, lineage
from eventstore.recorders import Recorder

_PAGE = 256
# Past every version and position that a 64 bit integer can count.
_END = 2**63 - 1


class Reader:
    """Reads from one recorder."""

    def __init__(self, recorder: Recorder, queries: Mapping[str, str], codec: Codec) -> None:
        self._recorder = recorder
        self._queries = queries
        self._codec = codec

    def stream_id(self, stream: str) -> int | None:
        """The number of the stream that has the name now, or `None`."""
        rows = self._recorder.read(self._queries["stream_by_name"], {"name": stream})
        return int(rows[0][0]) if rows else None

    def head(self, stream: str) -> Head | None:
        """The head of a stream, or `None` if it does not exist or has no events."""
        rows = self._recorder.read(self._queries["stream_head"], {"name": stream})
        return Head(int(rows[0][1]), bytes(rows[0][2])) if rows and rows[0][1] is not None else None

    def read(
        self, stream: str, *, after: int, before: int | None, backward: bool, limit: int | None
    ) -> Iterator[list[Event]]:
        """See `EventStore.read`."""
        stream_id = self.stream_id(stream)
        if stream_id is None:
            return
        spans = lineage(self._recorder, self._queries, stream_id)
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
        name, params = (
            ("feed_page_of_topics", {"topics": self._recorder.list_of(topics)}) if topics else ("feed_page", {})
        )
        while limit is None or limit > 0:
            size = _PAGE if limit is None else min(limit, _PAGE)
            rows = self._recorder.read(self._queries[name], {"after": after, "upto": end, "limit": size, **params})
            if not rows:
                return
            yield [FeedEvent(position, self._codec.decode(stream, _row(stored))) for position, stream, *stored in rows]
            if len(rows) < size:
                return
            after = rows[-1][0]
            if limit is not None:
                limit -= len(rows)

    def _rows(
        self, span: Span, after: int, before: int | None, backward: bool, limit: int | None
    ) -> Iterator[list[Row]]:
        low = max(after, span.after)
        high = min(_END if before is None else before, _END if span.upto is None else span.upto + 1)
        query = self._queries["read_backward" if backward else "read_forward"]
        while low + 1 < high and (limit is None or limit > 0):
            size = _PAGE if limit is None else min(limit, _PAGE)
            params = {"stream_id": span.stream_id, "after": low, "before": high, "limit": size}
            rows = [_row(stored) for stored in self._recorder.read(query, params)]
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


def _row(stored: Sequence[Any]) -> Row:
    version, topic, recorded_at, digest, payload = stored
    return Row(version, topic, recorded_at, bytes(digest), bytes(payload))
