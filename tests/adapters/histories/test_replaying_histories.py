"""A graph is held against what it did: `assert_replays`."""

from __future__ import annotations

import asyncio
from operator import add
from pathlib import Path
from typing import Annotated, Any, TypedDict, cast
from uuid import uuid4

import pytest
from langchain.agents import create_agent
from langchain_core.messages import AIMessage, RemoveMessage
from langchain_core.runnables import RunnableLambda
from langchain_core.tools import tool
from langgraph.graph import START, MessagesState, StateGraph
from langgraph.types import Command, Send

from eventstore import BadInputError, NotFoundError
from langgraph.checkpoint.eventstore import EventStoreSaver
from langgraph.checkpoint.eventstore.histories.likening import Likening
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
    assert "missing=" not in str(found)  # which assert_replays does not take


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


class Log(TypedDict):
    """A state of entries that parallel nodes add to."""

    log: Annotated[list[Any], add]


def failing_beside_another(*, fails: bool = True) -> Any:
    def broken(state: Log) -> Any:
        if fails:
            raise ValueError("broken")
        return {"log": ["whole"]}

    async def beside(state: Log) -> Any:
        if fails:
            await asyncio.Event().wait()  # until it is cancelled
        return {"log": ["beside"]}

    builder = StateGraph(Log).add_node("broken", broken).add_node("beside", RunnableLambda(lambda state: {}, beside))
    return builder.add_edge(START, "broken").add_edge(START, "beside")


def test_a_task_that_is_cancelled_because_another_fails_is_no_difference() -> None:
    with EventStoreSaver.from_conn_string("sqlite:///:memory:") as saver:
        with saver.recording(), pytest.raises(ValueError, match="broken"):
            failing_beside_another().compile(checkpointer=saver).invoke({"log": []}, thread())
        failed = RecordedHistory.of(saver, "main")
    asyncio.run(aassert_replays(failing_beside_another(), failed))
    with EventStoreSaver.from_conn_string("sqlite:///:memory:") as saver:
        with saver.recording():
            failing_beside_another(fails=False).compile(checkpointer=saver).invoke({"log": []}, thread())
        succeeded = RecordedHistory.of(saver, "main")
    with pytest.raises(DivergenceError) as found:
        asyncio.run(aassert_replays(failing_beside_another(), succeeded))
    assert (found.value.node, found.value.reason) == ("broken", "it fails now")


def test_messages_that_are_given_by_the_ids_of_recorded_ones_are_those_of_now(saver: EventStoreSaver) -> None:
    builder = StateGraph(MessagesState).add_node("say", lambda state: {"messages": [AIMessage("said")]})
    graph = builder.add_edge(START, "say").compile(checkpointer=saver)
    with saver.recording():
        id_ = graph.invoke(cast("Any", HELLO), thread())["messages"][-1].id
        graph.update_state(thread(), {"messages": [AIMessage("edited", id=id_)]})
        graph.invoke({"messages": [AIMessage("edited again", id=id_)]}, thread())
        graph.invoke(Command(update={"messages": [RemoveMessage(id=str(id_))]}), thread())
    assert_replays(builder, RecordedHistory.of(saver, "main"))


def test_messages_that_packets_carry_are_compared_but_for_their_ids_and_redacted(saver: EventStoreSaver) -> None:
    def redact(text: str) -> str:
        return text.replace("Ann", "NAME")

    def graph(said: str) -> Any:
        builder = StateGraph(MessagesState).add_node("begin", lambda state: {"messages": [AIMessage(said)]})
        builder.add_node("say", lambda packet: {"messages": [AIMessage(packet["messages"][-1].text)]})
        builder.add_edge(START, "begin")
        return builder.add_conditional_edges("begin", lambda state: [Send("say", state)], ["say"])

    with saver.recording():
        graph("Ann").compile(checkpointer=saver).invoke({"messages": []}, thread())
    assert_replays(graph("Ann"), RecordedHistory.of(saver, "main"))
    hidden = RecordedHistory.of(saver, "main", redact=redact)
    assert not any(b"Ann" in event.data for event in hidden.events)
    assert differs(graph("Ben"), hidden, redact=redact).node == "begin"


def test_a_message_without_an_id_is_as_one_that_was_given_an_id() -> None:
    # LangGraph gives ids to the very messages that a node returned, while these are saved.
    written = [[AIMessage("one"), AIMessage("two", id="a")], [AIMessage("one", id="x"), AIMessage("two", id="b")]]
    liked = [Likening(()).of(each) for each in written]
    assert liked[0] == liked[1]


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
