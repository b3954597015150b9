"""Tools that ask a person are replayed: what they asked is asked again, and what they did is not done again."""

from __future__ import annotations

import asyncio
import operator
from collections.abc import Sequence
from typing import Annotated, Any, TypedDict, cast

import pytest
from langchain.agents import create_agent
from langchain.agents.middleware import HumanInTheLoopMiddleware
from langchain_core.messages import AIMessage
from langchain_core.tools import ToolException, tool
from langgraph.graph import START, MessagesState, StateGraph
from langgraph.prebuilt import ToolNode
from langgraph.types import Command, interrupt

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
from tests.support.scripted import Line, ScriptedChatModel, call
from tests.support.stage import DURABILITIES, Durability, Stage, in_three_ways, thread

runs: list[str] = []
"""The deeds of tools, in order."""
dice = Dice()


@tool
def pay(amount: int) -> str:
    """Pay something, after asking for whom and whether."""
    advice = dice.invoke(f"{amount}?").text
    runs.append(f"would pay {amount}")
    whom = interrupt({"whom": amount, "advice": advice})
    if interrupt(f"pay {amount} to {whom}?") != "yes":
        raise ToolException("they said no")
    runs.append(f"paid {amount}")
    return f"paid {amount} to {whom}"


@tool
def confirm(what: str) -> str:
    """Ask one question."""
    return f"{what}: {interrupt(what)}"


class Inner(TypedDict, total=False):
    notes: Annotated[list[str], operator.add]


def asking_graph() -> Any:
    """A graph that looks at something, and asks."""
    builder = StateGraph(Inner).add_node("look", lambda state: {"notes": ["looked"]})
    builder.add_node("ask", lambda state: {"notes": [interrupt("sure?")]})
    return builder.add_edge(START, "look").add_edge("look", "ask").compile()


@tool
def delegate(what: str) -> str:
    """Let a graph do it, which asks."""
    runs.append(what)
    return f"{what}: {asking_graph().invoke({'notes': []})['notes'][-1]}"


TOOLS = [pay, confirm, delegate]


def agent(*lines: Line, **options: Any) -> Any:
    """An agent of these tools whose model says these lines."""
    return create_agent(ScriptedChatModel(scripts={"": [*lines, "done"]}), TOOLS, **options)


def record(
    saver: EventStoreSaver, make: Any, flavour: Flavour, durability: Durability, answers: Sequence[Any]
) -> tuple[RecordedHistory, Any]:
    """Record a run, and its answers; return the history, and what the last run returned."""
    stage, graph = Stage(saver, flavour, durability), make(checkpointer=saver)
    last: Any = None

    async def play(stage: Stage) -> None:
        nonlocal last
        with saver.recording():
            for given in (HELLO, *(Command(resume=each) for each in answers)):
                last = await stage.call(graph, "invoke", given, thread(), durability=durability)

    stage.perform(play)
    return RecordedHistory.of(saver, "main"), last


def hold(graph: Any, history: RecordedHistory, flavour: Flavour) -> None:
    """Hold that a graph replays, in one of both ways, and that no tool does anything."""
    runs.clear()
    calls = dice.calls
    if flavour is Flavour.SYNC:
        assert_replays(graph, history)
    else:
        asyncio.run(aassert_replays(graph, history))
    assert (runs, dice.calls) == ([], calls)


def texts(last: Any) -> list[str]:
    """The answers of tools to the model."""
    return [each.text for each in last["messages"] if each.type == "tool"]


@pytest.mark.parametrize("durability", DURABILITIES)
def test_a_tool_that_asks_is_asked_again_and_does_nothing(
    saver: EventStoreSaver, flavour: Flavour, durability: Durability
) -> None:
    def make(**options: Any) -> Any:
        return agent([call("pay", amount=3)], **options)

    runs.clear()
    history, last = record(saver, make, flavour, durability, ["Ann", "yes"])
    assert texts(last) == ["paid 3 to Ann"]
    assert runs == ["would pay 3"] * 3 + ["paid 3"]
    hold(make(), history, flavour)


@in_three_ways
def test_a_tool_that_fails_after_its_question_fails_again(
    saver: EventStoreSaver, flavour: Flavour, durability: Durability
) -> None:
    def make(**options: Any) -> Any:
        builder = StateGraph(MessagesState).add_node("tools", ToolNode(TOOLS, handle_tool_errors=True))
        builder.add_node("ask", lambda _: {"messages": [AIMessage("", tool_calls=[call("pay", amount=3)])]})
        return builder.add_edge(START, "ask").add_edge("ask", "tools").compile(**options)

    history, last = record(saver, make, flavour, durability, ["Ann", "no"])
    assert "they said no" in texts(last)[0]
    hold(make(), history, flavour)


@pytest.mark.parametrize("answers", [[], ["Ann"]])
def test_a_question_that_nobody_answered_is_asked_again(saver: EventStoreSaver, answers: list[str]) -> None:
    def make(**options: Any) -> Any:
        return agent([call("pay", amount=3)], **options)

    history, _ = record(saver, make, Flavour.SYNC, "async", answers)
    hold(make(), history, Flavour.SYNC)


@in_three_ways
def test_tools_that_ask_in_tasks_of_their_own_are_answered_by_their_ids(
    saver: EventStoreSaver, flavour: Flavour, durability: Durability
) -> None:
    def make(**options: Any) -> Any:
        return agent([call("confirm", 1, what="one"), call("confirm", 2, what="two")], **options)

    stage, graph = Stage(saver, flavour, durability), make(checkpointer=saver)

    async def play(stage: Stage) -> None:
        with saver.recording():
            last = await stage.call(graph, "invoke", HELLO, thread(), durability=durability)
            ids = {each.value: each.id for each in last["__interrupt__"]}
            for what in ("two", "one"):
                given: Any = Command(resume={ids[what]: f"yes, {what}"})
                last = await stage.call(graph, "invoke", given, thread(), durability=durability)
        assert texts(last) == ["one: yes, one", "two: yes, two"]

    stage.perform(play)
    hold(make(), RecordedHistory.of(saver, "main"), flavour)


@pytest.mark.parametrize("durability", DURABILITIES)
def test_tools_that_ask_in_one_task_are_asked_in_the_same_order(saver: EventStoreSaver, durability: Durability) -> None:
    calls = [call("confirm", number, what=str(number)) for number in range(3)]

    def make(**options: Any) -> Any:
        builder = StateGraph(MessagesState).add_node("tools", ToolNode(TOOLS))
        builder.add_node("ask", lambda _: {"messages": [AIMessage("", tool_calls=calls)]})
        return builder.add_edge(START, "ask").add_edge("ask", "tools").compile(**options)

    history, last = record(saver, make, Flavour.SYNC, durability, ["a", "b", "c"])
    assert texts(last) == ["0: a", "1: b", "2: c"]
    hold(make(), history, Flavour.SYNC)


@in_three_ways
def test_a_graph_within_a_tool_asks_and_is_not_run_again(
    saver: EventStoreSaver, flavour: Flavour, durability: Durability
) -> None:
    def make(**options: Any) -> Any:
        return agent([call("delegate", what="it")], [call("confirm", what="more")], **options)

    history, last = record(saver, make, flavour, durability, ["yes", "no"])
    assert texts(last) == ["it: yes", "more: no"]
    hold(make(), history, flavour)


@in_three_ways
@pytest.mark.parametrize(
    "decision",
    [
        {"type": "approve"},
        {"type": "edit", "edited_action": {"name": "confirm", "args": {"what": "edited"}}},
        {"type": "reject", "message": "no"},
    ],
    ids=lambda decision: str(decision["type"]),
)
def test_a_tool_that_asks_behind_langchains_own_question_replays(
    saver: EventStoreSaver, flavour: Flavour, durability: Durability, decision: dict[str, Any]
) -> None:
    def make(**options: Any) -> Any:
        asks: Any = HumanInTheLoopMiddleware(interrupt_on={"confirm": True})
        return agent([call("confirm", what="it")], middleware=[asks], **options)

    answers = [{"decisions": [decision]}] + (["yes"] if decision["type"] != "reject" else [])
    history, last = record(saver, make, flavour, durability, answers)
    assert "__interrupt__" not in last
    hold(make(), history, flavour)


def test_a_person_who_is_asked_again_elsewhere_may_say_something_else(saver: EventStoreSaver) -> None:
    def make(**options: Any) -> Any:
        return agent([call("confirm", what="it")], **options)

    graph = make(checkpointer=saver)
    with saver.recording():
        graph.invoke(cast("Any", HELLO), thread())
        graph.invoke(Command(resume="no"), thread())
        asked = next(each for each in graph.get_state_history(thread()) if each.interrupts)
        graph.invoke(None, asked.config)
        assert texts(graph.invoke(Command(resume="yes"), thread())) == ["it: yes"]
    hold(make(), RecordedHistory.of(saver, "main"), Flavour.SYNC)


def test_what_a_person_was_told_and_said_is_redacted(saver: EventStoreSaver) -> None:
    def redact(text: str) -> str:
        return text.replace("Ann", "NAME")

    def make(**options: Any) -> Any:
        return agent([call("confirm", what="Ann's")], **options)

    graph = make(checkpointer=saver)
    with saver.recording():
        graph.invoke(cast("Any", HELLO), thread())
        graph.invoke(Command(resume="Ann says yes"), thread())
    hidden = RecordedHistory.of(saver, "main", redact=redact)
    assert not any(b"Ann" in event.data for event in hidden.events)
    assert_replays(make(), hidden, redact=redact)


def test_another_call_of_a_tool_is_told(saver: EventStoreSaver) -> None:
    history, _ = record(
        saver, lambda **options: agent([call("confirm", what="it")], **options), Flavour.SYNC, "async", ["yes"]
    )
    with pytest.raises(DivergenceError) as found:
        assert_replays(agent([call("confirm", what="it")], system_prompt="Be brief."), history)
    assert found.value.node == "model"
