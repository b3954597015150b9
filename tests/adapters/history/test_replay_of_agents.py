"""Selective replay of agents: a tool that changed is called again, and the others are not."""

from __future__ import annotations

from collections import Counter
from typing import Any

from langchain.agents import create_agent
from langchain_core.messages import HumanMessage, ToolMessage
from langchain_core.tools import tool
from langgraph.pregel import Pregel

from tests.support.counted import Bench, nodes
from tests.support.pace import where_each_step_is_saved
from tests.support.scripted import ScriptedChatModel, call, said


def agent(bench: Bench, calls: Counter[str], sky: str) -> Pregel[Any, Any, Any, Any]:
    """It looks at the sky and sends a letter, at once; then it looks again."""

    @tool
    def look(where: str) -> str:
        """Look somewhere."""
        calls["look"] += 1
        return f"{where} is {sky}"

    @tool
    def send(to: str) -> str:
        """Send a letter, which cannot be undone."""
        calls["send"] += 1
        return f"sent to {to}"

    script: dict[str, list[Any]] = {
        "": [
            [call("look", 1, where="the sky"), call("send", to="her")],
            [call("look", 2, where="the sea")],
            "done",
        ]
    }
    return create_agent(ScriptedChatModel(scripts=script), [look, send], checkpointer=bench.saver)


def is_call_of(name: str) -> Any:
    """Return a test of whether what a task was sent is a call of that tool."""
    return lambda sent: sent[0]["name"] == name


@where_each_step_is_saved
def test_only_the_calls_of_the_tool_that_changed_are_made_again(bench: Bench) -> None:
    calls: Counter[str] = Counter()
    bench.run(agent(bench, calls, "blue"), {"messages": [HumanMessage("go", id="go")]})
    assert calls == {"look": 2, "send": 1}
    calls.clear()

    changed = agent(bench, calls, "grey")
    replayed = bench.replay(changed, "tools", only=is_call_of("look"))

    assert calls == {"look": 2}
    assert replayed.ended == "end"
    assert nodes(replayed.reused) == ["tools"]
    messages = bench.values(changed, replayed.thread)["messages"]
    assert said(messages) == [
        "human: go",
        "ai calls look, send",
        "tool: the sky is grey",
        "tool: sent to her",
        "ai calls look",
        "tool: the sea is grey",
        "ai: done",
    ]
    assert [message.text for message in bench.values(changed)["messages"] if isinstance(message, ToolMessage)] == [
        "the sky is blue",
        "sent to her",
        "the sea is blue",
    ]


@where_each_step_is_saved
def test_the_plan_names_the_calls_that_will_be_made_again_and_the_model_that_reads_them(bench: Bench) -> None:
    calls: Counter[str] = Counter()
    graph = agent(bench, calls, "blue")
    bench.run(graph, {"messages": [HumanMessage("go", id="go")]})
    calls.clear()
    plan = bench.planned(graph, "tools", only=is_call_of("look"))
    assert nodes(plan.reused) == ["tools"]
    assert nodes(plan.again) == ["model", "model", "tools", "tools"]
    assert str(plan.again[1].verdict) == "it reads what is different: messages"
    assert not calls


@where_each_step_is_saved
def test_a_model_that_is_asked_the_same_is_not_asked_again(bench: Bench) -> None:
    calls: Counter[str] = Counter()
    graph = agent(bench, calls, "blue")
    bench.run(graph, {"messages": [HumanMessage("go", id="go")]})
    messages = bench.values(graph)["messages"]
    calls.clear()
    # Messages that tools make get a new id each time: so the model is asked again. That of its first answer is kept.
    replayed = bench.replay(graph, "model")
    assert calls == {}
    assert nodes(replayed.ran) == ["model", "model", "model"]
    assert bench.values(graph, replayed.thread)["messages"] == messages
