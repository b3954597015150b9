"""The results of operations on threads: removals, moves, forks, promotions, and the branches of a tree."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from eventstore.by_fields import OnOneLine

if TYPE_CHECKING:
    from projections.diffing.html import Node


@dataclass(frozen=True, slots=True)
class PruneReport:
    """The counts of what a prune removed, or would remove.

    Attributes:
        threads: The number of threads that lost something.
        checkpoints: The number of checkpoints that are no longer shown.
        bytes: The number of stored bytes of content that were erased.
    """

    threads: int = 0
    checkpoints: int = 0
    bytes: int = 0

    def __add__(self, other: PruneReport) -> PruneReport:
        return PruneReport(self.threads + other.threads, self.checkpoints + other.checkpoints, self.bytes + other.bytes)


@dataclass(frozen=True, slots=True)
class Moved:
    """A rollback, its undoing, or a switch to another branch, as it was recorded.

    Attributes:
        thread: The thread's id.
        version: The version of the event, in the thread's stream.
        topic: Which of them it was.
        namespace: The namespace of the checkpoint that the thread was moved to.
        checkpoint: Its id; `None` if a move was undone.
        undoes: The version of the move that was undone, if one was.
    """

    thread: str
    version: int
    topic: str
    namespace: str = ""
    checkpoint: str | None = None
    undoes: int | None = None


@dataclass(frozen=True, slots=True)
class Forked:
    """A fork, as it was recorded.

    Attributes:
        thread: The new thread.
        source: The thread that it was forked from.
        version: Up to which version it shares the log of that.
        checkpoint: The checkpoint that it was forked at; `None`: at the head.
    """

    thread: str
    source: str
    version: int
    checkpoint: str | None


@dataclass(frozen=True, slots=True)
class Promoted:
    """A promotion, as it was recorded.

    Attributes:
        thread: The id that was given to the branch.
        was: The id that the branch had.
        kept_as: The id under which the thread goes on that had it before.
        version: The version of the event, in the promoted thread's stream.
    """

    thread: str
    was: str
    kept_as: str
    version: int


@dataclass(frozen=True, slots=True, repr=False)
class Branch(OnOneLine):
    """A branch in a tree: from where it leaves another one to its last checkpoint.

    Attributes:
        thread: The thread whose branch it is: who saved it, or a fork that still shows what that one has forgotten.
        tip: The id of its last checkpoint.
        base: The checkpoint of another branch that it goes on from; `None`: it is a trunk.
        checkpoints: How many it has that no branch nearer to the trunk has.
        current: Whether the thread is on it: the tip is the thread's latest checkpoint.
        shown: Whether the thread shows the tip; if not, a rollback has made it unreachable, and a
            switch leads there.
        step: The tip's step, as LangGraph counts them.
        saved_at: When the tip was saved, UTC.
        forked: Whether the thread was begun as a fork here.
        name: What the fork was called, and `reason`, why it was made.
        children: The branches that leave this one.
    """

    thread: str
    tip: str
    base: str | None
    checkpoints: int
    current: bool
    shown: bool
    step: int | None
    saved_at: datetime | None
    forked: bool = False
    name: str | None = None
    reason: str | None = None
    children: tuple[Branch, ...] = ()

    def _repr_html_(self) -> str:
        return BranchTree([self])._repr_html_()


class BranchTree(tuple[Branch, ...]):
    """Branches with what has branched from them: usually one, the trunk. A notebook shows it as a tree."""

    __slots__ = ()

    def _repr_html_(self) -> str:
        from projections.diffing.html import tree  # noqa: PLC0415 (only notebooks ask)

        return tree(map(_node, self))


def _node(branch: Branch) -> Node:
    from projections.diffing.html import Node  # noqa: PLC0415 (as above)

    signs = (("HEAD", branch.current), ("fork", branch.forked), ("unreachable", not branch.shown))
    marks = [mark for mark, is_so in signs if is_so]
    told = ", ".join([f"{branch.checkpoints} checkpoints, to step {branch.step}", *marks])
    reason = f": {branch.reason}" if branch.reason else ""
    return Node(branch.name or branch.thread, told + reason, [*map(_node, branch.children)])
