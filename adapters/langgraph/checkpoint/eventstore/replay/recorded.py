"""A run as it was recorded: its checkpoints, the tasks that were due at each, and what these wrote."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from langgraph.checkpoint.serde.base import SerializerProtocol
from langgraph.checkpoint.serde.types import ERROR, RESUME, TASKS
from langgraph.pregel import Pregel

from eventstore import NotFoundError
from langgraph.checkpoint.eventstore import _config
from projections import Checkpoints, SavedCheckpoint
from projections.pregel import CONTROL, NOBODY

_PUSH = "__pregel_push"

Writes = Sequence[tuple[str, Any]]
"""Channel and value of each write, in order."""


@dataclass(frozen=True, slots=True)
class Task:
    """A task that was due at a checkpoint.

    Attributes:
        id: Its id.
        node: The node that it runs.
        path: LangGraph's path of it, as text.
        sent: Whether it was sent a packet, instead of being led to by an edge.
        packet: The packet that it was sent.
        result: Its writes; `None` if it did not come to its end, or if they were not recorded.
        stored: Those of them that are stored: what upcasters have made of these is made anew wherever they are read.
    """

    id: str
    node: str
    path: str
    sent: bool
    packet: Any
    result: Writes | None = field(repr=False)
    stored: Writes = field(repr=False, default=())


@dataclass(frozen=True, slots=True)
class Frontier:
    """The state of a run at one checkpoint.

    Attributes:
        checkpoint: The checkpoint's id.
        step: The number of the step that comes next, LangGraph's `langgraph_step`.
        values: The values that the tasks of that step see.
        tasks: Its tasks.
        given: The writes of the caller beside those of the tasks, with an answer.
    """

    checkpoint: str
    step: int
    values: Mapping[str, Any] = field(repr=False)
    tasks: Sequence[Task]
    given: Writes = ()


def run_from(
    checkpoints: Checkpoints, serializer: SerializerProtocol, thread: str, checkpoint: str
) -> list[SavedCheckpoint]:
    """The checkpoints from one to where its run ended, as far as the thread took that way last.

    Raises:
        NotFoundError: The thread does not show that checkpoint.
    """
    later: list[SavedCheckpoint] = []
    for saved in checkpoints.list(serializer, thread=thread, namespace=""):
        later.append(saved)
        if saved.id <= checkpoint:
            break
    if not later or later[-1].id != checkpoint:
        raise NotFoundError(f"thread {thread!r} has no checkpoint {checkpoint!r} that could be replayed")
    # What descends from it, the oldest first; the last of them is where the thread went.
    descending: dict[str, SavedCheckpoint] = {}
    for saved in reversed(later):
        if saved.id == checkpoint or saved.parent in descending:
            descending[saved.id] = saved
    way = [descending[max(descending)]]
    while way[-1].id != checkpoint:
        way.append(descending[way[-1].parent or checkpoint])
    return _one_run(way[::-1])


def frontier_at(graph: Pregel[Any, Any, Any, Any], saved: SavedCheckpoint) -> Frontier:
    """Return the state of a run of `graph` at a checkpoint."""
    snapshot = graph.get_state(_config.to_config(saved.thread, saved.namespace, saved.id))
    packets = saved.values.get(TASKS) or ()
    stored = saved.pending[: len(saved.pending) - saved.made]
    tasks = [
        Task(
            task.id,
            task.name,
            path_text(task.path),
            sent=task.path[0] == _PUSH,
            packet=packets[int(str(task.path[1]))] if task.path[0] == _PUSH else None,
            result=_result(saved.pending, task.id),
            stored=_result(stored, task.id) or (),
        )
        for task in snapshot.tasks
    ]
    # An answer is for the question that was asked. One that is asked again is answered again.
    given = [(channel, value) for task, channel, value in stored if task == NOBODY and channel != RESUME]
    values = snapshot.values if isinstance(snapshot.values, dict) else {"__root__": snapshot.values}
    return Frontier(saved.id, int(saved.metadata.get("step", -2)) + 1, values, tasks, given)


def path_text(path: Any) -> str:
    """A task's path as LangGraph spells it for savers."""
    if isinstance(path, tuple | list):
        return "~" + ", ".join(map(path_text, path))
    return f"{path:010d}" if isinstance(path, int) else str(path)


def _result(pending: Sequence[tuple[str, str, Any]], task: str) -> Writes | None:
    written = [(channel, value) for writer, channel, value in pending if writer == task]
    output = [(channel, value) for channel, value in written if channel not in CONTROL]
    # What failed may have written something before.
    return output if output and not any(channel == ERROR for channel, _ in written) else None


def _one_run(way: Sequence[SavedCheckpoint]) -> list[SavedCheckpoint]:
    """Without what a later input began, and without checkpoints that time travel went on from in a copy."""
    run: list[SavedCheckpoint] = []
    for saved in way:
        source = saved.metadata.get("source")
        if run and source == "input":
            break
        if run and source == "fork":
            run.pop()
        run.append(saved)
    return run
