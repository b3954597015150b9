"""Runs from an earlier checkpoint: the branch they make, and the one they leave, which stays as it was."""

from __future__ import annotations

import operator
from typing import Annotated, Any, TypedDict

from langchain_core.runnables import RunnableConfig
from langgraph.graph import START, StateGraph
from langgraph.types import Command, StateSnapshot, interrupt

from tests.support.stage import Stage, checkpoint_id, ids, in_three_ways, thread

from .conftest import Play


class Talk(TypedDict, total=False):
    said: Annotated[list[str], operator.add]
    turns: int


def talking(ran: list[str] | None = None) -> StateGraph[Any, Any, Any, Any]:
    """A graph that hears what is said and replies; `ran` tells which nodes ran."""

    def node(name: str) -> Any:
        def run(state: Talk) -> Talk:
            if ran is not None:
                ran.append(name)
            return {"said": [f"{name} {state['said'][-1]}"], "turns": state.get("turns", 0) + 1}

        return run

    return StateGraph(Talk).add_sequence([("hear", node("heard")), ("reply", node("re"))]).add_edge(START, "hear")


def ends(history: list[StateSnapshot]) -> list[StateSnapshot]:
    """The states in which a run ended, first to last."""
    return [shown for shown in reversed(history) if not shown.next]


def parents(history: list[StateSnapshot]) -> list[str | None]:
    """The checkpoint that each state came from."""
    return [checkpoint_id(shown.parent_config) if shown.parent_config else None for shown in history]


def test_a_run_from_an_earlier_end_makes_a_branch_beside_the_old_one(play: Play) -> None:
    async def scenario(stage: Stage) -> None:
        graph = stage.compile(talking())
        for said in ("a", "b"):
            await stage.invoke(graph, {"said": [said]})
        first, second = ends(await stage.history(graph))
        result = await stage.invoke(graph, {"said": ["c"]}, first.config)
        assert result == {"said": ["a", "heard a", "re heard a", "c", "heard c", "re heard c"], "turns": 4}

        history = await stage.history(graph)
        assert parents(history).count(checkpoint_id(first.config)) == 2
        assert (await stage.state(graph)).values == result
        assert (await stage.state(graph, second.config)).values == second.values
        again = await stage.invoke(graph, {"said": ["d"]}, second.config)
        assert again["said"] == [*second.values["said"], "d", "heard d", "re heard d"]

    play(scenario)


@in_three_ways
def test_branches_of_branches_read_only_what_lies_on_their_own_way(play: Play) -> None:
    async def scenario(stage: Stage) -> None:
        graph = stage.compile(talking())

        async def say(said: str, after: RunnableConfig | None = None) -> RunnableConfig:
            await stage.invoke(graph, {"said": [said]}, after)
            return (await stage.state(graph)).config

        root = await say("0")
        left, right = await say("l", root), await say("r", root)
        left_left, right_left, left_right = await say("ll", left), await say("rl", right), await say("lr", left)
        heard = {}
        for name, config in {"ll": left_left, "rl": right_left, "lr": left_right, "l": left, "r": right}.items():
            values = (await stage.state(graph, config)).values
            heard[name] = [said for said in values["said"] if " " not in said]
        assert heard == {
            "ll": ["0", "l", "ll"], "rl": ["0", "r", "rl"], "lr": ["0", "l", "lr"], "l": ["0", "l"], "r": ["0", "r"]
        }  # fmt: skip

    play(scenario)


@in_three_ways
def test_a_run_replayed_from_the_middle_does_not_repeat_what_lies_before(play: Play) -> None:
    async def scenario(stage: Stage) -> None:
        ran: list[str] = []
        graph = stage.compile(talking(ran), interrupt_before=["reply"])
        await stage.invoke(graph, {"said": ["a"]})
        paused = await stage.state(graph)
        first = await stage.invoke(graph, None)
        ran.clear()
        stage.reopen()
        assert await stage.invoke(graph, None, paused.config) == first
        assert ran == ["re"]

    play(scenario)


@in_three_ways
def test_travel_to_before_a_question_asks_it_again_and_takes_another_answer(play: Play) -> None:
    async def scenario(stage: Stage) -> None:
        def ask(state: Talk) -> Talk:
            return {"said": [f"you said {interrupt('well?')}"]}

        builder = StateGraph(Talk).add_sequence([("ask", ask), ("end", lambda state: {"turns": 1})])
        graph = stage.compile(builder.add_edge(START, "ask"))
        await stage.invoke(graph, {"said": []})
        paused = await stage.state(graph)
        assert (await stage.invoke(graph, Command(resume="yes")))["said"] == ["you said yes"]

        asked = await stage.invoke(graph, None, paused.config)
        assert [question.value for question in asked["__interrupt__"]] == ["well?"]
        stage.reopen()
        assert (await stage.invoke(graph, Command(resume="no")))["said"] == ["you said no"]
        finished = [shown.values["said"] for shown in ends(await stage.history(graph))]
        assert finished == [["you said yes"], ["you said no"]]

    play(scenario)


@in_three_ways
def test_travel_into_a_subgraph_goes_on_from_the_subgraphs_own_checkpoint(play: Play) -> None:
    async def scenario(stage: Stage) -> None:
        def ask(state: Talk) -> Talk:
            return {"said": [f"you said {interrupt('well?')}"]}

        inner = StateGraph(Talk).add_sequence([("hear", lambda state: {"turns": 1}), ("ask", ask)])
        outer = StateGraph(Talk).add_node("inner", inner.add_edge(START, "hear").compile())
        graph = stage.compile(outer.add_edge(START, "inner"))
        await stage.invoke(graph, {"said": []})
        within = (await stage.state(graph)).tasks[0].state.config
        await stage.invoke(graph, Command(resume="yes"))
        asked = await stage.invoke(graph, None, within)
        assert [question.value for question in asked["__interrupt__"]] == ["well?"]
        assert (await stage.invoke(graph, Command(resume="no")))["said"] == ["you said no"]

    play(scenario)


@in_three_ways
def test_history_is_told_by_metadata_before_a_checkpoint_and_to_a_limit(play: Play) -> None:
    async def scenario(stage: Stage) -> None:
        graph = stage.compile(talking())
        for said in ("a", "b", "c"):
            await stage.invoke(graph, {"said": [said]}, thread() | {"metadata": {"said": said, "odd": said != "b"}})
        everything = await stage.history(graph)
        only_b = await stage.history(graph, filter={"said": "b"})
        assert only_b
        assert {shown.metadata["said"] for shown in only_b} == {"b"}
        odd_ends = await stage.history(graph, filter={"odd": True, "step": everything[0].metadata["step"]})
        assert ids(odd_ends) == ids(everything)[:1]
        assert await stage.history(graph, filter={"said": "'; --"}) == []
        before = await stage.history(graph, before=everything[1].config, limit=2)
        assert ids(before) == ids(everything)[2:4]

    play(scenario)
