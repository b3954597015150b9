"""The outcome of a replay: plain data."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from langchain_core.runnables import RunnableConfig

from eventstore.by_fields import OnOneLine
from langgraph.checkpoint.eventstore.replay.planning import Verdict

Ended = Literal["end", "interrupt", "error"]


@dataclass(frozen=True, slots=True, repr=False)
class ReplayedTask(OnOneLine):
    """A task of a replay.

    Attributes:
        step: The number of its step.
        node: The node.
        id: The task's id, in the new thread.
        verdict: Whether it ran again, and why.
        recorded: The task whose recorded result was used; `None` if it ran.
    """

    step: int
    node: str
    id: str
    verdict: Verdict
    recorded: str | None = None

    @property
    def reused(self) -> bool:
        """`True` if a recorded result was used, and the node was not called."""
        return self.recorded is not None


@dataclass(frozen=True, slots=True, repr=False)
class Replayed(OnOneLine):
    """The outcome of a replay.

    Attributes:
        thread: The new thread.
        source: The thread that was replayed.
        checkpoint: The source's checkpoint at which the new thread was forked.
        tasks: The tasks, step by step.
        ended: Where it ended: at the graph's `end`; at an `interrupt`, where the new thread waits; or with an `error`
            of a node.
        error: The error.
    """

    thread: str
    source: str
    checkpoint: str
    tasks: Sequence[ReplayedTask]
    ended: Ended
    error: Exception | None = None

    @property
    def config(self) -> RunnableConfig:
        """The config of the new thread: to read its state, or to go on with it."""
        return {"configurable": {"thread_id": self.thread}}

    @property
    def reused(self) -> list[ReplayedTask]:
        """The tasks whose recorded results were used."""
        return [task for task in self.tasks if task.reused]

    @property
    def ran(self) -> list[ReplayedTask]:
        """The tasks that ran."""
        return [task for task in self.tasks if not task.reused]
