"""Tasks, as far as LangGraph's names for them tell: which writes are of a checkpoint's own tasks, and of which node."""

from __future__ import annotations

import re
import uuid

from eventstore import Cause
from projections.records import WritesRecord

ERROR, INTERRUPT, RESUME = "__error__", "__interrupt__", "__resume__"
"""The channels by which a task says that it failed or asked, and is answered."""

NOBODY = "00000000-0000-0000-0000-000000000000"
"""The task of what no task wrote, but who called the graph."""

# How the paths of those tasks begin that stand for an update by hand, and of those that a run which saves at its end
# hands over for the steps behind the first.
_NOT_OF_THIS_STEP = ("~__interrupt__", "~~")
_PULLED = re.compile(r"~__pregel_pull, (.+)", re.DOTALL)
_CALLED = re.compile(r"~__pregel_push, ~__pregel_pull, (.+?)(?:, \d{10})+", re.DOTALL)


def node_of_path(task_path: str) -> str | None:
    """Return the node that a task's path names, or of a function's call the function; a `Send`'s names none."""
    named = _PULLED.fullmatch(task_path) or _CALLED.fullmatch(task_path)
    return named[1] if named else None


def is_of_a_task(cause: Cause, record: WritesRecord, *, step: object = None) -> bool:
    """Whether writes are of one of the tasks that a checkpoint leads to.

    Others that are recorded at it: of who called the graph, of an update by hand, the input of a `DeltaChannel`, and
    what a run that saves at its end hands over for the steps that it has not saved.

    Args:
        cause: The cause of their event.
        record: The writes.
        step: The step of the checkpoint, if it is known.
    """
    task = cause.task
    if task is None or task == NOBODY or record.task_path.startswith(_NOT_OF_THIS_STEP):
        return False
    first = task.partition("-")[0]
    if type(step) is int and step >= 0 and first == f"{step + 1:08d}":
        return False
    return not (cause.checkpoint and not record.task_path and task == _input_of(cause.checkpoint))


def _input_of(checkpoint: str) -> str | None:
    """The task under which LangGraph records the input of a `DeltaChannel` at the checkpoint before it."""
    try:
        return str(uuid.uuid5(uuid.UUID(checkpoint), "__input__"))
    except ValueError:
        return None
