"""The tasks of a recorded run that a changed node concerns. Pure functions and plain data."""

from __future__ import annotations

from collections.abc import Callable, Collection, Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from langgraph.checkpoint.serde.types import TASKS

from eventstore.by_fields import OnOneLine
from langgraph.checkpoint.eventstore._packing import Packing
from langgraph.checkpoint.eventstore._types import Types
from langgraph.checkpoint.eventstore.replay.recorded import Frontier, Task


class Reason(StrEnum):
    """Why a task runs again, or does not."""

    CHANGED = "its node changed"
    READS = "it reads what is different"
    SENT = "what it is sent is different"
    REMEMBERS = "its subgraph remembers earlier calls"
    UNRECORDED = "what it wrote is not recorded"
    NEW = "no such task was recorded"
    SAME = "nothing that it reads is different"


@dataclass(frozen=True, slots=True, repr=False)
class Verdict(OnOneLine):
    """The verdict on a recorded result: whether it still holds.

    Attributes:
        reason: The reason why it does, or does not.
        channels: The channels that the task reads and that are, or may be, different.
    """

    reason: Reason
    channels: tuple[str, ...] = ()

    @property
    def again(self) -> bool:
        """`True` if the task runs again."""
        return self.reason is not Reason.SAME

    def __str__(self) -> str:
        return f"{self.reason.value}: {', '.join(self.channels)}" if self.channels else self.reason.value


@dataclass(frozen=True, slots=True, repr=False)
class PlannedTask(OnOneLine):
    """A task of the recorded run, and what a replay will make of it.

    Attributes:
        step: The number of its step.
        node: The node.
        id: The task's id.
        checkpoint: The checkpoint that it started from.
        verdict: Whether it runs again, and why.
    """

    step: int
    node: str
    id: str
    checkpoint: str
    verdict: Verdict

    @property
    def again(self) -> bool:
        """`True` if it runs again; if not, its recorded result is used."""
        return self.verdict.again


@dataclass(frozen=True, slots=True, repr=False)
class ReplayPlan(OnOneLine):
    """The plan of a replay after a node was changed, by the run as it was recorded.

    It says what can be known before anything runs: a node that runs again may write what it wrote before, and then the
    tasks that follow are not run again; or lead elsewhere, and then there are tasks that were never recorded.

    Attributes:
        thread: The thread's id.
        checkpoint: The checkpoint in front of the changed node's first task: where a replay forks.
        node: The node.
        tasks: The tasks from there to the end of the run, in the order of their steps.
    """

    thread: str
    checkpoint: str
    node: str
    tasks: Sequence[PlannedTask]

    @property
    def again(self) -> list[PlannedTask]:
        """The tasks that run again."""
        return [task for task in self.tasks if task.again]

    @property
    def reused(self) -> list[PlannedTask]:
        """The tasks whose recorded results are used."""
        return [task for task in self.tasks if not task.again]


@dataclass(frozen=True, slots=True)
class Changed:
    """A change of a node, and the dependencies of each node of the graph.

    Attributes:
        node: The node whose code changed.
        only: A test of a task's input: only the node's tasks that it accepts have changed.
        reads: A function from a node, and whether it was sent a packet, to the channels that its tasks read.
        overwritten: The channels that hold nothing of what was written to them before.
        remembering: The nodes that depend on more than channels, and so always run again.
        channels: All channels whose values are known.
    """

    node: str
    only: Callable[[Any], bool] | None
    reads: Callable[[str, bool], Collection[str]] = field(repr=False)
    overwritten: Collection[str]
    remembering: Collection[str]
    channels: Collection[str]

    def concerns(self, task: Task, values: Mapping[str, Any]) -> bool:
        """Return whether a task runs the changed code."""
        if task.node != self.node:
            return False
        if self.only is None:
            return True
        return self.only(task.packet.arg if task.sent else values)


def plan(frontiers: Sequence[Frontier], changed: Changed) -> Iterator[PlannedTask]:
    """Yield the plan for each task of a run, from its first step on.

    Args:
        frontiers: The states of the run, step by step.
        changed: The change.
    """
    different: set[str] = set()
    for frontier in frontiers:
        kept: set[str] = set()
        again: set[str] = set()
        for task in frontier.tasks:
            verdict = _foreseen(task, frontier, changed, different)
            yield PlannedTask(frontier.step, task.node, task.id, frontier.checkpoint, verdict)
            if task.result is None:
                again.update(changed.channels)  # whatever it will write
            else:
                (again if verdict.again else kept).update(channel for channel, _ in task.result)
        # A packet is of its step alone. What was overwritten is as it was.
        different -= {TASKS, *(kept & set(changed.overwritten))}
        different |= again


def _foreseen(task: Task, frontier: Frontier, changed: Changed, different: Collection[str]) -> Verdict:
    if own := _own(task, task, frontier.values, changed):
        return own
    if task.sent and TASKS in different:
        return Verdict(Reason.SENT)
    read = sorted(set(changed.reads(task.node, task.sent)) & set(different))
    return Verdict(Reason.READS, tuple(read)) if read else Verdict(Reason.SAME)


def judge(task: Task, here: Frontier, recorded: Frontier | None, counterpart: Task | None, changed: Changed) -> Verdict:
    """Judge whether the recorded result of a task's counterpart holds for the task: it does if both read the same.

    Args:
        task: A task that is due.
        here: The point of the run at which it is due.
        recorded: The point of the recorded run at that step, if it came so far.
        counterpart: The task of the recorded run that it corresponds to, if there is one.
        changed: The change.
    """
    if own := _own(task, counterpart, here.values, changed):
        return own
    assert recorded is not None
    read = [
        channel
        for channel in sorted(changed.reads(task.node, task.sent))
        if channel not in changed.channels
        or print_of(here.values.get(channel, _ABSENT)) != print_of(recorded.values.get(channel, _ABSENT))
    ]
    return Verdict(Reason.READS, tuple(read)) if read else Verdict(Reason.SAME)


def counterparts(here: Frontier, recorded: Frontier) -> dict[str, Task]:
    """Return the tasks of the recorded step that correspond to the tasks due, by the ids of the latter.

    Packets correspond if they are the same, wherever they are in line; each is taken once.
    """
    led = {task.node: task for task in recorded.tasks if not task.sent}
    sent: dict[tuple[str, Hashable], list[Task]] = {}
    for task in recorded.tasks:
        if task.sent:
            sent.setdefault((task.node, print_of(task.packet)), []).append(task)
    found: dict[str, Task] = {}
    for task in here.tasks:
        if not task.sent:
            if task.node in led:
                found[task.id] = led[task.node]
        elif alike := sent.get((task.node, print_of(task.packet))):
            # The one in the same place, most often.
            found[task.id] = alike.pop(next((at for at, one in enumerate(alike) if one.path == task.path), 0))
    return found


def print_of(value: Any) -> Hashable:
    """Return a fingerprint that two values share only if they are the same: `1` is not `True`; no `__eq__` is called.

    The fingerprint of a value that the saver's own serializer refuses equals no other.
    """
    if value is _ABSENT:
        return None
    try:
        return Packing(_ANY).pack(value)
    except Exception:  # noqa: BLE001 (whatever the serializer meets in there)
        return object()


def _own(task: Task, counterpart: Task | None, values: Mapping[str, Any], changed: Changed) -> Verdict | None:
    """Return why a task runs again whatever it reads; `None` if it does not."""
    if changed.concerns(task, values):
        return Verdict(Reason.CHANGED)
    if counterpart is None:
        return Verdict(Reason.NEW)
    if counterpart.result is None:
        return Verdict(Reason.UNRECORDED)
    if task.node in changed.remembering:
        return Verdict(Reason.REMEMBERS)
    return None


# The saver's own serializer, whatever the user's is: a cipher's bytes are new each time.
_ANY = Types({}, imported=True)
_ABSENT = object()
