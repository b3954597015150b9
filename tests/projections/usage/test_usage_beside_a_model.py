"""Usage beside a simple model of it, which adds up what the messages of runs said, whatever is done to threads."""

from __future__ import annotations

import operator
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any, TypedDict
from uuid import uuid4

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from langchain_core.messages import AIMessage, AIMessageChunk, AnyMessage
from langchain_core.messages.ai import UsageMetadata
from langgraph.channels.delta import DeltaChannel
from langgraph.graph import START, StateGraph, add_messages
from langgraph.types import Send

from langgraph.checkpoint.eventstore import EventStoreSaver
from projections import Usage
from tests.support.deltas import MESSAGES
from tests.support.examples import examples
from tests.support.metered import sums_of, told
from tests.support.stage import DURABILITIES


@dataclass(frozen=True)
class Said:
    """A message that a task says: in which channel, and in which of three ways it comes."""

    channel: str
    kind: str
    input: int
    output: int

    def message(self) -> AnyMessage:
        """Make the message."""
        used = usage(self.input, self.output)
        if self.kind == "chunk":
            return AIMessageChunk(content="said", id=str(uuid4()), usage_metadata=used)
        return AIMessage("said", id=None if self.kind == "bare" else str(uuid4()), usage_metadata=used)


def usage(into: int, out: int) -> UsageMetadata:
    return UsageMetadata(
        input_tokens=into,
        output_tokens=out,
        total_tokens=into + out,
        input_token_details={"cache_read": into // 3, "cache_creation": into // 5},
        output_token_details={"reasoning": out // 2},
    )


class Messages(TypedDict, total=False):
    messages: Annotated[list[AnyMessage], add_messages]
    delta: Annotated[list[AnyMessage], DeltaChannel(MESSAGES, snapshot_frequency=3)]
    added: Annotated[list[AnyMessage], operator.add]


class Whole(Messages, total=False):
    plan: list[list[Said]]


class Part(Messages, total=False):
    part: list[Said]


def say(part: list[Said]) -> dict[str, list[AnyMessage]]:
    """Return what a task writes."""
    found: dict[str, list[AnyMessage]] = defaultdict(list)
    for said in part:
        found[said.channel].append(said.message())
    return {**found}


def build(saver: Any) -> Any:
    """A graph whose tasks say what the plan has for them: several at once, some in a subgraph, and one after these."""
    inner: Any = StateGraph(Part)
    inner.add_node("say", lambda state: say(state["part"]))
    inner.add_edge(START, "say")
    builder: Any = StateGraph(Whole)
    builder.add_node("task", lambda packet: say(packet["part"]))
    builder.add_node("inner", inner.compile())
    builder.add_node("last", lambda state: say(state["plan"][-1]))
    builder.add_conditional_edges(START, packets, ["task", "inner"])
    builder.add_edge("task", "last")
    builder.add_edge("inner", "last")
    return builder.compile(checkpointer=saver)


def packets(state: Whole) -> list[Send]:
    """Send each part of the plan to a task or to the subgraph, by turns."""
    return [Send(("inner", "task")[number % 2], {"part": part}) for number, part in enumerate(state["plan"])]


saids = st.builds(
    Said,
    channel=st.sampled_from(["messages", "delta", "added"]),
    kind=st.sampled_from(["plain", "chunk", "bare"]),
    # Few numbers, so that messages without an id are often the same.
    input=st.integers(0, 3) | st.integers(0, 10**12),
    output=st.integers(0, 1),
)
plans = st.lists(st.lists(saids, max_size=3), min_size=1, max_size=3)
steps = st.lists(
    st.one_of(
        st.tuples(st.just("run"), st.integers(0, 3), plans, st.sampled_from(DURABILITIES)),
        st.tuples(st.just("fork"), st.integers(0, 3), st.integers(0, 5)),
        st.tuples(st.just("rollback"), st.integers(0, 3), st.integers(0, 5)),
        st.tuples(st.just("send again"), st.integers(0, 3)),
        st.tuples(st.just("ask"), st.integers(0, 3)),
        st.tuples(st.just("prune"), st.integers(0, 3)),
    ),
    min_size=1,
    max_size=7,
)


class Story:
    """Threads, what is done to them, and what their runs took."""

    def __init__(self, saver: EventStoreSaver) -> None:
        self.saver = saver
        self.graph = build(saver)
        self.prefix = uuid4().hex
        self.threads = [f"{self.prefix}/0"]
        self.took: dict[str, list[UsageMetadata]] = defaultdict(list)

    def config(self, thread: str) -> Any:
        return {"configurable": {"thread_id": thread}}

    def do(self, what: str, number: int, *more: Any) -> None:
        thread = self.threads[number % len(self.threads)]
        getattr(self, what.replace(" ", "_"))(thread, *more)

    def run(self, thread: str, plan: list[list[Said]], durability: Any) -> None:
        self.graph.invoke({"plan": plan}, self.config(thread), durability=durability)
        for said in [said for each in [*plan, plan[-1]] for said in each]:
            self.took[thread].append(usage(said.input, said.output))

    def fork(self, thread: str, back: int) -> None:
        if found := [*self.saver.list(self.config(thread))]:
            self.threads.append(f"{self.prefix}/{len(self.threads)}")
            self.saver.history.fork(thread, self.threads[-1], at=found[back % len(found)])

    def rollback(self, thread: str, back: int) -> None:
        if found := [*self.saver.list(self.config(thread))]:
            self.saver.history.rollback(thread, found[back % len(found)])

    def send_again(self, thread: str) -> None:
        messages = self.graph.get_state(self.config(thread)).values.get("messages", [])
        if messages:
            self.graph.update_state(self.config(thread), {"messages": messages, "delta": []}, as_node="last")

    def prune(self, thread: str) -> None:
        if self.saver.get_tuple(self.config(thread)):
            self.saver.prune([thread])

    def ask(self, thread: str) -> None:
        """Compare what usage tells with what was taken."""
        report = self.saver.history.usage(thread, by=[], missing_ok=True)
        assert told(report.total) == sums_of(self.took[thread])


@pytest.fixture
def saver(make_saver: Callable[..., EventStoreSaver]) -> EventStoreSaver:
    return make_saver()


@settings(
    max_examples=examples(15),
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(steps=steps)
def test_usage_is_what_the_messages_of_runs_said(saver: EventStoreSaver, steps: list[tuple[Any, ...]]) -> None:
    story = Story(saver)
    for step in steps:
        story.do(*step)
    for thread in story.threads:
        story.ask(thread)
    by = ["thread", "run", "node", "model", "user", "day"]
    before = {thread: saver.history.usage(thread, by=by, missing_ok=True) for thread in story.threads}
    Usage(saver.checkpoints, batch_events=50).rebuild()
    assert {thread: saver.history.usage(thread, by=by, missing_ok=True) for thread in story.threads} == before
