"""The points that a thread can go on from, and the reasons why one stopped: plain data."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from eventstore.by_fields import OnOneLine
from projections.pregel.due import Status

Why = Literal["interrupt", "error", "died", "pending", "damaged"]
"""Why a thread stopped in the middle.

`"interrupt"`: a task asked, and nobody answered. `"error"`: a task failed. `"died"`: something is due, and nothing was
recorded for as long as was asked for; `"pending"`: something is due, and nobody asked how long nothing was recorded.
The log does not tell a run that died from one that stopped at a breakpoint, or that is still at it. `"damaged"`: its
latest checkpoint cannot be read; `Recovery.check` tells more.
"""


@dataclass(frozen=True, slots=True, repr=False)
class TaskState(OnOneLine):
    """A task of the step that follows a checkpoint, and what became of it.

    Attributes:
        id: Its id, if it has written something.
        node: The node that it runs, if known: see `projections.pregel.tasks`.
        status: `"due"`: nothing is recorded of it; `"finished"`; `"interrupted"`: it asked; `"resumed"`: it was
            answered, and was not heard of since; `"failed"`; `"handled"`: it failed, and an error handler took over,
            which stands beside the step.
        interrupts: The ids of its questions, where there is a serializer that can read them; at the latest checkpoint,
            of those that wait.
        error: What it failed with last, where there is a serializer that can read it.
        called: Whether a task called it: a function of LangGraph's functional API.
    """

    id: str | None
    node: str | None
    status: Status
    interrupts: tuple[str, ...] = ()
    error: str | None = None
    called: bool = False


@dataclass(frozen=True, slots=True, repr=False)
class RecoveryPoint(OnOneLine):
    """A checkpoint that a run can be resumed from, or the thread rolled back to.

    Attributes:
        thread: The thread's id.
        namespace: The subgraph's path, empty for the outermost graph.
        id: The checkpoint's id.
        parent: The id of the one before, if it is shown.
        version: The version of its event in the thread's log.
        step: The step that it was saved after; -1 for an input.
        source: What saved it: `"input"`, `"loop"`, `"update"` or `"fork"`.
        saved_at: When, UTC.
        run: The run that saved it.
        next: The nodes that are due, each as often as it has tasks: at the latest checkpoint, of those without result;
            at an earlier checkpoint, all that were due then. `"__pregel_tasks"` stands for packets that cannot be read.
        tasks: The tasks of the step, with a result or without: those of packets, then those that edges led to, by name.
        beside: What else wrote to the checkpoint: functions that tasks called, error handlers, and nodes that the
            caller led to (`Command(goto=…)`). LangGraph's `get_state` shows none of them.
    """

    thread: str
    namespace: str
    id: str
    parent: str | None
    version: int
    step: int
    source: str
    saved_at: datetime
    run: str | None
    next: tuple[str, ...]
    tasks: tuple[TaskState, ...]
    beside: tuple[TaskState, ...] = ()

    @property
    def clean(self) -> bool:
        """Tell whether a run had ended there: no task was due, not even one whose result is still to be applied."""
        return not self.tasks and not self.beside


@dataclass(frozen=True, slots=True, repr=False)
class StalledThread(OnOneLine):
    """A thread that stopped in the middle.

    Attributes:
        thread: The thread's id.
        why: Why; several reasons if tasks beside each other came to different ends.
        since: When its last event was recorded, UTC.
        latest: Its latest checkpoint, which a run would go on from; `None` if it cannot be read.
    """

    thread: str
    why: tuple[Why, ...]
    since: datetime
    latest: RecoveryPoint | None


@dataclass(frozen=True, slots=True, repr=False)
class StalledPage(OnOneLine):
    """Some of the threads that stopped; pass `next_cursor` to get those after them (`None`: there are no more).

    A page may hold less than it was asked for, even nothing: it ends when it has looked at enough threads.
    """

    threads: Sequence[StalledThread]
    next_cursor: str | None
