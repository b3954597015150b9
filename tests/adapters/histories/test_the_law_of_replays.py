"""The law of replays, for random graphs: recorded runs replay, and a node that does something else is named."""

from __future__ import annotations

import asyncio
import operator
import os
from collections.abc import Sequence
from typing import Annotated, Any, NamedTuple, TypedDict
from uuid import uuid4

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from langchain_core.messages import HumanMessage
from langchain_core.tools import tool
from langgraph.channels.delta import DeltaChannel
from langgraph.graph import END, START, StateGraph
from langgraph.types import Command, Send, interrupt

from langgraph.checkpoint.eventstore import EventStoreSaver
from langgraph.checkpoint.eventstore.testing import (
    DivergenceError,
    RecordedHistory,
    aassert_replays,
    assert_replays,
)
from tests.conftest import Backend
from tests.support.delta_channels import append
from tests.support.dice import Dice
from tests.support.flavour import Flavour
from tests.support.stage import DURABILITIES, Stage, thread

NODES = ["a", "b", "c", "d"]
KINDS = ["say", "model", "person", "tool", "asking tool", "sub"]
# How many graphs are drawn for each database and flavour; `make test-long` sets more.
GRAPHS = {"sqlite": 5, "postgres": 2}
if os.environ.get("HYPOTHESIS_PROFILE") == "long":
    GRAPHS = {"sqlite": 100, "postgres": 30}


class Inner(TypedDict, total=False):
    log: Annotated[list[str], operator.add]


class State(TypedDict, total=False):
    log: Annotated[list[str], operator.add]
    told: Annotated[list[str], DeltaChannel(append, snapshot_frequency=3)]


class Plan(NamedTuple):
    """A graph: what it does follows from its state, and from what models, tools and people say.

    Attributes:
        kinds: What each node does.
        targets: Where each leads: to later nodes, by edges or by packets.
    """

    kinds: Sequence[str]
    targets: Sequence[Sequence[tuple[str, bool]]]


def targets(later: Sequence[str]) -> st.SearchStrategy[Sequence[tuple[str, bool]]]:
    """The ways on from a node, as edges or as packets."""
    if not later:
        return st.just([])
    return st.lists(st.tuples(st.sampled_from(later), st.booleans()), max_size=2, unique_by=lambda each: each[0])


plans = st.builds(
    Plan,
    st.tuples(*[st.sampled_from(KINDS)] * len(NODES)),
    st.tuples(*(targets(NODES[place + 1 :]) for place in range(len(NODES)))),
)


@tool
def roll(what: str) -> str:
    """Roll some dice."""
    return f"{what} shows {uuid4()}"


@tool
def ask(what: str) -> str:
    """Ask somebody, and roll some dice."""
    return f"{interrupt(what)} {uuid4()}"


def work(name: str, kind: str, ran: set[str], *, changed: bool) -> Any:
    """A node, which tells in `ran` that it ran."""

    def do(state: State) -> Any:
        ran.add(name)
        seen = f"{name} {len(state.get('log', []))} {len(state.get('told', []))}"
        said = seen
        match kind:
            case "model":
                said = str(Dice().invoke([HumanMessage(seen)]).text)
            case "person":
                said = str(interrupt(seen))
            case "tool":
                said = roll.invoke({"what": seen})
            case "asking tool":
                said = ask.invoke({"what": seen})
        said += " changed" if changed else ""
        return {"log": [said], "told": [said]}

    return do


def subgraph(name: str, ran: set[str], *, changed: bool) -> Any:
    """A node that is a graph, which asks."""

    def look(state: Inner) -> Any:
        ran.add(name)
        return {"log": [f"{name} {len(state.get('log', []))}"]}

    builder = StateGraph(Inner).add_node("look", look)
    last = " changed" if changed else ""
    builder.add_node("inside", lambda state: {"log": [f"{interrupt(f'{name}?')}{last}"]})
    return builder.add_edge(START, "look").add_edge("look", "inside").compile()


def built(plan: Plan, ran: set[str], changed: str | None = None) -> StateGraph[Any, Any, Any, Any]:
    """The graph of a plan, which tells what ran; one node of it may do something else."""
    builder = StateGraph(State)
    for name, kind, targets in zip(NODES, plan.kinds, plan.targets, strict=True):
        is_changed = name == changed
        node = subgraph(name, ran, changed=is_changed) if kind == "sub" else work(name, kind, ran, changed=is_changed)
        builder.add_node(name, node)
        leads = [Send(to, {"log": [f"to {to}"]}) if sent else to for to, sent in targets]
        builder.add_conditional_edges(name, lambda state, leads=leads: leads or END, [*NODES, END])
    return builder.add_edge(START, "a")


def recorded(
    saver: EventStoreSaver, plan: Plan, ran: set[str], flavour: Flavour, data: st.DataObject
) -> tuple[RecordedHistory, str]:
    """Record what happens to a thread: two runs, with answers to some questions at a time, and an update."""
    durability = data.draw(st.sampled_from(DURABILITIES), "durability")
    stage, graph, config = (
        Stage(saver, flavour, durability),
        built(plan, ran).compile(checkpointer=saver),
        thread(str(uuid4())),
    )

    async def play(stage: Stage) -> None:
        with saver.recording():
            for turn in range(2):
                given: Any = {"log": [f"turn {turn}"], "told": ["in"]}
                last = await stage.call(graph, "invoke", given, config, durability=durability)
                while asked := last.get("__interrupt__"):
                    chosen = data.draw(st.sets(st.sampled_from(range(len(asked))), min_size=1), "answered")
                    given = Command(resume={asked[number].id: f"answer {number}" for number in sorted(chosen)})
                    last = await stage.call(graph, "invoke", given, config, durability=durability)
                if turn == 0 and data.draw(st.booleans(), "is updated by hand"):
                    await stage.call(graph, "update_state", config, {"log": ["by hand"]}, "d")

    stage.perform(play)
    return RecordedHistory.of(saver, config["configurable"]["thread_id"]), durability


def replays(graph: Any, history: RecordedHistory, flavour: Flavour) -> None:
    """Hold that a graph replays, by `invoke` or `ainvoke`."""
    if flavour is Flavour.SYNC:
        assert_replays(graph, history)
    else:
        asyncio.run(aassert_replays(graph, history))


def test_random_graphs_replay_and_a_changed_node_is_named(
    saver: EventStoreSaver, backend: Backend, flavour: Flavour
) -> None:
    @given(plan=plans, data=st.data())
    @settings(max_examples=GRAPHS[backend], suppress_health_check=[*HealthCheck])
    def law(plan: Plan, data: st.DataObject) -> None:
        ran: set[str] = set()
        history, durability = recorded(saver, plan, ran, flavour, data)
        replays(built(plan, set()), history, flavour)
        changed = data.draw(st.sampled_from(sorted(ran)), "changed")
        with pytest.raises(DivergenceError) as found:
            replays(built(plan, set(), changed), history, flavour)
        if durability != "exit":  # where only the last state of each run is known
            inside = f"{changed}|inside" if plan.kinds[NODES.index(changed)] == "sub" else changed
            assert found.value.node == inside

    law()
