"""Branches that run side by side, fixed ones and ones made with `Send`, and the steps that gather them."""

from __future__ import annotations

import operator
from typing import Annotated, Any, TypedDict

from langchain_core.runnables import RunnableLambda
from langgraph.graph import END, START, StateGraph
from langgraph.types import Command, Send

from tests.support.stage import Stage, in_three_ways

from .conftest import Play


class Work(TypedDict, total=False):
    numbers: list[int]
    squares: Annotated[list[int], operator.add]
    total: int


def squaring() -> StateGraph[Any, Any, Any, Any]:
    """A graph that sends each number to a worker of its own and adds up the squares."""
    builder = StateGraph(Work)
    builder.add_node("plan", lambda state: {})
    builder.add_node("square", lambda packet: {"squares": [packet["number"] ** 2]})
    builder.add_node("add", lambda state: {"total": sum(state["squares"])})
    builder.add_edge(START, "plan")
    builder.add_conditional_edges(
        "plan", lambda state: [Send("square", {"number": number}) for number in state["numbers"]], ["square"]
    )
    builder.add_edge("square", "add")
    builder.add_edge("add", END)
    return builder


def test_each_packet_sent_is_worked_on_once_and_gathered_in_the_order_of_sending(play: Play) -> None:
    async def scenario(stage: Stage) -> None:
        graph = stage.compile(squaring())
        result = await stage.invoke(graph, {"numbers": [5, 3, 4, 1]})
        assert result == {"numbers": [5, 3, 4, 1], "squares": [25, 9, 16, 1], "total": 51}
        if stage.saves_every_step:
            sending = next(shown for shown in await stage.history(graph) if "square" in shown.next)
            assert [task.result for task in sending.tasks] == [
                {"squares": [25]}, {"squares": [9]}, {"squares": [16]}, {"squares": [1]}
            ]  # fmt: skip

    play(scenario)


@in_three_ways
def test_packets_are_sent_again_on_the_next_run_and_none_is_left_over(play: Play) -> None:
    async def scenario(stage: Stage) -> None:
        graph = stage.compile(squaring())
        await stage.invoke(graph, {"numbers": [2, 3]})
        assert (await stage.invoke(graph, {"numbers": [10]}))["squares"] == [4, 9, 100]
        assert (await stage.invoke(graph, {"numbers": []}))["squares"] == [4, 9, 100]

    play(scenario)


@in_three_ways
def test_fixed_branches_of_unequal_length_are_joined_when_the_last_has_come(play: Play) -> None:
    async def scenario(stage: Stage) -> None:
        builder = StateGraph(Work)
        for name, number in {"short": 1, "long": 10, "longer": 100, "join": 1000}.items():
            builder.add_node(name, lambda state, number=number: {"squares": [number]})
        builder.add_edge(START, "short")
        builder.add_edge(START, "long")
        builder.add_edge("long", "longer")
        builder.add_edge(["short", "longer"], "join")
        graph = stage.compile(builder)
        assert await stage.invoke(graph, {"squares": [0]}) == {"squares": [0, 10, 1, 100, 1000]}
        assert (await stage.invoke(graph, {}))["squares"][5:] == [10, 1, 100, 1000]

    # The channel that waits for both branches notes in place which has come.
    play(scenario, in_place=True)


@in_three_ways
def test_workers_that_send_further_packets_make_a_tree_of_work(play: Play) -> None:
    def split(packet: Any) -> Command[Any]:
        left, right = packet["low"], packet["high"]
        if right - left == 1:
            return Command(update={"squares": [left]})
        middle = (left + right) // 2
        halves = [Send("split", {"low": left, "high": middle}), Send("split", {"low": middle, "high": right})]
        return Command(goto=halves)

    async def scenario(stage: Stage) -> None:
        builder: StateGraph[Any, Any, Any, Any] = StateGraph(Work)
        builder.add_node("split", RunnableLambda(split))
        builder.add_conditional_edges(START, lambda state: Send("split", {"low": 0, "high": 5}), ["split"])
        graph = stage.compile(builder)
        assert sorted((await stage.invoke(graph, {}))["squares"]) == [0, 1, 2, 3, 4]

    play(scenario)
