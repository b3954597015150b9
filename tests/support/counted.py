"""Graphs whose nodes count their calls, and what replays of them need."""

from __future__ import annotations

import asyncio
import inspect
import operator
from collections import Counter
from collections.abc import Callable
from typing import Annotated, Any, TypedDict

from langgraph.graph import StateGraph
from langgraph.pregel import Pregel

from langgraph.checkpoint.eventstore import EventStoreSaver
from langgraph.checkpoint.eventstore.replay.replayed import Replayed
from langgraph.checkpoint.eventstore.replay.selective import SelectiveReplay
from tests.support.flavour import Flavour
from tests.support.pace import pace


class State(TypedDict, total=False):
    """The state of most graphs here: three notes, a log, and a number."""

    question: str
    left: str
    right: str
    log: Annotated[list[str], operator.add]
    number: int


class Question(TypedDict):
    question: str


class Left(TypedDict):
    left: str


class Right(TypedDict):
    right: str


class Number(TypedDict):
    number: int


class Counted:
    """Counts the calls of nodes, each by its name."""

    def __init__(self) -> None:
        self.calls: Counter[str] = Counter()

    def node(self, name: str, work: Callable[..., Any]) -> Any:
        """A node that does its work, and is counted."""

        def run(state: Any) -> Any:
            self.calls[name] += 1
            pace.work()
            return work(state)

        return run

    def taken(self) -> dict[str, int]:
        """The calls since this was asked last."""
        taken = dict(self.calls)
        self.calls.clear()
        return taken


class Bench:
    """A saver, sync or async, with graphs that run and are replayed on it."""

    def __init__(self, saver: EventStoreSaver, flavour: Flavour = Flavour.SYNC) -> None:
        self.saver = saver
        self.flavour = flavour
        self.replays = SelectiveReplay(saver)

    def call(self, owner: object, method: str, *args: Any, **options: Any) -> Any:
        """`owner.method(…)`, or its async twin."""
        if self.flavour is Flavour.SYNC:
            return getattr(owner, method)(*args, **options)
        return asyncio.run(_awaited(getattr(owner, f"a{method}")(*args, **options)))

    def compile(self, builder: StateGraph[Any, Any, Any, Any], **options: Any) -> Pregel[Any, Any, Any, Any]:
        """The graph, on this saver."""
        return builder.compile(checkpointer=self.saver, **options)

    def run(self, graph: Pregel[Any, Any, Any, Any], given: Any, thread: str = "thread", **options: Any) -> Any:
        """Run a graph on a thread, at the test's pace."""
        return self.call(graph, "invoke", given, at(thread), **options)

    def values(self, graph: Pregel[Any, Any, Any, Any], thread: str = "thread") -> Any:
        """The state of a thread."""
        return graph.get_state(at(thread)).values

    def beginning(self, thread: str = "thread", back: int = 0) -> str:
        """The checkpoint that a thread's input made; or of the input so many before the last."""
        inputs = [
            saved.id
            for saved in self.saver.checkpoints.list(self.saver.serde, thread=thread, namespace="")
            if saved.metadata["source"] == "input"
        ]
        return inputs[back]

    def replay(
        self, graph: Pregel[Any, Any, Any, Any], node: str, *, thread: str = "thread", **options: Any
    ) -> Replayed:
        """Replay a thread from the beginning of its last run."""
        checkpoint = options.pop("checkpoint", None) or self.beginning(thread)
        replayed: Replayed = self.call(self.replays, "replay", graph, thread, checkpoint, node, **options)
        return replayed

    def planned(self, graph: Pregel[Any, Any, Any, Any], node: str, thread: str = "thread", **options: Any) -> Any:
        """Return what a change concerns, from the beginning of a thread's last run."""
        return self.call(self.replays, "affected", graph, thread, self.beginning(thread), node, **options)


def at(thread: str = "thread") -> Any:
    """The config of a thread, and of a run at the test's pace."""
    return {"configurable": {"thread_id": thread, **pace.configurable}}


def nodes(tasks: Any) -> list[str]:
    """The nodes of some tasks, sorted."""
    return sorted(task.node for task in tasks)


async def _awaited(result: Any) -> Any:
    return await result if inspect.isawaitable(result) else [item async for item in result]
