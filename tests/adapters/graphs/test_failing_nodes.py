"""Runs in which a node raises, and what is done again when they are resumed: nothing that was finished."""

from __future__ import annotations

import operator
import threading
from typing import Annotated, Any, TypedDict

import pytest
from langgraph.graph import START, StateGraph
from langgraph.types import Command, RetryPolicy, Send, interrupt

from tests.support.stage import Stage, in_three_ways

from .conftest import Play

PATIENCE = 20.0
"""Seconds after which a test that waits for another thread has failed."""


class Log(TypedDict, total=False):
    log: Annotated[list[str], operator.add]


class Trouble:
    """Nodes that write down that they ran, some of which raise until they are mended."""

    def __init__(self) -> None:
        self.ran: list[str] = []
        self.mended = False
        self.may_fail = threading.Event()

    def work(self, name: str) -> Any:
        """A node that works."""

        def node(state: Log) -> Log:
            self.ran.append(name)
            return {"log": [name]}

        return node

    def fail(self, name: str) -> Any:
        """A node that raises, once it may, until it is mended."""

        def node(state: Log) -> Log:
            self.ran.append(name)
            if not self.mended:
                assert self.may_fail.wait(PATIENCE)
                raise RuntimeError(f"{name} is broken")
            return {"log": [name]}

        return node


def test_a_node_that_raised_is_run_again_and_the_ones_before_it_are_not(play: Play) -> None:
    async def scenario(stage: Stage) -> None:
        trouble = Trouble()
        trouble.may_fail.set()
        steps = [("a", trouble.work("a")), ("b", trouble.fail("b")), ("c", trouble.work("c"))]
        graph = stage.compile(StateGraph(Log).add_sequence(steps).add_edge(START, "a"))
        with pytest.raises(RuntimeError, match="b is broken"):
            await stage.invoke(graph, {"log": []})
        stage.reopen()
        stopped = await stage.state(graph)
        assert (stopped.values, stopped.next) == ({"log": ["a"]}, ("b",))
        assert "b is broken" in str(stopped.tasks[0].error)
        trouble.mended = True
        assert await stage.invoke(graph, None) == {"log": ["a", "b", "c"]}
        assert trouble.ran == ["a", "b", "b", "c"]

    play(scenario)


def test_a_sibling_that_finished_before_the_failure_is_not_run_again(play: Play) -> None:
    async def scenario(stage: Stage) -> None:
        trouble = Trouble()
        builder = StateGraph(Log).add_node("good", trouble.work("good")).add_node("bad", trouble.fail("bad"))
        builder.add_node("end", trouble.work("end"))
        builder.add_edge(START, "good").add_edge(START, "bad").add_edge(["good", "bad"], "end")
        graph = stage.compile(builder)

        async def run_until_it_fails() -> None:
            # With `subgraphs`, sync streams too hand on a result as soon as it is there.
            async for _, update in stage.stream(graph, {"log": []}, stream_mode="updates", subgraphs=True):
                assert update == {"good": {"log": ["good"]}}
                trouble.may_fail.set()  # only now, when the other's result has been taken

        with pytest.raises(RuntimeError, match="bad is broken"):
            await run_until_it_fails()
        stage.reopen()
        stopped = await stage.state(graph)
        assert {task.name: (task.result, bool(task.error)) for task in stopped.tasks} == {
            "bad": (None, True), "good": ({"log": ["good"]}, False)
        }  # fmt: skip
        trouble.mended = True
        assert await stage.invoke(graph, None) == {"log": ["bad", "good", "end"]}
        assert sorted(trouble.ran) == ["bad", "bad", "end", "good"]

    play(scenario, in_place=True)


@in_three_ways
def test_of_many_packets_only_those_that_failed_are_worked_on_again(play: Play) -> None:
    async def scenario(stage: Stage) -> None:
        trouble = Trouble()
        mend, work = trouble.fail("2"), trouble.work

        builder = StateGraph(Log)
        builder.add_node("worker", lambda packet: mend({}) if packet["name"] == "2" else work(packet["name"])({}))
        builder.add_conditional_edges(START, lambda state: [Send("worker", {"name": n}) for n in "123"], ["worker"])
        graph = stage.compile(builder)

        async def run_until_it_fails() -> None:
            finished = 0
            async for _ in stage.stream(graph, {"log": []}, stream_mode="updates", subgraphs=True):
                finished += 1
                if finished == 2:
                    trouble.may_fail.set()

        with pytest.raises(RuntimeError, match="2 is broken"):
            await run_until_it_fails()
        stage.reopen()
        trouble.mended = True
        assert await stage.invoke(graph, None) == {"log": ["1", "2", "3"]}
        assert sorted(trouble.ran) == ["1", "2", "2", "3"]

    play(scenario)


@in_three_ways
def test_a_subgraph_goes_on_from_its_own_failed_node(play: Play) -> None:
    async def scenario(stage: Stage) -> None:
        trouble = Trouble()
        trouble.may_fail.set()
        inner = StateGraph(Log).add_sequence([("x", trouble.work("x")), ("y", trouble.fail("y"))])
        inner_graph = inner.add_edge(START, "x").compile()
        outer = StateGraph(Log).add_sequence([("a", trouble.work("a")), ("inner", inner_graph)])
        graph = stage.compile(outer.add_edge(START, "a"))
        with pytest.raises(RuntimeError, match="y is broken"):
            await stage.invoke(graph, {"log": []})
        stage.reopen()
        trouble.mended = True
        assert await stage.invoke(graph, None) == {"log": ["a", "a", "x", "y"]}
        assert trouble.ran == ["a", "x", "y", "y"]

    play(scenario)


@in_three_ways
def test_a_failure_and_a_question_side_by_side_are_mended_and_answered_in_turn(play: Play) -> None:
    async def scenario(stage: Stage) -> None:
        trouble = Trouble()
        trouble.may_fail.set()

        def ask(state: Log) -> Log:
            return {"log": [interrupt("well?")]}

        def then_fail(state: Log) -> Log:
            answer = interrupt("and?")
            return {"log": [answer, *trouble.fail("late")(state)["log"]]}

        graph = stage.compile(StateGraph(Log).add_sequence([("ask", ask), ("late", then_fail)]).add_edge(START, "ask"))
        await stage.invoke(graph, {"log": []})
        await stage.invoke(graph, Command(resume="one"))
        with pytest.raises(RuntimeError, match="late is broken"):
            await stage.invoke(graph, Command(resume="two"))
        trouble.mended = True
        stage.reopen()
        # The answer was given and is kept: the question is not asked again.
        assert await stage.invoke(graph, None) == {"log": ["one", "two", "late"]}

    play(scenario)


@in_three_ways
def test_a_node_that_is_tried_again_by_its_policy_leaves_no_trace_of_the_first_try(play: Play) -> None:
    async def scenario(stage: Stage) -> None:
        tries: list[int] = []

        def flaky(state: Log) -> Log:
            tries.append(len(tries))
            if len(tries) < 3:
                raise ConnectionError("try again")
            return {"log": [f"try {len(tries)}"]}

        policy = RetryPolicy(initial_interval=0.0, jitter=False, retry_on=ConnectionError)
        builder = StateGraph(Log).add_node("flaky", flaky, retry_policy=policy).add_edge(START, "flaky")
        graph = stage.compile(builder)
        assert await stage.invoke(graph, {"log": []}) == {"log": ["try 3"]}

    play(scenario)
