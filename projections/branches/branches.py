"""Branches: the forks of a thread and the branches within it, as one tree."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain, zip_longest

from eventstore import BadInputError, BusyError, Cause, NotFoundError, OvertakenError
from eventstore.arguments import checked
from eventstore.by_fields import OnOneLine
from eventstore.recorders import Session
from eventstore.workers import twin
from projections.before import Before
from projections.branches.applying import Applying
from projections.branches.promoting import promote
from projections.branches.tree import Family
from projections.causes import caused
from projections.checkpoints.companion import Companion
from projections.outcomes import BranchTree, Forked, Moved, Promoted, PruneReport
from projections.reading.loading import again
from projections.reading.located import Located
from projections.reading.view import View
from projections.timeline.comparison import CheckpointDiff, Comparison, missing
from projections.timeline.rules import Fold
from projections.values.serializer import Serializer


@dataclass(frozen=True, slots=True, repr=False)
class BranchSide(OnOneLine):
    """One of two branches that are compared.

    Attributes:
        thread: The thread.
        tip: The checkpoint where the branch ends.
        ahead: How many checkpoints it has since the two parted.
        changes: What they changed; `None` if there are none, or nothing in common to compare with.
    """

    thread: str
    tip: str
    ahead: int
    changes: CheckpointDiff | None


@dataclass(frozen=True, slots=True, repr=False)
class BranchDiff(OnOneLine):
    """The common past of two branches, and their differences.

    Attributes:
        ancestor: The latest checkpoint that both go on from; `None` if they have nothing in common.
        one: The first branch.
        other: The other one.
    """

    ancestor: str | None
    one: BranchSide
    other: BranchSide

    @property
    def conflicts(self) -> tuple[str, ...]:
        """The channels that both have changed."""
        changed = [
            {each.channel for each in side.changes.channels if each.kind != "rewritten"} if side.changes else set()
            for side in (self.one, self.other)
        ]
        return tuple(sorted(changed[0] & changed[1]))

    def _repr_html_(self) -> str:
        from projections.diffing.html import signed  # noqa: PLC0415 (only notebooks ask)

        return "".join(
            signed(
                f"{side.thread}: {side.ahead} ahead",
                ((line.sign, str(line)) for line in (side.changes.lines() if side.changes else ())),
            )
            for side in (self.one, self.other)
        )


@checked
class Branches(Companion):
    """Forks threads, lists what has branched, and moves threads from one branch to another."""

    def fork(
        self,
        source: str,
        target: str,
        *,
        at: Before | str | None = None,
        namespace: str | None = None,
        name: str | None = None,
        reason: str | None = None,
        cause: Cause | None = None,
    ) -> Forked:
        """Begin a new thread with the past of another one: up to its head, or as it was when a checkpoint was saved.

        Nothing is copied, whatever the length, and neither is changed by what becomes of the other.

        Args:
            source: The thread to fork.
            target: The id of the new thread.
            at: The id of a checkpoint, also of one that was rolled back, or a `Before`; `None`: the head, with what is
                pending.
            namespace: That checkpoint's namespace; `None`: the one that its id is of.
            name: What to call the branch in listings.
            reason: Why, in words.
            cause: Who does it, and anything else to record.

        Raises:
            NotFoundError: There is no such thread or checkpoint.
            ConflictError: The target exists.
        """
        cause = caused(cause, reason, forked_from=source, name=name)
        if at is None:
            forked = self.checkpoints.copy(source, target, cause=cause)
            return Forked(target, source, forked.first - 1, None)
        view = self.checkpoints.finder.view(source)
        if view is None:
            raise NotFoundError(f"there is no thread {source!r} that could be forked")
        namespace = self._namespace(source, at, namespace)
        mover = self.checkpoints.mover
        checkpoint = again(lambda: mover.named(view, namespace, at), self.store, source)
        point = mover.point_of(view, namespace, checkpoint)

        def show(session: Session, stream_id: int, parent_id: int, version: int) -> None:
            if parent_id != view.stream_id:
                raise BusyError(f"thread {source!r} was replaced while it was forked: try again")
            tables = self.checkpoints.tables.within(session)
            if self.checkpoints.finder.pruned_at(view, point.upto, tables) > point.upto:
                raise BusyError(f"thread {source!r} was pruned while it was forked: try again")
            Applying(tables, self.store.log.within(session)).fork(stream_id, parent_id, version + 1, point)

        cause = Cause(namespace, checkpoint, cause.run, cause.node, cause.task, cause.metadata)
        metadata = self.checkpoints.finder.described(view, cause.metadata)
        self.store.fork(source, target, at=point.version, cause=cause, metadata=metadata, shows=point.pack(), work=show)
        return Forked(target, source, point.version, checkpoint)

    def tree(self, thread: str, *, namespace: str = "") -> BranchTree:
        """All that has branched from a thread, and what it branched from itself: usually one tree, by its trunk.

        A branch is a thread that was forked, or one that a thread has left: what was run after going back in
        time, by racing runs, or before a rollback. It costs as much as there are checkpoints in all of these threads.

        Args:
            thread: Any thread of the tree.
            namespace: The namespace.

        Raises:
            NotFoundError: There is no such thread.
        """
        return again(lambda: self._family(thread, namespace).branches(), self.store, thread)

    def compare(
        self,
        one: str,
        other: str,
        serializer: Serializer,
        *,
        at: str | None = None,
        other_at: str | None = None,
        namespace: str | None = None,
        fold: Fold | None = None,
    ) -> BranchDiff:
        """Compare two branches: find their common past, and the changes of each since then, by channel and by item.

        Args:
            one: A thread.
            other: Another one, or the same.
            serializer: Turns bytes into values.
            at: The checkpoint at which the first branch ends; `None` means its latest.
            other_at: The checkpoint at which the other branch ends.
            namespace: The namespace of the checkpoints; `None`: of each the one that its id is of.
            fold: The rules of the graph, for channels of which only the writes are stored.

        Raises:
            NotFoundError: There is no such thread or checkpoint.
        """
        return again(
            lambda: self._compared(((one, at), (other, other_at)), serializer, namespace, fold),
            self.store,
            *dict.fromkeys([one, other]),
        )

    def _compared(
        self, ends: Sequence[tuple[str, str | None]], serializer: Serializer, namespace: str | None, fold: Fold | None
    ) -> BranchDiff:
        finder = self.checkpoints.finder
        comparison = Comparison(self.store, self.checkpoints.tables, finder)
        named = [None if tip is None else self._namespace(thread, tip, namespace) for thread, tip in ends]
        # Of an end that is not named by an id, it is the other one's.
        either = namespace or next((space for space in named if space is not None), "")
        spaces = [either if space is None else space for space in named]
        ways = [self._way(thread, space, tip) for (thread, tip), space in zip(ends, spaces, strict=True)]
        common, gone = _meeting(*(ids for _, _, ids in ways))
        sides = []
        for (view, tip, _), way in zip(ways, gone, strict=True):
            since = way.index(common) if common is not None else len(way)
            changes = None
            if common is not None and since:
                # In what the way was found in: the thread may have moved meanwhile.
                base = finder.locate(view, tip.namespace, common)
                if base is None:
                    raise OvertakenError(
                        f"checkpoint {common!r} of thread {view.thread!r} was pruned or deleted meanwhile"
                    )
                changes = comparison.within(view, base, tip, serializer, fold)
            sides.append(BranchSide(view.thread, tip.id, since, changes))
        return BranchDiff(common, *sides)

    def _way(self, thread: str, namespace: str, tip: str | None) -> tuple[View, Located, Iterator[str]]:
        """A checkpoint of a thread, and the ids of it and of all that it goes on from, the latest first."""
        finder = self.checkpoints.finder
        view = finder.view(thread)
        way = finder.ancestors(view, namespace, tip) if view else iter(())
        first = next(way, None)
        if view is None or first is None:
            raise NotFoundError(missing(thread, namespace, tip))
        return view, first, (located.id for located in chain([first], way))

    def switch(
        self,
        thread: str,
        checkpoint: str,
        *,
        namespace: str | None = None,
        reason: str | None = None,
        cause: Cause | None = None,
        expected_version: int | None = None,
    ) -> Moved:
        """Put a thread on another of its branches, at any checkpoint of it; `Checkpoints.undo` leads back.

        The thread is then as it was when the checkpoint was saved; if that was the last one on a branch that a rollback
        has left, as it was before the rollback, with what is pending.

        Raises:
            NotFoundError: The thread has no such checkpoint, on any branch.
            ConflictError: The thread moved on meanwhile; nothing was changed.
        """
        mover, namespace = self.checkpoints.mover, self._namespace(thread, checkpoint, namespace)
        return mover.switch(thread, checkpoint, namespace, caused(cause, reason), expected_version)

    def promote(
        self,
        branch: str,
        over: str,
        *,
        keep_as: str | None = None,
        reason: str | None = None,
        cause: Cause | None = None,
    ) -> Promoted:
        """Let a forked thread take another's place: its id becomes that of the other, which is kept under a new one.

        Args:
            branch: The thread that takes the place.
            over: The thread whose id it gets.
            keep_as: The id that the other is kept under; by default its own, with `~` and its version.
            reason: Why, in words.
            cause: Who does it, and anything else to record.

        Raises:
            NotFoundError: There is no such thread.
            BadInputError: The two have no past in common.
            ConflictError: A thread of the id `keep_as` exists, or a run writes to one of them; nothing was changed.
        """
        finder = self.checkpoints.finder
        views = [finder.view(thread) for thread in (branch, over)]
        if all(views) and len({finder.root(view) for view in views if view}) > 1:
            raise BadInputError(f"threads {branch!r} and {over!r} have no past in common: promote a fork")
        return promote(self.store, self.checkpoints.tables, branch, over, keep_as, caused(cause, reason))

    def delete(
        self,
        thread: str,
        checkpoint: str | None = None,
        *,
        reason: str | None = None,
        cause: Cause | None = None,
    ) -> PruneReport:
        """Delete a forked thread; or, within a thread, the branch that ends at a checkpoint.

        Of a branch those checkpoints go that no other has, and what subgraphs saved under them. Their content is
        erased: this cannot be undone.

        Args:
            thread: The thread.
            checkpoint: The last checkpoint of the branch; `None`: the thread itself.
            reason: Why, in words.
            cause: Who does it, and anything else to record.

        Raises:
            NotFoundError: There is no such thread, or no branch that ends there.
            BadInputError: The thread is on that branch.
            ConflictError: A fork shares the branch, which no fork would lose by this; nothing was deleted.
        """
        if checkpoint is None:
            if self.store.head(thread) is None:
                raise NotFoundError(f"there is no thread {thread!r}")
            return self.checkpoints.delete(thread, cause=caused(cause, reason))
        family = again(lambda: self._family(thread, ""), self.store, thread)
        doomed = family.path(checkpoint)
        if not doomed:
            raise NotFoundError(
                f"thread {thread!r} has saved no branch that ends at checkpoint {checkpoint!r}: look at its tree"
            )
        if family.is_latest(checkpoint):
            raise BadInputError(f"thread {thread!r} is on that branch: switch to another one first")
        return self.checkpoints.delete_branch(thread, doomed, cause=caused(cause, reason))

    def _namespace(self, thread: str, checkpoint: Before | str | None, given: str | None) -> str:
        return self.checkpoints.finder.namespace_of(thread, checkpoint) if given is None else given

    def _family(self, thread: str, namespace: str) -> Family:
        return Family.of(self.store, self.checkpoints.tables, self.checkpoints.finder, thread, namespace)

    # --- the same for async code -------------------------------------------------------------------------------------

    afork = twin(fork)
    atree = twin(tree)
    acompare = twin(compare)
    aswitch = twin(switch)
    apromote = twin(promote)
    adelete = twin(delete)


def _meeting(one: Iterator[str], other: Iterator[str]) -> tuple[str | None, tuple[list[str], list[str]]]:
    """Return where two paths back meet, if they do, and the steps taken along each: no more than it takes."""
    gone: tuple[list[str], list[str]] = ([], [])
    seen: tuple[set[str], set[str]] = (set(), set())
    for steps in zip_longest(one, other):
        for mine, step in enumerate(steps):
            if step is not None:
                gone[mine].append(step)
                seen[mine].add(step)
                if step in seen[1 - mine]:
                    return step, gone
    return None, gone
