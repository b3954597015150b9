"""Tools that end their task with a `Command` to a parent graph are recorded, and hand over again without running."""

from __future__ import annotations

import asyncio
from typing import Annotated, Any

import pytest
from langchain.agents import create_agent
from langchain_core.messages import AIMessage, HumanMessage, ToolMessage
from langchain_core.tools import InjectedToolCallId, tool
from langgraph.errors import ParentCommand
from langgraph.graph import START, MessagesState, StateGraph
from langgraph.prebuilt import ToolNode
from langgraph.types import Command, interrupt

from langgraph.checkpoint.eventstore import EventStoreSaver
from langgraph.checkpoint.eventstore.testing import RecordedHistory, aassert_replays, assert_replays
from tests.support.answering import HELLO, Run, calls
from tests.support.scripted import ScriptedChatModel, call
from tests.support.stage import Durability, in_three_ways, thread

ran: list[str] = []
"""The tools that have run, in order."""


def over_to(name: str, message: Any) -> Command[Any]:
    """The command by which a member of the team hands over to another one."""
    return Command(goto=name, graph=Command.PARENT, update={"messages": [message]})


@tool
def returns(to: str, tool_call_id: Annotated[str, InjectedToolCallId]) -> Command[Any]:
    """Hand over by an answer."""
    ran.append("returns")
    return over_to(to, ToolMessage(f"over to {to}", tool_call_id=tool_call_id))


@tool
def raises(to: str) -> str:
    """Hand over at once."""
    ran.append("raises")
    raise ParentCommand(over_to(to, HumanMessage(f"over to {to}")))


@tool
def asks(to: str) -> str:
    """Hand over if a person says so."""
    ran.append("asks")
    raise ParentCommand(over_to(interrupt(f"{to}?"), HumanMessage("as you say")))


@tool
def runs(to: str) -> str:
    """Run a graph that hands over."""
    ran.append("runs")
    inner = StateGraph(MessagesState).add_node("decide", lambda _: over_to(to, HumanMessage(f"over to {to}")))
    inner.add_edge(START, "decide").compile().invoke({"messages": []})
    raise AssertionError("the graph has handed over")


def team(name: str, **options: Any) -> Any:
    """A supervisor who hands over to a specialist by a tool, each an agent, and a subgraph."""
    decide = ScriptedChatModel(scripts={"": [[call(name, to="specialist")]]})
    supervisor = create_agent(decide, [returns, raises, asks, runs])
    specialist = create_agent(ScriptedChatModel(scripts={"": ["done", "done"]}), [])
    builder = StateGraph(MessagesState).add_node("supervisor", supervisor, destinations=("specialist",))
    return builder.add_node("specialist", specialist).add_edge(START, "supervisor").compile(**options)


@in_three_ways
@pytest.mark.parametrize("name", ["returns", "raises", "asks", "runs"])
def test_a_tool_that_hands_over_is_recorded_and_replayed(
    saver: EventStoreSaver, run: Run, durability: Durability, name: str
) -> None:
    ran.clear()
    graph = team(name, checkpointer=saver)
    run(graph, HELLO, thread(), saver.recording(), durability=durability)
    if name == "asks":
        run(graph, Command(resume="specialist"), thread(), saver.recording(), durability=durability)
    handed_over = calls(saver)[-2]
    assert handed_over.hands_over is (name != "returns")
    assert (handed_over.name, handed_over.answer.goto) == (name, "specialist")
    assert ran == [name] * (2 if name == "asks" else 1)
    history = RecordedHistory.of(saver, "main")
    assert_replays(team(name), history)
    asyncio.run(aassert_replays(team(name), history))
    assert len(ran) == (2 if name == "asks" else 1)


@pytest.mark.parametrize("name", ["raises", "runs"])
def test_a_task_that_is_run_again_hands_over_again_without_its_tool(
    saver: EventStoreSaver, run: Run, name: str
) -> None:
    failures = [OSError("no route")]

    @tool
    def reach() -> str:
        """Reach something, at the second time."""
        if failures:
            raise failures.pop()
        return "reached"

    made = [call("reach"), call(name, to="specialist")]
    inner = StateGraph(MessagesState).add_node("tools", ToolNode([reach, raises, runs], handle_tool_errors=False))
    inner.add_node("model", lambda _: {"messages": [AIMessage("", tool_calls=made)]})
    inner.add_edge(START, "model").add_edge("model", "tools")
    builder = StateGraph(MessagesState).add_node("supervisor", inner.compile(), destinations=("specialist",))
    builder.add_node("specialist", lambda _: {"messages": [AIMessage("done")]}).add_edge(START, "supervisor")
    graph = builder.compile(checkpointer=saver)
    ran.clear()
    with pytest.raises(OSError, match="no route"):
        run(graph, HELLO, thread(), saver.recording())
    last = run(graph, None, thread(), saver.recording())
    # A graph that a tool runs hands over to the graph whose node called the tool, which has no such node.
    assert last["messages"][-1].text == ("done" if name == "raises" else "over to specialist")
    assert ran == [name]


def test_a_hand_over_is_answered_in_another_thread(saver: EventStoreSaver, run: Run) -> None:
    graph = team("runs", checkpointer=saver)
    ran.clear()
    first = run(graph, HELLO, thread(), saver.recording())
    again = run(graph, HELLO, thread("other"), saver.replaying("main", missing="record"))
    assert [each.text for each in again["messages"]] == [each.text for each in first["messages"]]
    assert ran == ["runs"]
    taken = [each for each in calls(saver, "other") if each.kind == "tool"]
    assert [(each.source, each.hands_over) for each in taken] == [("main", True)]
