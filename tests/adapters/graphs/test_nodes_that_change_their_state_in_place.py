"""Nodes that change the very objects of their state: what was saved before stays as it was saved."""

from __future__ import annotations

import operator
from typing import Annotated, Any, TypedDict, cast

import pytest
from langgraph.graph import END, START, StateGraph

from tests.support.stage import Stage, in_three_ways

from .conftest import Play


class Shelf(TypedDict, total=False):
    step: int
    items: list[Any]
    index: dict[str, Any]
    added: Annotated[list[Any], operator.add]


def changing(change: Any, steps: int) -> StateGraph[Any, Any, Any, Any]:
    """A graph that lets `change` change its state, and hands the same objects back, so many times."""

    def node(state: Shelf) -> Shelf:
        change(state, state["step"])
        return {**state, "step": state["step"] + 1, "added": []}

    builder = StateGraph(Shelf).add_node("change", node).add_edge(START, "change")
    return builder.add_conditional_edges("change", lambda state: "change" if state["step"] < steps else END)


async def shelves(stage: Stage, graph: Any) -> list[tuple[Any, Any]]:
    """Return the items and the index that each checkpoint holds, first to last."""
    history = reversed(await stage.history(graph))
    return [(shown.values["items"], shown.values["index"]) for shown in history if "items" in shown.values]


def test_a_list_and_a_dict_that_grow_in_place_are_saved_at_each_size(play: Play) -> None:
    async def scenario(stage: Stage) -> None:
        def grow(state: Shelf, step: int) -> None:
            state["items"].append({"n": step})
            state["index"].setdefault("all", []).append(step)

        graph = stage.compile(changing(grow, 4))
        await stage.invoke(graph, {"step": 0, "items": [], "index": {}})
        sizes = [([{"n": n} for n in range(k)], {"all": list(range(k))} if k else {}) for k in range(5)]
        saved = await shelves(stage, graph)
        if stage.durability == "sync":
            assert saved == sizes
        # Beside the next step, an object may be saved as that step has made it; never as one before its own.
        assert saved[-1] == sizes[-1]
        assert all(items in [size for size, _ in sizes] for items, _ in saved)
        assert all(index in [size for _, size in sizes] for _, index in saved)
        assert [len(items) for items, _ in saved] == sorted(len(items) for items, _ in saved)

    play(scenario, in_place=True)


def test_things_deep_inside_that_change_shrink_and_swap_in_place_are_saved_as_they_were(play: Play) -> None:
    async def scenario(stage: Stage) -> None:
        def upset(state: Shelf, step: int) -> None:
            items, index = state["items"], state["index"]
            match step:
                case 0:
                    items[1]["deep"]["er"].append(3)
                case 1:
                    items.reverse()
                case 2:
                    del items[0], index["a"]
                case 3:
                    items[0] = True  # equal to the 1 that was there, and not the same
                    index["b"] = 1.0
                case 4:
                    items.clear()
                    index.clear()
                case 5:
                    items.append(index)  # one object in two places
                    index["again"] = ["x"]

        graph = stage.compile(changing(upset, 6))
        given: Shelf = {"step": 0, "items": [1, {"deep": {"er": [1, 2]}}], "index": {"a": [0], "b": 1}}
        await stage.invoke(graph, given)
        if stage.durability == "sync":
            assert [repr(shelf) for shelf in await shelves(stage, graph)] == [
                "([1, {'deep': {'er': [1, 2]}}], {'a': [0], 'b': 1})",
                "([1, {'deep': {'er': [1, 2, 3]}}], {'a': [0], 'b': 1})",
                "([{'deep': {'er': [1, 2, 3]}}, 1], {'a': [0], 'b': 1})",
                "([1], {'b': 1})",
                "([True], {'b': 1.0})",
                "([], {})",
                "([{'again': ['x']}], {'again': ['x']})",
            ]
        assert repr((await shelves(stage, graph))[-1]) == "([{'again': ['x']}], {'again': ['x']})"

    play(scenario, in_place=True)


@pytest.mark.parametrize("durability", ["sync", "exit"])  # beside the next step it is a race
def test_a_change_in_place_that_a_node_does_not_return_is_no_write(play: Play) -> None:
    async def scenario(stage: Stage) -> None:
        def secretly(state: Shelf) -> Shelf:
            state["items"].append("secret")
            return {"step": state["step"] + 1}

        builder = StateGraph(Shelf).add_node("secretly", secretly).add_edge(START, "secretly")
        graph = stage.compile(builder)
        await stage.invoke(graph, {"step": 0, "items": ["open"]})
        stage.reopen()
        values = (await stage.state(graph)).values
        # A run that saves once, at its end, has nothing else to save than what the list has become.
        assert values["items"] == (["open"] if stage.saves_every_step else ["open", "secret"])

    play(scenario)


@in_three_ways
def test_what_a_caller_does_to_a_state_it_has_read_changes_nothing_in_the_store(play: Play) -> None:
    async def scenario(stage: Stage) -> None:
        graph = stage.compile(changing(lambda state, step: state["items"].append(step), 2))
        result = await stage.invoke(graph, {"step": 0, "items": [], "index": {"a": [1]}})
        result["items"].append("after the run")
        result["index"]["a"].clear()

        read = await stage.call(graph, "get_state", stage.here())
        assert (read.values["items"], read.values["index"]) == ([0, 1], {"a": [1]})
        read.values["items"].append("after reading")
        read.values["index"]["a"].append("after reading")
        for saved in await stage.saved():
            saved.checkpoint["channel_values"].clear()
            saved.checkpoint["channel_versions"].clear()
            cast("dict[str, Any]", saved.metadata).clear()

        result = await stage.invoke(graph, {"step": 1})
        assert (result["items"], result["index"]) == ([0, 1, 1], {"a": [1]})
        stage.reopen()
        assert (await stage.state(graph)).values == {"step": 2, "items": [0, 1, 1], "index": {"a": [1]}, "added": []}

    play(scenario, in_place=True)


@in_three_ways
def test_an_input_that_its_owner_changes_after_the_run_stays_as_it_was_given(play: Play) -> None:
    async def scenario(stage: Stage) -> None:
        graph = stage.compile(changing(lambda state, step: None, 1))
        mine: list[Any] = [["mine"]]
        await stage.invoke(graph, {"step": 0, "items": mine, "index": {}})
        mine[0].append("changed")
        assert (await stage.state(graph)).values["items"] == [["mine"]]
        await stage.update(graph, {"items": mine})
        mine.clear()
        result = await stage.invoke(graph, {"step": 0})
        assert result["items"] == [["mine", "changed"]]

    play(scenario)
