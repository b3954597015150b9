"""Blame: for each part of what a channel holds, the event that put it there, by whom, and what stood there before."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, TypedDict
from uuid import uuid4

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from langchain_core.messages import AIMessage, HumanMessage, RemoveMessage
from langgraph.graph import START, StateGraph
from langgraph.types import Command, Send, interrupt

from eventstore import BadInputError, EventStore, NotFoundError
from langgraph.checkpoint.eventstore import EventStoreSaver
from projections import ABSENT, Checkpoints, Origin, Timeline
from projections.diffing.content import content
from tests.support.flavour import Flavour
from tests.support.histories import an_agent, chain, config, hello, save, timeline, write
from tests.support.pace import in_each_durability, where_each_step_is_saved
from tests.support.stage import Durability, Stage
from tests.support.stories import STORIES, Story, counting, delta_state, tell_all


def blame(saver: EventStoreSaver, channel: str, **options: Any) -> list[Origin]:
    return timeline(saver).blame("t", channel, saver.serde, **options)


def told(origins: Sequence[Origin]) -> list[tuple[Any, ...]]:
    return [(origin.name, origin.step, origin.nodes) for origin in origins]


def played(saver: EventStoreSaver) -> Any:
    graph = an_agent(saver)
    graph.invoke(hello(), config())
    graph.invoke(Command(resume="Yes"), config())
    return graph


@where_each_step_is_saved
def test_each_message_names_the_step_and_the_node_that_brought_it(saver: EventStoreSaver) -> None:
    played(saver)
    assert told(blame(saver, "messages")) == [
        ("messages[0]", 0, ("__start__",)),
        ("messages[1]", 1, ("model",)),
        ("messages[2]", 2, ("search",)),
        ("messages[3]", 2, ("write",)),
        ("messages[4]", 3, ("ask",)),
    ]
    assert told(blame(saver, "files")) == [("files['/1.txt']", 2, ("write",))]
    assert told(blame(saver, "count")) == [("count", 1, ("model",))]


@where_each_step_is_saved
@pytest.mark.parametrize("story", [story for story in STORIES if "overwritten" not in story.name], ids=str)
def test_the_origins_are_the_tasks_whose_results_langgraph_shows(
    saver: EventStoreSaver, make_saver: Any, story: Story, durability: Durability
) -> None:
    graph, thread = tell_all(Stage(saver, Flavour.SYNC, durability, reopen=make_saver), story)
    shown = {each.config["configurable"]["checkpoint_id"]: each for each in graph.get_state_history(config(thread))}
    origins = timeline(saver).blame(thread, "log", saver.serde)
    words = [
        word for origin in origins for word in (origin.value if isinstance(origin.value, list) else [origin.value])
    ]
    assert words == story.end
    for origin in origins:
        parent = shown[shown[origin.checkpoint].parent_config["configurable"]["checkpoint_id"]]
        held = origin.value if isinstance(origin.value, list) else [origin.value]
        for writer in origin.writers:
            [task] = [task for task in parent.tasks if task.id == writer.task]
            assert task.name == writer.node
            assert set(held) <= set(task.result["log"])
        assert origin.writers


@where_each_step_is_saved
def test_an_origin_names_its_event_and_that_of_the_task(saver: EventStoreSaver) -> None:
    played(saver)
    events = {event.version: event for event in saver.store.read("t")}
    for origin in blame(saver, "messages"):
        event = events[origin.version]
        assert (origin.checkpoint, origin.saved_at) == (event.cause.checkpoint, event.recorded_at)
        [writer] = origin.writers
        assert writer.version is not None
        assert events[writer.version].cause.task == writer.task
        assert writer.saved_at == events[writer.version].recorded_at
        assert (origin.thread, origin.known_since, origin.before) == ("t", None, ABSENT)
        assert json.dumps(origin.to_json(), allow_nan=False)


@where_each_step_is_saved
def test_an_edited_message_names_who_edited_it_and_what_stood_there(saver: EventStoreSaver) -> None:
    graph = played(saver)
    graph.update_state(
        config(), {"messages": [AIMessage("better", id="ai-1"), RemoveMessage("found-1")]}, as_node="ask"
    )
    origins = blame(saver, "messages")
    assert told(origins) == [
        ("messages[0]", 0, ("__start__",)),
        ("messages[1]", 4, ()),
        ("messages[2]", 2, ("write",)),
        ("messages[3]", 3, ("ask",)),
    ]
    assert origins[1].before.content == "Answer 1"
    assert origins[1].source == "update"


@where_each_step_is_saved
@pytest.mark.parametrize(("item", "step"), [(0, 0), (-1, 3), ("wrote-1", 2), (("ai-1", "content"), 1)])
def test_one_item_is_asked_for(saver: EventStoreSaver, item: Any, step: int) -> None:
    played(saver)
    [origin] = blame(saver, "messages", item=item)
    assert origin.step == step


def test_one_field_of_an_item_that_was_edited_keeps_its_origin(saver: EventStoreSaver) -> None:
    first = {"id": "1", "title": "a", "done": False}
    chain(saver.checkpoints, saver.serde, [{"todos": [first]}, {"todos": [{**first, "done": True}]}])
    steps = {key: blame(saver, "todos", item=("1", key))[0] for key in first}
    assert {key: origin.step for key, origin in steps.items()} == {"id": 1, "title": 1, "done": 2}
    assert steps["done"].before is False
    assert steps["done"].name == "todos[0]['done']"
    [whole] = blame(saver, "todos")
    assert (whole.step, whole.before) == (2, first)


@where_each_step_is_saved
def test_a_value_of_the_past_is_asked_for(saver: EventStoreSaver) -> None:
    played(saver)
    ids = [entry.id for entry in timeline(saver).entries("t", saver.serde)]
    assert len(blame(saver, "messages", checkpoint=ids[2])) == 2


def test_a_value_that_was_overwritten_names_the_last_who_changed_it(saver: EventStoreSaver) -> None:
    chain(saver.checkpoints, saver.serde, [{"a": 1}, {"a": 2}, {"a": int("2000") - 1998}])
    [origin] = blame(saver, "a")
    assert (origin.step, origin.before) == (2, 1)


def test_of_an_empty_value_the_one_who_emptied_it_is_named(saver: EventStoreSaver) -> None:
    chain(saver.checkpoints, saver.serde, [{"a": [1], "b": {}}, {"a": [], "b": {}}, {"a": [], "b": {}}])
    [emptied] = blame(saver, "a")
    assert (emptied.name, emptied.step, emptied.before) == ("a", 2, [1])
    assert [origin.step for origin in blame(saver, "b")] == [1]


def test_a_text_is_blamed_line_by_line(saver: EventStoreSaver) -> None:
    texts = ["one\ntwo\nthree\n", "one\n2\nthree\n", "zero\none\n2\nthree\nfour"]
    chain(saver.checkpoints, saver.serde, [{"draft": text} for text in texts])
    origins = blame(saver, "draft")
    assert [(origin.name, origin.step, origin.value) for origin in origins] == [
        ("draft:1", 3, "zero\n"),
        ("draft:2", 1, "one\n"),
        ("draft:3", 2, "2\n"),
        ("draft:4", 1, "three\n"),
        ("draft:5", 3, "four"),
    ]
    assert origins[2].before == "two\n"


def test_of_tasks_beside_each_other_the_one_that_wrote_an_item_is_named(saver: EventStoreSaver) -> None:
    checkpoints, serializer = saver.checkpoints, saver.serde
    save(checkpoints, serializer, 1, {"log": ["in"]})
    write(checkpoints, serializer, 1, "left", log=["left", "both"])
    write(checkpoints, serializer, 1, "right", log=["right", "both"])
    write(checkpoints, serializer, 1, "other", files={"a": 1})
    new = {"log": ["in", "left", "both", "right", "made by the reducer"]}
    save(checkpoints, serializer, 2, new, parent=1, seen={"left": {"log": 1}, "right": {"log": 1}, "other": {"log": 1}})
    assert [origin.nodes for origin in blame(saver, "log")] == [
        (),
        ("left",),
        ("left", "right"),
        ("right",),
        ("left", "right"),
    ]


def test_of_what_a_prune_left_it_is_said_since_when_it_is_known(saver: EventStoreSaver) -> None:
    chain(saver.checkpoints, saver.serde, [{"a": 1, "b": 1}, {"a": 2, "b": 1}, {"a": 2, "b": 3}])
    saver.prune(["t"])
    latest = saver.checkpoints.latest_id("t")
    for channel, version in (("a", 2), ("b", 3)):
        [origin] = blame(saver, channel)
        assert (origin.known_since, origin.version, origin.writers) == (latest, version, ())


@where_each_step_is_saved
def test_what_was_added_is_known_also_after_a_prune(saver: EventStoreSaver) -> None:
    graph = played(saver)
    before = {origin.value.id: origin.version for origin in blame(saver, "messages")}
    saver.prune(["t"])
    graph.update_state(config(), {"messages": [HumanMessage("More", id="more")]}, as_node="ask")
    after = blame(saver, "messages")
    assert {origin.value.id: origin.version for origin in after[:-1]} == before
    assert after[-1].step == 4
    # The value begins with the first message, whose checkpoint has lost its parent.
    assert after[0].known_since is not None


@where_each_step_is_saved
def test_what_deleted_runs_left_behind_is_blamed_as_far_as_it_is_known(saver: EventStoreSaver) -> None:
    graph = an_agent(saver)
    runs = [uuid4() for _ in range(3)]
    for number, run in enumerate(runs, 1):
        graph.invoke(hello(number), {**config(), "run_id": run})
    whole = blame(saver, "messages")
    saver.delete_for_runs([str(runs[1])])
    left = blame(saver, "messages")
    assert [origin.value.id for origin in left] == [origin.value.id for origin in whole]
    assert [origin.version for origin in left] == [origin.version for origin in whole]
    assert {origin.run for origin in left} == {str(run) for run in runs}
    assert [origin.nodes for origin in left][-4:] == [origin.nodes for origin in whole][-4:]


@in_each_durability
def test_a_fork_knows_the_origins_of_what_it_shares(saver: EventStoreSaver) -> None:
    graph = an_agent(saver)
    graph.invoke(hello(), config())
    saver.copy_thread("t", "fork")
    graph.invoke(Command(resume="No"), config("fork"))
    own, forked = (timeline(saver).blame(thread, "messages", saver.serde) for thread in ("t", "fork"))
    assert [(each.version, each.nodes) for each in forked[:4]] == [(each.version, each.nodes) for each in own]
    assert forked[4].nodes == ("ask",)
    saver.delete_thread("t")
    again = timeline(saver).blame("fork", "messages", saver.serde)
    assert [each.to_json() for each in again] == [each.to_json() for each in forked]


@in_each_durability
def test_of_a_channel_that_is_replayed_each_write_has_an_origin(saver: EventStoreSaver) -> None:
    builder = StateGraph(delta_state(50)).add_node("say", lambda state: {"log": ["hi"]}).add_edge(START, "say")
    graph = builder.compile(checkpointer=saver)
    graph.invoke({"log": ["in"]}, config())
    graph.invoke({"log": ["more"]}, config())
    origins = blame(saver, "log")
    assert [(origin.value, origin.nodes) for origin in origins] == [
        (["in"], ("__start__",)),
        (["hi"], ("say",)),
        (["more"], ("__start__",)),
        (["hi"], ("say",)),
    ]
    with pytest.raises(BadInputError, match="only the writes"):
        blame(saver, "log", item=0)


@pytest.mark.parametrize("frequency", [2, 4, 50])
@pytest.mark.parametrize("durability", ["sync", "exit"])
def test_the_origins_of_a_replayed_channel_hold_all_of_it(
    saver: EventStoreSaver, frequency: int, durability: Any
) -> None:
    graph = counting(delta_state(frequency))().compile(checkpointer=saver)
    for words in ({"log": ["in"], "step": 0}, {"log": ["more"], "step": 3}):
        graph.invoke(words, config(), durability=durability)
    origins = blame(saver, "log")
    # Where each value is stored, each item has an origin.
    held = [origin.value if isinstance(origin.value, list) else [origin.value] for origin in origins]
    assert [word for words in held for word in words] == graph.get_state(config()).values["log"]
    assert not any(origin.known_since for origin in origins)


@where_each_step_is_saved
def test_of_a_replayed_channel_that_was_pruned_what_is_left_has_an_origin(saver: EventStoreSaver) -> None:
    graph = counting(delta_state(4))().compile(checkpointer=saver)
    graph.invoke({"log": ["in"], "step": 0}, config())
    saver.prune(["t"])
    seed, *writes = blame(saver, "log")
    value = [*seed.value, *(word for origin in writes for word in origin.value)]
    assert value == graph.get_state(config()).values["log"]
    assert (seed.known_since, seed.writers) == (seed.checkpoint, ())
    assert {origin.nodes for origin in writes} == {("count",)}


@where_each_step_is_saved
def test_a_channel_in_a_subgraph_is_blamed_in_its_namespace(saver: EventStoreSaver) -> None:
    class Log(TypedDict):
        log: Annotated[list[str], lambda held, more: held + more]

    inner = StateGraph(Log).add_node("deep", lambda state: {"log": ["deep"]}).add_edge(START, "deep")
    outer = StateGraph(Log).add_node("sub", inner.compile(checkpointer=True)).add_edge(START, "sub")
    outer.compile(checkpointer=saver).invoke({"log": ["in"]}, config())
    origins = blame(saver, "log", namespace="sub")
    assert [(origin.value, origin.nodes) for origin in origins] == [("in", ("__start__",)), ("deep", ("deep",))]


def test_of_a_run_that_was_saved_at_its_end_each_node_is_named_that_may_have_written(saver: EventStoreSaver) -> None:
    """Of such a run only what had finished beside a question is stored, and that may come to nothing."""

    class Log(TypedDict):
        log: Annotated[list[str], lambda held, more: held + more]

    def say(node: str) -> Any:
        return lambda state: {"log": [node]}

    def ask(state: Log) -> dict[str, list[str]]:
        return {"log": [interrupt("well?")]}

    builder = StateGraph(Log).add_node("begin", say("begin")).add_node("left", say("left")).add_node("ask", ask)
    builder.add_node("sent", say("sent")).add_node("last", say("last")).add_edge(START, "begin")
    builder.add_edge("begin", "left").add_edge("begin", "ask")
    builder.add_conditional_edges("left", lambda state: [Send("sent", {}), "last"], ["sent", "last"])
    graph = builder.compile(checkpointer=saver)
    acts: list[Any] = [{"log": ["__start__"]}, {"log": ["__start__"]}, Command(resume="ask")]
    for act in acts:
        graph.invoke(act, config(), durability="exit")
        origins = blame(saver, "log")
        assert origins
        assert all(origin.value in origin.nodes for origin in origins)


@in_each_durability
def test_what_does_not_exist_is_named(saver: EventStoreSaver) -> None:
    played(saver)
    with pytest.raises(NotFoundError, match="no checkpoint"):
        timeline(saver).blame("nobody", "messages", saver.serde)
    with pytest.raises(NotFoundError, match=r"no channel 'message': it has .*count, files"):
        blame(saver, "message")
    for item in (99, -99, "nobody", 1.5, True, ("ai-1", "color")):
        with pytest.raises(NotFoundError, match="has no item"):
            blame(saver, "messages", item=item)


@in_each_durability
async def test_async_code_gets_the_same(saver: EventStoreSaver) -> None:
    played(saver)
    found = await timeline(saver).ablame("t", "messages", saver.serde)
    assert [origin.to_json() for origin in found] == [origin.to_json() for origin in blame(saver, "messages")]


def test_a_long_history_is_walked_through(saver: EventStoreSaver) -> None:
    states: list[Mapping[str, Any]] = [{"log": [f"item {each}" for each in range(length)]} for length in range(1, 80)]
    chain(saver.checkpoints, saver.serde, states)
    assert [origin.step for origin in blame(saver, "log")] == [*range(1, 80)]


@st.composite
def edited(draw: st.DrawFn) -> list[list[str]]:
    """Lists one after the other; an item is never put back where it was removed."""
    fresh = iter(range(10_000))
    values = [[f"item {next(fresh)} {'x' * 40}" for _ in range(draw(st.integers(0, 5)))]]
    for _ in range(draw(st.integers(0, 8))):
        value = [item for item in values[-1] if draw(st.integers(0, 5))]
        for _ in range(draw(st.integers(0, 3))):
            value.insert(draw(st.integers(0, len(value))), f"item {next(fresh)} {'x' * 40}")
        values.append(value)
    return values


@settings(max_examples=60)
@given(values=edited())
def test_an_item_comes_from_the_first_checkpoint_that_held_it(values: list[list[str]]) -> None:
    first: dict[str, int] = {}
    for step, value in enumerate(values, 1):
        for item in value:
            first.setdefault(item, step)
    with EventStore.open("sqlite:///:memory:") as store:
        checkpoints, serializer = Checkpoints(store), EventStoreSaver(store).serde
        states = [
            {"log": value, "files": dict.fromkeys(value, 1), "text": "".join(f"{item}\n" for item in value)}
            for value in values
        ]
        chain(checkpoints, serializer, states)
        blamed = {channel: Timeline(checkpoints).blame("t", channel, serializer) for channel in states[0]}
    latest = values[-1]
    if latest:
        assert [origin.step for origin in blamed["log"]] == [first[item] for item in latest]
        assert [origin.step for origin in blamed["files"]] == [first[item] for item in latest]
        assert [origin.step for origin in blamed["text"]] == [first[item] for item in latest]
    assert [content(origin.value) for origin in blamed["log"] if origin.path] == [content(item) for item in latest]
