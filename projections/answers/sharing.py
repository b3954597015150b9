"""The recorded calls that a fork shares with its ancestors: by the task that made them, not by when they arrived.

LangGraph saves beside the step, so that the first answers to the tasks of a checkpoint may stand before the checkpoint,
and others behind it. In a fork at a checkpoint these tasks run anew, and none of their answers counts; but a question
stays open as it was asked, with the answers that led to it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from eventstore import Cause, EventStore
from eventstore.reading.lineage import Span
from eventstore.writing import FORKED
from projections.reading.located import opened
from projections.records import Point, shown_by_fork


@dataclass(frozen=True, slots=True)
class Shared:
    """The events of one of a thread's spans, as far as the thread has their answers.

    Attributes:
        span: The span.
        points: The points that the thread's ancestors were forked at, from this span on, and the thread itself.
    """

    span: Span
    points: Sequence[Point]

    def has(self, cause: Cause) -> bool:
        """Tell whether the thread has an answer, by the cause of its event."""
        return all(_is_before(cause, point) for point in self.points)


def shared(store: EventStore, thread: str, stream_id: int) -> Iterator[Shared]:
    """Yield the spans that a thread's record is read from, the oldest first.

    Args:
        store: The store.
        thread: The thread, for errors.
        stream_id: Its stream.
    """
    spans = store.log.lineage(stream_id)
    points = [_point(store, thread, span) for span in spans]
    for number, span in enumerate(spans, 1):
        yield Shared(span, [point for point in points[number:] if point])


def _point(store: EventStore, thread: str, span: Span) -> Point | None:
    """Return the point that the fork which begins with a span was made at; `None` if none does, or it shares all."""
    for row in store.log.events_at(span.stream_id, [span.after + 1]):
        if row.topic == FORKED:
            _, data = opened(store, thread, row.version, row.payload, bytes, FORKED)
            return shown_by_fork(data, span.after)
    return None


def _is_before(cause: Cause, point: Point) -> bool:
    if point.last_id is None or (cause.checkpoint or "") < point.last_id:
        return True
    return any((each.namespace, each.checkpoint) == (cause.namespace, cause.checkpoint) for each in point.taken_over)
