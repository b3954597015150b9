"""Runs that stop to ask: one question or several at once, answered together or one by one, or a fixed stop."""

from __future__ import annotations

import operator
from typing import Annotated, Any, TypedDict

import pytest
from langgraph.graph import END, START, StateGraph
from langgraph.types import Command, Send, interrupt

from tests.support.stage import Stage, in_three_ways

from .conftest import Play


class Answers(TypedDict, total=False):
    topic: str
    answers: Annotated[list[str], operator.add]


def ask(state: Answers) -> Answers:
    """A node that asks about its topic."""
    return {"answers": [f"{state['topic']}: {interrupt({'about': state['topic']})}"]}


def gather(state: Answers) -> Answers:
    """A node that says how many answers there are."""
    return {"answers": [f"{len(state['answers'])} answers"]}


def asking_about(*topics: str) -> StateGraph[Any, Any, Any, Any]:
    """A graph that asks about all topics at once."""
    builder = StateGraph(Answers).add_node("ask", ask).add_node("gather", gather)
    builder.add_conditional_edges(START, lambda state: [Send("ask", {"topic": topic}) for topic in topics], ["ask"])
    return builder.add_edge("ask", "gather").add_edge("gather", END)


@in_three_ways
def test_a_question_waits_in_the_store_until_it_is_answered(play: Play) -> None:
    async def scenario(stage: Stage) -> None:
        graph = stage.compile(asking_about("tea"))
        paused = await stage.invoke(graph, {})
        assert [asked.value for asked in paused["__interrupt__"]] == [{"about": "tea"}]
        stage.reopen()
        waiting = await stage.state(graph)
        assert (waiting.next, [asked.value for asked in waiting.interrupts]) == (("ask",), [{"about": "tea"}])
        assert await stage.invoke(graph, Command(resume="green")) == {"answers": ["tea: green", "1 answers"]}
        assert (await stage.state(graph)).interrupts == ()

    play(scenario)


def test_several_questions_are_answered_one_by_one_in_any_order(play: Play) -> None:
    async def scenario(stage: Stage) -> None:
        graph = stage.compile(asking_about("tea", "cake", "hour"))
        await stage.invoke(graph, {})
        answers = {"hour": "four", "tea": "green", "cake": "plain"}
        left = ["tea", "cake", "hour"]
        for topic, answer in answers.items():
            stage.reopen()
            waiting = (await stage.state(graph)).interrupts
            assert [asked.value["about"] for asked in waiting] == left
            asked = next(asked for asked in waiting if asked.value["about"] == topic)
            result = await stage.invoke(graph, Command(resume={asked.id: answer}))
            left.remove(topic)
        assert result["answers"] == ["tea: green", "cake: plain", "hour: four", "3 answers"]

    play(scenario)


@in_three_ways
def test_several_questions_are_answered_together(play: Play) -> None:
    async def scenario(stage: Stage) -> None:
        graph = stage.compile(asking_about("tea", "cake"))
        paused = await stage.invoke(graph, {})
        together = {asked.id: asked.value["about"].upper() for asked in paused["__interrupt__"]}
        result = await stage.invoke(graph, Command(resume=together))
        assert result["answers"] == ["tea: TEA", "cake: CAKE", "2 answers"]

    play(scenario)


@in_three_ways
def test_an_answer_without_a_name_is_refused_while_two_questions_wait_and_changes_nothing(play: Play) -> None:
    async def scenario(stage: Stage) -> None:
        graph = stage.compile(asking_about("tea", "cake"))
        await stage.invoke(graph, {})
        before = await stage.saved()
        with pytest.raises(RuntimeError, match="interrupt id"):
            await stage.invoke(graph, Command(resume="which?"))
        assert [saved.pending_writes for saved in await stage.saved()] == [saved.pending_writes for saved in before]

    play(scenario)


@in_three_ways
def test_a_node_that_asks_three_times_gets_its_earlier_answers_again(play: Play) -> None:
    async def scenario(stage: Stage) -> None:
        def thrice(state: Answers) -> Answers:
            return {"answers": [interrupt(n) for n in range(3)]}

        graph = stage.compile(StateGraph(Answers).add_node("thrice", thrice).add_edge(START, "thrice"))
        paused = await stage.invoke(graph, {"answers": []})
        for n, answer in enumerate(["zero", False, ["two", 2]]):
            assert [asked.value for asked in paused["__interrupt__"]] == [n]
            stage.reopen()
            paused = await stage.invoke(graph, Command(resume=answer))
        assert paused == {"answers": ["zero", False, ["two", 2]]}

    play(scenario)


@in_three_ways
def test_a_branch_that_finished_beside_a_question_is_not_run_again(play: Play) -> None:
    async def scenario(stage: Stage) -> None:
        ran: list[str] = []

        def work(state: Answers) -> Answers:
            ran.append("work")
            return {"answers": ["work"]}

        builder = StateGraph(Answers).add_node("ask", ask).add_node("work", work).add_node("gather", gather)
        builder.add_edge(START, "ask").add_edge(START, "work").add_edge(["ask", "work"], "gather")
        graph = stage.compile(builder)
        await stage.invoke(graph, {"topic": "tea"})
        stage.reopen()
        result = await stage.invoke(graph, Command(resume="black"))
        assert result["answers"] == ["tea: black", "work", "2 answers"]
        assert ran == ["work"]

    play(scenario, in_place=True)


@in_three_ways
def test_a_run_that_stops_before_and_after_given_nodes_goes_on_when_it_is_called_with_nothing(play: Play) -> None:
    async def scenario(stage: Stage) -> None:
        builder = StateGraph(Answers)
        for name in "abc":
            builder.add_node(name, lambda state, name=name: {"answers": [name]})
        builder.add_edge(START, "a").add_edge("a", "b").add_edge("b", "c")
        graph = stage.compile(builder, interrupt_before=["b"], interrupt_after=["b"])
        assert await stage.invoke(graph, {"answers": []}) == {"answers": ["a"]}
        stage.reopen()
        assert await stage.invoke(graph, None) == {"answers": ["a", "b"]}
        assert (await stage.state(graph)).next == ("c",)
        stage.reopen()
        assert await stage.invoke(graph, None) == {"answers": ["a", "b", "c"]}

    play(scenario)


@in_three_ways
def test_an_answer_may_come_with_an_update_and_another_way_to_go(play: Play) -> None:
    async def scenario(stage: Stage) -> None:
        graph = stage.compile(asking_about("tea"))
        await stage.invoke(graph, {})
        result = await stage.invoke(graph, Command(resume="none", update={"answers": ["by the way"]}))
        assert result["answers"] == ["by the way", "tea: none", "2 answers"]

    play(scenario)


@in_three_ways
def test_a_new_input_leaves_an_open_question_behind(play: Play) -> None:
    async def scenario(stage: Stage) -> None:
        graph = stage.compile(asking_about("tea"))
        await stage.invoke(graph, {"answers": ["one"]})
        await stage.invoke(graph, {"answers": ["two"]})
        waiting = await stage.state(graph)
        assert (waiting.values["answers"], len(waiting.interrupts)) == (["one", "two"], 1)
        assert (await stage.invoke(graph, Command(resume="milk")))["answers"] == [
            "one",
            "two",
            "tea: milk",
            "3 answers",
        ]

    play(scenario)
