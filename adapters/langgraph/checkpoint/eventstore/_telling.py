"""Telling the history of a saver's threads: timelines, states as they were, differences, and origins of values."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

from eventstore import BadInputError
from eventstore.arguments import check_callable, checked, hold_to
from eventstore.workers import twin, twin_iterator
from langgraph.checkpoint.eventstore._arguments import (
    before_of,
    checkpoint_id,
    checkpoint_in,
    fold_of,
)
from langgraph.checkpoint.eventstore._history_parts import HistoryParts
from langgraph.checkpoint.eventstore._named import namespace_of
from langgraph.checkpoint.eventstore._translation import CheckpointThen, to_tuple_then
from projections import CheckpointDiff, Origin, RecordedCall, TimelineEntry, TimelinePage
from projections.answers.answers import Answers

if TYPE_CHECKING:
    from langgraph.checkpoint.eventstore._named import Checkpoint, Thread
    from langgraph.checkpoint.eventstore.replay.replaying import Graph
    from langgraph.checkpoint.eventstore.shapes.report import Progress as ShapesProgress
    from langgraph.checkpoint.eventstore.shapes.report import ThreadShapes

hold_to("ShapesProgress", check_callable)

# How many checkpoints an async timeline fetches per visit to a worker.
_AT_ONCE = 50


@checked
class Telling(HistoryParts):
    """Tells what happened. Nothing of it writes."""

    def timeline(
        self,
        threads: Thread | Sequence[Thread],
        *,
        namespace: str | None = None,
        graph: Graph | None = None,
        missing_ok: bool = False,
    ) -> Iterator[TimelineEntry]:
        """The checkpoints of a thread or of several, the latest first, and what each changed; of subgraphs, too.

        They are read in pages while they are consumed.

        Args:
            threads: A thread, or several, whose checkpoints are merged.
            namespace: Only those of this namespace; `None`: of all.
            graph: The graph of the threads, for its reducers.
            missing_ok: Whether threads that are not there are passed over.

        Raises:
            NotFoundError: Some of the threads are not there.
        """
        return self._timeline.entries(
            self._threads(threads),
            self._saver.serde,
            namespace=namespace,
            fold=fold_of(graph),
            missing_ok=missing_ok,
        )

    def page(
        self,
        threads: Thread | Sequence[Thread],
        *,
        namespace: str | None = None,
        before: str | None = None,
        limit: int = 50,
        graph: Graph | None = None,
        missing_ok: bool = False,
    ) -> TimelinePage:
        """One page of a timeline.

        Args:
            threads: A thread, or several, whose checkpoints are merged.
            namespace: Only those of this namespace; `None`: of all.
            before: `next_cursor` of the page before, with the same threads and namespace.
            limit: The size of the page.
            graph: The graph of the threads, for its reducers.
            missing_ok: Whether threads that are not there are passed over.

        Raises:
            NotFoundError: Some of the threads are not there.
        """
        return self._timeline.page(
            self._threads(threads),
            self._saver.serde,
            namespace=namespace,
            before=before,
            limit=limit,
            fold=fold_of(graph),
            missing_ok=missing_ok,
        )

    def at(
        self,
        thread: Thread,
        time: datetime | Checkpoint | None = None,
        *,
        before_message: str | None = None,
        back_turns: int | None = None,
        namespace: str | None = None,
        graph: Graph | None = None,
    ) -> CheckpointThen | None:
        """The state of a thread at a time, or at a checkpoint: its config is where a run can travel back to.

        At a time: the checkpoint that was the latest then, with what was pending; `None` if there was none yet. A
        rollback since then makes no difference. What was pruned since is no state of any time. At a checkpoint: what
        a fork made there begins with, or a rollback to it leaves.

        Args:
            thread: The thread.
            time: The time (without a zone, in UTC), or a checkpoint; or, instead:
            before_message: A message's id: before it came into the state, on the way that led to the latest checkpoint;
            back_turns: How many inputs to take back on that way: see `projections.Before`.
            namespace: The namespace, if neither the checkpoint nor the thread says.
            graph: The graph of the thread, for its reducers.

        Raises:
            NotFoundError: There is no such thread, checkpoint, message or turn, or nothing before it.
        """
        named = None if isinstance(time, datetime) else time
        where = namespace_of(namespace, named, thread)
        before = before_of(time, before_message, back_turns, self._saver.serde, graph)
        when = before or (time if isinstance(time, datetime) else checkpoint_id(time))
        if when is None:
            raise BadInputError("say which state is meant: by a time, a checkpoint, before_message, or back_turns")
        saved = self._timeline.at(self._thread(thread), when, self._saver.serde, namespace=where, fold=fold_of(graph))
        return to_tuple_then(saved) if saved else None

    def state(
        self,
        thread: Thread,
        checkpoint: Checkpoint | None = None,
        *,
        namespace: str | None = None,
        graph: Graph | None = None,
    ) -> CheckpointThen | None:
        """A checkpoint with the values that `get_state` shows, also without the graph; `None` if it has saved none.

        Args:
            thread: The thread; a config may name one of its checkpoints.
            checkpoint: Which; `None`: the latest.
            namespace: The namespace, if no config says.
            graph: The graph of the thread, for its reducers.

        Raises:
            NotFoundError: There is no such thread or checkpoint.
        """
        saved = self._timeline.state(
            self._thread(thread),
            self._saver.serde,
            checkpoint=checkpoint_id(checkpoint) or checkpoint_in(thread),
            namespace=namespace_of(namespace, checkpoint, thread),
            fold=fold_of(graph),
        )
        return to_tuple_then(saved) if saved else None

    def diff(
        self,
        thread: Thread,
        before: Checkpoint | None = None,
        after: Checkpoint | None = None,
        *,
        channels: Collection[str] | None = None,
        graph: Graph | None = None,
    ) -> CheckpointDiff:
        """How two checkpoints of a thread differ. Of channels that are stored in the same place no value is read.

        Args:
            thread: The thread.
            before: The earlier one; `None`: the parent of the later one.
            after: The later one; `None`: the latest.
            channels: Which channels; `None`: all but those by which a graph leads itself on.
            graph: The graph of the thread, for its reducers.

        Raises:
            NotFoundError: There is no such thread, checkpoint or channel.
        """
        of = self._thread(thread)
        spaces = [None if each is None else self._namespace(of, each) for each in (before, after)]
        space = next((each for each in reversed(spaces) if each is not None), "")
        return self._timeline.diff(
            of,
            checkpoint_id(before),
            checkpoint_id(after),
            self._saver.serde,
            namespace=space if spaces[0] is None else spaces[0],
            namespace_b=space,
            channels=channels,
            fold=fold_of(graph, space, [] if channels is None or isinstance(channels, str) else channels),
        )

    def blame(
        self,
        thread: Thread,
        channel: str,
        item: Any = None,
        *,
        checkpoint: Checkpoint | None = None,
        graph: Graph | None = None,
    ) -> list[Origin]:
        """Return the origins of a channel's value: the event and tasks that put each part there, and the one before.

        Args:
            thread: The thread.
            channel: The channel.
            item: A part of the value: an index (negative: from the end), a message's id, a dict's key, or a tuple of
                these that leads further inside. `None`: each item of a list, key of a dict or line of a text.
            checkpoint: The checkpoint whose value is looked at; `None`: the latest.
            graph: The graph of the thread, for its reducers.

        Raises:
            NotFoundError: There is no such checkpoint, channel or item.
        """
        of = self._thread(thread)
        namespace = "" if checkpoint is None else self._namespace(of, checkpoint)
        return self._timeline.blame(
            of,
            channel,
            self._saver.serde,
            item=item,
            checkpoint=checkpoint_id(checkpoint),
            namespace=namespace,
            fold=fold_of(graph, namespace, [channel]),
        )

    def answers(self, thread: Thread) -> Iterator[RecordedCall]:
        """The calls of models and tools that a thread has recorded, in order, with their answers.

        `EventStoreSaver.recording` records them. They are read in pages while they are consumed. Of a fork, its past is
        among them; what was erased is not.

        Args:
            thread: The thread.

        Raises:
            NotFoundError: There is no such thread.
        """
        return Answers(self._saver.store).of_thread(self._thread(thread), self._saver.serde)

    def shapes(
        self,
        threads: Thread | Sequence[Thread] | None = None,
        *,
        prefix: str = "",
        progress: ShapesProgress | None = None,
    ) -> Iterator[ThreadShapes]:
        """Tell which threads hold values of old shapes, by the saver's `value_upcasters`, and what cannot be read.

        Their whole logs are read, one after the other and event by event: also what is not shown any more and is not
        erased, recorded answers, and the past that a fork shares. A thread whose `is_new` is true needs no upcaster.
        Nothing is changed, and others may write meanwhile.

        Args:
            threads: A thread, or several; `None`: all of the store.
            prefix: Of all, those whose ids begin so.
            progress: Gets the thread that is looked at, how many of its events are done, and of how many.

        Raises:
            NotFoundError: One of the threads is not there.
            BadInputError: The saver has a serializer of its own.
        """
        # Most savers never ask: they start without what that takes.
        from langgraph.checkpoint.eventstore.shapes.looking import shapes_of_all  # noqa: PLC0415
        from langgraph.checkpoint.eventstore.shapes.noting import noting  # noqa: PLC0415

        noting(self._saver.serde)  # says at the call if it cannot be told
        named = None if threads is None else self._threads(threads)
        return shapes_of_all(self._saver, named, prefix, progress or (lambda *_: None))

    def _namespace(self, thread: str, checkpoint: Checkpoint) -> str:
        """The namespace of a checkpoint: the one that comes with it, or else the one that its id is of."""
        told = namespace_of(None, checkpoint)
        return self._checkpoints.finder.namespace_of(thread, checkpoint_id(checkpoint)) if told is None else told

    atimeline = twin_iterator(timeline, at_once=_AT_ONCE)
    apage = twin(page)
    aat = twin(at)
    astate = twin(state)
    adiff = twin(diff)
    ablame = twin(blame)
    aanswers = twin_iterator(answers, at_once=_AT_ONCE)
    ashapes = twin_iterator(shapes, at_once=1)
