"""The feed: all events in one order. In PostgreSQL it is a table of its own, in SQLite a column of `events`."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from eventstore.codec import Row
from eventstore.recorders.tables.events import row_of
from eventstore.recorders.tables.table import Table
from eventstore.tuples import NamedTuple


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


class NamedEvent(NamedTuple):
    """One event in the order of the feed, with the name that its stream has."""

    position: int
    stream: str
    row: Row


class FeedSize(NamedTuple):
    """The size of an event in the feed: its position, and the bytes of its payload as stored."""

    position: int
    size: int


class FeedEnd(NamedTuple):
    """How far the feed goes, and the youngest transaction with events that have no place in it; `None`: all have."""

    position: int
    waiting: int | None


class FeedTable(Table):
    """The statements of the feed."""

    def named(self, *, after: int, upto: int, limit: int, topics: Sequence[str] = ()) -> list[NamedEvent]:
        """Return a page of the feed `after < position <= upto` with the names of streams; of some topics, if given."""
        params: dict[str, object] = {"after": after, "upto": upto, "limit": limit}
        if topics:
            rows = self._run("feed_page_of_topics", {**params, "topics": self._list_of(topics)})
        else:
            rows = self._run("feed_page", params)
        return [NamedEvent(position, stream, row_of(*stored)) for position, stream, *stored in rows]

    def page(self, *, after: int, upto: int, limit: int) -> list[FeedRow]:
        """Return a page of the feed `after < position <= upto`."""
        return [_row(*row) for row in self._run("feed_rows", {"after": after, "upto": upto, "limit": limit})]

    def at(self, positions: Iterable[int]) -> list[FeedRow]:
        """Return the events at some positions, in order; positions that nothing has are left out."""
        return [_row(*row) for row in self._run("feed_rows_at", {"positions": self._list_of([*positions])})]

    def rest(self, after: int) -> list[FeedRow]:
        """Return what is committed and has no position up to `after`, in the order in which it will be numbered."""
        return [_row(*row) for row in self._run("feed_rest", {"after": after})]

    def sizes(self, *, after: int, upto: int, limit: int) -> list[FeedSize]:
        """Return how large the payloads of a page of the feed are."""
        return [FeedSize(*row) for row in self._run("feed_sizes", {"after": after, "upto": upto, "limit": limit})]

    def end(self, youngest: int) -> FeedEnd:
        """Return how far the feed goes, and who waits for a place in it, of the transactions up to `youngest`."""
        [(position, waiting)] = self._run("feed_waiting", {"upto": youngest})
        return FeedEnd(int(position), waiting)

    def positions(self, stream_id: int, first: int, last: int) -> list[int]:
        """Return the positions of a stream's events `first <= version <= last`, in order; of those that have one."""
        params = {"stream_id": stream_id, "first": first, "last": last}
        return [int(row[0]) for row in self._run("feed_positions", params)]


def _row(position: int, stream_id: int, version: int, topic: str, recorded_at: int, payload: bytes) -> FeedRow:
    return FeedRow(position, stream_id, version, topic, recorded_at, bytes(payload))
