"""Channels of which only the writes are stored: history shows of them what LangGraph's `get_state` shows."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from langchain_core.messages import AIMessage
from langgraph.errors import EmptyInputError
from langgraph.graph import START, StateGraph
from langgraph.pregel import Pregel
from langgraph.types import Command, Overwrite, Send, StateSnapshot

from langgraph.checkpoint.eventstore import EventStoreSaver
from projections import ABSENT, CheckpointDiff, diff
from tests.support.deltas import BY_SHAPE, CHANNELS, NODES, SELDOM, Scripts, author, state_of, telling
from tests.support.examples import examples
from tests.support.flavour import Flavour
from tests.support.histories import config
from tests.support.pace import where_each_step_is_saved
from tests.support.stage import DURABILITIES, Durability, Stage, checkpoint_id

EMPTY: dict[str, Any] = {"files": {}, "messages": []}

each_durability = pytest.mark.parametrize("durability", DURABILITIES)
# No example is shrunk: each opens a store and runs graphs.
several = settings(
    max_examples=examples(8),
    phases=[Phase.explicit, Phase.reuse, Phase.generate],
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


async def some_history(stage: Stage, graph: Pregel, data: st.DataObject) -> None:
    """Runs, answers, updates and travels, one after the other."""
    scripts = Scripts()
    for _ in range(data.draw(st.integers(1, 4), "acts")):
        history = await stage.history(graph)
        at = history[data.draw(st.integers(0, len(history) - 1), "at")].config if history else None
        match data.draw(st.sampled_from(["run", "run", "travel", "again", "update"]), "act"):
            case "again" if at:
                with suppress(EmptyInputError):  # nothing had been asked for there
                    await stage.invoke(graph, None, at)
            case "update" if at:
                node = data.draw(st.sampled_from(NODES), "as")
                await stage.update(graph, scripts.writes(data, node, whole=True), at, as_node=node)
            case act:
                given = {**scripts.writes(data, "__start__"), "script": scripts.script(data, asks=True)}
                await stage.invoke(graph, given, at if act == "travel" else None)
                state = await stage.state(graph)
                if data.draw(st.booleans(), "answered") and state.interrupts:
                    came_with_it = scripts.writes(data, "answer", whole=True) or None
                    await stage.invoke(graph, Command(resume="yes", update=came_with_it))


def of(stage: Stage) -> Any:
    """The history of the stage's saver."""
    saver: Any = stage.saver
    return saver.history


async def shown(stage: Stage, snapshot: StateSnapshot, graph: Pregel | None) -> dict[str, Any]:
    """Return what history shows of the channels at a checkpoint."""
    found = await stage.call(of(stage), "state", snapshot.config, graph=graph)
    assert set(found.folded) <= set(CHANNELS)
    assert set(found.folded.values()) <= ({"the graph's reducer"} if graph else set(BY_SHAPE.values()))
    assert found.replayed == ()
    values = found.checkpoint["channel_values"]
    return {channel: values.get(channel, EMPTY[channel]) for channel in CHANNELS}


def held(snapshot: StateSnapshot) -> dict[str, Any]:
    """Return what LangGraph shows of them."""
    return {channel: snapshot.values[channel] for channel in CHANNELS}


def assert_is_difference(found: CheckpointDiff, before: dict[str, Any], after: dict[str, Any]) -> None:
    told = {each.channel: each for each in found.channels if each.channel in CHANNELS}
    for channel in CHANNELS:
        old, new = before[channel], after[channel]
        if old == new:
            assert channel not in told or told[channel].kind in ("rewritten", "added")
            continue
        was = [] if told[channel].before is ABSENT else told[channel].before
        assert (was or EMPTY[channel], told[channel].after) == (old, new)
        if told[channel].difference is not None:
            assert told[channel].difference.to_json() == diff(old, new).to_json()


@each_durability
@several
@given(data=st.data())
def test_history_shows_what_get_state_shows_and_how_it_came_about(
    saver: EventStoreSaver, make_saver: Any, durability: Durability, data: st.DataObject
) -> None:
    frequency = data.draw(st.sampled_from([2, 5, SELDOM]), "frequency")
    stage = Stage(saver, data.draw(st.sampled_from(list(Flavour)), "flavour"), durability, reopen=make_saver)

    async def scenario(stage: Stage) -> None:
        graph = stage.compile(telling(frequency))
        await some_history(stage, graph, data)
        history = of(stage)
        states: dict[str, Any] = {checkpoint_id(each.config): each for each in await stage.history(graph)}
        for snapshot in states.values():
            for given_graph in (None, graph):
                assert await shown(stage, snapshot, given_graph) == held(snapshot)
        for snapshot in states.values():
            parent = snapshot.parent_config and states[checkpoint_id(snapshot.parent_config)]
            for given_graph in (None, graph) if parent else ():
                found = await stage.call(
                    history, "diff", snapshot.config, parent.config, snapshot.config, graph=given_graph
                )
                assert_is_difference(found, held(parent), held(snapshot))
        await origins_are_right(stage, graph, states)

    stage.perform(scenario)


async def origins_are_right(stage: Stage, graph: Pregel, states: dict[str, Any]) -> None:
    """Of each item, blame names the node that wrote it; what is saved at the end may leave several that may have."""
    history = of(stage)
    for snapshot in states.values():
        for channel in CHANNELS:
            if not snapshot.values[channel]:
                continue
            origins = await stage.call(history, "blame", snapshot.config, channel, checkpoint=snapshot.config)
            by_graph = await stage.call(
                history, "blame", snapshot.config, channel, checkpoint=snapshot.config, graph=graph
            )
            assert [each.to_json() | {"folded": None} for each in by_graph] == [
                each.to_json() | {"folded": None} for each in origins
            ]
            items = snapshot.values[channel]
            assert [each.value for each in origins] == [*(items.values() if channel == "files" else items)]
            for origin in origins:
                if origin.source == "loop" and author(origin.value) != "answer":
                    assert author(origin.value) in origin.nodes
                    assert len(origin.nodes) == 1 or stage.durability == "exit"
                elif author(origin.value) == "answer" and any(writer.task for writer in origin.writers):
                    assert origin.nodes == ()


def told(saver: EventStoreSaver, frequency: int, steps: int = 3) -> Any:
    """A graph that has told a few steps on thread `t`: each says something and writes a file."""
    graph = telling(frequency).compile(checkpointer=saver)
    script = [
        {
            "left": {"messages": [AIMessage(f"left {n}", id=f"m{n}")]},
            "right": {"files": {f"/{n}": {"content": f"right {n}"}}},
        }
        for n in range(steps)
    ]
    graph.invoke({"script": script}, config())
    return graph


@where_each_step_is_saved
@pytest.mark.parametrize("frequency", [2, SELDOM])
def test_what_a_prune_leaves_is_shown_and_what_is_not_known_any_more_is_said(
    saver: EventStoreSaver, frequency: int
) -> None:
    graph = told(saver, frequency)
    values = graph.get_state(config()).values
    before = saver.history.blame("t", "messages")
    saver.prune(["t"])
    found = saver.history.state("t")
    assert found is not None
    assert {channel: found.checkpoint["channel_values"][channel] for channel in CHANNELS} == {
        channel: values[channel] for channel in CHANNELS
    }
    after = saver.history.blame("t", "messages")
    assert [origin.value for origin in after] == values["messages"]
    assert all(origin.nodes == ("left",) or origin.known_since for origin in after)
    if frequency == SELDOM:  # all is replayed still, so all is known
        assert [(each.step, each.nodes) for each in after] == [(each.step, each.nodes) for each in before]


@where_each_step_is_saved
def test_after_a_rollback_and_in_a_fork_the_same_is_shown(saver: EventStoreSaver) -> None:
    graph = told(saver, SELDOM)
    states = [*graph.get_state_history(config())]
    saver.history.fork("t", "fork", at=states[2].config)
    saver.history.rollback("t", states[2].config)
    for name in ("t", "fork"):
        found = saver.history.state(name)
        assert found is not None
        assert found.checkpoint["channel_values"]["messages"] == states[2].values["messages"]
        assert len(saver.history.blame(name, "messages")) == len(states[2].values["messages"])


@where_each_step_is_saved
def test_beside_what_came_with_an_answer_each_node_is_named(saver: EventStoreSaver) -> None:
    graph = telling(2).compile(checkpointer=saver)
    files = {"left": {"files": {"/l": {"content": "left 0"}}}, "right": {"files": {"/r": {"content": "right 1"}}}}
    graph.invoke({"files": {"/old": {"content": "old"}}, "script": [{**files, "ask": "right"}]}, config())
    graph.invoke(Command(resume="yes", update={"files": Overwrite({"/a": {"content": "answer 2"}})}), config())
    found = {origin.name: origin for origin in saver.history.blame("t", "files")}
    assert {name: origin.nodes for name, origin in found.items() if "/a" not in name} == {
        "files['/l']": ("left",),
        "files['/r']": ("right",),
    }
    [writer] = found["files['/a']"].writers
    assert (writer.node, found["files['/a']"].step) == (None, found["files['/l']"].step)


def test_a_packet_s_node_is_among_those_that_may_have_written_also_if_an_input_has_discarded_it(
    saver: EventStoreSaver,
) -> None:
    graph = telling().compile(checkpointer=saver)
    sends = {"sent": [{"messages": [AIMessage("worker 1", id="m1")]}], "ask": "right"}
    graph.invoke({"script": [sends]}, config(), durability="exit")
    again = {"sent": [{"files": {"/a": {"content": "worker 2"}}}]}
    graph.invoke({"script": [again], "messages": [], "files": {}}, config(), durability="exit")
    [origin] = saver.history.blame("t", "files")
    assert "worker" in origin.nodes
    assert "worker" not in {writer.node for writer in origin.writers if writer.task}


def test_a_node_that_was_also_sent_a_packet_is_among_those_that_may_have_written(saver: EventStoreSaver) -> None:
    """In a run that is saved at its end, what the node wrote in its own turn does not tell what it wrote when sent."""
    builder = StateGraph(state_of(SELDOM)).add_node("begin", lambda state: {}).add_edge(START, "begin")
    builder.add_node("both", lambda state: {"files": {state.get("name", "/led"): {"content": "both"}}})
    builder.add_node("sent", lambda state: {"files": {"/sent": {"content": "sent"}}})
    due = ["both", Send("both", {"name": "/packet"}), Send("sent", {})]
    builder.add_conditional_edges("begin", lambda state: due, ["both", "sent"])
    graph = builder.compile(checkpointer=saver)
    for _ in range(2):
        graph.invoke({"files": {}}, config(), durability="exit")
        found = {origin.name: origin.nodes for origin in saver.history.blame("t", "files")}
        assert found["files['/led']"] == ("both",)
        assert "both" in found["files['/packet']"]
        assert "sent" in found["files['/sent']"]


def test_what_came_with_an_answer_is_no_node_s_also_where_a_run_is_saved_at_its_end(saver: EventStoreSaver) -> None:
    graph = telling().compile(checkpointer=saver)
    graph.invoke({"script": [{"ask": "right"}], "files": {}}, config(), durability="exit")
    answer: Command[Any] = Command(resume="yes", update={"files": {"/a": {"content": "answer 1"}}})
    graph.invoke(answer, config(), durability="exit")
    [origin] = saver.history.blame("t", "files")
    assert [(writer.node, bool(writer.task)) for writer in origin.writers] == [(None, True)]
