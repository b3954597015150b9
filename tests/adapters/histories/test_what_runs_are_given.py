"""Whatever a recorded run was given, its replay is given: config, models with defaults, answers to some questions."""

from __future__ import annotations

import asyncio
import operator
from collections.abc import Callable
from typing import Annotated, Any, TypedDict

import pytest
from langgraph.channels.delta import DeltaChannel
from langgraph.config import get_config
from langgraph.graph import START, StateGraph
from langgraph.types import Command, Send, interrupt
from pydantic import BaseModel

from langgraph.checkpoint.eventstore import EventStoreSaver
from langgraph.checkpoint.eventstore.testing import (
    DivergenceError,
    RecordedHistory,
    Replayed,
    aassert_replays,
    assert_replays,
)
from tests.support.delta_channels import append
from tests.support.flavour import Flavour
from tests.support.stage import DURABILITIES, Durability, Stage, in_three_ways, thread

Builder = StateGraph[Any, Any, Any, Any]


class Log(TypedDict, total=False):
    log: Annotated[list[Any], operator.add]


def replayed(
    saver: EventStoreSaver, flavour: Flavour, builder: Builder, *given: Any, durability: Durability, **config: Any
) -> Replayed:
    """Record runs of a graph, one for each thing that it is given, and replay them.

    What is given may be a function of the run before; a dict of ids among them stands for answers.
    """
    stage, graph = Stage(saver, flavour, durability), builder.compile(checkpointer=saver)

    async def play(stage: Stage) -> None:
        last: Any = None
        with saver.recording():
            for each in given:
                one = each(last) if isinstance(each, Callable) else each  # type: ignore[arg-type]
                last = await stage.call(graph, "invoke", one, {**thread(), **config}, durability=durability)

    stage.perform(play)
    history = RecordedHistory.of(saver, "main")
    found = assert_replays(builder, history)
    if flavour is Flavour.ASYNC:
        found = asyncio.run(aassert_replays(builder, history))
    return found[0]


# --- the config ------------------------------------------------------------------------------------------------------


def reading_the_config() -> Builder:
    """A graph whose node says what its config tells."""

    def read(state: Log) -> Any:
        config = get_config()
        told = config.get("metadata") or {}
        tags = [tag for tag in config.get("tags") or () if ":" not in tag]
        return {"log": [told.get("user"), told.get("more"), told.get("of_the_code"), tags]}

    return StateGraph(Log).add_node("read", read).add_edge(START, "read")


@in_three_ways
def test_metadata_and_tags_of_the_callers_config_are_given_to_the_replay(
    saver: EventStoreSaver, flavour: Flavour, durability: Durability
) -> None:
    told = {"user": "Ann", "more": {"places": ["here", 1, None]}, "handle": object()}
    replayed(saver, flavour, reading_the_config(), {"log": []}, durability=durability, metadata=told, tags=["one"])


def test_metadata_of_an_update_by_hand_is_given_to_the_replay(saver: EventStoreSaver) -> None:
    def routes(state: Log) -> str:
        return str(get_config()["metadata"]["to"])

    def say(name: str) -> Any:
        return lambda state: {"log": [name]}

    builder = StateGraph(Log).add_node("begin", say("begin")).add_node("a", say("a")).add_node("b", say("b"))
    builder.add_edge(START, "begin").add_conditional_edges("begin", routes, ["a", "b"])
    graph = builder.compile(checkpointer=saver)
    with saver.recording():
        graph.update_state({**thread(), "metadata": {"to": "b"}}, {"log": ["by hand"]}, as_node="begin")
        assert graph.invoke(None, {**thread(), "metadata": {"to": "a"}})["log"] == ["by hand", "b"]
    assert_replays(builder, RecordedHistory.of(saver, "main"))


def test_metadata_that_a_graph_is_compiled_with_is_that_of_now(saver: EventStoreSaver) -> None:
    def configured(what: str, **options: Any) -> Any:
        return reading_the_config().compile(**options).with_config(metadata={"of_the_code": what}, tags=[what])

    with saver.recording():
        configured("old", checkpointer=saver).invoke({"log": []}, {**thread(), "metadata": {"user": "Ann"}})
    history = RecordedHistory.of(saver, "main")
    assert_replays(configured("old"), history)
    with pytest.raises(DivergenceError, match=r'"old" → "new"'):
        assert_replays(configured("new"), history)


# --- models with defaults --------------------------------------------------------------------------------------------


class Part(BaseModel):
    one: int = 1
    two: int = 2


class Whole(BaseModel):
    log: Annotated[list[Any], operator.add] = []
    name: str
    note: str | None = None
    part: Part = Part()


def telling_what_is_set() -> Builder:
    """A graph of a model, whose node says which fields of its part are set."""

    def tell(state: Whole) -> Any:
        return {"log": [state.note, state.part.model_dump(exclude_unset=True)]}

    return StateGraph(Whole).add_node("tell", tell).add_edge(START, "tell")


@in_three_ways
def test_fields_that_an_input_leaves_to_their_defaults_are_left_out_again(
    saver: EventStoreSaver, flavour: Flavour, durability: Durability
) -> None:
    inputs = [
        Whole(name="a", note="noted", part=Part(two=3)),
        Whole(name="b"),  # which leaves the note as it is
        Whole(name="c", note=None),  # which takes it away
        {"name": "d", "part": Part(one=5)},
        Command(update=Whole(name="e", part=Part()), goto=[Send("tell", Whole(name="f", part=Part(two=1)))]),
    ]
    found = replayed(saver, flavour, telling_what_is_set(), *inputs, durability=durability)
    assert found.runs == len(inputs)


def test_fields_that_an_update_or_an_answer_leaves_out_are_left_out_again(saver: EventStoreSaver) -> None:
    def ask(state: Whole) -> Any:
        return {"log": [interrupt("what?").model_dump(exclude_unset=True), state.note]}

    builder = StateGraph(Whole).add_node("ask", ask).add_edge(START, "ask")
    graph = builder.compile(checkpointer=saver)
    with saver.recording():
        graph.invoke(Whole(name="a", note="noted"), thread())
        log = graph.invoke(Command(resume=Part(two=3)), thread())["log"]
        graph.update_state(thread(), Whole(name="b"), as_node="ask")
        assert graph.get_state(thread()).values["note"] == "noted"
    assert log == [{"two": 3}, "noted"]
    assert_replays(builder, RecordedHistory.of(saver, "main"))
    hidden = RecordedHistory.of(saver, "main", redact=lambda text: text.replace("note", "NOTE"))
    assert_replays(builder, hidden, redact=lambda text: text.replace("note", "NOTE"))


# --- answers to some of the open questions ---------------------------------------------------------------------------


def asking(*names: str) -> Builder:
    """A graph of nodes that ask two questions each, all at once."""

    def ask(name: str) -> Any:
        return lambda state: {"log": [f"{name} {interrupt(name + '1')} {interrupt(name + '2')}"]}

    builder = StateGraph(Log).add_node("end", lambda state: {"log": ["end"]})
    for name in names:
        builder.add_node(name, ask(name)).add_edge(START, name)
    return builder.add_edge([*names], "end")


def answering(*questions: str) -> Callable[[Any], Command[Any]]:
    """Answers to questions, by their ids, as the last run told them."""

    def answers(last: Any) -> Command[Any]:
        return Command(resume={each.id: f"{each.value}!" for each in last["__interrupt__"] if each.value in questions})

    return answers


@in_three_ways
def test_answers_to_some_of_the_open_questions_answer_the_same_ones_again(
    saver: EventStoreSaver, flavour: Flavour, durability: Durability
) -> None:
    ways = [answering("b1"), answering("a1", "b2"), answering("c1"), answering("c2"), answering("a2")]
    found = replayed(saver, flavour, asking("a", "b", "c"), {"log": []}, *ways, durability=durability)
    assert found.runs == 6


@pytest.mark.parametrize("own_memory", [None, True])
def test_answers_to_some_questions_of_subgraphs_answer_the_same_ones_again(
    saver: EventStoreSaver, flavour: Flavour, own_memory: bool | None
) -> None:
    builder = StateGraph(Log)
    for name in ("left", "right"):
        builder.add_node(name, asking(f"{name} a", f"{name} b").compile(checkpointer=own_memory))
        builder.add_edge(START, name)
    ways = [answering("left b1", "right a1"), answering("right a2", "left a1"), answering("left b2")]
    replayed(saver, flavour, builder, {"log": []}, *ways, durability="async")


# --- where a change is told ------------------------------------------------------------------------------------------


class Told(TypedDict, total=False):
    told: Annotated[list[str], DeltaChannel(append)]


def telling(*turns: str) -> Builder:
    """A graph of three nodes, one after the other, that write the letters of the turn's word to a `DeltaChannel`."""

    def say(place: int) -> Any:
        return lambda state: {"told": [turns[state["told"].count("in") - 1][place]]}

    builder = StateGraph(Told).add_sequence([(f"n{place}", say(place)) for place in range(3)])
    return builder.add_edge(START, "n0")


@pytest.mark.parametrize("durability", DURABILITIES)
def test_a_change_of_a_delta_channel_is_told_at_its_step(saver: EventStoreSaver, durability: Durability) -> None:
    graph = telling("abc", "def").compile(checkpointer=saver)
    with saver.recording():
        for _ in range(2):
            graph.invoke({"told": ["in"]}, thread(), durability=durability)
    history = RecordedHistory.of(saver, "main")
    assert_replays(telling("abc", "def"), history)
    for turns, node, step in (
        (("Xbc", "def"), "n0", 1),
        (("abX", "def"), "n2", 3),
        (("abc", "Xef"), "n0", 6),
        (("abc", "dXf"), "n1", 7),
    ):
        with pytest.raises(DivergenceError) as found:
            assert_replays(telling(*turns), history)
        assert (found.value.node, found.value.step, found.value.channel) == (node, step, "told")
