"""Recovery: the points a thread can go on from, the threads that stopped in the middle, and a check for damage."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from itertools import groupby, islice
from typing import Any, TypeVar

from eventstore import BadInputError, BusyError, CorruptionError, EventStore, NotFoundError, TypeNotAllowedError
from eventstore.arguments import check_callable, checked, hold_to
from eventstore.events import from_microseconds
from eventstore.ids import check_stream
from eventstore.workers import twin
from projections.checkpoints.checkpoints import Checkpoints
from projections.checkpoints.companion import Companion
from projections.pregel.due import Step, Task, Written
from projections.reading.channels import Values
from projections.reading.due import Steps
from projections.reading.loading import again
from projections.reading.located import Located, opened
from projections.reading.naming import Names
from projections.reading.steps import source_of, step_of
from projections.reading.view import View, writes_of
from projections.records import CHECKPOINT_SAVED, WRITES_SAVED, Write, WritesRecord
from projections.recovery.checking import Check, ProgressCallback
from projections.recovery.points import RecoveryPoint, StalledPage, StalledThread, TaskState, Why
from projections.recovery.report import Damage, Report
from projections.values.change import load
from projections.values.serializer import Serializer

T = TypeVar("T")

hold_to("ProgressCallback", check_callable)

# How many checkpoints, and threads, are looked at together.
_BATCH = 50
# How many threads one page looks at: it may have less than it was asked for, and the next one goes on.
_LOOKED_AT = 1_000
# How often a check begins anew that others keep taking the ground from.
_ATTEMPTS = 20


@checked
class Recovery(Companion):
    """Tells what can be recovered. It changes nothing.

    What comes next at a checkpoint is what LangGraph's `get_state` shows, and known without the graph as
    `projections.pregel` describes it: for all graphs that LangGraph's `StateGraph` makes.
    """

    def __init__(self, checkpoints: Checkpoints | EventStore, *, migrate: bool = True) -> None:
        super().__init__(checkpoints, migrate=migrate)
        self._tables = self.checkpoints.tables

    def points(
        self,
        thread: str,
        *,
        namespace: str = "",
        before: str | None = None,
        limit: int = 50,
        serializer: Serializer | None = None,
    ) -> list[RecoveryPoint]:
        """The recovery points of a thread, the latest first.

        Args:
            thread: The thread's id.
            namespace: The namespace.
            before: Only those whose id is smaller.
            limit: The most that are returned.
            serializer: Reads questions, errors and packets. What it cannot read is left out.

        Raises:
            NotFoundError: There is no such thread.
        """
        check_stream(thread)
        _check_limit(limit)

        def read(view: View) -> list[RecoveryPoint]:
            found = islice(self.checkpoints.finder.of_thread(view, namespace, before), limit)
            batches = _batches(found)
            return [point for batch in batches for point in self._points(view, namespace, batch, serializer)]

        found = self._of_thread(thread, read)
        if found is None:
            raise NotFoundError(f"there is no thread {thread!r}: list what there is with EventStore.streams")
        return found

    def stalled(
        self,
        *,
        prefix: str = "",
        older_than: timedelta | None = None,
        limit: int = 100,
        cursor: str | None = None,
        serializer: Serializer | None = None,
    ) -> StalledPage:
        """Threads that stopped in the middle, by name, and why.

        Args:
            prefix: How their names begin.
            older_than: A thread of which something is due is taken to have died if its last event is at least so old,
                and to be at work otherwise: then it is not listed. `None`: all are listed, as `"pending"`. One that
                asks, or has failed, is listed in any case.
            limit: The most that are returned.
            cursor: `next_cursor` of the page before, with the other arguments unchanged.
            serializer: Reads questions, errors and packets. What it cannot read is left out.
        """
        _check_limit(limit)
        if older_than is not None and not isinstance(older_than, timedelta):
            raise BadInputError(f"older_than is {older_than!r}: use a timedelta")
        found: list[StalledThread] = []
        looked_at = 0
        while len(found) < limit and looked_at < _LOOKED_AT:
            size = min(limit - len(found), _BATCH)
            page = self.store.streams(prefix=prefix, limit=size, cursor=cursor)
            for stream in page.streams:
                try:
                    latest = self._latest(stream.name, serializer)
                except CorruptionError:
                    found.append(StalledThread(stream.name, ("damaged",), stream.active_at, None))
                    continue
                if latest and (why := _why(latest, stream.active_at, older_than)):
                    found.append(StalledThread(stream.name, why, stream.active_at, latest))
            looked_at += size
            cursor = page.next_cursor
            if cursor is None:
                break
        return StalledPage(found, cursor)

    def check(self, thread: str, serializer: Serializer, *, progress: ProgressCallback | None = None) -> Report:
        """Check a thread: its log's hash chain, its rows against the log, and all its values.

        It does not stop at the first damage, and looks twice before it calls anything damaged. Each value is read as a
        checkpoint would read it; of a type that the serializer may not make again nothing is made. Nothing is changed.
        Others may write meanwhile.

        Args:
            thread: The thread's id.
            serializer: Turns bytes into values.
            progress: Is called now and then, by the thread that checks.

        Raises:
            NotFoundError: There is no such thread.
            BusyError: Others keep changing it.
        """
        check_stream(thread)
        tell = progress or (lambda _: None)
        found: set[tuple[Damage, int, str | None]] | None = None
        for _ in range(_ATTEMPTS):
            head = self.store.head(thread)
            view = self.checkpoints.finder.view(thread)
            if head is None or view is None:
                raise NotFoundError(f"there is no thread {thread!r} to check")
            report = Check(self.store, self._tables, view, head.version, serializer, tell).run()
            if report.ok:
                return report
            # What was erased meanwhile looks as if it were lost. By whom, the thread's own log may not tell: an
            # ancestor may have erased it, or the thread may have got another's name. But damage stays.
            before, found = found, {(each.kind, each.version, each.channel) for each in report.findings}
            stood_still = self.store.head(thread) == head
            if found == before and (stood_still or not self._forgotten_since(thread, head.version)):
                return report
        raise BusyError(f"thread {thread!r} is changed all the time: try again")

    apoints = twin(points)
    astalled = twin(stalled)
    acheck = twin(check)

    def _latest(self, thread: str, serializer: Serializer | None) -> RecoveryPoint | None:
        def read(view: View) -> RecoveryPoint | None:
            located = self.checkpoints.finder.locate(view, "", None)
            return next(self._points(view, "", [located], serializer)) if located else None

        return self._of_thread(thread, read)

    def _of_thread(self, thread: str, read: Callable[[View], T]) -> T | None:
        """Return the result of `read` for a thread's view, `None` if there is no such thread."""

        def attempt() -> T | None:
            view = self.checkpoints.finder.view(thread)
            return read(view) if view else None

        return again(attempt, self.store, thread)

    def _forgotten_since(self, thread: str, version: int) -> bool:
        kept = {CHECKPOINT_SAVED, WRITES_SAVED}
        head = self.store.head(thread)
        return (
            head is None
            or head.version < version
            or any(event.topic not in kept for event in self.store.read(thread, after=version))
        )

    def _points(
        self, view: View, namespace: str, batch: Sequence[Located], serializer: Serializer | None
    ) -> Iterator[RecoveryPoint]:
        at = writes_of(self._tables, view, namespace, [located.id for located in batch])
        names = Names(self.checkpoints.finder, view)
        names.know(batch)

        def written(located: Located) -> list[Written]:
            rows = at.get(located.id, {})
            stored = {version: row.payload for version, row in rows.items() if row.payload is not None}
            return self._written(view, names, located, stored)

        values = Values(self.store, self._tables, view, serializer) if serializer else None
        steps = Steps(self.checkpoints.finder, view, batch, written, values)
        for located in batch:
            step = steps.of(located)
            number = step_of(located)
            yield RecoveryPoint(
                thread=view.thread,
                namespace=namespace,
                id=located.id,
                parent=located.parent,
                version=located.version,
                step=-2 if number is None else number,
                source=source_of(located) or "",
                saved_at=from_microseconds(located.recorded_at),
                run=located.cause.run,
                next=step.next,
                tasks=tuple(_state(step, task, serializer) for task in step.tasks),
                beside=tuple(_state(step, task, serializer) for task in step.beside),
            )

    def _written(self, view: View, names: Names, located: Located, stored: Mapping[int, bytes]) -> list[Written]:
        """Return what was written to a checkpoint, by the payloads of the events' versions."""
        read = [
            opened(self.store, view.thread, version, payload, WritesRecord.unpack)
            for version, payload in stored.items()
        ]
        nodes = names.nodes(located.namespace, located.id, read)
        return [
            Written(version, cause.task or "", node, record)
            for version, (cause, record), node in zip(stored, read, nodes, strict=True)
        ]


def _state(step: Step, task: Task, serializer: Serializer | None) -> TaskState:
    asked, error = _said(step.asked(task), serializer), _said(task.error, serializer)
    questions = asked if isinstance(asked, list | tuple) else ()
    ids = tuple(str(question.id) for question in questions if hasattr(question, "id"))
    return TaskState(task.id, task.node, task.status, ids, None if error is None else str(error), task.called)


def _said(write: Write | None, serializer: Serializer | None) -> Any:
    """A question or an error, if it can be read."""
    if write is None or serializer is None:
        return None
    try:
        return load(write.encoding, write.data, serializer)
    except (CorruptionError, TypeNotAllowedError):
        return None  # of a type that may not be made again, for one


def _why(latest: RecoveryPoint, active_at: datetime, older_than: timedelta | None) -> tuple[Why, ...]:
    if latest.clean:
        return ()
    # What a function failed with that a task called, the task may have caught.
    reached = {task.status for task in (*latest.tasks, *latest.beside) if not task.called}
    why: list[Why] = []
    if "interrupted" in reached:
        why.append("interrupt")
    if "failed" in reached:
        why.append("error")
    if why:
        return tuple(why)
    if older_than is None:
        return ("pending",)
    return ("died",) if datetime.now(UTC) - active_at >= older_than else ()


def _check_limit(limit: int) -> None:
    if limit < 1:
        raise BadInputError(f"limit is {limit}: at least one is needed")


def _batches(found: Iterable[Located]) -> Iterator[list[Located]]:
    for _, batch in groupby(enumerate(found), lambda numbered: numbered[0] // _BATCH):
        yield [located for _, located in batch]
