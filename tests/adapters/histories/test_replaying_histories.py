"""A graph is held against what it did: `assert_replays`."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any, cast
from uuid import uuid4

import pytest
from langchain.agents import create_agent
from langchain_core.tools import tool
from langgraph.graph import START, MessagesState, StateGraph

from eventstore import BadInputError, NotFoundError
from langgraph.checkpoint.eventstore import EventStoreSaver
from langgraph.checkpoint.eventstore.testing import (
    DivergenceError,
    RecordedHistory,
    aassert_replays,
    assert_replays,
)
from tests.support.answering import HELLO
from tests.support.dice import Dice
from tests.support.flavour import Flavour
from tests.support.recorded import a_builder, recorded
from tests.support.scripted import ScriptedChatModel, call
from tests.support.stage import DURABILITIES, Durability, thread


@pytest.fixture
def history() -> RecordedHistory:
    """The history of the story, recorded in memory."""
    with EventStoreSaver.from_conn_string("sqlite:///:memory:") as saver:
        recorded(saver, "sync", Flavour.SYNC)
        return RecordedHistory.of(saver, "main")


def differs(graph: Any, history: RecordedHistory, **options: Any) -> DivergenceError:
    with pytest.raises(DivergenceError) as found:
        assert_replays(graph, history, **options)
    return found.value


@pytest.mark.parametrize("durability", DURABILITIES)
def test_a_recorded_thread_replays_and_nothing_goes_out(
    saver: EventStoreSaver, flavour: Flavour, durability: Durability
) -> None:
    recorded(saver, durability, flavour)
    model, before = Dice(), saver.store.head("main")
    history = RecordedHistory.of(saver, "main")
    graph = a_builder(model=model)
    if flavour is Flavour.SYNC:
        [found] = assert_replays(graph, history)
    else:
        [found] = asyncio.run(aassert_replays(graph, history))
    assert (found.thread, found.runs, model.calls) == ("main", 7, 0)
    assert found.answered >= 2
    assert found.checkpoints == len([*saver.checkpoints.list(saver.serde, thread="main")])
    assert saver.store.head("main") == before


def test_what_changed_is_told_with_its_node_and_channel(history: RecordedHistory) -> None:
    found = differs(a_builder(note=str.upper), history)
    assert (found.step, found.node, found.channel) == (2, "note", "notes")
    assert '"one"' in str(found)
    assert '"ONE"' in str(found)


def test_another_prompt_is_told_by_the_call_that_the_record_does_not_have(history: RecordedHistory) -> None:
    found = differs(a_builder("Be brief."), history)
    assert (found.step, found.node) == (1, "ask_model")
    assert "Be kind." in str(found)
    assert "Be brief." in str(found)


def test_a_node_that_is_gone_or_renamed_is_told_as_such(history: RecordedHistory) -> None:
    builder = StateGraph(MessagesState).add_node("ask_models", lambda state: {}).add_edge(START, "ask_models")
    found = differs(builder, history)
    assert found.node == "ask_model"
    assert "the graph has no such node" in str(found)
    assert "was it renamed to 'ask_models'?" in str(found)


def test_a_channel_may_differ_if_the_caller_says_so(history: RecordedHistory) -> None:
    assert_replays(a_builder(note=str.upper), history, ignore=["notes"])


def test_a_node_of_a_subgraph_is_told_with_those_that_lead_to_it() -> None:
    def outer(said: str) -> Any:
        inner = StateGraph(MessagesState).add_node("say", lambda state: {"messages": [("ai", said)]})
        return (
            StateGraph(MessagesState)
            .add_node("inside", inner.add_edge(START, "say").compile())
            .add_edge(START, "inside")
        )

    with EventStoreSaver.from_conn_string("sqlite:///:memory:") as saver:
        with saver.recording():
            outer("one").compile(checkpointer=saver).invoke({"messages": [("user", "hello")]}, thread())
        history = RecordedHistory.of(saver, "main")
    assert_replays(outer("one"), history)
    assert differs(outer("two"), history).node == "inside|say"


def test_times_and_ids_may_differ_if_the_caller_says_so() -> None:
    def note(state: MessagesState) -> Any:
        return {"messages": [("ai", f"ticket {uuid4()}")]}

    builder = StateGraph(MessagesState).add_node("note", note).add_edge(START, "note")
    with EventStoreSaver.from_conn_string("sqlite:///:memory:") as saver:
        with saver.recording():
            builder.compile(checkpointer=saver).invoke(cast("Any", HELLO), thread())
        history = RecordedHistory.of(saver, "main")
    assert differs(builder, history).channel == "messages"
    assert_replays(builder, history, ignore=["ids"])


def test_an_agent_replays_and_another_answer_of_its_tool_does_not_matter(tmp_path: Path) -> None:
    @tool
    def look_up(name: str) -> str:
        """Look something up."""
        return f"{name}: {uuid4()}"

    model = ScriptedChatModel(scripts={"": [[call("look_up", name="x")], "done"]})
    with EventStoreSaver.from_conn_string("sqlite:///:memory:") as saver:
        with saver.recording():
            create_agent(model, [look_up], checkpointer=saver).invoke(cast("Any", HELLO), thread())
        RecordedHistory.of(saver, "main").write(tmp_path / "agent.history")
    [found] = assert_replays(create_agent(model, [look_up]), tmp_path / "agent.history")
    assert found.answered == 3
    changed = differs(
        create_agent(model, [look_up], system_prompt="Be brief."), RecordedHistory.read(tmp_path / "agent.history")
    )
    assert changed.node == "model"


def test_what_was_rolled_back_is_left_out_and_what_followed_is_replayed(saver: EventStoreSaver) -> None:
    graph = a_builder().compile(checkpointer=saver)
    with saver.recording():
        graph.invoke({"messages": [("user", "hello")]}, thread())
        graph.invoke({"messages": [("user", "wrong")]}, thread())
        saver.history.rollback("main", back_turns=1)
        graph.invoke({"messages": [("user", "right")]}, thread())
    assert_replays(a_builder(), RecordedHistory.of(saver, "main"))


def test_redacted_histories_replay_and_hold_no_name(history: RecordedHistory) -> None:
    def redact(text: str) -> str:
        return text.replace("Ann", "NAME")

    with history.opened() as store:
        hidden = RecordedHistory.of(EventStoreSaver(store), "main", redact=redact)
    assert not any(b"Ann" in event.data for event in hidden.events)
    assert_replays(a_builder(), hidden, redact=redact)
    # What the code says is redacted in the record, and has to be so when it is matched.
    assert_replays(a_builder("Be kind."), hidden)


def test_a_thread_without_recorded_runs_or_a_past_is_refused(saver: EventStoreSaver) -> None:
    graph = a_builder().compile(checkpointer=saver)
    graph.invoke({"messages": [("user", "hello")]}, thread())
    with pytest.raises(NotFoundError, match="no recorded runs"):
        assert_replays(a_builder(), RecordedHistory.of(saver, "main"))
    with saver.recording():
        graph.invoke({"messages": [("user", "hello")]}, thread())
    with pytest.raises(BadInputError, match="which no recorded run has made"):
        assert_replays(a_builder(), RecordedHistory.of(saver, "main"))
    with pytest.raises(NotFoundError, match="no histories"):
        assert_replays(a_builder(), [])
