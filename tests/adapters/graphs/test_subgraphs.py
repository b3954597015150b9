"""Graphs within graphs: nested, parallel, called from a node, and with a memory of their own."""

from __future__ import annotations

from typing import Any

import pytest
from langgraph.graph import START, StateGraph
from langgraph.types import Command, Send, interrupt

from tests.support.nested import Notebook, Nothing, Path, remembering, sequence
from tests.support.stage import Stage, checkpoint_id, in_three_ways, thread

from .conftest import Play


def step(name: str) -> Any:
    """A node that writes its name."""

    def node(state: Path) -> Path:
        return {"path": [name]}

    return node


def ask(name: str) -> Any:
    """A node that asks a question and writes the answer."""

    def node(state: Path) -> Path:
        return {"path": [f"{name}={interrupt(f'{name}?')}"]}

    return node


def three_levels() -> StateGraph[Any, Any, Any, Any]:
    """A graph in a graph in a graph; the innermost asks a question between two steps."""
    inner = sequence(("before", step("before")), ("ask", ask("inner")), ("after", step("after"))).compile()
    middle = sequence(("enter", step("enter")), ("inner", inner), ("leave", step("leave"))).compile()
    return sequence(("begin", step("begin")), ("middle", middle), ("end", step("end")))


@in_three_ways
def test_a_nested_subgraph_writes_through_to_its_parent(play: Play) -> None:
    async def scenario(stage: Stage) -> None:
        leaf = sequence(("x", step("x")), ("y", step("y"))).compile()
        graph = stage.compile(sequence(("a", step("a")), ("leaf", leaf), ("b", step("b"))))
        # `path` adds up, and a subgraph hands back its whole state, what it was given included.
        assert await stage.invoke(graph, {"path": []}) == {"path": ["a", "a", "x", "y", "b"]}
        if stage.saves_every_step:
            spaces = {saved.config["configurable"]["checkpoint_ns"].split(":")[0] for saved in await stage.saved()}
            assert spaces == {"", "leaf"}

    play(scenario)


def test_a_question_three_levels_deep_stops_all_levels_and_its_answer_moves_them_on(play: Play) -> None:
    async def scenario(stage: Stage) -> None:
        graph = stage.compile(three_levels())
        await stage.invoke(graph, {"path": []})
        outer = await stage.state(graph)
        middle = outer.tasks[0].state
        inner = middle.tasks[0].state
        assert [level.next for level in (outer, middle, inner)] == [("middle",), ("inner",), ("ask",)]
        assert inner.values == {"path": ["begin", "enter", "before"]}
        assert [asked.value for asked in outer.interrupts] == ["inner?"]

        stage.reopen()
        result = await stage.invoke(graph, Command(resume="yes"))
        inner_path = ["begin", "enter", "before", "inner=yes", "after"]
        assert result["path"] == ["begin", "begin", "enter", *inner_path, "leave", "end"]

    play(scenario)


@in_three_ways
def test_the_states_of_a_subgraph_can_be_listed_read_and_changed_by_its_namespace(play: Play) -> None:
    async def scenario(stage: Stage) -> None:
        inner = sequence(("first", step("first")), ("ask", ask("inner"))).compile()
        graph = stage.compile(sequence(("inner", inner), ("end", step("end"))))
        await stage.invoke(graph, {"path": []})
        paused = (await stage.state(graph)).tasks[0].state
        within = thread(checkpoint_ns=paused.config["configurable"]["checkpoint_ns"])
        listed = [shown.values for shown in await stage.history(graph, within)]
        assert listed[0] == {"path": ["first"]}
        assert listed[1:] == ([{"path": []}, {"path": []}] if stage.saves_every_step else [])
        changed = await stage.update(graph, {"path": ["changed"]}, within, as_node="first")
        assert changed["configurable"]["checkpoint_ns"].startswith("inner:")
        assert (await stage.invoke(graph, Command(resume="ok")))["path"] == ["first", "changed", "inner=ok", "end"]

    play(scenario)


def test_parallel_copies_of_a_subgraph_each_keep_their_own_place(play: Play) -> None:
    async def scenario(stage: Stage) -> None:
        worker = StateGraph(Path).add_sequence([("one", step("one")), ("two", ask("two"))]).add_edge(START, "one")
        builder = StateGraph(Path).add_node("worker", worker.compile())
        builder.add_conditional_edges(
            START, lambda state: [Send("worker", {"path": [name]}) for name in "abc"], ["worker"]
        )
        graph = stage.compile(builder)
        await stage.invoke(graph, {"path": []})
        paused = await stage.state(graph)
        places = [task.state.values["path"] for task in paused.tasks]
        assert places == [["a", "one"], ["b", "one"], ["c", "one"]]
        answers = {asked.id: str(n) for n, asked in enumerate(paused.interrupts)}
        result = await stage.invoke(graph, Command(resume=answers))
        assert result["path"] == ["a", "one", "two=0", "b", "one", "two=1", "c", "one", "two=2"]

    play(scenario)


@in_three_ways
def test_a_subgraph_called_from_a_node_twice_is_saved_under_two_names(play: Play) -> None:
    async def scenario(stage: Stage) -> None:
        leaf = sequence(("x", step("x"))).compile()

        def twice(state: Path) -> Path:
            once = leaf.invoke({"path": []})
            return {"path": leaf.invoke({"path": [*once["path"], "again"]})["path"]}

        graph = stage.compile(sequence(("twice", twice), ("end", step("end"))))
        assert (await stage.invoke(graph, {"path": []}))["path"] == ["x", "again", "x", "end"]

    play(scenario)


def test_a_subgraph_with_a_checkpointer_of_its_own_remembers_earlier_runs_of_the_thread(play: Play) -> None:
    async def scenario(stage: Stage) -> None:
        graph = stage.compile(remembering(checkpointer=True))
        await stage.invoke(graph, {"path": []})
        stage.reopen()
        result = await stage.invoke(graph, {"path": []})
        assert result["path"][-1] == "visit 1,visit 2"
        elsewhere = await stage.invoke(graph, {"path": []}, thread("elsewhere"))
        assert elsewhere["path"] == ["visit 1"]

    play(scenario)


@in_three_ways
def test_a_subgraph_without_a_checkpointer_of_its_own_begins_anew_in_each_run(play: Play) -> None:
    async def scenario(stage: Stage) -> None:
        graph = stage.compile(remembering(checkpointer=None))
        await stage.invoke(graph, {"path": []})
        assert (await stage.invoke(graph, {"path": []}))["path"] == ["visit 1", "visit 1"]

    play(scenario)


@pytest.mark.parametrize("durability", ["async", "exit"])  # LangGraph cannot run one with "sync"
def test_a_subgraph_that_is_not_to_be_saved_leaves_no_checkpoint(play: Play) -> None:
    async def scenario(stage: Stage) -> None:
        graph = stage.compile(remembering(checkpointer=False))
        await stage.invoke(graph, {"path": []})
        assert {saved.config["configurable"]["checkpoint_ns"] for saved in await stage.saved()} == {""}

    play(scenario)


@in_three_ways
def test_a_remembering_subgraph_that_asks_keeps_its_notes_over_the_pause(play: Play) -> None:
    async def scenario(stage: Stage) -> None:
        def note(state: Notebook) -> Notebook:
            return {"notes": [interrupt(f"note {len(state.get('notes', []))}?")]}

        def report(state: Notebook) -> Notebook:
            return {"path": [",".join(state["notes"])]}

        taker = sequence(("note", note), ("report", report), schema=Notebook).compile(checkpointer=True)
        outer = StateGraph(Path).add_node("taker", taker, input_schema=Nothing)
        graph = stage.compile(outer.add_edge(START, "taker"))
        for said in ("red", "green"):
            await stage.invoke(graph, {"path": []})
            stage.reopen()
            result = await stage.invoke(graph, Command(resume=said))
        assert result["path"][-1] == "red,green"

    play(scenario)


@in_three_ways
def test_each_state_of_a_parent_shows_the_subgraph_as_it_was_then(play: Play) -> None:
    async def scenario(stage: Stage) -> None:
        graph = stage.compile(three_levels())
        await stage.invoke(graph, {"path": []})
        paused = await stage.state(graph)
        await stage.invoke(graph, Command(resume="go"))
        again = await stage.state(graph, thread(checkpoint_id=checkpoint_id(paused.config)))
        assert again.values == {"path": ["begin"]}
        assert again.tasks[0].name == "middle"

    play(scenario)
