"""Tools that ask at once in one task: each gets the answers to its own questions, runs once, and is replayed."""

from __future__ import annotations

import asyncio
import operator
from collections import Counter
from collections.abc import Sequence
from typing import Annotated, Any, TypedDict

import pytest
from langchain_core.messages import AIMessage, ToolCall
from langchain_core.tools import tool
from langgraph.graph import START, MessagesState, StateGraph
from langgraph.prebuilt import ToolNode
from langgraph.types import Command, interrupt

from langgraph.checkpoint.eventstore import EventStoreSaver
from langgraph.checkpoint.eventstore.testing import RecordedHistory, aassert_replays, assert_replays
from tests.support.answering import Run, one_node, run_async
from tests.support.scripted import call
from tests.support.stage import Durability, in_three_ways, thread

done: Counter[str] = Counter()
"""How often each tool has come to its end."""


def questions(name: str, times: int) -> list[str]:
    """The questions of a tool of this name."""
    return [f"{name}.{number}?" for number in range(times)]


def ended(name: str, told: Sequence[str]) -> str:
    """The answer of a tool."""
    done[name] += 1
    return f"{name}: {', '.join(told)}"


class Inner(TypedDict, total=False):
    told: Annotated[list[str], operator.add]


def asking_graph(name: str, times: int) -> Any:
    """A graph that asks."""
    builder = StateGraph(Inner).add_node("look", lambda _: {"told": []})
    builder.add_node("ask", lambda _: {"told": [interrupt(each) for each in questions(name, times)]})
    return builder.add_edge(START, "look").add_edge("look", "ask").compile()


@tool
def ask(name: str, times: int) -> str:
    """Ask a person."""
    return ended(name, [interrupt(each) for each in questions(name, times)])


@tool
async def wait(name: str, times: int, pauses: int) -> str:
    """Ask a person, and let other tools go on between."""
    told = []
    for each in questions(name, times):
        for _ in range(pauses):
            await asyncio.sleep(0)
        told.append(interrupt(each))
    return ended(name, told)


@tool
def look(name: str) -> str:
    """Ask nobody."""
    return ended(name, [])


@tool
def delegate(name: str, times: int) -> str:
    """Let a graph ask."""
    return ended(name, asking_graph(name, times).invoke({})["told"])


@tool
def nest(name: str, times: int) -> str:
    """Let another tool ask."""
    said: str = ask.invoke({"name": name, "times": times})
    return said


def made_at_once(calls: Sequence[ToolCall], **options: Any) -> Any:
    """A graph whose second node makes all of these calls."""
    builder = StateGraph(MessagesState).add_node("tools", ToolNode([ask, wait, look, delegate, nest]))
    builder.add_node("model", lambda _: {"messages": [AIMessage("", tool_calls=calls)]})
    return builder.add_edge(START, "model").add_edge("model", "tools").compile(**options)


WAITED = [call("wait", n, name=f"w{n}", times=2, pauses=7 - 3 * n) for n in range(3)]
DELEGATED = [call("delegate", n, name=f"d{n}", times=n + 1) for n in range(2)]
MIXED = [call("nest", 0, name="a", times=2), call("look", 1, name="b"), call("delegate", 2, name="c", times=1)]
MIXED.append(call("ask", 3, name="d", times=2))


def answered(run: Run, saver: EventStoreSaver, calls: Sequence[ToolCall], by_ids: bool, **options: Any) -> list[str]:
    """Run the calls in a recording until all questions have answers; return what the tools said."""
    done.clear()
    graph = made_at_once(calls, checkpointer=saver)
    last = run(graph, {"messages": []}, thread(), saver.recording(), **options)
    shown: list[str] = []
    while asked := last.get("__interrupt__"):
        [question] = asked
        shown.append(question.value)
        told = f"yes {question.value}"
        given: Any = Command(resume={question.id: told} if by_ids else told)
        last = run(graph, given, thread(), saver.recording(), **options)
    assert len(set(shown)) == len(shown) == sum(made["args"].get("times", 0) for made in calls)
    assert set(done.values()) == {1}
    return [each.text for each in last["messages"] if each.type == "tool"]


@in_three_ways
@pytest.mark.parametrize(
    ("calls", "by_ids"), [(DELEGATED, False), (MIXED, False), (MIXED, True)], ids=["graphs", "mixed", "by ids"]
)
def test_each_tool_gets_its_own_answers_runs_once_and_is_replayed(
    saver: EventStoreSaver, run: Run, durability: Durability, calls: list[ToolCall], by_ids: bool
) -> None:
    said = answered(run, saver, calls, by_ids, durability=durability)
    assert said == expected(calls)
    held(saver, calls)


def test_tools_that_wait_as_long_as_they_like_get_their_own_answers(saver: EventStoreSaver) -> None:
    assert answered(run_async, saver, WAITED, by_ids=False) == expected(WAITED)
    held(saver, WAITED, in_threads=False)


def expected(calls: Sequence[ToolCall]) -> list[str]:
    """Return what the tools say if each gets the answers to its own questions."""
    told = {
        made["args"]["name"]: [f"yes {each}" for each in questions(made["args"]["name"], made["args"].get("times", 0))]
        for made in calls
    }
    return [f"{name}: {', '.join(answers)}" for name, answers in told.items()]


def held(saver: EventStoreSaver, calls: Sequence[ToolCall], *, in_threads: bool = True) -> None:
    """Hold that the graph replays, whatever it was run by, and no tool does anything."""
    done.clear()
    history = RecordedHistory.of(saver, "main")
    asyncio.run(aassert_replays(made_at_once(calls), history))
    if in_threads:
        assert_replays(made_at_once(calls), history)
    assert not done


def test_what_a_tool_asks_when_nobody_records_is_answered_when_somebody_does(saver: EventStoreSaver, run: Run) -> None:
    calls = [call("ask", name="a", times=3)]
    graph = made_at_once(calls, checkpointer=saver)
    last: Any = {"__interrupt__": []}
    for number, records in enumerate((True, False, True, False)):
        given: Any = {"messages": []} if not number else Command(resume=str(number))
        last = run(graph, given, thread(), saver.recording() if records else None)
    assert last["messages"][-1].text == "a: 1, 2, 3"


def test_a_tool_that_fails_beside_one_that_asks_lets_that_one_ask_again(saver: EventStoreSaver, run: Run) -> None:
    failing = iter([OSError("no route"), None])

    @tool
    def reach(name: str) -> str:
        """Reach something, at the second time."""
        if error := next(failing):
            raise error
        return ended(name, [])

    done.clear()
    calls = [call("reach", 0, name="r"), call("ask", 1, name="a", times=1)]
    builder = StateGraph(MessagesState).add_node("tools", ToolNode([reach, ask], handle_tool_errors=False))
    builder.add_node("model", lambda _: {"messages": [AIMessage("", tool_calls=calls)]})
    graph = builder.add_edge(START, "model").add_edge("model", "tools").compile(checkpointer=saver)
    with pytest.raises(OSError, match="no route"):
        run(graph, {"messages": []}, thread(), saver.recording())
    [question] = run(graph, None, thread(), saver.recording())["__interrupt__"]
    last = run(graph, Command(resume="yes"), thread(), saver.recording())
    assert (question.value, [each.text for each in last["messages"][1:]]) == ("a.0?", ["r: ", "a: yes"])
    assert done == {"r": 1, "a": 1}


def test_a_tool_that_is_cancelled_while_it_waits_for_others_leaves_them_alone(saver: EventStoreSaver) -> None:
    async def play() -> None:
        begun, may_end = asyncio.Event(), asyncio.Event()

        @tool
        async def hang(name: str) -> str:
            """Wait until it may end."""
            begun.set()
            await may_end.wait()
            return ended(name, [])

        async def node(_: MessagesState) -> Any:
            asks = asyncio.create_task(ask.ainvoke(call("ask", name="a", times=1)))
            hangs = asyncio.create_task(hang.ainvoke({"name": "h"}))
            await begun.wait()
            asks.cancel()
            await asyncio.wait([asks])
            may_end.set()
            return {"messages": [await hangs]}

        graph = one_node(node).compile(checkpointer=saver)
        async with saver.recording():
            last = await graph.ainvoke({"messages": []}, thread())
        assert last["messages"][-1].text == "h: "

    asyncio.run(play())
