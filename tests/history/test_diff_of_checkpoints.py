"""Differences of checkpoints: of one thread, of a fork and its parent, and of what is stored in the same place."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from langchain_core.messages import HumanMessage
from langgraph.graph import START, StateGraph
from langgraph.types import Command

from eventstore import BadInputError, EventStore, NotFoundError
from langgraph.checkpoint.eventstore import EventStoreSaver
from projections import CheckpointDiff, Checkpoints, Timeline
from projections.diffing.content import same
from tests.support.histories import Counting, an_agent, chain, config, hello, id_of, save, timeline
from tests.support.pace import in_each_durability, where_each_step_is_saved
from tests.support.patching import patch
from tests.support.stories import counting, delta_state


def played(saver: EventStoreSaver) -> list[str]:
    """An agent's thread; the ids of its checkpoints, oldest first."""
    graph = an_agent(saver)
    graph.invoke(hello(), config())
    graph.invoke(Command(resume="Yes"), config())
    return [entry.id for entry in timeline(saver).entries("t", saver.serde)][::-1]


def lines(difference: CheckpointDiff) -> list[str]:
    return [str(line) for line in difference.lines()]


@where_each_step_is_saved
def test_two_checkpoints_differ_in_what_was_written_in_between(saver: EventStoreSaver) -> None:
    ids = played(saver)
    difference = timeline(saver).diff("t", ids[1], ids[4], saver.serde)
    assert lines(difference) == [
        "+ count: 1",
        '+ files: {"/1.txt": "text"}',
        "~ messages: +4",
        "    [0] stays",
        '+   [1]: ai: "Answer 1"',
        '+   [2]: ai: "found 1"',
        '+   [3]: ai: "wrote 1"',
        '+   [4]: human: "Yes"',
    ]
    assert difference.nodes == ("model", "search", "write", "ask")
    assert difference.before is not None
    assert (difference.before.step, difference.after.step) == (0, 3)
    assert difference.before.due == ("model",)
    assert [str(edit.path[-1].name) for edit in difference.metadata.edits()] == ["step"]
    assert json.dumps(difference.to_json(), allow_nan=False)


@where_each_step_is_saved
def test_a_checkpoint_is_compared_with_its_parent_if_nothing_else_is_said(saver: EventStoreSaver) -> None:
    ids = played(saver)
    latest = timeline(saver).diff("t", None, None, saver.serde)
    assert latest.before is not None
    assert (latest.before.id, latest.after.id) == (ids[3], ids[4])
    assert lines(latest) == ["~ messages: +1", "    [0–3] stay", '+   [4]: human: "Yes"']
    first = timeline(saver).diff("t", None, ids[0], saver.serde, channels=["__start__"])
    assert first.before is None
    assert [channel.kind for channel in first.channels] == ["added"]


@where_each_step_is_saved
def test_backwards_what_was_added_is_removed(saver: EventStoreSaver) -> None:
    ids = played(saver)
    difference = timeline(saver).diff("t", ids[3], ids[2], saver.serde)
    assert lines(difference)[0] == '- files: {"/1.txt": "text"}'
    assert lines(difference)[1] == "~ messages: -2"


@in_each_durability
def test_a_checkpoint_does_not_differ_from_itself(saver: EventStoreSaver) -> None:
    for each in played(saver):
        difference = timeline(saver).diff("t", each, each, saver.serde)
        assert not difference
        assert lines(difference) == []


@in_each_durability
def test_a_fork_and_its_parent_are_compared(saver: EventStoreSaver) -> None:
    graph = an_agent(saver)
    graph.invoke(hello(), config())
    saver.copy_thread("t", "fork")
    shared = timeline(saver).diff("t", None, None, saver.serde, thread_b="fork")
    assert not shared
    graph.invoke(Command(resume="Yes"), config())
    graph.invoke(Command(resume="No"), config("fork"))
    difference = timeline(saver).diff("t", None, None, saver.serde, thread_b="fork")
    assert [channel.channel for channel in difference.channels] == ["messages"]
    assert lines(difference) == [
        "~ messages: ~1",
        "    [0–3] stay",
        '~   [4].content: "Yes" → "No"',
    ]


@pytest.mark.parametrize("fork", [False, True])
def test_what_is_stored_in_the_same_place_is_not_read(saver: EventStoreSaver, fork: bool) -> None:
    untouched = ["untouched " * 50] * 9
    states = [{"a": untouched, "b": ["b1"]}, {"a": untouched, "b": ["b1", "b2"]}]
    chain(saver.checkpoints, saver.serde, states)
    other = None
    if fork:
        saver.copy_thread("t", "fork")
        save(
            saver.checkpoints,
            saver.serde,
            3,
            {"a": untouched, "b": ["b3"]},
            thread="fork",
            parent=2,
            versions={"a": 1, "b": 3},
            new=["b"],
        )
        other = "fork"
    serializer = Counting(saver.serde)
    difference = timeline(saver).diff("t", id_of(1), None, serializer, thread_b=other)
    assert [channel.channel for channel in difference.channels] == ["b"]
    assert serializer.read
    assert not [data for data in serializer.read if b"untouched" in data]


@where_each_step_is_saved
def test_only_the_channels_that_are_asked_for_are_compared(saver: EventStoreSaver) -> None:
    ids = played(saver)
    difference = timeline(saver).diff("t", ids[0], ids[4], saver.serde, channels={"count", "branch:to:model"})
    assert [channel.channel for channel in difference.channels] == ["count"]
    with pytest.raises(BadInputError, match="list of strings"):
        timeline(saver).diff("t", ids[0], ids[4], saver.serde, channels="count")


def test_a_channel_that_was_written_and_holds_the_same_is_rewritten(saver: EventStoreSaver) -> None:
    chain(saver.checkpoints, saver.serde, [{"a": [1, 2]}, {"a": [1, 2]}])
    difference = timeline(saver).diff("t", None, None, saver.serde)
    assert [channel.kind for channel in difference.channels] == ["rewritten"]
    assert not difference
    assert lines(difference) == []


@in_each_durability
def test_an_input_that_was_taken_is_no_difference(saver: EventStoreSaver) -> None:
    ids = played(saver)
    agent = an_agent(saver)
    agent.invoke(hello(2), config())
    difference = timeline(saver).diff("t", ids[1], None, saver.serde)
    assert difference.replayed == ()


@in_each_durability
def test_of_channels_that_are_replayed_it_is_said_that_they_were_written(saver: EventStoreSaver) -> None:
    graph = StateGraph(delta_state(50)).add_node("say", lambda state: {"log": ["hi"]}).add_edge(START, "say")
    graph.compile(checkpointer=saver).invoke({"log": ["in"]}, config())
    difference = timeline(saver).diff("t", None, None, saver.serde)
    assert difference.replayed == ("log",)
    assert difference
    assert lines(difference) == ["~ log: written (only its writes are stored)"]


@where_each_step_is_saved
def test_two_snapshots_of_a_replayed_channel_are_compared(saver: EventStoreSaver) -> None:
    graph = counting(delta_state(2))().compile(checkpointer=saver)
    graph.invoke({"log": ["in"], "step": 0}, config())
    found = [*saver.list(config())]
    whole = [each for each in found if "log" in each.checkpoint["channel_values"]]
    ids = [each.checkpoint["id"] for each in whole]
    difference = timeline(saver).diff("t", ids[1], ids[0], saver.serde)
    assert lines(difference)[:2] == ["~ log: +2", "    [0–3] stay"]
    latest = timeline(saver).diff("t", None, None, saver.serde)
    assert latest.replayed == ("log",)


@in_each_durability
def test_what_does_not_exist_is_named(saver: EventStoreSaver) -> None:
    played(saver)
    with pytest.raises(NotFoundError, match="'nobody' has no checkpoint"):
        timeline(saver).diff("nobody", None, None, saver.serde)
    with pytest.raises(NotFoundError, match="no checkpoint 'x'"):
        timeline(saver).diff("t", "x", None, saver.serde)
    with pytest.raises(NotFoundError, match="namespace 'deep'"):
        timeline(saver).diff("t", None, None, saver.serde, namespace="deep")


@in_each_durability
def test_after_a_prune_the_oldest_checkpoint_is_compared_with_nothing(saver: EventStoreSaver) -> None:
    played(saver)
    saver.prune(["t"])
    difference = timeline(saver).diff("t", None, None, saver.serde)
    assert difference.before is None
    assert [channel.kind for channel in difference.channels] == ["added"] * 3


@where_each_step_is_saved
async def test_async_code_gets_the_same(saver: EventStoreSaver) -> None:
    ids = played(saver)
    found = await timeline(saver).adiff("t", ids[1], ids[3], saver.serde)
    assert found.to_json() == timeline(saver).diff("t", ids[1], ids[3], saver.serde).to_json()


MESSAGES = st.lists(st.integers(0, 9), unique=True, max_size=6)


@settings(max_examples=40)
@given(
    histories=st.lists(
        st.fixed_dictionaries({"log": MESSAGES, "text": st.text("ab \n", max_size=200)}), min_size=2, max_size=6
    ),
    data=st.data(),
)
def test_the_differences_lead_from_one_checkpoint_to_the_other(
    histories: list[dict[str, Any]], data: st.DataObject
) -> None:
    states = [
        {
            "messages": [
                HumanMessage(f"number {number} of {len(each['log'])}", id=f"{number}") for number in each["log"]
            ],
            "text": each["text"],
        }
        for each in histories
    ]
    with EventStore.open("sqlite:///:memory:") as store:
        checkpoints, serializer = Checkpoints(store), EventStoreSaver(store).serde
        chain(checkpoints, serializer, states)
        a, b = (data.draw(st.integers(1, len(states))) for _ in range(2))
        difference = Timeline(checkpoints).diff("t", id_of(a), id_of(b), serializer)
        made: dict[str, Any] = dict(states[a - 1])
        for channel in difference.channels:
            assert channel.difference is not None
            made[channel.channel] = patch(made[channel.channel], channel.difference)
        assert same(made, states[b - 1])


@in_each_durability
def test_a_channel_that_neither_has_is_named_with_those_that_there_are(saver: EventStoreSaver) -> None:
    played(saver)
    with pytest.raises(NotFoundError, match=r"no channel 'mesages'; there are .*count, files, messages"):
        timeline(saver).diff("t", None, None, saver.serde, channels=["mesages"])
