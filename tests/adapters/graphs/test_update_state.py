"""States that are changed from outside a run: as the last node, as another one, in bulk, or with nothing new."""

from __future__ import annotations

import operator
from typing import Annotated, Any, TypedDict

import pytest
from langgraph.errors import InvalidUpdateError
from langgraph.graph import END, START, StateGraph
from langgraph.types import StateUpdate

from tests.support.stage import Stage, checkpoint_id, in_three_ways

from .conftest import Play


class Trip(TypedDict, total=False):
    mood: str
    path: Annotated[list[str], operator.add]


def fork_in_the_road(**options: Any) -> StateGraph[Any, Any, Any, Any]:
    """From `start` to `left` or `right`, whichever the mood says, then to `end`."""
    builder = StateGraph(Trip)
    for name in ("start", "left", "right", "end"):
        builder.add_node(name, lambda state, name=name: {"path": [name]})
    builder.add_edge(START, "start")
    builder.add_conditional_edges("start", lambda state: state["mood"], ["left", "right"])
    return builder.add_edge("left", "end").add_edge("right", "end").add_edge("end", END)


def test_an_update_after_a_run_counts_as_written_by_the_last_node(play: Play) -> None:
    async def scenario(stage: Stage) -> None:
        graph = stage.compile(fork_in_the_road())
        await stage.invoke(graph, {"mood": "left"})
        made = await stage.update(graph, {"path": ["by hand"]})
        shown = await stage.state(graph)
        assert shown.values == {"mood": "left", "path": ["start", "left", "end", "by hand"]}
        assert (shown.next, shown.metadata["source"]) == ((), "update")
        assert checkpoint_id(shown.config) == checkpoint_id(made)
        assert (await stage.state(graph, made)).values == shown.values

    play(scenario)


def test_an_update_as_another_node_sends_the_run_along_that_nodes_edges(play: Play) -> None:
    async def scenario(stage: Stage) -> None:
        graph = stage.compile(fork_in_the_road())
        await stage.invoke(graph, {"mood": "left"})
        await stage.update(graph, {"mood": "right", "path": ["turned back"]}, as_node="start")
        stage.reopen()
        assert (await stage.state(graph)).next == ("right",)
        result = await stage.invoke(graph, None)
        assert result["path"] == ["start", "left", "end", "turned back", "right", "end"]

    play(scenario)


@in_three_ways
def test_an_update_begins_a_thread_that_never_ran(play: Play) -> None:
    async def scenario(stage: Stage) -> None:
        graph = stage.compile(fork_in_the_road())
        await stage.update(graph, {"mood": "right", "path": ["given"]}, as_node="start")
        stage.reopen()
        assert await stage.invoke(graph, None) == {"mood": "right", "path": ["given", "right", "end"]}

    play(scenario)


@in_three_ways
def test_an_update_at_a_stop_replaces_what_the_waiting_node_would_have_done(play: Play) -> None:
    async def scenario(stage: Stage) -> None:
        graph = stage.compile(fork_in_the_road(), interrupt_before=["left"])
        await stage.invoke(graph, {"mood": "left"})
        await stage.update(graph, {"path": ["instead of left"]}, as_node="left")
        assert (await stage.state(graph)).next == ("end",)
        assert (await stage.invoke(graph, None))["path"] == ["start", "instead of left", "end"]

    play(scenario)


@in_three_ways
def test_an_update_of_an_earlier_checkpoint_makes_a_branch_and_leaves_the_old_one_as_it_was(play: Play) -> None:
    async def scenario(stage: Stage) -> None:
        graph = stage.compile(fork_in_the_road())
        for mood in ("left", "right"):
            await stage.invoke(graph, {"mood": mood})
        ends = [shown for shown in await stage.history(graph) if not shown.next]
        first, last = ends[-1], ends[0]
        branch = await stage.update(graph, {"mood": "right"}, first.config, as_node="start")
        result = await stage.invoke(graph, None, branch)
        assert result["path"] == ["start", "left", "end", "right", "end"]
        assert (await stage.state(graph)).values == result
        assert (await stage.state(graph, last.config)).values == last.values

    play(scenario)


@in_three_ways
def test_updates_in_bulk_leave_a_checkpoint_for_each_step(play: Play) -> None:
    async def scenario(stage: Stage) -> None:
        graph = stage.compile(fork_in_the_road())
        steps = [
            [StateUpdate({"mood": "left", "path": ["s"]}, "start")],
            [StateUpdate({"path": ["l"]}, "left"), StateUpdate({"path": ["r"]}, "right")],
        ]
        await stage.call(graph, "bulk_update_state", stage.here(), steps)
        shown = await stage.state(graph)
        assert (shown.values, shown.next) == ({"mood": "left", "path": ["s", "l", "r"]}, ("end",))
        assert len(await stage.history(graph)) == 2
        assert (await stage.invoke(graph, None))["path"] == ["s", "l", "r", "end"]

    play(scenario)


@in_three_ways
def test_an_update_as_the_end_leaves_nothing_to_do(play: Play) -> None:
    async def scenario(stage: Stage) -> None:
        graph = stage.compile(fork_in_the_road(), interrupt_before=["end"])
        await stage.invoke(graph, {"mood": "left"})
        assert (await stage.state(graph)).next == ("end",)
        await stage.update(graph, None, as_node=END)
        assert (await stage.state(graph)).next == ()

    play(scenario)


@in_three_ways
def test_a_checkpoint_is_copied_with_its_waiting_node(play: Play) -> None:
    async def scenario(stage: Stage) -> None:
        graph = stage.compile(fork_in_the_road(), interrupt_before=["left"])
        await stage.invoke(graph, {"mood": "left"})
        paused = await stage.state(graph)
        copied = await stage.update(graph, None, as_node="__copy__")
        shown = await stage.state(graph)
        assert checkpoint_id(copied) == checkpoint_id(shown.config) != checkpoint_id(paused.config)
        assert (shown.values, shown.next, shown.metadata["source"]) == (paused.values, ("left",), "fork")
        assert (await stage.invoke(graph, None))["path"] == ["start", "left", "end"]

    play(scenario)


@in_three_ways
def test_an_update_that_the_graph_refuses_stores_nothing(play: Play) -> None:
    async def scenario(stage: Stage) -> None:
        graph = stage.compile(fork_in_the_road())
        await stage.invoke(graph, {"mood": "left"})
        before = await stage.saved()
        with pytest.raises(InvalidUpdateError):
            await stage.update(graph, {"mood": "right"}, as_node="nowhere")
        assert [saved.config for saved in await stage.saved()] == [saved.config for saved in before]

    play(scenario)
