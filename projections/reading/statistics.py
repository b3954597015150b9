"""How much a store holds, or one thread: counted when it is asked for."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from eventstore import EventStore, NotFoundError
from eventstore.events import from_microseconds
from eventstore.ids import check_stream
from eventstore.reading import TopicCount


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
        threads: The number of threads: of all streams, also those with events of a program's own.
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
    if thread is not None:
        return _of_thread(store, thread)
    streams = store.log.count_streams()
    counted = store.log.count_events()
    return _made(streams.living, streams.forks, streams.closed, counted, store.log.bytes_on_disk())


def _of_thread(store: EventStore, thread: str) -> Statistics:
    stream_id = store.log.stream_id(check_stream(thread))
    if stream_id is None:
        raise NotFoundError(f"there is no thread {thread!r}")
    segments = store.log.lineage(stream_id)
    counted = [count for segment in segments for count in store.log.count_events(segment)]
    return _made(1, int(len(segments) > 1), 0, counted, None)


def _made(threads: int, forks: int, deleted: int, counts: Sequence[TopicCount], disk: int | None) -> Statistics:
    """From the counts of events by topic; a topic may come more than once."""
    topics = [
        TopicStatistics(topic, *_summed(count for count in counts if count.topic == topic))
        for topic in sorted({count.topic for count in counts})
    ]
    first = min((count.first for count in counts), default=None)
    last = max((count.last for count in counts), default=None)
    return Statistics(
        threads,
        forks,
        deleted,
        topics,
        None if first is None else from_microseconds(first),
        None if last is None else from_microseconds(last),
        disk,
    )


def _summed(counts: Iterable[TopicCount]) -> tuple[int, int]:
    events, size = zip(*((count.events, count.bytes) for count in counts), strict=True)
    return sum(events), sum(size)
