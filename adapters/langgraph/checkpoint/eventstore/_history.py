"""The history of a saver's threads: going back and forth, branches, what changed, who did it, what can be resumed."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from functools import cached_property
from typing import TYPE_CHECKING, Any

from eventstore.arguments import checked
from eventstore.workers import Workers, twin, twin_iterator
from langgraph.checkpoint.eventstore._arguments import (
    cause_of,
    checkpoint_id,
    checkpoint_in,
    fold_of,
    required_id,
    thread_id,
    thread_ids,
)
from langgraph.checkpoint.eventstore._named import namespace_of
from langgraph.checkpoint.eventstore._parts import SaverParts
from langgraph.checkpoint.eventstore._translation import CheckpointThen, to_tuple_then
from projections import (
    Audit,
    Branch,
    BranchDiff,
    Branches,
    CheckpointDiff,
    Forked,
    Moved,
    Origin,
    Promoted,
    PruneReport,
    Recovery,
    RecoveryPoint,
    Report,
    StalledPage,
    Timeline,
    TimelineEntry,
    TimelinePage,
)

if TYPE_CHECKING:
    from langgraph.checkpoint.eventstore._named import Checkpoint, Thread
    from langgraph.checkpoint.eventstore.replay.planning import ReplayPlan
    from langgraph.checkpoint.eventstore.replay.replayed import Replayed
    from langgraph.checkpoint.eventstore.replay.replaying import Graph
    from langgraph.checkpoint.eventstore.replay.selective import SelectiveReplay

# How many checkpoints an async timeline fetches per visit to a worker.
_AT_ONCE = 50


@checked
class History:
    """The history of a saver's threads, and ways to get any of it back: `saver.history`.

    Threads and checkpoints are named by their ids, or by LangGraph's configs. `by` names the person who does something,
    and `reason` says why: both are recorded with the event, and found by `audit`. A method whose name begins with `a`
    is the same for `async` code.

    Of a `DeltaChannel`, as deepagents keeps messages and files in, LangGraph stores what was written, and no value. If
    a method is given the `graph`, its reducers make the value. Without it, or where it does not say, the shape of what
    was written tells: messages replace each other by their ids, dicts by their keys. The result says which rule it was,
    as `folded`. Of any other shape it is only said that it was written.

    Attributes:
        audit: The audit trail: see `projections.Audit`.
    """

    def __init__(self, saver: SaverParts) -> None:
        self._saver = saver
        self._checkpoints = saver.checkpoints
        self._branches = Branches(saver.checkpoints)
        self._timeline = Timeline(saver.checkpoints)
        self._recovery = Recovery(saver.checkpoints)

    @property
    def workers(self) -> Workers:
        """The threads of the store, which carry out async calls."""
        return self._saver.store.workers

    @cached_property
    def audit(self) -> Audit:
        """The audit trail, which says who did what and when."""
        return Audit(self._checkpoints)

    @cached_property
    def _replaying(self) -> SelectiveReplay:
        # It takes LangGraph itself, which a saver does without.
        from langgraph.checkpoint.eventstore.replay.selective import SelectiveReplay  # noqa: PLC0415

        return SelectiveReplay(self._saver)

    # --- back and forth ----------------------------------------------------------------------------------------------

    def rollback(
        self,
        thread: Thread,
        to: Checkpoint | None = None,
        *,
        step: int | None = None,
        time: datetime | None = None,
        back: int | None = None,
        namespace: str | None = None,
        reason: str | None = None,
        by: Mapping[str, Any] | None = None,
    ) -> Moved:
        """Put a thread back to where it was when a checkpoint was saved; see `Checkpoints.rollback`."""
        return self._checkpoints.rollback(
            thread_id(thread),
            to=checkpoint_id(to),
            step=step,
            time=time,
            back=back,
            namespace=namespace_of(namespace, to, thread),
            reason=reason,
            cause=cause_of(by),
        )

    def undo(self, thread: Thread, *, reason: str | None = None, by: Mapping[str, Any] | None = None) -> Moved:
        """Undo the last rollback or switch; see `Checkpoints.undo`."""
        return self._checkpoints.undo(thread_id(thread), reason=reason, cause=cause_of(by))

    # --- branches ----------------------------------------------------------------------------------------------------

    def fork(
        self,
        source: Thread,
        target: Thread,
        *,
        at: Checkpoint | None = None,
        name: str | None = None,
        reason: str | None = None,
        by: Mapping[str, Any] | None = None,
    ) -> Forked:
        """Begin a new thread with the past of another, up to its head or a checkpoint; see `Branches.fork`."""
        return self._branches.fork(
            thread_id(source),
            thread_id(target),
            at=checkpoint_id(at),
            namespace=namespace_of(None, at),
            name=name,
            reason=reason,
            cause=cause_of(by),
        )

    def tree(self, thread: Thread) -> tuple[Branch, ...]:
        """All that has branched, between threads and within them; see `Branches.tree`."""
        return self._branches.tree(thread_id(thread))

    def compare(self, one: Thread, other: Thread, *, graph: Graph | None = None) -> BranchDiff:
        """Compare two branches: find their common past, and the changes of each since then; see `Branches.compare`.

        Args:
            one: A thread; a config may name one of its checkpoints instead of the latest.
            other: Another one, or the same with another checkpoint.
            graph: The graph of the threads, for its reducers.
        """
        told = {namespace_of(None, each) for each in (one, other) if checkpoint_in(each)}
        return self._branches.compare(
            thread_id(one),
            thread_id(other),
            self._saver.serde,
            at=checkpoint_in(one),
            other_at=checkpoint_in(other),
            namespace=told.pop() if len(told) == 1 else None,
            fold=fold_of(graph),
        )

    def switch(
        self, thread: Thread, to: Checkpoint, *, reason: str | None = None, by: Mapping[str, Any] | None = None
    ) -> Moved:
        """Put a thread on another of its branches; see `Branches.switch`."""
        return self._branches.switch(
            thread_id(thread), required_id(to), namespace=namespace_of(None, to), reason=reason, cause=cause_of(by)
        )

    def promote(
        self,
        branch: Thread,
        over: Thread,
        *,
        keep_as: str | None = None,
        reason: str | None = None,
        by: Mapping[str, Any] | None = None,
    ) -> Promoted:
        """Let a forked thread take another's place; see `Branches.promote`."""
        return self._branches.promote(
            thread_id(branch), thread_id(over), keep_as=keep_as, reason=reason, cause=cause_of(by)
        )

    def delete_branch(
        self,
        thread: Thread,
        tip: Checkpoint | None = None,
        *,
        reason: str | None = None,
        by: Mapping[str, Any] | None = None,
    ) -> PruneReport:
        """Delete a forked thread, or the branch of a thread that ends at a checkpoint; see `Branches.delete`."""
        return self._branches.delete(thread_id(thread), checkpoint_id(tip), reason=reason, cause=cause_of(by))

    # --- what happened -----------------------------------------------------------------------------------------------

    def timeline(
        self, threads: Thread | Sequence[Thread], *, namespace: str | None = None, graph: Graph | None = None
    ) -> Iterator[TimelineEntry]:
        """The checkpoints of a thread or of several, the latest first, and what each changed; see `Timeline`."""
        return self._timeline.entries(thread_ids(threads), self._saver.serde, namespace=namespace, fold=fold_of(graph))

    def page(
        self,
        threads: Thread | Sequence[Thread],
        *,
        namespace: str | None = None,
        before: str | None = None,
        limit: int = 50,
        graph: Graph | None = None,
    ) -> TimelinePage:
        """One page of a timeline; see `Timeline.page`."""
        return self._timeline.page(
            thread_ids(threads), self._saver.serde, namespace=namespace, before=before, limit=limit, fold=fold_of(graph)
        )

    def at(
        self,
        thread: Thread,
        time: datetime | Checkpoint,
        *,
        namespace: str | None = None,
        graph: Graph | None = None,
    ) -> CheckpointThen | None:
        """The state of a thread at a time, or at a checkpoint; see `Timeline.at`."""
        when = time if isinstance(time, datetime) else required_id(time)
        where = namespace_of(namespace, None if isinstance(time, datetime) else time, thread)
        saved = self._timeline.at(thread_id(thread), when, self._saver.serde, namespace=where, fold=fold_of(graph))
        return to_tuple_then(saved) if saved else None

    def state(
        self,
        thread: Thread,
        checkpoint: Checkpoint | None = None,
        *,
        namespace: str | None = None,
        graph: Graph | None = None,
    ) -> CheckpointThen | None:
        """A checkpoint with the values that `get_state` shows, also without the graph; see `Timeline.state`.

        Args:
            thread: The thread; a config may name one of its checkpoints.
            checkpoint: Which; `None`: the latest.
            namespace: The namespace, if no config says.
            graph: The graph of the thread, for its reducers.
        """
        saved = self._timeline.state(
            thread_id(thread),
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
        """How two checkpoints of a thread differ; see `Timeline.diff`.

        Args:
            thread: The thread.
            before: The earlier one; `None`: the parent of the later one.
            after: The later one; `None`: the latest.
            channels: Which channels; `None`: all but those by which a graph leads itself on.
            graph: The graph of the thread, for its reducers.
        """
        of = thread_id(thread)
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
        """Return the origins of a channel's value, item by item; see `Timeline.blame`."""
        of = thread_id(thread)
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

    # --- what can be resumed -----------------------------------------------------------------------------------------

    def points(self, thread: Thread, *, namespace: str = "", limit: int = 50) -> list[RecoveryPoint]:
        """The checkpoints that a run can be resumed from; see `Recovery.points`."""
        return self._recovery.points(thread_id(thread), namespace=namespace, limit=limit, serializer=self._saver.serde)

    def stalled(
        self,
        *,
        prefix: str = "",
        older_than: timedelta | None = None,
        limit: int = 100,
        cursor: str | None = None,
    ) -> StalledPage:
        """The threads that stopped in the middle, and why; see `Recovery.stalled`."""
        return self._recovery.stalled(
            prefix=prefix, older_than=older_than, limit=limit, cursor=cursor, serializer=self._saver.serde
        )

    def check(self, thread: Thread) -> Report:
        """Check that a thread is sound: its chain, its rows, its values; see `Recovery.check`."""
        return self._recovery.check(thread_id(thread), self._saver.serde)

    # --- what a changed node concerns --------------------------------------------------------------------------------

    def affected(
        self,
        graph: Graph,
        thread: Thread,
        checkpoint: Checkpoint,
        node: str,
        *,
        only: Callable[[Any], bool] | None = None,
    ) -> ReplayPlan:
        """Find the later tasks that read what a changed node wrote; nothing is run. See `SelectiveReplay.affected`."""
        return self._replaying.affected(graph, thread_id(thread), required_id(checkpoint), node, only=only)

    def replay(self, graph: Graph, thread: Thread, checkpoint: Checkpoint, node: str, **options: Any) -> Replayed:
        """Run again what a changed node concerns, in a fork; of all else, use the recorded results.

        See `SelectiveReplay.replay` for the options: `only`, `target`, `reason`, `config`, `context`.
        """
        return self._replaying.replay(graph, thread_id(thread), required_id(checkpoint), node, **options)

    def _namespace(self, thread: str, checkpoint: Checkpoint) -> str:
        """The namespace of a checkpoint: the one that comes with it, or else the one that its id is of."""
        told = namespace_of(None, checkpoint)
        return self._checkpoints.finder.namespace_of(thread, checkpoint_id(checkpoint)) if told is None else told

    # --- the same for async code -------------------------------------------------------------------------------------

    arollback = twin(rollback)
    aundo = twin(undo)
    afork = twin(fork)
    atree = twin(tree)
    acompare = twin(compare)
    aswitch = twin(switch)
    apromote = twin(promote)
    adelete_branch = twin(delete_branch)
    atimeline = twin_iterator(timeline, at_once=_AT_ONCE)
    apage = twin(page)
    aat = twin(at)
    astate = twin(state)
    adiff = twin(diff)
    ablame = twin(blame)
    apoints = twin(points)
    astalled = twin(stalled)
    acheck = twin(check)
    aaffected = twin(affected)

    async def areplay(
        self, graph: Graph, thread: Thread, checkpoint: Checkpoint, node: str, **options: Any
    ) -> Replayed:
        """`replay`; the nodes run in the caller's event loop."""
        return await self._replaying.areplay(graph, thread_id(thread), required_id(checkpoint), node, **options)
