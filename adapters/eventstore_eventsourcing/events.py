"""The events of applications: aggregates are streams, notifications are the feed."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import takewhile
from typing import Any
from uuid import UUID

from eventsourcing import persistence as es

from eventstore import errors
from eventstore.codec.chain import genesis
from eventstore.events import FeedEvent, Head, NewEvent
from eventstore.forking import ForkAware
from eventstore.ids import check_stream, check_topic
from eventstore.recorders import Session
from eventstore.recorders.wake_up import WakeUp
from eventstore.store import EventStore
from eventstore.writing.deciding import Decision
from eventstore_eventsourcing.recorder import LogRecorder, OriginatorIdType, bounds, translated
from eventstore_eventsourcing.tracking import LogTrackingRecorder

PATIENCE_SECONDS = 5.0
"""How long an insert waits until what it stored has its numbers."""

# The pauses between its looks, if no other insert of this recorder ends meanwhile.
_FIRST_PAUSE_SECONDS, _LONGEST_PAUSE_SECONDS = 0.001, 0.05


class LogAggregateRecorder(LogRecorder, es.AggregateRecorder):
    """The events of aggregates, as streams of the log."""

    def insert_events(self, stored_events: Sequence[es.StoredEvent], **_: Any) -> Sequence[int] | None:
        """Store events, of one or several aggregates, all of them or none.

        Raises:
            IntegrityError: An event does not follow the last one of its aggregate.
        """
        self._store(stored_events)
        return None

    def select_events(
        self,
        originator_id: UUID | str,
        *,
        gt: int | None = None,
        lte: int | None = None,
        desc: bool = False,
        limit: int | None = None,
    ) -> Sequence[es.StoredEvent]:
        """The events of one aggregate, after version `gt` and up to `lte`."""
        name = self.name_of(originator_id)
        after, before = bounds(gt, lte)
        with translated():
            events = self.store.read(name, after=after, before=before, backward=desc, limit=limit)
            return [es.StoredEvent(self.originator_of(name), each.version, each.topic, each.data) for each in events]

    def _store(
        self, stored_events: Sequence[es.StoredEvent], work: Callable[[Session], None] | None = None
    ) -> list[_Part]:
        """Append events to their streams, and do `work`, in one transaction."""
        with translated():
            parts = self._parts(stored_events)
            if parts:
                parts[0].work = work
                self.store.commit_all(
                    {part.name: part.decide for part in parts},
                    first_versions={part.name: part.versions[0] for part in parts},
                    places={part.name: part.places for part in parts},
                )
            elif work:
                self.store.recorder.write(work)
        return parts

    def _parts(self, stored_events: Sequence[es.StoredEvent]) -> list[_Part]:
        parts: dict[str, _Part] = {}
        for place, stored in enumerate(stored_events):
            name = check_stream(self.name_of(stored.originator_id))
            part = parts.setdefault(name, _Part(name))
            part.places.append(place)
            part.versions.append(stored.originator_version)
            part.events.append(NewEvent(check_topic(stored.topic), stored.state))
        return list(parts.values())


class LogApplicationRecorder(LogAggregateRecorder, es.ApplicationRecorder, ForkAware):
    """The events of an application, as streams of the log and as its feed.

    Args:
        store: The store.
        originator_id_type: See `LogRecorder`.
        patience: How many seconds `insert_events` waits for the ids of notifications, at most.
    """

    def __init__(
        self,
        store: EventStore,
        originator_id_type: OriginatorIdType = "uuid",
        *,
        patience: float = PATIENCE_SECONDS,
    ) -> None:
        super().__init__(store, originator_id_type)
        self._patience = patience
        self._stored = WakeUp()
        self._numbering = threading.Lock()
        self.follow_forks()

    def insert_events(self, stored_events: Sequence[es.StoredEvent], **_: Any) -> Sequence[int] | None:
        """Store events, of one or several aggregates, all of them or none; the ids of their notifications.

        The ids follow each other without a gap, in the order of the events. In PostgreSQL an event gets its id when
        every older transaction of the server has ended, since one that is still open might come before it. This waits
        for that, for `patience` at most; after that it returns `None`. The events are stored in any case, and get their
        ids later.

        Raises:
            IntegrityError: An event does not follow the last one of its aggregate.
        """
        return self._numbers(self._store(stored_events), len(stored_events))

    def select_notifications(
        self,
        start: int | None,
        limit: int,
        stop: int | None = None,
        topics: Sequence[str] = (),
        *,
        inclusive_of_start: bool = True,
    ) -> Sequence[es.Notification]:
        """A part of the feed."""
        after = 0 if start is None else start - 1 if inclusive_of_start else start
        with translated():
            entries: Iterator[FeedEvent] = self.store.feed(after=after, limit=limit, topics=topics)
            if stop is not None:
                entries = takewhile(lambda entry: entry.position <= stop, entries)
            return [self.notification(entry) for entry in entries]

    def max_notification_id(self) -> int | None:
        """The last position of the feed, or `None`."""
        with translated():
            return self.store.recorder.sequence() or None

    def subscribe(self, gt: int | None = None, topics: Sequence[str] = ()) -> LogSubscription:
        """Follow the feed from the position behind `gt`."""
        return LogSubscription(self, gt, topics)

    def notification(self, entry: FeedEvent) -> es.Notification:
        """An event of the feed as the library has it."""
        event = entry.event
        return es.Notification(
            originator_id=self.originator_of(event.stream),
            originator_version=event.version,
            topic=event.topic,
            state=event.data,
            id=entry.position,
        )

    def after_fork_in_child(self) -> None:
        """See `ForkAware`."""
        self._numbering = threading.Lock()

    def _numbers(self, parts: Sequence[_Part], count: int) -> list[int] | None:
        self._stored.wake()
        deadline, pause = time.monotonic() + self._patience, _FIRST_PAUSE_SECONDS
        with translated():
            while True:
                heard = self._stored.count
                # One thread numbers for all who wait: most find theirs when it is their turn.
                with self._numbering:
                    numbers = self._look_up(parts, count)
                    if numbers is None:
                        self.store.recorder.sequence()
                        numbers = self._look_up(parts, count)
                if numbers is not None or time.monotonic() > deadline:
                    return numbers
                self._stored.wait(heard, pause)
                pause = min(2 * pause, _LONGEST_PAUSE_SECONDS)

    def _look_up(self, parts: Sequence[_Part], count: int) -> list[int] | None:
        numbers = [0] * count
        for part in parts:
            found = self.store.tables.feed.positions(part.stream_id, part.versions[0], part.versions[-1])
            if len(found) < len(part.versions):
                return None
            for place, position in zip(part.places, found, strict=True):
                numbers[place] = position
        return numbers


class LogProcessRecorder(LogTrackingRecorder, LogApplicationRecorder, es.ProcessRecorder):
    """The events of an application that follows another one, and how far it has come, in one transaction."""

    def insert_events(self, stored_events: Sequence[es.StoredEvent], **kwargs: Any) -> Sequence[int] | None:
        """See `LogApplicationRecorder.insert_events`.

        Args:
            stored_events: The events.
            kwargs: `tracking`: the notification that they come of.

        Raises:
            IntegrityError: An event does not follow the last one of its aggregate, or the notification was processed.
        """
        tracking: es.Tracking | None = kwargs.get("tracking")
        work = None if tracking is None else lambda session: self._track(tracking, session)
        return self._numbers(self._store(stored_events, work), len(stored_events))


class LogSubscription(es.Subscription[LogApplicationRecorder]):
    """The feed as the library's projections follow it."""

    def __init__(self, recorder: LogApplicationRecorder, gt: int | None = None, topics: Sequence[str] = ()) -> None:
        super().__init__(recorder, gt, topics)
        with translated():
            self._entries = recorder.store.subscribe(after=gt or 0, topics=topics)

    def stop(self) -> None:
        """End the iteration, from any thread."""
        super().stop()
        self._entries.stop()

    def __exit__(self, *args: object, **kwargs: Any) -> None:
        super().__exit__(*args, **kwargs)
        self._entries.close()

    def __next__(self) -> es.Notification:
        with translated():
            entry = next(self._entries, None)
        if entry is None:
            raise StopIteration
        return self._recorder.notification(entry)


@dataclass
class _Part:
    """The part of a batch that goes to one stream.

    Attributes:
        name: The stream's name.
        places: The indexes of the events in the batch.
        versions: The versions that they are to have.
        events: The events.
        work: A function to be called in the same transaction.
        stream_id: The stream's number, once it was appended to.
    """

    name: str
    places: list[int] = field(default_factory=list)
    versions: list[int] = field(default_factory=list)
    events: list[NewEvent] = field(default_factory=list)
    work: Callable[[Session], None] | None = None
    stream_id: int = 0

    def decide(self, stream_id: int, head: Head) -> Decision:
        """See `EventStore.commit`."""
        self.stream_id = stream_id
        first = self.versions[0]
        may_be_first = head == Head(0, genesis(self.name)) and first == 0
        if self.versions != list(range(first, first + len(self.versions))):
            raise es.IntegrityError(f"the events of {self.name!r} do not follow each other: {self.versions}")
        if first != head.version + 1 and not may_be_first:
            raise errors.ConflictError(self.name, first - 1, head.version)
        return Decision(self.events, work=self.work)
