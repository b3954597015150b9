"""The record of a run: each call of a model or a tool, where it was made, and what it was answered."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, Any
from uuid import UUID

import pytest
from langchain_core.language_models.fake import FakeListLLM
from langchain_core.messages import AIMessage, BaseMessage, HumanMessage
from langchain_core.messages.ai import add_usage
from langchain_core.runnables import RunnableConfig
from langchain_core.tools import InjectedToolCallId, tool
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.graph import START, MessagesState, StateGraph
from langgraph.prebuilt import InjectedState, ToolNode, ToolRuntime

from eventstore import BadInputError, NotFoundError, UnserializableError
from langgraph.checkpoint.eventstore import EventStoreSaver
from tests.support.answering import HELLO, Run, asking, calls, one_node, parallel
from tests.support.dice import USAGE, Dice, StreamingDice, counted_tool
from tests.support.flavour import Flavour
from tests.support.scripted import call
from tests.support.stage import DURABILITIES, Durability, thread


@pytest.mark.parametrize("durability", DURABILITIES)
def test_each_call_is_an_event_of_its_thread(
    saver: EventStoreSaver, flavour: Flavour, run: Run, durability: Durability
) -> None:
    model = Dice()
    graph = one_node(asking(model, flavour)).compile(checkpointer=saver)
    config: RunnableConfig = {**thread(), "metadata": {"user": "ann"}, "run_id": UUID(int=7)}
    began = datetime.now(UTC)
    session = saver.recording()
    result = run(graph, HELLO, config, session, durability=durability)
    (call,) = calls(saver)
    assert (call.kind, call.name, call.number, call.failed, call.source) == ("model", "Dice", 0, False, None)
    assert (call.place.node, call.place.namespace, call.place.step) == ("node", "", 1)
    assert call.asked["messages"] == [{"type": "human", "content": "hello"}]
    assert call.answer["generations"][0][0][0] == result["messages"][-1]
    assert call.usage == USAGE
    assert 0 < call.seconds < 60
    assert began <= call.recorded_at <= datetime.now(UTC)
    (event,) = (event for event in saver.store.read("main") if event.topic == "answer.recorded")
    assert event.version == call.version
    assert event.cause.node == "node"
    assert event.cause.run == str(UUID(int=7))
    assert event.cause.metadata["user"] == "ann"
    # The task and the checkpoint are those of what the task wrote; with "exit" LangGraph saves only the end.
    wrote = [each.cause for each in saver.store.read("main") if each.topic == "writes.saved"]
    if durability != "exit":
        assert (event.cause.task, event.cause.checkpoint) in [(each.task, each.checkpoint) for each in wrote]
    assert (session.recorded, session.answered) == (1, 0)


def test_without_a_recording_nothing_is_recorded(saver: EventStoreSaver, flavour: Flavour, run: Run) -> None:
    graph = one_node(asking(Dice(), flavour)).compile(checkpointer=saver)
    run(graph, HELLO, thread("first"), saver.recording())
    run(graph, HELLO, thread())
    assert calls(saver) == []


def test_an_answer_is_on_disk_before_the_node_gets_it(saver: EventStoreSaver) -> None:
    found: list[str] = []

    def node(_: MessagesState) -> None:
        said = Dice().invoke("hello")
        (call,) = calls(saver)
        found.extend([said.text, call.answer["generations"][0][0][0].text])

    with saver.recording():
        one_node(node).compile(checkpointer=saver).invoke(HELLO, thread())
    assert found[0] == found[1]


@pytest.mark.parametrize("model", [Dice(), StreamingDice()], ids=["whole", "streaming"])
def test_a_stream_is_recorded_as_the_one_message_that_it_makes(
    saver: EventStoreSaver, flavour: Flavour, run: Run, model: Dice
) -> None:
    def node(state: MessagesState) -> Any:
        return {"messages": [together([*model.stream(state["messages"])])]}

    async def node_async(state: MessagesState) -> Any:
        return {"messages": [together([chunk async for chunk in model.astream(state["messages"])])]}

    graph = one_node(node_async if flavour is Flavour.ASYNC else node).compile(checkpointer=saver)
    result = run(graph, HELLO, thread(), saver.recording())
    (call,) = calls(saver)
    message = call.answer["generations"][0][0][0]
    assert type(message) is AIMessage
    assert message.text == result["messages"][-1].text
    assert call.usage == USAGE


def test_a_stream_that_is_not_read_to_its_end_is_no_answer(saver: EventStoreSaver) -> None:
    model = StreamingDice()

    def node(state: MessagesState) -> None:
        words: Any = model.stream(state["messages"])
        next(words)
        words.close()

    with saver.recording():
        one_node(node).compile(checkpointer=saver).invoke(HELLO, thread())
    assert (model.calls, calls(saver)) == (1, [])


def test_what_the_reader_of_a_stream_asks_meanwhile_is_recorded_too(saver: EventStoreSaver) -> None:
    model = StreamingDice()

    def node(state: MessagesState) -> None:
        for word in model.stream(state["messages"]):
            if word.text.strip() == "say":
                model.invoke("say what?")

    with saver.recording():
        one_node(node).compile(checkpointer=saver).invoke(HELLO, thread())
    assert [call.asked["messages"][0]["content"] for call in calls(saver)] == ["say what?", "hello"]


def test_identical_calls_of_a_node_are_numbered(saver: EventStoreSaver, flavour: Flavour, run: Run) -> None:
    model = Dice()

    def node(_: MessagesState) -> None:
        model.batch(["hello", "hello", "hello"])

    async def node_async(_: MessagesState) -> None:
        await asyncio.gather(*(model.ainvoke("hello") for _ in range(3)))

    graph = one_node(node_async if flavour is Flavour.ASYNC else node).compile(checkpointer=saver)
    run(graph, HELLO, thread(), saver.recording())
    recorded = calls(saver)
    assert sorted(call.number for call in recorded) == [0, 1, 2]
    assert len({call.fingerprint for call in recorded}) == 1


def test_identical_calls_of_parallel_tasks_are_told_apart_by_their_tasks(
    saver: EventStoreSaver, flavour: Flavour, run: Run
) -> None:
    graph = parallel(Dice(), flavour).compile(checkpointer=saver)
    result = run(graph, {"texts": []}, thread(), saver.recording())
    recorded = calls(saver)
    assert {call.number for call in recorded} == {0}
    assert len({call.place.task for call in recorded}) == 3
    assert sorted(call.answer["generations"][0][0][0].text for call in recorded) == sorted(result["texts"])


def test_a_call_of_a_tool_is_recorded_with_what_a_model_can_give_it(
    saver: EventStoreSaver, flavour: Flavour, run: Run
) -> None:
    runs: list[str] = []
    roll = counted_tool(runs)

    asked = {**call("roll", 1, dice="d6"), "type": "tool_call"}

    def node(_: MessagesState) -> Any:
        return {"messages": [roll.invoke(asked)]}

    async def node_async(_: MessagesState) -> Any:
        return {"messages": [await roll.ainvoke(asked)]}

    graph = one_node(node_async if flavour is Flavour.ASYNC else node).compile(checkpointer=saver)
    result = run(graph, HELLO, thread(), saver.recording())
    (recorded,) = calls(saver)
    assert (recorded.kind, recorded.name) == ("tool", "roll")
    assert recorded.asked == {"args": {"dice": "d6"}, "id": "call-roll1"}
    assert recorded.answer.content == result["messages"][-1].content
    assert recorded.usage is None


def test_what_langgraph_injects_into_a_tool_is_not_what_it_is_asked(
    saver: EventStoreSaver, flavour: Flavour, run: Run
) -> None:
    @tool
    def look(
        name: str,
        runtime: ToolRuntime,
        messages: Annotated[list[Any], InjectedState("messages")],
        called_as: Annotated[str, InjectedToolCallId],
    ) -> str:
        """Look at something."""
        assert runtime.tool_call_id == called_as
        return f"{name} beside {len(messages)} messages"

    made = {"messages": [HumanMessage("hello"), AIMessage("", tool_calls=[call("look", 1, name="it")])]}
    builder = StateGraph(MessagesState).add_node("tools", ToolNode([look])).add_edge(START, "tools")
    result = run(builder.compile(checkpointer=saver), made, thread(), saver.recording())
    assert result["messages"][-1].text == "it beside 2 messages"
    (recorded,) = calls(saver)
    assert recorded.asked == {"args": {"name": "it"}, "id": "call-look1"}


def test_several_conversations_at_once_are_one_call(saver: EventStoreSaver, flavour: Flavour, run: Run) -> None:
    model = Dice()
    both: list[list[BaseMessage]] = [[HumanMessage("one")], [HumanMessage("two")]]

    def node(_: MessagesState) -> Any:
        return {"messages": [each[0].text for each in model.generate(both).generations]}

    async def node_async(_: MessagesState) -> Any:
        return {"messages": [each[0].text for each in (await model.agenerate(both)).generations]}

    graph = one_node(node_async if flavour is Flavour.ASYNC else node).compile(checkpointer=saver)
    result = run(graph, HELLO, thread(), saver.recording())
    (recorded,) = calls(saver)
    assert [each[0]["content"] for each in recorded.asked["messages"]] == ["one", "two"]
    assert recorded.usage == add_usage(USAGE, USAGE)
    again = run(graph, HELLO, thread("again"), saver.replaying("main"))
    assert [each.text for each in again["messages"]] == [each.text for each in result["messages"]]
    assert model.calls == 2


def test_a_recording_serves_several_tasks_of_an_event_loop_at_once(saver: EventStoreSaver) -> None:
    graph = one_node(asking(Dice(), Flavour.ASYNC)).compile(checkpointer=saver)
    session = saver.recording()

    async def one(name: str) -> None:
        async with session:
            await graph.ainvoke(HELLO, thread(name))

    async def all_of_them() -> None:
        await asyncio.gather(*(one(f"thread {number}") for number in range(8)))

    asyncio.run(all_of_them())
    assert session.recorded == 8
    assert [len(calls(saver, f"thread {number}")) for number in range(8)] == [1] * 8


def test_the_innermost_block_counts(saver: EventStoreSaver) -> None:
    model = Dice()
    graph = one_node(asking(model, Flavour.SYNC)).compile(checkpointer=saver)
    with saver.recording() as recording:
        graph.invoke(HELLO, thread())
        with saver.replaying("main"):
            graph.invoke(HELLO, thread("again"))
        graph.invoke(HELLO, thread("other"))
    assert (model.calls, recording.recorded) == (2, 2)


def test_a_call_that_fails_is_recorded_and_fails_as_it_did(saver: EventStoreSaver, flavour: Flavour, run: Run) -> None:
    graph = one_node(asking(Dice(failures=[TimeoutError("too late")]), flavour)).compile(checkpointer=saver)
    with pytest.raises(TimeoutError, match="too late"):
        run(graph, HELLO, thread(), saver.recording())
    (call,) = calls(saver)
    assert call.failed
    assert call.answer == {"type": "builtins.TimeoutError", "text": "too late", "args": ["too late"]}


class Outer(Dice):
    """A model that asks another one."""

    inner: Dice

    def answer(self, messages: Sequence[BaseMessage]) -> AIMessage:
        """Return what the other one answers."""
        return self.inner.invoke([*messages])


def test_a_model_that_calls_another_one_is_one_call(saver: EventStoreSaver, flavour: Flavour, run: Run) -> None:
    graph = one_node(asking(Outer(inner=Dice()), flavour)).compile(checkpointer=saver)
    run(graph, HELLO, thread(), saver.recording())
    assert [call.name for call in calls(saver)] == ["Outer"]


def test_what_no_graph_of_the_saver_calls_is_not_recorded(saver: EventStoreSaver, flavour: Flavour, run: Run) -> None:
    model = Dice()
    graph = one_node(asking(model, flavour)).compile(checkpointer=InMemorySaver())
    session = saver.recording()
    run(graph, HELLO, thread(), session)
    with session:
        model.invoke("hello")
    assert (model.calls, session.recorded) == (2, 0)
    with pytest.raises(NotFoundError):
        calls(saver)


def test_what_cannot_be_recorded_is_refused_and_never_passes_unnoticed(saver: EventStoreSaver) -> None:
    completing = FakeListLLM(responses=["hello"])

    def complete(_: MessagesState) -> None:
        completing.invoke("hello")

    def events(_: MessagesState) -> None:
        [*StreamingDice().stream_events("hello", version="v3")]

    for node, reason in [(complete, "no chat model"), (events, "stream_events")]:
        graph = one_node(node).compile(checkpointer=saver)
        with saver.recording(), pytest.raises(BadInputError, match=reason):
            graph.invoke(HELLO, thread())


class Opaque:
    """An object that no serializer knows."""


def test_an_answer_that_the_serializer_refuses_is_an_error_that_names_the_call(saver: EventStoreSaver) -> None:
    @tool
    def opaque() -> Any:
        """Return what nobody can store."""
        return Opaque()

    with saver.recording(), pytest.raises(UnserializableError, match="the answer of tool opaque"):
        one_node(lambda _: {"messages": [str(opaque.invoke({}))]}).compile(checkpointer=saver).invoke(HELLO, thread())


def test_a_fingerprint_is_the_same_whatever_the_ids_of_messages_are(saver: EventStoreSaver) -> None:
    model = Dice()

    def node(_: MessagesState) -> None:
        model.invoke([HumanMessage("hello", id="one"), AIMessage("yes", id="two", usage_metadata=USAGE)])
        model.invoke([HumanMessage("hello"), AIMessage("yes")])
        model.invoke([HumanMessage("hello"), AIMessage("no")])

    with saver.recording():
        one_node(node).compile(checkpointer=saver).invoke(HELLO, thread())
    one, two, other = (call.fingerprint for call in calls(saver))
    assert one == two != other


@dataclass
class Address:
    """An argument with parts."""

    street: str


def test_what_a_call_sets_besides_is_part_of_what_is_asked(saver: EventStoreSaver) -> None:
    model = Dice()

    def node(_: MessagesState) -> None:
        model.invoke("hello", stop=["."])
        model.invoke("hello", at=Address("Main Street"), kind=Address, opaque=Opaque())

    with saver.recording():
        one_node(node).compile(checkpointer=saver).invoke(HELLO, thread())
    one, other = calls(saver)
    assert one.asked["options"] == {"stop": ["."]}
    here = f"{__name__}."
    assert other.asked["options"] == {
        "at": {"$type": f"{here}Address", "street": "Main Street"},
        "kind": {"$type": f"{here}Address"},
        "opaque": {"$type": f"{here}Opaque"},
    }


def test_the_record_is_read_by_async_code_too(saver: EventStoreSaver) -> None:
    with saver.recording():
        one_node(asking(Dice(), Flavour.SYNC)).compile(checkpointer=saver).invoke(HELLO, thread())

    async def reading() -> list[str]:
        return [str(call) async for call in saver.history.aanswers("main")]

    assert asyncio.run(reading()) == ["model Dice"]


def together(chunks: list[Any]) -> Any:
    """The chunks of a stream as one."""
    sum_ = chunks[0]
    for chunk in chunks[1:]:
        sum_ += chunk
    return sum_
