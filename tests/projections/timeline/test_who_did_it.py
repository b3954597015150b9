"""Each task has one name, wherever one looks, and whenever its checkpoint was stored."""

from __future__ import annotations

import operator
import threading
import time
from collections.abc import Callable
from typing import Annotated, Any, TypedDict

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from langchain.agents import create_agent
from langchain_core.messages import ToolMessage
from langchain_core.tools import tool
from langgraph.graph import START, StateGraph
from langgraph.pregel import Pregel
from langgraph.types import Command, Send, interrupt

from eventstore import EventStore
from langgraph.checkpoint.eventstore import EventStoreSaver
from projections import Audit, Recovery, Timeline
from tests.support.agents import human
from tests.support.auditing import written
from tests.support.examples import examples
from tests.support.flavour import Flavour
from tests.support.scripted import ScriptedChatModel, call
from tests.support.stage import DURABILITIES, Durability, Stage

MakeStore = Callable[..., EventStore]
PATIENCE = 20.0
"""Seconds after which a test that waits for another thread has failed."""


class SavesLate(EventStoreSaver):
    """Saves a checkpoint that sends packets when a packet's task has written, as may happen: both run side by side."""

    def __init__(self, store: EventStore, durability: Durability) -> None:
        super().__init__(store)
        self._beside = durability == "async"
        self._written: dict[str, threading.Event] = {}
        self._lock = threading.Lock()

    def put(self, config: Any, checkpoint: Any, metadata: Any, new_versions: Any) -> Any:
        if self._beside and checkpoint["channel_values"].get("__pregel_tasks"):
            assert self._has_written(checkpoint["id"]).wait(PATIENCE)
        return super().put(config, checkpoint, metadata, new_versions)

    def put_writes(self, config: Any, writes: Any, task_id: str, task_path: str = "") -> None:
        super().put_writes(config, writes, task_id, task_path)
        self._has_written(config["configurable"]["checkpoint_id"]).set()

    def _has_written(self, checkpoint: str) -> threading.Event:
        with self._lock:
            return self._written.setdefault(checkpoint, threading.Event())


@pytest.fixture(params=DURABILITIES)
def durability(request: pytest.FixtureRequest) -> Durability:
    """When LangGraph saves."""
    chosen: Durability = request.param
    return chosen


@pytest.fixture
def stage(make_store: MakeStore, flavour: Flavour, durability: Durability) -> Stage:
    """A stage on which packets' tasks write before their checkpoints are saved, if LangGraph saves beside them."""
    return Stage(SavesLate(make_store(), durability), flavour, durability)


# --- what is told ----------------------------------------------------------------------------------------------------


def run(stage: Stage, graph: Pregel, *inputs: Any) -> str:
    """Run a graph with one input after the other; the thread's name."""

    async def scenario(stage: Stage) -> None:
        for each in inputs:
            await stage.invoke(graph, each)

    stage.perform(scenario)
    name: str = stage.here()["configurable"]["thread_id"]
    return name


def assert_all_say_the_same(
    saver: EventStoreSaver, thread: str, channel: str, parent: str | None = None
) -> dict[int, str | None]:
    """The timeline, blame, recovery points and the audit name each event alike; its node by its version."""
    entries = written(saver, thread)
    if parent:
        [info] = saver.store.streams(prefix=thread).streams
        entries += [entry for entry in written(saver, parent) if entry.version <= (info.parent_version or 0)]
    told = {entry.version: entry.node for entry in entries}
    nodes = {(entry.task, entry.node) for entry in entries}
    timeline, recovery = Timeline(saver.checkpoints), Recovery(saver.checkpoints)
    shown = list(timeline.entries(thread, saver.serde))
    blamed = timeline.blame(thread, channel, saver.serde)
    for writers in [*(entry.writers for entry in shown), *(origin.writers for origin in blamed)]:
        for writer in writers:
            assert writer.version is None or (writer.version, writer.node) == (writer.version, told[writer.version])
    for namespace in {entry.namespace for entry in shown}:
        for point in recovery.points(thread, namespace=namespace, serializer=saver.serde):
            assert {(state.id, state.node) for state in point.tasks} <= nodes
    before = [*Audit(saver.store).entries()]
    Audit(saver.store).rebuild()
    assert [*Audit(saver.store).entries()] == before
    return told


def assert_langgraph_names_them_so(graph: Pregel, stage: Stage, told: dict[int, str | None]) -> None:
    """LangGraph's own history calls the tasks by the same names."""
    saver = stage.saver
    assert isinstance(saver, EventStoreSaver)
    thread = stage.here()["configurable"]["thread_id"]
    names = {task.id: task.name for state in graph.get_state_history(stage.here()) for task in state.tasks}
    events = {event.version: event.cause.task for event in saver.store.read(thread) if event.topic == "writes.saved"}
    for version, node in told.items():
        if (name := names.get(events[version] or "")) is not None:
            assert node == name


# --- graphs ----------------------------------------------------------------------------------------------------------


@tool
def look(number: int) -> str:
    """Look something up."""
    time.sleep(number / 100)
    return f"found {number}"


SCRIPT: dict[str, list[Any]] = {
    "": [
        [call("look", number, number=number) for number in (0, 2, 5)],
        [call("look", number, number=number) for number in (1, 0)],
        "done",
    ]
}


class Log(TypedDict, total=False):
    log: Annotated[list[str], operator.add]


class State(Log, total=False):
    item: str


def mapping(inner: Any) -> StateGraph[Any, Any, Any, Any]:
    """Plans, sends each part to a node, and a second round to others, beside a node that an edge leads to."""

    def plan(state: State) -> Any:
        return {"log": ["plan"]}

    def parts(state: State) -> list[Send]:
        return [Send("work", {"item": "a"}), Send("check", {"item": "b"}), Send("work", {"item": "c"})]

    def check(state: State) -> Any:
        time.sleep(0.01)
        return {"log": [f"check {state['item']}"]}

    def again(state: State) -> Any:
        return [Send("check", {"item": "d"}), "end"]

    def end(state: State) -> Any:
        return {"log": ["end"]}

    builder = StateGraph(State).add_node(plan).add_node("work", inner).add_node(check).add_node(end)
    builder.add_edge(START, "plan").add_conditional_edges("plan", parts, ["work", "check"])
    return builder.add_conditional_edges("work", again, ["check", "end"])


def work(state: State) -> Any:
    return {"log": [f"work {state['item']}"]}


def works() -> Pregel:
    """A subgraph that sends packets, too."""

    def split(state: State) -> Any:
        return {}

    def pieces(state: State) -> list[Send]:
        return [Send("piece", {"item": f"{state['item']}{number}"}) for number in range(2)]

    def piece(state: State) -> Any:
        return {"log": [f"piece {state['item']}"]}

    builder = StateGraph(State, output_schema=Log).add_node(split).add_node(piece).add_edge(START, "split")
    return builder.add_conditional_edges("split", pieces, ["piece"]).compile()


# --- the names -------------------------------------------------------------------------------------------------------


def test_each_tool_message_of_an_agent_is_the_tools_wherever_one_looks(stage: Stage) -> None:
    saver = stage.saver
    assert isinstance(saver, EventStoreSaver)
    graph = stage.build(
        lambda saver: create_agent(ScriptedChatModel(scripts=SCRIPT), [look], checkpointer=saver),
    )
    thread = run(stage, graph, human("go"))
    told = assert_all_say_the_same(saver, thread, "messages")
    assert_langgraph_names_them_so(graph, stage, told)
    if stage.saves_every_step:
        blamed = Timeline(saver.checkpoints).blame(thread, "messages", saver.serde)
        assert [origin.nodes for origin in blamed if isinstance(origin.value, ToolMessage)] == [("tools",)] * 5
        assert [*told.values()].count("tools") == 5
        assert None not in told.values()


@pytest.mark.parametrize("inner", [work, works], ids=["a function", "a subgraph that sends"])
def test_each_result_of_a_packet_is_its_nodes_wherever_one_looks(stage: Stage, inner: Any) -> None:
    saver = stage.saver
    assert isinstance(saver, EventStoreSaver)
    graph = stage.compile(mapping(inner() if inner is works else inner))
    thread = run(stage, graph, {"log": ["go"]})
    told = assert_all_say_the_same(saver, thread, "log")
    assert_langgraph_names_them_so(graph, stage, told)
    if stage.saves_every_step:
        assert None not in told.values()
        blamed = Timeline(saver.checkpoints).blame(thread, "log", saver.serde)
        of_nodes = [(origin.value.split()[0], origin.nodes) for origin in blamed if origin.source == "loop"]
        named = {"piece": "work", "go": "__start__"}
        assert of_nodes == [(said, (named.get(said, said),)) for said, _ in of_nodes]


def test_packets_that_come_with_a_command_name_their_tasks(stage: Stage) -> None:
    saver = stage.saver
    assert isinstance(saver, EventStoreSaver)

    def ask(state: State) -> Any:
        return {"log": [interrupt("which?")]}

    builder = StateGraph(State).add_node(ask).add_node(work).add_node("other", work).add_edge(START, "ask")
    graph = stage.compile(builder)
    sent = [Send("work", {"item": "a"}), Send("other", {"item": "b"})]
    thread = run(stage, graph, {"log": ["go"]}, Command(resume="this", goto=sent))
    told = assert_all_say_the_same(saver, thread, "log")
    if stage.saves_every_step:
        assert {"work", "other", "ask"} <= {*told.values()}


def test_a_fork_and_its_parent_name_what_was_written_in_either(stage: Stage) -> None:
    saver = stage.saver
    assert isinstance(saver, EventStoreSaver)

    def asking(state: State) -> Any:
        return {"log": [interrupt(state["item"]) if state["item"] == "a" else "work"]}

    graph = stage.compile(mapping(asking))
    thread = run(stage, graph, {"log": ["go"]})
    fork = f"{thread}-fork"
    saver.copy_thread(thread, fork)

    async def answer_in_both(stage: Stage) -> None:
        for name in (fork, thread):
            await stage.invoke(graph, Command(resume="work"), {"configurable": {"thread_id": name}})

    stage.perform(answer_in_both)
    for name, parent in ((thread, None), (fork, thread)):
        told = assert_all_say_the_same(saver, name, "log", parent)
        assert not stage.saves_every_step or {"plan", "work", "check"} <= {*told.values()}


@settings(max_examples=examples(8), suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(data=st.data())
def test_whatever_a_graph_sends_all_name_its_tasks_alike(make_store: MakeStore, data: st.DataObject) -> None:
    rounds = data.draw(st.lists(st.lists(st.sampled_from("abc"), max_size=4), min_size=1, max_size=3))
    pauses = data.draw(st.fixed_dictionaries({name: st.sampled_from([0, 0.005, 0.02]) for name in "abc"}))
    durability: Durability = data.draw(st.sampled_from(DURABILITIES))
    flavour = data.draw(st.sampled_from(list(Flavour)))

    def node(name: str) -> Any:
        def runs(state: Any) -> Any:
            time.sleep(pauses[name])
            return {"log": [name]}

        return runs

    def lead(state: State) -> Any:
        return {"log": ["lead"]}

    def to(state: State) -> Any:
        number = state["log"].count("lead") - 1
        return [Send(name, {}) for name in rounds[number]] + ["wait"] * (number + 1 < len(rounds))

    builder = StateGraph(State).add_node(lead).add_node("wait", node("a"))
    for name in "abc":
        builder.add_node(name, node(name))
    builder.add_edge(START, "lead").add_conditional_edges("lead", to, [*"abc", "wait"]).add_edge("wait", "lead")
    stage = Stage(EventStoreSaver(make_store()), flavour, durability)
    graph = stage.compile(builder)
    thread = run(stage, graph, {"log": []})
    assert isinstance(stage.saver, EventStoreSaver)
    told = assert_all_say_the_same(stage.saver, thread, "log")
    assert_langgraph_names_them_so(graph, stage, told)
    assert durability == "exit" or None not in told.values()
