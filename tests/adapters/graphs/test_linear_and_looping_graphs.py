"""Graphs that walk a line or a loop: each step is saved, and what was saved is what the graph held."""

from __future__ import annotations

import operator
from collections import deque
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Annotated, Any, TypedDict
from uuid import UUID

import pytest
from langgraph.errors import GraphRecursionError
from langgraph.func import entrypoint, task
from langgraph.graph import END, START, StateGraph

from tests.support.stage import Stage, in_three_ways, thread

from .conftest import Play


class Log(TypedDict):
    log: Annotated[list[str], operator.add]


class Count(TypedDict):
    count: int
    seen: Annotated[list[int], operator.add]


class Anything(TypedDict, total=False):
    value: Any
    step: int


def line(*names: str) -> StateGraph[Any, Any, Any, Any]:
    """A graph of nodes in a row, each of which writes its name into the log."""
    builder = StateGraph(Log)
    for name in names:
        builder.add_node(name, lambda state, name=name: {"log": [name]})
    for before, after in zip([START, *names], [*names, END], strict=True):
        builder.add_edge(before, after)
    return builder


def counting_up_to(limit: int) -> StateGraph[Any, Any, Any, Any]:
    """A graph of one node that counts until the limit."""
    builder = StateGraph(Count)
    builder.add_node("count", lambda state: {"count": state["count"] + 1, "seen": [state["count"]]})
    builder.add_edge(START, "count")
    builder.add_conditional_edges("count", lambda state: "count" if state["count"] < limit else END)
    return builder


def taking_on(*values: Any) -> StateGraph[Any, Any, Any, Any]:
    """A graph whose one channel takes on the values one after the other."""
    builder = StateGraph(Anything)
    builder.add_node("take", lambda state: {"value": values[state["step"]], "step": state["step"] + 1})
    builder.add_edge(START, "take")
    builder.add_conditional_edges("take", lambda state: "take" if state["step"] < len(values) else END)
    return builder


def test_a_line_of_nodes_leaves_a_checkpoint_for_each_step(play: Play) -> None:
    async def scenario(stage: Stage) -> None:
        graph = stage.compile(line("first", "second", "third"))
        assert await stage.invoke(graph, {"log": ["start"]}) == {"log": ["start", "first", "second", "third"]}
        steps = [(shown.metadata["step"], shown.next) for shown in await stage.history(graph)]
        assert steps[0] == (3, ())
        if stage.saves_every_step:
            waiting = [(2, ("third",)), (1, ("second",)), (0, ("first",)), (-1, ("__start__",))]
            assert steps[1:] == waiting

    play(scenario)


def test_a_loop_goes_round_until_its_condition_holds_and_starts_again_on_the_same_thread(play: Play) -> None:
    async def scenario(stage: Stage) -> None:
        graph = stage.compile(counting_up_to(4))
        assert await stage.invoke(graph, {"count": 0}) == {"count": 4, "seen": [0, 1, 2, 3]}
        assert await stage.invoke(graph, {"count": 2}) == {"count": 4, "seen": [0, 1, 2, 3, 2, 3]}

    play(scenario)


@in_three_ways
def test_a_run_that_hits_the_recursion_limit_goes_on_from_where_it_stopped(play: Play) -> None:
    async def scenario(stage: Stage) -> None:
        graph = stage.compile(counting_up_to(5))
        with pytest.raises(GraphRecursionError):
            await stage.invoke(graph, {"count": 0}, thread() | {"recursion_limit": 2})
        assert (await stage.state(graph)).values == {"count": 2, "seen": [0, 1]}
        assert await stage.invoke(graph, None) == {"count": 5, "seen": [0, 1, 2, 3, 4]}

    play(scenario)


@in_three_ways
def test_threads_of_one_store_know_nothing_of_each_other(play: Play) -> None:
    async def scenario(stage: Stage) -> None:
        graph = stage.compile(line("only"))
        await stage.invoke(graph, {"log": ["a"]}, thread("a"))
        await stage.invoke(graph, {"log": ["b"]}, thread("b"))
        await stage.invoke(graph, {"log": ["again"]}, thread("a"))
        assert (await stage.state(graph, thread("a"))).values == {"log": ["a", "only", "again", "only"]}
        assert (await stage.state(graph, thread("b"))).values == {"log": ["b", "only"]}
        assert (await stage.state(graph, thread("never run"))).values == {}

    play(scenario)


@in_three_ways
def test_values_that_are_equal_but_not_the_same_are_told_apart(play: Play) -> None:
    twins = (1, True, 1.0, [1], [True], [1.0], {"k": 0}, {"k": False}, {"k": -0.0}, {"k": 0.0}, "", None)

    async def scenario(stage: Stage) -> None:
        graph = stage.compile(taking_on(*twins))
        await stage.invoke(graph, {"step": 0})
        if stage.saves_every_step:
            history = reversed(await stage.history(graph))
            taken = [shown.values["value"] for shown in history if "value" in shown.values]
            assert [repr(value) for value in taken] == [repr(value) for value in twins]

    play(scenario)


@in_three_ways
def test_a_value_may_grow_and_shrink_and_become_another_kind_of_value(play: Play) -> None:
    shapes: tuple[Any, ...] = (
        ["a", "b", "c"], ["a", "c"], ["x", "a", "c"], [], ["a"] * 3,
        {"a": 1, "b": {"c": [1, 2]}}, {"b": {"c": [1, 2, 3]}}, {"b": {}}, {2: "int key", "2": "str key"},
        "a long enough text", "a long text", "text", "a text that is long again", 7, None, ["end"],
    )  # fmt: skip

    async def scenario(stage: Stage) -> None:
        graph = stage.compile(taking_on(*shapes))
        await stage.invoke(graph, {"step": 0})
        if stage.saves_every_step:
            history = reversed(await stage.history(graph))
            assert [shown.values["value"] for shown in history if "value" in shown.values] == list(shapes)

    play(scenario)


@in_three_ways
def test_a_value_of_any_kind_that_langgraph_saves_comes_back_as_it_was(play: Play) -> None:
    kinds = {
        "text": "naïve \u2028 \U0001f600", "bytes": b"\x00\xff", "whole": -(2**63), "real": 0.1, "none": None,
        "set": {1, 2}, "frozen": frozenset({"a"}), "queue": deque([1, 2]), "pair": [1, "two"],
        "when": datetime(2024, 2, 29, 12, tzinfo=UTC), "day": date(2024, 2, 29), "while": timedelta(seconds=1.5),
        "price": Decimal("1.10"), "id": UUID(int=7), "deep": {"list": [{"list": [[]]}]}, "empty": {}, 1: "one",
    }  # fmt: skip

    async def scenario(stage: Stage) -> None:
        graph = stage.compile(taking_on(kinds, kinds))
        await stage.invoke(graph, {"step": 0})
        assert (await stage.state(graph)).values["value"] == kinds

    play(scenario)


@in_three_ways
def test_a_workflow_of_tasks_remembers_its_last_result_and_each_finished_task(play: Play) -> None:
    async def scenario(stage: Stage) -> None:
        @task
        def double(number: int) -> int:
            return number * 2

        @entrypoint()
        def workflow(number: int, *, previous: int | None) -> Any:
            futures = [double(number), double(number + 1)]
            total = sum(future.result() for future in futures) + (previous or 0)
            return entrypoint.final(value=f"total {total}", save=total)

        graph = stage.build(lambda saver: workflow.copy({"checkpointer": saver}))
        assert await stage.invoke(graph, 1) == "total 6"
        assert await stage.invoke(graph, 2) == "total 16"

    play(scenario)
