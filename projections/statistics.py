"""How much a store holds, or one thread: counted when it is asked for."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from eventstore import EventStore, NotFoundError
from eventstore.events import from_microseconds
from eventstore.ids import check_stream
from eventstore.queries import load_queries
from eventstore.reading import lineage
from eventstore.recorders import Rows
from projections.reading.view import END


@dataclass(frozen=True, slots=True)
class TopicStatistics:
    """The events of one kind.

    Attributes:
        topic: The kind.
        events: How many there are.
        bytes: What their payloads take, as stored: compressed, and of erased ones the digest.
    """

    topic: str
    events: int
    bytes: int


@dataclass(frozen=True, slots=True)
class Statistics:
    """The size of a store, or of one thread in it.

    Attributes:
        threads: The number of threads.
        forks: The number of those that were begun as forks.
        deleted: The number of threads that were deleted, of which digests are left.
        topics: The events, by their kind: for a thread, with the past that it shares with its ancestors; for the store,
            each event once.
        first: When the first event was recorded, UTC; `None`: there is none.
        last: When the last event was recorded, UTC.
        disk: The bytes of all tables and indexes; of a thread `None`.
    """

    threads: int
    forks: int
    deleted: int
    topics: Sequence[TopicStatistics]
    first: datetime | None
    last: datetime | None
    disk: int | None

    @property
    def events(self) -> int:
        """The number of events."""
        return sum(topic.events for topic in self.topics)

    @property
    def bytes(self) -> int:
        """The bytes that all payloads take, as stored."""
        return sum(topic.bytes for topic in self.topics)


def statistics_of(store: EventStore, thread: str | None = None) -> Statistics:
    """Return the statistics of a store, or of one thread. This looks at every event, so it takes longer with more.

    Args:
        store: An open store.
        thread: Only this thread.

    Raises:
        NotFoundError: There is no such thread.
    """
    recorder = store.recorder
    queries = load_queries("projections", recorder.dialect, recorder.schema, file="statistics")
    if thread is not None:
        return _of_thread(store, queries, thread)
    [(threads, forks, deleted)] = recorder.read(queries["count_streams"], {})
    [(disk,)] = recorder.read(queries["bytes_on_disk"], {"schema": recorder.schema})
    return _made(threads, forks, deleted, recorder.read(queries["count_events"], {}), int(disk))


def _of_thread(store: EventStore, queries: Mapping[str, str], thread: str) -> Statistics:
    rows = store.recorder.read(store.queries["stream_by_name"], {"name": check_stream(thread)})
    if not rows:
        raise NotFoundError(f"there is no thread {thread!r}")
    segments = lineage(store.recorder, store.queries, int(rows[0][0]))
    counted = [
        row
        for segment in segments
        for row in store.recorder.read(
            queries["count_events_of_stream"],
            {"stream_id": segment.stream_id, "upto": END if segment.upto is None else segment.upto},
        )
    ]
    return _made(1, int(len(segments) > 1), 0, counted, None)


def _made(threads: int, forks: int, deleted: int, rows: Rows, disk: int | None) -> Statistics:
    """From the counts of events by topic, each with its first and last time; a topic may come more than once."""
    topics = [
        TopicStatistics(topic, *_summed((row[1], row[2]) for row in rows if row[0] == topic))
        for topic in sorted({row[0] for row in rows})
    ]
    first, last = min((row[3] for row in rows), default=None), max((row[4] for row in rows), default=None)
    return Statistics(
        int(threads),
        int(forks),
        int(deleted),
        topics,
        None if first is None else from_microseconds(first),
        None if last is None else from_microseconds(last),
        disk,
    )


def _summed(pairs: Iterable[tuple[int, int]]) -> tuple[int, int]:
    events, size = zip(*pairs, strict=True)
    return int(sum(events)), int(sum(size))
