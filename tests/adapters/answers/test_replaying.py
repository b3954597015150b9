"""A replay answers models and tools from the record of a thread: nothing goes out, and the result is the same."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from langchain.agents import create_agent
from langchain_core.messages import AIMessage, BaseMessage, HumanMessage, ToolMessage
from langchain_core.tools import tool
from langgraph.graph import START, MessagesState, StateGraph
from langgraph.prebuilt import ToolNode
from langgraph.types import Command, interrupt

from eventstore import BadInputError, NotFoundError, RecordedFailureError, UnrecordedCallError
from langgraph.checkpoint.eventstore import EventStoreSaver
from tests.support.answering import HELLO, Run, asking, asking_a_person, calls, one_node, parallel, run_sync
from tests.support.dice import Dice, StreamingDice, counted_tool
from tests.support.flavour import Flavour
from tests.support.scripted import Answering, call
from tests.support.stage import DURABILITIES, Durability, checkpoint_id, thread


class Agent(Dice):
    """A model that calls a tool twice at once, and then says what nobody can foresee."""

    def answer(self, messages: Any) -> AIMessage:
        """Return two calls of a tool, or the end."""
        said = super().answer(messages)
        if any(isinstance(each, ToolMessage) for each in messages):
            return said
        return AIMessage(said.text, tool_calls=[call("roll", 1, dice="d6"), call("roll", 2, dice="d6")])


def contents(result: Any) -> list[tuple[str, str]]:
    """Return what was said, by whom."""
    return [(message.type, message.text) for message in result["messages"]]


def an_agent(saver: EventStoreSaver | None, model: Dice, runs: list[str]) -> Any:
    """LangChain's agent with one tool."""
    return create_agent(model, [counted_tool(runs)], checkpointer=saver)


@pytest.mark.parametrize("durability", DURABILITIES)
def test_an_agent_is_replayed_and_nothing_goes_out(
    saver: EventStoreSaver, flavour: Flavour, run: Run, durability: Durability
) -> None:
    model, runs = Agent(), list[str]()
    agent = an_agent(saver, model, runs)
    recorded = run(agent, HELLO, thread(), saver.recording(), durability=durability)
    assert [(each.kind, each.place.node) for each in calls(saver)].count(("tool", "tools")) == 2
    assert (model.calls, runs) == (2, ["d6", "d6"])
    for name in ("again", "once more"):
        session = saver.replaying("main")
        replayed = run(agent, HELLO, thread(name), session, durability=durability)
        assert contents(replayed) == contents(recorded)
        assert replayed["messages"][-1] == recorded["messages"][-1]
        assert (session.answered, session.recorded) == (4, 0)
    assert (model.calls, runs) == (2, ["d6", "d6"])
    assert calls(saver, "again") == []


def test_a_graph_needs_no_saver_to_be_replayed(saver: EventStoreSaver, flavour: Flavour, run: Run) -> None:
    recorded = run(an_agent(saver, Agent(), []), HELLO, thread(), saver.recording())
    model, runs = Agent(), list[str]()
    replayed = run(an_agent(None, model, runs), HELLO, {}, saver.replaying("main"))
    assert contents(replayed) == contents(recorded)
    assert (model.calls, runs) == (0, [])


def test_identical_calls_of_a_node_get_their_answers_in_order(
    saver: EventStoreSaver, flavour: Flavour, run: Run
) -> None:
    model = Dice()

    def node(_: MessagesState) -> Any:
        return {"messages": [model.invoke("hello") for _ in range(3)]}

    async def node_async(_: MessagesState) -> Any:
        return {"messages": [await model.ainvoke("hello") for _ in range(3)]}

    graph = one_node(node_async if flavour is Flavour.ASYNC else node).compile(checkpointer=saver)
    recorded = run(graph, HELLO, thread(), saver.recording())
    replayed = run(graph, HELLO, thread("again"), saver.replaying("main"))
    assert contents(replayed) == contents(recorded)
    assert len(set(contents(recorded))) == 4
    assert model.calls == 3


def test_identical_calls_of_parallel_tasks_get_the_answers_of_their_tasks(
    saver: EventStoreSaver, flavour: Flavour, run: Run
) -> None:
    model = Dice()
    graph = parallel(model, flavour).compile(checkpointer=saver)
    recorded = run(graph, {"texts": []}, thread(), saver.recording())
    replayed = run(graph, {"texts": []}, thread("again"), saver.replaying("main"))
    assert replayed == recorded
    assert model.calls == 3


def test_identical_calls_of_a_loop_get_the_answers_of_their_steps(
    saver: EventStoreSaver, flavour: Flavour, run: Run
) -> None:
    model = Dice()

    def node(state: MessagesState) -> Any:
        return Command(update={"messages": [model.invoke("hello")]}, goto="node" if len(state["messages"]) < 4 else [])

    async def node_async(state: MessagesState) -> Any:
        return Command(
            update={"messages": [await model.ainvoke("hello")]}, goto="node" if len(state["messages"]) < 4 else []
        )

    graph = one_node(node_async if flavour is Flavour.ASYNC else node).compile(checkpointer=saver)
    recorded = run(graph, HELLO, thread(), saver.recording())
    assert contents(run(graph, HELLO, thread("again"), saver.replaying("main"))) == contents(recorded)
    assert model.calls == 4


@pytest.mark.parametrize("checkpointer", [None, True], ids=["for the call", "that remembers"])
def test_subgraphs_are_replayed(saver: EventStoreSaver, flavour: Flavour, run: Run, checkpointer: bool | None) -> None:
    model = Dice()
    inner = one_node(asking(model, flavour)).compile(checkpointer=checkpointer)
    builder = StateGraph(MessagesState).add_node("outer", inner).add_node("after", asking(model, flavour))
    graph = builder.add_edge(START, "outer").add_edge("outer", "after").compile(checkpointer=saver)
    recorded = run(graph, HELLO, thread(), saver.recording())
    assert [each.place.nodes for each in calls(saver)] == ["outer|node", "after"]
    assert contents(run(graph, HELLO, thread("again"), saver.replaying("main"))) == contents(recorded)
    assert model.calls == 2


@pytest.mark.parametrize("model", [Dice(), StreamingDice()], ids=["whole", "streaming"])
def test_a_stream_is_answered_in_one_chunk(saver: EventStoreSaver, flavour: Flavour, run: Run, model: Dice) -> None:
    model.heard.clear()

    def node(state: MessagesState) -> Any:
        return {"messages": [AIMessage("".join(chunk.text for chunk in model.stream(state["messages"])))]}

    async def node_async(state: MessagesState) -> Any:
        return {"messages": [AIMessage("".join([chunk.text async for chunk in model.astream(state["messages"])]))]}

    graph = one_node(node_async if flavour is Flavour.ASYNC else node).compile(checkpointer=saver)
    recorded = run(graph, HELLO, thread(), saver.recording())
    assert contents(run(graph, HELLO, thread("again"), saver.replaying("main"))) == contents(recorded)
    assert model.calls == 1


def test_langgraph_streams_what_is_answered_from_the_record(saver: EventStoreSaver, flavour: Flavour) -> None:
    model, runs = Agent(), list[str]()
    agent = an_agent(saver, model, runs)

    def streamed(name: str) -> list[BaseMessage]:
        if flavour is Flavour.SYNC:
            return [message for message, _ in agent.stream(HELLO, thread(name), stream_mode="messages")]

        async def streaming() -> list[BaseMessage]:
            chunks = agent.astream(HELLO, thread(name), stream_mode="messages")
            return [message async for message, _ in chunks]

        return asyncio.run(streaming())

    with saver.recording():
        recorded = streamed("main")
    with saver.replaying("main"):
        replayed = streamed("again")
    assert together(replayed) == together(recorded)
    assert (model.calls, len(runs)) == (2, 2)


def together(streamed: list[BaseMessage]) -> list[str]:
    """The texts of streamed messages, each once."""
    texts: dict[str | None, str] = {}
    for message in streamed:
        texts[message.id] = texts.get(message.id, "") + message.text
    return sorted(filter(None, texts.values()))


def test_a_question_that_a_tool_asked_is_not_asked_again(saver: EventStoreSaver, flavour: Flavour, run: Run) -> None:
    @tool
    def delete(name: str) -> str:
        """Delete a file, if one may."""
        return f"deleted {name}: {interrupt(name)}"

    def node(_: MessagesState) -> Any:
        return {"messages": [delete.invoke({"name": "a"})]}

    graph = one_node(node).compile(checkpointer=saver)
    session = saver.recording()
    run(graph, HELLO, thread(), session)
    recorded = run(graph, Command(resume="yes"), thread(), session)
    assert contents(run(graph, HELLO, thread("again"), saver.replaying("main"))) == contents(recorded)


# --- what the record does not have -----------------------------------------------------------------------------------


def test_a_call_that_was_not_recorded_is_refused_with_what_differs(
    saver: EventStoreSaver, flavour: Flavour, run: Run
) -> None:
    model = Dice()
    graph = one_node(asking(model, flavour)).compile(checkpointer=saver)
    run(graph, HELLO, thread(), saver.recording())
    with pytest.raises(UnrecordedCallError) as refused:
        run(graph, {"messages": [HumanMessage("hello you")]}, thread("again"), saver.replaying("main"))
    assert model.calls == 1
    error = refused.value
    assert (error.call, error.thread, error.version) == ("model Dice", "main", calls(saver)[0].version)
    assert any("hello" in line and "hello you" in line for line in error.differing)
    assert "node 'node' in step 1" in str(error)
    assert 'missing="record"' in str(error)


def test_another_model_is_another_call(saver: EventStoreSaver) -> None:
    with saver.recording():
        one_node(asking(Dice(), Flavour.SYNC)).compile(checkpointer=saver).invoke(HELLO, thread())
    other = one_node(asking(StreamingDice(), Flavour.SYNC)).compile(checkpointer=saver)
    with pytest.raises(UnrecordedCallError) as refused, saver.replaying("main"):
        other.invoke(HELLO, thread("again"))
    assert refused.value.differing == ("~ model Dice → model StreamingDice",)


def test_a_call_that_is_made_more_often_than_it_was_recorded_is_refused(saver: EventStoreSaver) -> None:
    model, times = Dice(), [2]

    def node(_: MessagesState) -> Any:
        return {"messages": [model.invoke("hello") for _ in range(times[0])]}

    graph = one_node(node).compile(checkpointer=saver)
    with saver.recording():
        graph.invoke(HELLO, thread())
    times[0] = 3
    with pytest.raises(UnrecordedCallError, match="made 2 times"), saver.replaying("main"):
        graph.invoke(HELLO, thread("again"))


def test_a_refusal_that_a_node_catches_is_raised_at_the_end(saver: EventStoreSaver, flavour: Flavour, run: Run) -> None:
    model = Dice()

    def node(state: MessagesState) -> Any:
        try:
            return {"messages": [model.invoke(state["messages"])]}
        except Exception:  # noqa: BLE001 (as nodes do)
            return {"messages": ["I could not say"]}

    graph = one_node(node).compile(checkpointer=saver)
    run(graph, HELLO, thread(), saver.recording())
    with pytest.raises(UnrecordedCallError):
        run(graph, {"messages": ["something else"]}, thread("again"), saver.replaying("main"))
    assert model.calls == 1


def test_what_is_called_outside_of_a_graph_is_answered_or_refused_too(saver: EventStoreSaver) -> None:
    model = Dice()
    with saver.recording():
        one_node(lambda _: {"messages": [model.invoke("hello")]}).compile(checkpointer=saver).invoke(HELLO, thread())
    with saver.replaying("main"):
        assert model.invoke("hello").text == said_in(saver, "main")[0]
    with pytest.raises(UnrecordedCallError), saver.replaying("main"):
        model.invoke("something else")
    assert model.calls == 1


def said_in(saver: EventStoreSaver, name: str) -> list[str]:
    """Return what models said in a thread."""
    return [each.answer["generations"][0][0][0].text for each in calls(saver, name) if each.kind == "model"]


def test_what_is_missing_goes_out_and_is_recorded_if_one_asks_for_it(
    saver: EventStoreSaver, flavour: Flavour, run: Run
) -> None:
    model = Dice()
    graph = one_node(asking(model, flavour)).compile(checkpointer=saver)
    run(graph, HELLO, thread(), saver.recording())
    session = saver.replaying("main", missing="record")
    first = run(graph, HELLO, thread("longer"), session)
    second = run(graph, {"messages": [HumanMessage("and then?")]}, thread("longer"), session)
    assert (model.heard, session.answered, session.recorded) == (["hello", "and then?"], 1, 2)
    # The thread has a record of its own, and can be replayed by it.
    assert [each.source for each in calls(saver, "longer")] == ["main", None]
    again = saver.replaying("longer")
    assert contents(run(graph, HELLO, thread("again"), again)) == contents(first)
    assert contents(run(graph, {"messages": [HumanMessage("and then?")]}, thread("again"), again)) == contents(second)
    assert model.calls == 2


def test_a_thread_without_a_record_is_refused_when_the_block_begins(
    saver: EventStoreSaver, flavour: Flavour, run: Run
) -> None:
    graph = one_node(asking(Dice(), flavour)).compile(checkpointer=saver)
    with pytest.raises(NotFoundError, match="no thread 'main'"):
        run(graph, HELLO, thread("again"), saver.replaying("main"))
    run(graph, HELLO, thread())
    with pytest.raises(NotFoundError, match="no recorded answers"):
        run(graph, HELLO, thread("again"), saver.replaying("main"))
    with pytest.raises(BadInputError, match="missing is 'ask'"):
        saver.replaying("main", missing="ask")  # type: ignore[arg-type]
    with pytest.raises(BadInputError, match="reuse"):
        saver.recording(reuse="no")  # type: ignore[arg-type]


# --- failures --------------------------------------------------------------------------------------------------------


class UnknownError(Exception):
    """An error that no other process may know."""


@pytest.mark.parametrize(
    ("failure", "replayed"),
    [(TimeoutError("too late"), TimeoutError), (KeyError("x"), KeyError), (UnknownError("?"), RecordedFailureError)],
)
def test_a_call_that_failed_fails_again(
    saver: EventStoreSaver, flavour: Flavour, run: Run, failure: Exception, replayed: type[Exception]
) -> None:
    model = Dice(failures=[failure])
    graph = one_node(asking(model, flavour)).compile(checkpointer=saver)
    with pytest.raises(type(failure)):
        run(graph, HELLO, thread(), saver.recording())
    with pytest.raises(replayed) as again:
        run(graph, HELLO, thread("again"), saver.replaying("main"))
    assert str(failure) in str(again.value)
    if isinstance(again.value, RecordedFailureError):
        assert (again.value.call, again.value.text) == ("model Dice", "?")
        assert again.value.type.endswith("UnknownError")
    assert model.calls == 1


def test_what_a_tool_refused_and_what_it_failed_with_is_told_to_the_model_again(
    saver: EventStoreSaver, flavour: Flavour, run: Run
) -> None:
    runs: list[str] = []

    @tool
    def count(until: int) -> str:
        """Count."""
        runs.append(str(until))
        raise ValueError("I cannot count")

    def node(state: MessagesState) -> Any:
        made = [call("count", 1, until="many"), call("count", 2, until=3)]
        return {"messages": [*state["messages"], AIMessage("", tool_calls=made, id="calls")]}

    builder = StateGraph(MessagesState).add_node("node", node)
    builder.add_node("tools", ToolNode([count], handle_tool_errors=True))
    graph = builder.add_edge(START, "node").add_edge("node", "tools").compile(checkpointer=saver)
    recorded = run(graph, HELLO, thread(), saver.recording())
    assert contents(run(graph, HELLO, thread("again"), saver.replaying("main"))) == contents(recorded)
    assert [message.status for message in recorded["messages"][-2:]] == ["error"] * 2
    assert runs == ["3"]


# --- threads that went another way -----------------------------------------------------------------------------------


def test_a_fork_has_the_record_that_it_shares(saver: EventStoreSaver) -> None:
    model = Dice()
    graph = one_node(asking(model, Flavour.SYNC)).compile(checkpointer=saver)
    with saver.recording():
        first = graph.invoke(HELLO, thread())
        graph.invoke({"messages": [HumanMessage("and then?", id="then")]}, thread())
    ends = [each for each in saver.history.timeline("main") if each.step == 1]
    saver.history.fork("main", "fork", at=ends[0].id)
    assert said_in(saver, "fork") == said_in(saver, "main")[:1]
    with saver.replaying("fork"):
        assert contents(graph.invoke(HELLO, thread("again"))) == contents(first)
    with pytest.raises(UnrecordedCallError), saver.replaying("fork"):
        graph.invoke({"messages": [HumanMessage("and then?", id="then")]}, thread("again"))


def test_a_fork_asks_anew_what_its_own_tasks_ask_and_not_what_led_to_a_question(saver: EventStoreSaver) -> None:
    model = Dice()
    graph = one_node(asking_a_person(model, Flavour.SYNC)).compile(checkpointer=saver)
    with saver.recording():
        shown = graph.invoke(HELLO, thread())["__interrupt__"][0].value
    here = checkpoint_id(graph.get_state(thread()).config)
    saver.history.fork("main", "fork", at=here)
    with saver.recording():
        graph.invoke(Command(resume="go on"), thread())
        result = graph.invoke(Command(resume="or stay"), thread("fork"))
    assert result["messages"][-2].text == shown
    assert model.heard == ["hello", "go on", "or stay"]
    saver.history.fork("main", "behind the answer")
    assert len(calls(saver, "behind the answer")) == 2
    assert len(calls(saver, "fork")) == 2


def test_of_several_answers_to_a_call_of_one_task_the_last_one_counts(saver: EventStoreSaver) -> None:
    model = Dice()
    graph = one_node(asking(model, Flavour.SYNC)).compile(checkpointer=saver)
    with saver.recording():
        graph.invoke(HELLO, thread())
    start = next(state for state in graph.get_state_history(thread()) if state.next == ("node",))
    saver.history.rollback("main", to=checkpoint_id(start.config))
    with saver.recording(reuse=False):
        last = graph.invoke(None, thread())
    assert model.calls == 2
    with saver.replaying("main"):
        assert contents(graph.invoke(HELLO, thread("again"))) == contents(last)
    assert model.calls == 2


def test_the_thread_itself_can_be_replayed_after_a_rollback(saver: EventStoreSaver) -> None:
    model = Dice()
    graph = one_node(asking(model, Flavour.SYNC)).compile(checkpointer=saver)
    with saver.recording():
        recorded = graph.invoke(HELLO, thread())
    start = next(state for state in graph.get_state_history(thread()) if state.next == ("node",))
    saver.history.rollback("main", to=checkpoint_id(start.config))
    with saver.replaying("main"):
        assert contents(graph.invoke(None, thread())) == contents(recorded)
    assert model.calls == 1


def test_a_record_is_replayed_by_another_process(
    saver: EventStoreSaver, make_saver: Callable[..., EventStoreSaver]
) -> None:
    recorded = run_sync(an_agent(saver, Agent(), []), HELLO, thread(), saver.recording())
    other, model = make_saver(), Agent()
    assert contents(run_sync(an_agent(other, model, []), HELLO, thread("again"), other.replaying("main"))) == contents(
        recorded
    )
    assert model.calls == 0


class Remembering(Answering):
    """A model whose parameters are part of what is asked."""

    temperature: float = 0.0

    @property
    def _identifying_params(self) -> dict[str, Any]:
        return {"temperature": self.temperature}

    def answer(self, messages: Any) -> AIMessage:
        """Say how warm it is."""
        return AIMessage(f"{self.temperature} for {messages[-1].text}")


def test_a_parameter_of_the_model_is_part_of_what_is_asked(saver: EventStoreSaver) -> None:
    def graph(temperature: float) -> Any:
        model = Remembering(temperature=temperature)
        return one_node(lambda _: {"messages": [model.invoke("hello")]}).compile(checkpointer=saver)

    with saver.recording():
        graph(0.0).invoke(HELLO, thread())
    with pytest.raises(UnrecordedCallError) as refused, saver.replaying("main"):
        graph(0.7).invoke(HELLO, thread("again"))
    assert any("temperature" in line for line in refused.value.differing)
