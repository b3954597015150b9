"""Threads that are made for a test: an agent's, and chains of checkpoints with given values."""

from __future__ import annotations

import operator
from collections.abc import Mapping, Sequence
from typing import Annotated, Any
from uuid import UUID

from langchain_core.messages import AIMessage, HumanMessage
from langchain_core.runnables import RunnableConfig
from langgraph.graph import START, MessagesState, StateGraph
from langgraph.types import interrupt

from langgraph.checkpoint.eventstore import EventStoreSaver
from projections import Checkpoints, NewCheckpoint, NewWrites, Serializer, Timeline
from tests.support.pace import pace


class State(MessagesState, total=False):
    count: int
    files: Annotated[dict[str, str], operator.or_]
    draft: str


def config(thread: str = "t", **more: Any) -> RunnableConfig:
    """The config of a thread, and of a run at the test's pace."""
    return {"configurable": {"thread_id": thread, **pace.configurable, **more}}


def an_agent(saver: EventStoreSaver) -> Any:
    """A model, two nodes beside each other, of which one writes a file, and a question at the end."""

    def model(state: State) -> Any:
        pace.work()
        said = len(state["messages"])
        return {"messages": [AIMessage(f"Answer {said}", id=f"ai-{said}")], "count": state.get("count", 0) + 1}

    def search(state: State) -> Any:
        pace.work()
        return {"messages": [AIMessage(f"found {state['count']}", id=f"found-{state['count']}")]}

    def write(state: State) -> Any:
        pace.work()
        count = state["count"]
        return {"messages": [AIMessage(f"wrote {count}", id=f"wrote-{count}")], "files": {f"/{count}.txt": "text"}}

    def ask(state: State) -> Any:
        pace.work()
        return {"messages": [HumanMessage(interrupt("Is it good?"), id=f"said-{state['count']}")]}

    builder = StateGraph(State).add_node(model).add_node(search).add_node(write).add_node(ask)
    builder.add_edge(START, "model").add_edge("model", "search").add_edge("model", "write")
    return builder.add_edge(["search", "write"], "ask").compile(checkpointer=saver)


def hello(number: int = 1) -> dict[str, Any]:
    """Return the input with a person's first words."""
    return {"messages": [HumanMessage("Hello", id=f"hello-{number}")]}


def id_of(number: int) -> str:
    """A checkpoint's id; later numbers have greater ones."""
    return str(UUID(int=number))


def save(
    checkpoints: Checkpoints,
    serializer: Serializer,
    number: int,
    values: Mapping[str, Any],
    *,
    thread: str = "t",
    parent: int | None = None,
    versions: Mapping[str, int] | None = None,
    new: Sequence[str] | None = None,
    source: str = "loop",
    seen: Mapping[str, Any] | None = None,
    run: str | None = None,
) -> None:
    """Save a checkpoint with some values, all of them new unless something else is said."""
    versions = versions or dict.fromkeys(values, number)
    written = versions.keys() if new is None else new
    checkpoints.save(
        NewCheckpoint(
            thread=thread,
            namespace="",
            id=id_of(number),
            parent=None if parent is None else id_of(parent),
            format=4,
            ts="2026-01-01T00:00:00+00:00",
            channel_versions=versions,
            new_versions={channel: versions[channel] for channel in written},
            values=values,
            versions_seen=seen or {},
            metadata={"source": source, "step": number},
            run=run,
        ),
        serializer,
    )


def chain(checkpoints: Checkpoints, serializer: Serializer, states: Sequence[Mapping[str, Any]]) -> None:
    """Save checkpoints one after the other, 1, 2, 3, …; what is the same object as before is not written."""
    versions: dict[str, int] = {}
    for number, state in enumerate(states, 1):
        before = states[number - 2] if number > 1 else {}
        new = [channel for channel in state if channel not in before or before[channel] is not state[channel]]
        versions = {**versions, **dict.fromkeys(new, number)}
        save(
            checkpoints,
            serializer,
            number,
            state,
            parent=number - 1 if number > 1 else None,
            versions=versions,
            new=new,
        )


def write(
    checkpoints: Checkpoints, serializer: Serializer, number: int, task: str, *, run: str | None = None, **values: Any
) -> None:
    """Save what a task wrote at a checkpoint."""
    writes = [(channel, slot, value) for slot, (channel, value) in enumerate(values.items())]
    checkpoints.save_writes(
        NewWrites("t", "", id_of(number), f"task {task}", f"~__pregel_pull, {task}", writes, node=task, run=run),
        serializer,
    )


def timeline(saver: EventStoreSaver) -> Timeline:
    """The history of a saver's threads."""
    return Timeline(saver.checkpoints)


class Counting:
    """A serializer that notes what it is asked to read."""

    def __init__(self, serializer: Any) -> None:
        self._serializer = serializer
        self.read: list[bytes] = []

    def dumps_typed(self, obj: Any) -> tuple[str, bytes]:
        return self._serializer.dumps_typed(obj)  # type: ignore[no-any-return]

    def loads_typed(self, data: tuple[str, bytes]) -> Any:
        self.read.append(data[1])
        return self._serializer.loads_typed(data)
