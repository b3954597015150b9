"""Channels that LangGraph saves as their writes: a `DeltaChannel` is rebuilt from writes and rare snapshots."""

from __future__ import annotations

from typing import Any

import pytest
from langgraph.checkpoint.base import BaseCheckpointSaver
from langgraph.graph import START, StateGraph
from langgraph.types import Command, Overwrite, Send, interrupt

from tests.support.delta_channels import state_of, writing
from tests.support.observation import assert_same, plain
from tests.support.stage import Stage, checkpoint_id, in_three_ways, thread

from .conftest import Play

SELDOM = 50
"""A snapshot frequency that no test here reaches."""


def sending(frequency: int) -> StateGraph[Any, Any, Any, Any]:
    """A graph whose workers write one delta channel at the same time."""
    builder = StateGraph(state_of(frequency))
    builder.add_node("worker", lambda packet: {"log": [packet["name"]], "files": {"last": packet["name"]}})
    builder.add_node("end", lambda state: {"log": ["end"]})
    builder.add_conditional_edges(START, lambda state: [Send("worker", {"name": n}) for n in "dbca"], ["worker"])
    return builder.add_edge("worker", "end")


async def histories_agree(stage: Stage) -> None:
    """The saver's own walk along the writes finds what LangGraph's default walk finds, at every checkpoint."""
    default = BaseCheckpointSaver.get_delta_channel_history
    if stage.flavour == "async":
        default = BaseCheckpointSaver.aget_delta_channel_history  # type: ignore[assignment]
    for saved in await stage.saved():
        asked: dict[str, Any] = {"config": saved.config, "channels": ["log", "files", "nothing"]}
        own = await stage.call(stage.saver, "get_delta_channel_history", **asked)
        walked: Any = default(stage.saver, **asked)
        if stage.flavour == "async":
            walked = await walked
        assert_same(plain(own), plain(walked))
        assert own["nothing"] == {"writes": []}


@pytest.mark.parametrize("frequency", [3, SELDOM])
def test_every_state_of_a_long_run_is_rebuilt_whether_or_not_it_has_a_snapshot(play: Play, frequency: int) -> None:
    async def scenario(stage: Stage) -> None:
        graph = stage.compile(writing(frequency))
        await stage.invoke(graph, {"log": ["in"]})
        result = await stage.invoke(graph, {"log": ["again"], "step": 4})
        log = ["in", *(f"s{n}" for n in range(7)), "again", *(f"s{n}" for n in range(4, 7))]
        assert (result["log"], result["files"]) == (log, {"f5": 5})
        stage.reopen()
        for shown in await stage.history(graph):
            held = shown.values.get("log", [])
            assert held == log[: len(held)]
        await histories_agree(stage)

    play(scenario)


@pytest.mark.parametrize("frequency", [3, SELDOM])
def test_a_branch_replays_none_of_the_writes_of_the_branch_it_left(play: Play, frequency: int) -> None:
    async def scenario(stage: Stage) -> None:
        graph = stage.compile(writing(frequency, steps=2))

        async def say(said: str, after: Any = None) -> Any:
            result = await stage.invoke(graph, {"log": [said], "step": 0}, after)
            shown = await stage.state(graph)
            assert shown.values == result
            return shown.config

        root = await say("root")
        left, right = await say("left", root), await say("right", root)
        far_left, far_right = await say("far left", left), await say("far right", right)
        third = await say("third", root)
        stage.reopen()
        expected = {"far left": far_left, "far right": far_right, "third": third}
        for name, config in expected.items():
            said = [s for s in (await stage.state(graph, config)).values["log"] if not s.startswith("s")]
            assert said == (["root", name.split()[1], name] if " " in name else ["root", name])
        await histories_agree(stage)

    play(scenario)


@in_three_ways
def test_a_run_repeated_from_the_middle_writes_its_own_steps_only(play: Play) -> None:
    async def scenario(stage: Stage) -> None:
        graph = stage.compile(writing(SELDOM, steps=4))
        first = await stage.invoke(graph, {"log": ["in"]})
        history = await stage.history(graph)
        for shown in history[1:]:
            if shown.next == ("write",):
                assert await stage.invoke(graph, None, shown.config) == first
        updated = await stage.update(graph, {"log": ["by hand"], "step": 3}, history[0].config, as_node="write")
        result = await stage.invoke(graph, None, updated)
        assert result["log"] == [*first["log"], "by hand", "s3"]
        await histories_agree(stage)

    play(scenario)


@in_three_ways
@pytest.mark.parametrize("frequency", [1, SELDOM])
def test_writes_of_parallel_workers_are_replayed_in_the_order_they_were_applied(play: Play, frequency: int) -> None:
    async def scenario(stage: Stage) -> None:
        graph = stage.compile(sending(frequency))
        await stage.invoke(graph, {"log": ["in"]})
        result = await stage.invoke(graph, {"log": ["more"]})
        assert result == {"log": ["in", *"dbca", "end", "more", *"dbca", "end"], "files": {"last": "a"}}
        stage.reopen()
        assert (await stage.state(graph)).values == result
        await histories_agree(stage)

    play(scenario)


@in_three_ways
def test_an_overwrite_forgets_what_was_written_before_it_on_its_own_branch(play: Play) -> None:
    async def scenario(stage: Stage) -> None:
        graph = stage.compile(writing(SELDOM, steps=2))
        await stage.invoke(graph, {"log": ["in"]})
        before = await stage.state(graph)
        await stage.update(graph, {"log": Overwrite(["fresh"])}, as_node="write")
        result = await stage.invoke(graph, {"log": ["x"], "step": 1})
        assert result["log"] == ["fresh", "x", "s1"]
        stage.reopen()
        assert (await stage.state(graph, before.config)).values == before.values
        assert (await stage.state(graph)).values["log"] == ["fresh", "x", "s1"]
        await histories_agree(stage)

    play(scenario)


@pytest.mark.parametrize(("frequency", "remembers"), [(2, None), (SELDOM, True)])
def test_delta_channels_of_a_parent_and_its_subgraph_are_kept_apart(
    play: Play, frequency: int, remembers: bool | None
) -> None:
    async def scenario(stage: Stage) -> None:
        def ask(state: Any) -> Any:
            return {"log": [interrupt("well?")], "files": {"answered": len(state["log"])}}

        inner = StateGraph(state_of(frequency))
        steps: list[Any] = [("look", lambda state: {"log": ["looked"]}), ("ask", ask)]
        inner.add_sequence(steps).add_edge(START, "look")
        inner_graph = inner.compile(checkpointer=remembers)
        outer = StateGraph(state_of(frequency))
        steps = [("begin", lambda state: {"log": ["begun"]}), ("inner", inner_graph)]
        graph = stage.compile(outer.add_sequence(steps).add_edge(START, "begin"))
        for answer in ("one", "two"):
            await stage.invoke(graph, {"log": [f"ask {answer}"]})
            stage.reopen()
            paused = await stage.state(graph)
            assert paused.values["log"][-1] == "begun"
            assert paused.tasks[0].state.values["log"][-1] == "looked"
            result = await stage.invoke(graph, Command(resume=answer))
        assert result["log"][-2:] == ["looked", "two"]
        if remembers is None:
            round_one = ["ask one", "begun"]
            round_one += [*round_one, "looked", "one"]
            round_two = [*round_one, "ask two", "begun"]
            assert result["log"] == [*round_two, *round_two, "looked", "two"]
        await histories_agree(stage)

    play(scenario)


@in_three_ways
def test_a_run_paused_at_a_question_keeps_the_writes_of_the_branch_that_finished(play: Play) -> None:
    async def scenario(stage: Stage) -> None:
        builder = StateGraph(state_of(SELDOM))
        builder.add_node("ask", lambda state: {"log": [interrupt("well?")]})
        builder.add_node("work", lambda state: {"log": ["work"]})
        builder.add_node("end", lambda state: {"log": ["end"]})
        builder.add_edge(START, "ask").add_edge(START, "work").add_edge(["ask", "work"], "end")
        graph = stage.compile(builder)
        await stage.invoke(graph, {"log": ["in"]})
        paused = await stage.state(graph)
        stage.reopen()
        assert (await stage.invoke(graph, Command(resume="yes")))["log"] == ["in", "yes", "work", "end"]

        await stage.invoke(graph, None, thread(checkpoint_id=checkpoint_id(paused.config)))
        assert (await stage.invoke(graph, Command(resume="no")))["log"] == ["in", "no", "work", "end"]
        await histories_agree(stage)

    play(scenario, in_place=True)
