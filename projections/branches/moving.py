"""Moving a thread to another branch: back to an earlier checkpoint, back again, and over to any other.

Nothing is removed. A move is an event; from then on the thread's rows are those of another branch, which shows what the
thread showed at a version of its log, as a fork shows its parent. So it costs the same for any length, and what came
later stays where it is: in the log, and on the branch that was left.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime

from eventstore import BadInputError, Cause, ConflictError, Decision, EventStore, NewEvent, NotFoundError
from eventstore.erasing import OpenLog
from eventstore.events import Head, to_microseconds
from projections.before import Before
from projections.branches.applying import Applying
from projections.branches.points import Points
from projections.outcomes import Moved
from projections.reading.finding import Finder
from projections.reading.loading import again
from projections.reading.located import Located
from projections.reading.view import View, sources_at
from projections.records import (
    HEAD_SWITCHED,
    ROLLBACK_UNDONE,
    THREAD_PRUNED,
    THREAD_ROLLED_BACK,
    MoveRecord,
    Point,
)
from projections.tables import Source, Tables
from projections.timeline.turns import Turns

_UNDOABLE = (THREAD_ROLLED_BACK, HEAD_SWITCHED)


@dataclass(frozen=True, slots=True)
class Target:
    """A checkpoint to move to, named in one of four ways; exactly one is given.

    Attributes:
        checkpoint: The checkpoint of this id, or before a message or turn.
        step: The checkpoint of this step, on the path that led to the latest.
        time: The latest checkpoint saved by this time, on that path; a naive time is taken as UTC.
        back: The number of checkpoints to go back from the latest, on that path.
    """

    checkpoint: Before | str | None = None
    step: int | None = None
    time: datetime | None = None
    back: int | None = None

    def __post_init__(self) -> None:
        given = [each for each in (self.checkpoint, self.step, self.time, self.back) if each is not None]
        if len(given) != 1:
            raise BadInputError(
                "say where to go back to by one of: a checkpoint's id, a step, a time, back=n, a message, or turns"
            )
        if self.back is not None and (type(self.back) is not int or self.back < 0):
            raise BadInputError(f"back is {self.back!r}: use a number of checkpoints, 0 or more")
        if self.step is not None and type(self.step) is not int:
            raise BadInputError(f"step is {self.step!r}: use a whole number")
        if self.time is not None and not isinstance(self.time, datetime):
            raise BadInputError(f"time is {self.time!r}: use a datetime")

    def __str__(self) -> str:
        if self.checkpoint is not None:
            return f"checkpoint {self.checkpoint!r}" if isinstance(self.checkpoint, str) else str(self.checkpoint)
        if self.step is not None:
            return f"checkpoint of step {self.step}"
        if self.time is not None:
            return f"checkpoint saved by {self.time.isoformat()}"
        return f"checkpoint {self.back} before its latest"

    def find(self, finder: Finder, view: View, namespace: str) -> Located | None:
        """The checkpoint that is meant, if the thread shows it; not of one that is named by what came after it."""
        if isinstance(self.checkpoint, str):
            return finder.locate(view, namespace, self.checkpoint)
        for number, located in enumerate(finder.ancestors(view, namespace)):
            if (
                self.back == number
                or (self.step is not None and located.cause.metadata.get("step") == self.step)
                or (self.time is not None and located.recorded_at <= to_microseconds(self.time))
            ):
                return located
        return None


class Mover:
    """Moves the threads of one store."""

    def __init__(self, store: EventStore, tables: Tables, finder: Finder) -> None:
        self._store = store
        self._tables = tables
        self._finder = finder
        self._points = Points(store, tables, finder)
        self._turns = Turns(store, tables, finder)

    def rollback(
        self, thread: str, target: Target, namespace: str, cause: Cause, expected_version: int | None
    ) -> Moved:
        """See `Checkpoints.rollback`."""

        def find(view: View) -> MoveRecord:
            named = target.checkpoint
            if isinstance(named, Before):
                located: Located | None = self._turns.find(view, namespace, named)
            else:
                located = target.find(self._finder, view, namespace)
            if located is None and isinstance(named, str) and self._finder.unreachable(view, namespace, named):
                raise NotFoundError(
                    f"thread {thread!r} was rolled back past {target}: undo the rollback, or switch to that branch"
                )
            if located is None:
                raise NotFoundError(f"thread {thread!r} has no {target}: look at its timeline")
            return MoveRecord(self._points.of(view, located), namespace=namespace, checkpoint=located.id)

        # What is read to find a message may be erased meanwhile.
        return again(lambda: self._move(thread, THREAD_ROLLED_BACK, find, cause, expected_version), self._store, thread)

    def switch(self, thread: str, checkpoint: str, namespace: str, cause: Cause, expected_version: int | None) -> Moved:
        """See `Branches.switch`."""

        def find(view: View) -> MoveRecord:
            if self._finder.locate(view, namespace, checkpoint) is None:
                for place in self._finder.unreachable(view, namespace, checkpoint)[:1]:
                    left = replace(view, sources=[Source(place.branch_id)])
                    if self._finder.latest_id(left, namespace) == checkpoint:
                        return MoveRecord(returns_to=place.since, namespace=namespace, checkpoint=checkpoint)
            return MoveRecord(self.point_of(view, namespace, checkpoint), namespace=namespace, checkpoint=checkpoint)

        return self._move(thread, HEAD_SWITCHED, find, cause, expected_version)

    def undo(self, thread: str, cause: Cause, expected_version: int | None) -> Moved:
        """See `Checkpoints.undo`."""

        def find(view: View) -> MoveRecord:
            reflog = sorted(self._tables.reflog.of_stream(view.stream_id), reverse=True)
            undone = {row.undoes for row in reflog}
            for row in reflog:
                if row.topic == THREAD_PRUNED:
                    break
                if row.topic in _UNDOABLE and row.version not in undone:
                    # A branch that the thread was on again may have grown.
                    if any(each.branch_since == row.left_since and each.version > row.version for each in reflog):
                        return MoveRecord(Point(row.version - 1), undoes=row.version)
                    return MoveRecord(returns_to=row.left_since, undoes=row.version)
            raise NotFoundError(
                f"there is nothing to undo in thread {thread!r}: every rollback and switch was undone already, "
                "or it was pruned since"
            )

        return self._move(thread, ROLLBACK_UNDONE, find, cause, expected_version)

    def named(self, view: View, namespace: str, checkpoint: Before | str) -> str:
        """The id of a checkpoint that may be named by what came after it.

        Raises:
            NotFoundError: There is no such message or turn, or nothing that is shown before it.
        """
        return checkpoint if isinstance(checkpoint, str) else self._turns.find(view, namespace, checkpoint).id

    def point_of(self, view: View, namespace: str, checkpoint: str) -> Point:
        """The point of a checkpoint, also of an unreachable one.

        Raises:
            NotFoundError: There is no such checkpoint, on any branch of the thread.
        """
        return self._points.of(*self._find(view, namespace, checkpoint))

    def at(self, view: View, namespace: str, checkpoint: Before | str) -> tuple[View, Located]:
        """A checkpoint, also an unreachable one, in what a fork would show that was made there.

        Raises:
            NotFoundError: There is no such checkpoint, on any branch of the thread.
        """
        view, located = self._find(view, namespace, self.named(view, namespace, checkpoint))
        point = self._points.of(view, located)
        staying = {(each.namespace, each.checkpoint): each.writes for each in point.taken_over}
        return replace(view, staying={(namespace, located.id): (), **staying}), located

    def _find(self, view: View, namespace: str, checkpoint: str) -> tuple[View, Located]:
        located = self._finder.locate(view, namespace, checkpoint)
        if located is None:
            for place in self._finder.unreachable(view, namespace, checkpoint)[:1]:
                view = self._finder.on_branch(view, place.branch_id, place.since)
                located = self._finder.locate(view, namespace, checkpoint)
        if located is None:
            raise NotFoundError(f"thread {view.thread!r} has no checkpoint {checkpoint!r}: look at its timeline")
        return view, located

    def _move(
        self,
        thread: str,
        topic: str,
        find: Callable[[View], MoveRecord],
        cause: Cause,
        expected_version: int | None,
    ) -> Moved:
        """Append a move that was decided on the thread's head, unless the thread moves on meanwhile."""
        # The head before the view: whatever comes in between is noticed at the append.
        seen = self._store.head(thread)
        view = self._finder.view(thread)
        if seen is None or view is None:
            raise NotFoundError(f"there is no thread {thread!r}")
        if expected_version is not None and seen.version != expected_version:
            raise ConflictError(thread, expected_version, seen.version)
        record = find(view)
        if record.point is not None and self._is_at(view, record.point, seen):
            return Moved(thread, seen.version, topic, record.namespace, record.checkpoint)

        def decide(stream_id: int, head: Head) -> Decision:
            if head != seen:
                raise ConflictError(thread, seen.version, head.version, _IS_WRITING.format(thread))

            def work(log: OpenLog) -> None:
                log.begin_epoch(stream_id)
                Applying(self._tables.within(log), log).move(stream_id, head.version + 1, topic, record)

            asked = replace(cause, namespace=record.namespace, checkpoint=record.checkpoint)
            return Decision([NewEvent(topic, record.pack(), asked)], work=work)

        appended = self._store.commit(thread, decide)
        return Moved(thread, appended.last, topic, record.namespace, record.checkpoint, record.undoes)

    def _is_at(self, view: View, point: Point, head: Head) -> bool:
        """Tell whether a thread shows exactly what it would show at a point: only a move to there happened since."""
        if not self._points.stays_whole(view, point):
            return False
        if sum(version > point.upto for version in point.events) == head.version - point.upto:
            return True
        if view.since != head.version:
            return False
        sources = sources_at(self._store, self._tables, view, point.upto)
        return view.sources[1:] == [source.until(point.upto, point.last_id) for source in sources]


_IS_WRITING = (
    "thread {!r} changed while this was decided: a run is writing to it; nothing was changed. "
    "Stop the run, or wait for its end, and try again"
)
