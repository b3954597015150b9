"""The history of a saver's threads: going back and forth, branches, what changed, who did it, what can be resumed."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Collection, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from functools import cached_property
from typing import TYPE_CHECKING, Any

from langchain_core.runnables import RunnableConfig

from eventstore import BadInputError, Cause
from eventstore.arguments import checked
from langgraph.checkpoint.eventstore import _config
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
    from langgraph.checkpoint.eventstore._folding import Reducers
    from langgraph.checkpoint.eventstore._planning import ReplayPlan
    from langgraph.checkpoint.eventstore._replay import SelectiveReplay
    from langgraph.checkpoint.eventstore._replayed import Replayed
    from langgraph.checkpoint.eventstore._replaying import Graph
    from langgraph.checkpoint.eventstore._saver import EventStoreSaver

Thread = str | RunnableConfig
"""A thread: its id, or a config that names it."""
Checkpoint = str | RunnableConfig
"""A checkpoint: its id, or a config that names it, such as that of a `StateSnapshot`."""


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

    def __init__(self, saver: EventStoreSaver) -> None:
        self._saver = saver
        self._checkpoints = saver.checkpoints
        self._run = saver.store.workers.run
        self._branches = Branches(saver.checkpoints)
        self._timeline = Timeline(saver.checkpoints)
        self._recovery = Recovery(saver.checkpoints)

    @cached_property
    def audit(self) -> Audit:
        """The audit trail, which says who did what and when."""
        return Audit(self._saver.store)

    @cached_property
    def _replaying(self) -> SelectiveReplay:
        # It takes LangGraph itself, which a saver does without.
        from langgraph.checkpoint.eventstore._replay import SelectiveReplay  # noqa: PLC0415

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
            _thread(thread),
            to=_checkpoint(to),
            step=step,
            time=time,
            back=back,
            namespace=_namespace(namespace, to, thread),
            reason=reason,
            cause=_cause(by),
        )

    def undo(self, thread: Thread, *, reason: str | None = None, by: Mapping[str, Any] | None = None) -> Moved:
        """Undo the last rollback or switch; see `Checkpoints.undo`."""
        return self._checkpoints.undo(_thread(thread), reason=reason, cause=_cause(by))

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
            _thread(source),
            _thread(target),
            at=_checkpoint(at),
            namespace=_namespace(None, at),
            name=name,
            reason=reason,
            cause=_cause(by),
        )

    def tree(self, thread: Thread) -> tuple[Branch, ...]:
        """All that has branched, between threads and within them; see `Branches.tree`."""
        return self._branches.tree(_thread(thread))

    def compare(self, one: Thread, other: Thread, *, graph: Graph | None = None) -> BranchDiff:
        """Compare two branches: find their common past, and the changes of each since then; see `Branches.compare`.

        Args:
            one: A thread; a config may name one of its checkpoints instead of the latest.
            other: Another one, or the same with another checkpoint.
            graph: The graph of the threads, for its reducers.
        """
        return self._branches.compare(
            _thread(one),
            _thread(other),
            self._saver.serde,
            at=_checkpoint_of(one),
            other_at=_checkpoint_of(other),
            fold=_fold(graph),
        )

    def switch(
        self, thread: Thread, to: Checkpoint, *, reason: str | None = None, by: Mapping[str, Any] | None = None
    ) -> Moved:
        """Put a thread on another of its branches; see `Branches.switch`."""
        return self._branches.switch(
            _thread(thread), _required(to), namespace=_namespace(None, to), reason=reason, cause=_cause(by)
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
        return self._branches.promote(_thread(branch), _thread(over), keep_as=keep_as, reason=reason, cause=_cause(by))

    def delete_branch(
        self,
        thread: Thread,
        tip: Checkpoint | None = None,
        *,
        reason: str | None = None,
        by: Mapping[str, Any] | None = None,
    ) -> PruneReport:
        """Delete a forked thread, or the branch of a thread that ends at a checkpoint; see `Branches.delete`."""
        return self._branches.delete(_thread(thread), _checkpoint(tip), reason=reason, cause=_cause(by))

    # --- what happened -----------------------------------------------------------------------------------------------

    def timeline(
        self, threads: Thread | Sequence[Thread], *, namespace: str | None = None, graph: Graph | None = None
    ) -> Iterator[TimelineEntry]:
        """The checkpoints of a thread or of several, the latest first, and what each changed; see `Timeline`."""
        return self._timeline.entries(_threads(threads), self._saver.serde, namespace=namespace, fold=_fold(graph))

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
            _threads(threads), self._saver.serde, namespace=namespace, before=before, limit=limit, fold=_fold(graph)
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
        when = time if isinstance(time, datetime) else _required(time)
        of = (thread,) if isinstance(time, datetime) else (time, thread)
        saved = self._timeline.at(
            _thread(thread), when, self._saver.serde, namespace=_namespace(namespace, *of), fold=_fold(graph)
        )
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
            _thread(thread),
            self._saver.serde,
            checkpoint=_checkpoint(checkpoint) or _checkpoint_of(thread),
            namespace=_namespace(namespace, checkpoint, thread),
            fold=_fold(graph),
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
        namespace = _namespace(None, after, before)
        return self._timeline.diff(
            _thread(thread),
            _checkpoint(before),
            _checkpoint(after),
            self._saver.serde,
            namespace=namespace,
            channels=channels,
            fold=_fold(graph, namespace, [] if channels is None or isinstance(channels, str) else channels),
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
        namespace = _namespace(None, checkpoint)
        return self._timeline.blame(
            _thread(thread),
            channel,
            self._saver.serde,
            item=item,
            checkpoint=_checkpoint(checkpoint),
            namespace=namespace,
            fold=_fold(graph, namespace, [channel]),
        )

    # --- what can be resumed -----------------------------------------------------------------------------------------

    def points(self, thread: Thread, *, namespace: str = "", limit: int = 50) -> list[RecoveryPoint]:
        """The checkpoints that a run can be resumed from; see `Recovery.points`."""
        return self._recovery.points(_thread(thread), namespace=namespace, limit=limit, serializer=self._saver.serde)

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
        return self._recovery.check(_thread(thread), self._saver.serde)

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
        return self._replaying.affected(graph, _thread(thread), _required(checkpoint), node, only=only)

    def replay(self, graph: Graph, thread: Thread, checkpoint: Checkpoint, node: str, **options: Any) -> Replayed:
        """Run again what a changed node concerns, in a fork; of all else, use the recorded results.

        See `SelectiveReplay.replay` for the options: `only`, `target`, `reason`, `config`, `context`.
        """
        return self._replaying.replay(graph, _thread(thread), _required(checkpoint), node, **options)

    async def aaffected(
        self,
        graph: Graph,
        thread: Thread,
        checkpoint: Checkpoint,
        node: str,
        *,
        only: Callable[[Any], bool] | None = None,
    ) -> ReplayPlan:
        """`affected`."""
        return await self._replaying.aaffected(graph, _thread(thread), _required(checkpoint), node, only=only)

    async def areplay(
        self, graph: Graph, thread: Thread, checkpoint: Checkpoint, node: str, **options: Any
    ) -> Replayed:
        """`replay`; the nodes run in the caller's event loop."""
        return await self._replaying.areplay(graph, _thread(thread), _required(checkpoint), node, **options)

    # --- the same for async code: on a thread of the store's own -----------------------------------------------------

    async def arollback(self, thread: Thread, to: Checkpoint | None = None, **options: Any) -> Moved:
        """`rollback`, with the same arguments."""
        return await self._run(self.rollback, thread, to, **options)

    async def aundo(self, thread: Thread, **options: Any) -> Moved:
        """`undo`, with the same arguments."""
        return await self._run(self.undo, thread, **options)

    async def afork(self, source: Thread, target: Thread, **options: Any) -> Forked:
        """`fork`, with the same arguments."""
        return await self._run(self.fork, source, target, **options)

    async def atree(self, thread: Thread) -> tuple[Branch, ...]:
        """`tree`."""
        return await self._run(self.tree, thread)

    async def acompare(self, one: Thread, other: Thread, **options: Any) -> BranchDiff:
        """`compare`, with the same arguments."""
        return await self._run(self.compare, one, other, **options)

    async def aswitch(self, thread: Thread, to: Checkpoint, **options: Any) -> Moved:
        """`switch`, with the same arguments."""
        return await self._run(self.switch, thread, to, **options)

    async def apromote(self, branch: Thread, over: Thread, **options: Any) -> Promoted:
        """`promote`, with the same arguments."""
        return await self._run(self.promote, branch, over, **options)

    async def adelete_branch(self, thread: Thread, tip: Checkpoint | None = None, **options: Any) -> PruneReport:
        """`delete_branch`, with the same arguments."""
        return await self._run(self.delete_branch, thread, tip, **options)

    async def atimeline(
        self, threads: Thread | Sequence[Thread], *, namespace: str | None = None, graph: Graph | None = None
    ) -> AsyncIterator[TimelineEntry]:
        """`timeline`."""
        found = self._timeline.aentries(_threads(threads), self._saver.serde, namespace=namespace, fold=_fold(graph))
        async for entry in found:
            yield entry

    async def apage(self, threads: Thread | Sequence[Thread], **options: Any) -> TimelinePage:
        """`page`, with the same arguments."""
        return await self._run(self.page, threads, **options)

    async def aat(self, thread: Thread, time: datetime | Checkpoint, **options: Any) -> CheckpointThen | None:
        """`at`, with the same arguments."""
        return await self._run(self.at, thread, time, **options)

    async def astate(
        self, thread: Thread, checkpoint: Checkpoint | None = None, **options: Any
    ) -> CheckpointThen | None:
        """`state`, with the same arguments."""
        return await self._run(self.state, thread, checkpoint, **options)

    async def adiff(
        self, thread: Thread, before: Checkpoint | None = None, after: Checkpoint | None = None, **options: Any
    ) -> CheckpointDiff:
        """`diff`, with the same arguments."""
        return await self._run(self.diff, thread, before, after, **options)

    async def ablame(self, thread: Thread, channel: str, item: Any = None, **options: Any) -> list[Origin]:
        """`blame`, with the same arguments."""
        return await self._run(self.blame, thread, channel, item, **options)

    async def apoints(self, thread: Thread, *, namespace: str = "", limit: int = 50) -> list[RecoveryPoint]:
        """`points`."""
        return await self._run(self.points, thread, namespace=namespace, limit=limit)

    async def astalled(self, **options: Any) -> StalledPage:
        """`stalled`, with the same arguments."""
        return await self._run(self.stalled, **options)

    async def acheck(self, thread: Thread) -> Report:
        """`check`."""
        return await self._run(self.check, thread)


def _thread(thread: Thread) -> str:
    return _config.address(thread).thread if isinstance(thread, Mapping) else _config.thread_id(thread)


def _threads(threads: Thread | Sequence[Thread]) -> list[str]:
    several = threads if isinstance(threads, Sequence) and not isinstance(threads, str) else [threads]
    return [_thread(thread) for thread in several]


def _checkpoint(checkpoint: Checkpoint | None) -> str | None:
    if checkpoint is None:
        return None
    # What is empty is no checkpoint, and not the latest one either, nor the whole thread.
    named = (
        _config.address(checkpoint).checkpoint
        if isinstance(checkpoint, Mapping)
        else _config.checkpoint_id(checkpoint) or None
    )
    if named is None:
        raise BadInputError("this names no checkpoint: take the config of a StateSnapshot, or give a checkpoint's id")
    return named


def _required(checkpoint: Checkpoint) -> str:
    named = _checkpoint(checkpoint)
    if named is None:
        raise BadInputError("say which checkpoint is meant: by its id, or by a config that names it")
    return named


def _checkpoint_of(thread: Thread) -> str | None:
    return _config.address(thread).checkpoint if isinstance(thread, Mapping) else None


def _namespace(given: str | None, *named: Thread | Checkpoint | None) -> str:
    """The namespace that was given, or that a config names."""
    if given is not None:
        return _config.address({"configurable": {"thread_id": "-", "checkpoint_ns": given}}).namespace
    return next((_config.address(each).namespace for each in named if isinstance(each, Mapping)), "")


def _fold(graph: Graph | None, namespace: str = "", channels: Collection[str] = ()) -> Reducers | None:
    """The reducers of a graph, if one was given.

    Raises:
        BadInputError: It is no compiled graph, or has no such channel.
    """
    if graph is None:
        return None
    # It takes LangGraph itself, which a saver does without.
    from langgraph.checkpoint.eventstore._folding import Reducers  # noqa: PLC0415

    reducers = Reducers(graph)
    reducers.check(namespace, channels)
    return reducers


def _cause(by: Mapping[str, Any] | None) -> Cause:
    if by is not None and not isinstance(by, Mapping):
        raise BadInputError(f'by is {by!r}: say who as a mapping, such as {{"user": "ann"}}')
    return Cause(metadata=dict(by or {}))
