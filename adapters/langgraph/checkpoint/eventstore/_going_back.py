"""Going back in the history of a saver's threads, and forth: rollback, undo, and branches."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any

from eventstore.arguments import checked
from eventstore.workers import twin
from langgraph.checkpoint.eventstore._arguments import (
    before_of,
    cause_of,
    checkpoint_id,
    checkpoint_in,
    fold_of,
    required_id,
)
from langgraph.checkpoint.eventstore._history_parts import HistoryParts
from langgraph.checkpoint.eventstore._named import namespace_of
from projections import BranchDiff, BranchTree, Forked, Moved, Promoted, PruneReport

if TYPE_CHECKING:
    from langgraph.checkpoint.eventstore._named import Checkpoint, Thread
    from langgraph.checkpoint.eventstore.replay.replaying import Graph


@checked
class GoingBack(HistoryParts):
    """Moves threads to where they were, and to other branches; forks, compares, promotes and deletes branches."""

    def rollback(  # noqa: PLR0913 (one of six ways to say where to, and why)
        self,
        thread: Thread,
        to: Checkpoint | None = None,
        *,
        step: int | None = None,
        time: datetime | None = None,
        back: int | None = None,
        before_message: str | None = None,
        back_turns: int | None = None,
        graph: Graph | None = None,
        namespace: str | None = None,
        reason: str | None = None,
        by: Mapping[str, Any] | None = None,
    ) -> Moved:
        """Put a thread back to where it was when a checkpoint was saved: in all namespaces, with what was pending then.

        What came later is shown no longer, and stays in the log: `undo` brings it back. It costs the same for any
        length. A run that is under way fails at its next checkpoint, with a `ConflictError`.

        Args:
            thread: The thread.
            to: The checkpoint; or, instead:
            step: Its step, on the way that led to the latest checkpoint;
            time: The latest one on that way that was saved by then (a naive time is UTC);
            back: How many checkpoints back on that way; 0: the latest itself, without what was written since;
            before_message: A message's id: to before it came into the state on that way;
            back_turns: How many inputs to take back on that way: see `projections.Before`.
            graph: The graph of the thread, if `before_message` is in a channel that only its reducer makes.
            namespace: The namespace, if neither the checkpoint nor the thread says.
            reason: Why, in words; it is recorded with the event.
            by: Who does it, as a mapping; likewise.

        Raises:
            NotFoundError: The thread shows no such checkpoint, message or turn, or nothing before it.
            ConflictError: The thread moved on meanwhile; nothing was changed.
        """
        return self._checkpoints.rollback(
            self._thread(thread),
            to=before_of(to, before_message, back_turns, self._saver.serde, graph) or checkpoint_id(to),
            step=step,
            time=time,
            back=back,
            namespace=namespace_of(namespace, to, thread),
            reason=reason,
            cause=cause_of(by),
        )

    def undo(self, thread: Thread, *, reason: str | None = None, by: Mapping[str, Any] | None = None) -> Moved:
        """Undo the last rollback or switch that was not undone: the thread is again as it was before, exactly.

        What was saved since becomes unreachable, as by a rollback: `switch` leads there.

        Args:
            thread: The thread.
            reason: Why, in words; it is recorded with the event.
            by: Who does it, as a mapping; likewise.

        Raises:
            NotFoundError: There is nothing to undo; after a prune there is nothing left that could come back.
            ConflictError: The thread moved on meanwhile; nothing was changed.
        """
        return self._checkpoints.undo(self._thread(thread), reason=reason, cause=cause_of(by))

    def fork(  # noqa: PLR0913 (one of three ways to say where, and why)
        self,
        source: Thread,
        target: Thread,
        *,
        at: Checkpoint | None = None,
        before_message: str | None = None,
        back_turns: int | None = None,
        graph: Graph | None = None,
        name: str | None = None,
        reason: str | None = None,
        by: Mapping[str, Any] | None = None,
    ) -> Forked:
        """Begin a new thread with the past of another one: up to its head, or as it was when a checkpoint was saved.

        Nothing is copied, whatever the length, and neither is changed by what becomes of the other.

        Args:
            source: The thread to fork.
            target: The new thread.
            at: A checkpoint, also one that was rolled back; or, instead:
            before_message: A message's id: before it came into the state, on the way that led to the latest checkpoint;
            back_turns: How many inputs to take back on that way. Nothing of these: at the head, with what is pending.
            graph: The graph of the thread, if `before_message` is in a channel that only its reducer makes.
            name: What to call the branch in listings.
            reason: Why, in words; it is recorded with the event.
            by: Who does it, as a mapping; likewise.

        Raises:
            NotFoundError: There is no such thread, checkpoint, message or turn, or nothing before it.
            ConflictError: The target exists.
        """
        return self._branches.fork(
            self._thread(source),
            self._thread(target),
            at=before_of(at, before_message, back_turns, self._saver.serde, graph) or checkpoint_id(at),
            namespace=namespace_of(None, at),
            name=name,
            reason=reason,
            cause=cause_of(by),
        )

    def tree(self, thread: Thread) -> BranchTree:
        """All that has branched from a thread, and what it branched from itself: usually one tree, by its trunk.

        A branch is a thread that was forked, or one that a thread has left: what was run after going back in time, by
        racing runs, or before a rollback.

        Raises:
            NotFoundError: There is no such thread.
        """
        return self._branches.tree(self._thread(thread))

    def compare(self, one: Thread, other: Thread, *, graph: Graph | None = None) -> BranchDiff:
        """Compare two branches: find their common past, and the changes of each since then, by channel and by item.

        Args:
            one: A thread; a config, a tuple or an entry names one of its checkpoints instead of the latest.
            other: Another one, or the same with another checkpoint.
            graph: The graph of the threads, for its reducers.

        Raises:
            NotFoundError: There is no such thread or checkpoint.
        """
        told = {namespace_of(None, each) for each in (one, other) if checkpoint_in(each)}
        return self._branches.compare(
            self._thread(one),
            self._thread(other),
            self._saver.serde,
            at=checkpoint_in(one),
            other_at=checkpoint_in(other),
            namespace=told.pop() if len(told) == 1 else None,
            fold=fold_of(graph),
        )

    def switch(
        self, thread: Thread, to: Checkpoint, *, reason: str | None = None, by: Mapping[str, Any] | None = None
    ) -> Moved:
        """Put a thread on another of its branches, at any checkpoint of it; `undo` leads back.

        The thread is then as it was when the checkpoint was saved; if that was the last one on a branch that a rollback
        has left, as it was before the rollback, with what is pending.

        Args:
            thread: The thread.
            to: The checkpoint, also one that a rollback has made unreachable.
            reason: Why, in words; it is recorded with the event.
            by: Who does it, as a mapping; likewise.

        Raises:
            NotFoundError: The thread has no such checkpoint, on any branch.
            ConflictError: The thread moved on meanwhile; nothing was changed.
        """
        return self._branches.switch(
            self._thread(thread), required_id(to), namespace=namespace_of(None, to), reason=reason, cause=cause_of(by)
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
        """Let a forked thread take another's place: its id becomes that of the other, which is kept under a new one.

        Args:
            branch: The thread that takes the place.
            over: The thread whose id it gets.
            keep_as: The id that the other is kept under; by default its own, with `~` and its version.
            reason: Why, in words; it is recorded with the event.
            by: Who does it, as a mapping; likewise.

        Raises:
            NotFoundError: There is no such thread.
            BadInputError: The two have no past in common.
            ConflictError: A thread of the id `keep_as` exists, or a run writes to one of them; nothing was changed.
        """
        return self._branches.promote(
            self._thread(branch),
            self._thread(over),
            keep_as=None if keep_as is None else self._thread(keep_as),
            reason=reason,
            cause=cause_of(by),
        )

    def delete_branch(
        self,
        thread: Thread,
        tip: Checkpoint | None = None,
        *,
        reason: str | None = None,
        by: Mapping[str, Any] | None = None,
    ) -> PruneReport:
        """Delete a forked thread; or, within a thread, the branch that ends at a checkpoint.

        Of a branch those checkpoints go that no other has, and what subgraphs saved under them. Their content is
        erased: this cannot be undone.

        Args:
            thread: The thread.
            tip: The last checkpoint of the branch; `None`: the thread itself.
            reason: Why, in words; it is recorded with the event.
            by: Who does it, as a mapping; likewise.

        Raises:
            NotFoundError: There is no such thread, or no branch that ends there.
            BadInputError: The thread is on that branch.
            ConflictError: A fork shares the branch, which no fork would lose by this; nothing was deleted.
        """
        return self._branches.delete(self._thread(thread), checkpoint_id(tip), reason=reason, cause=cause_of(by))

    arollback = twin(rollback)
    aundo = twin(undo)
    afork = twin(fork)
    atree = twin(tree)
    acompare = twin(compare)
    aswitch = twin(switch)
    apromote = twin(promote)
    adelete_branch = twin(delete_branch)
