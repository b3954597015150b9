"""Streams of a run while its checkpoints are saved: what they show, and what the store shows meanwhile."""

from __future__ import annotations

import operator
from contextlib import aclosing
from typing import Annotated, Any, TypedDict

import pytest
from langgraph.graph import START, StateGraph
from langgraph.types import Command, interrupt

from tests.support.observation import plain
from tests.support.stage import Stage, checkpoint_id, in_three_ways

from .conftest import Play


class Log(TypedDict):
    log: Annotated[list[str], operator.add]


def line_with_a_subgraph() -> StateGraph[Any, Any, Any, Any]:
    """Four steps, the third of which is a subgraph of two that asks in between."""

    def say(name: str) -> Any:
        return lambda state: {"log": [name]}

    def ask(state: Log) -> Log:
        return {"log": [interrupt("go on?")]}

    inner = StateGraph(Log).add_sequence([("c", say("c")), ("d", ask)]).add_edge(START, "c").compile()
    return StateGraph(Log).add_sequence([("a", say("a")), ("b", say("b")), ("inner", inner)]).add_edge(START, "a")


@in_three_ways
@pytest.mark.parametrize("modes", ["values", "updates", "checkpoints", "debug", "tasks"])
def test_a_stream_shows_each_step_and_nothing_depends_on_the_saver(play: Play, modes: str) -> None:
    async def scenario(stage: Stage) -> None:
        graph = stage.compile(line_with_a_subgraph())
        inputs: list[Any] = [{"log": []}, Command(resume="on")]
        for given in inputs:
            chunks = [plain(chunk) async for chunk in stage.stream(graph, given, stream_mode=modes, subgraphs=True)]
            assert chunks
            stage.record("streamed", chunks)
        assert (await stage.state(graph)).values == {"log": ["a", "b", "a", "b", "c", "on"]}

    play(scenario)


@in_three_ways
def test_several_modes_at_once_tell_one_story(play: Play) -> None:
    async def scenario(stage: Stage) -> None:
        graph = stage.compile(line_with_a_subgraph())
        told: dict[str, list[Any]] = {"values": [], "updates": [], "checkpoints": []}
        async for mode, chunk in stage.stream(graph, {"log": []}, stream_mode=list(told)):
            told[mode].append(chunk)
        assert [values["log"] for values in told["values"][:3]] == [[], ["a"], ["a", "b"]]
        assert [next(iter(update)) for update in told["updates"]] == ["a", "b", "__interrupt__"]
        assert [saved["values"].get("log") for saved in told["checkpoints"]] == [[], [], ["a"], ["a", "b"]]
        stage.record("told", told)

    play(scenario)


@in_three_ways
def test_what_a_stream_shows_as_a_checkpoint_is_soon_a_checkpoint_of_the_store(play: Play) -> None:
    async def scenario(stage: Stage) -> None:
        graph = stage.compile(line_with_a_subgraph())
        streamed = [chunk async for chunk in stage.stream(graph, {"log": []}, stream_mode="checkpoints")]
        saved = {checkpoint_id(shown.config): shown for shown in await stage.history(graph)}
        kept = [chunk for chunk in streamed if checkpoint_id(chunk["config"]) in saved]
        assert len(kept) == (len(streamed) if stage.saves_every_step else 1)
        for chunk in kept:
            shown = saved[checkpoint_id(chunk["config"])]
            assert plain(chunk["metadata"]) == plain(shown.metadata)
            assert list(shown.next) == chunk["next"]

    play(scenario)


def test_the_store_can_be_read_while_a_stream_is_open_and_shows_a_state_that_the_run_was_in(play: Play) -> None:
    async def scenario(stage: Stage) -> None:
        graph = stage.compile(line_with_a_subgraph())
        await stage.invoke(graph, {"log": ["before"]})
        await stage.invoke(graph, Command(resume="on"))
        steps = (await stage.state(graph)).values["log"]
        for name in ("x", "a", "b"):
            steps = [*steps, name]
        told = 0
        async for values in stage.stream(graph, {"log": ["x"]}, stream_mode="values"):
            read = await stage.call(graph, "get_state", stage.here())
            listed = await stage.history(graph, limit=1)
            assert read.values["log"] == steps[: len(read.values["log"])], "a state that the run went through"
            assert listed[0].values["log"] == steps[: len(listed[0].values["log"])]
            if stage.durability == "sync":
                assert len(read.values["log"]) >= len(values["log"]) - 1, "no more than one step behind"
            told += 1
        assert told

    play(scenario)


@in_three_ways
def test_a_stream_that_is_closed_early_leaves_a_thread_that_goes_on_without_repeating_itself(play: Play) -> None:
    async def scenario(stage: Stage) -> None:
        ran: list[str] = []

        def say(name: str) -> Any:
            def node(state: Log) -> Log:
                ran.append(name)
                return {"log": [name]}

            return node

        builder = StateGraph(Log).add_sequence([(name, say(name)) for name in "abc"]).add_edge(START, "a")
        graph = stage.compile(builder)
        async with aclosing(stage.stream(graph, {"log": []}, stream_mode="updates")) as chunks:
            async for chunk in chunks:
                if "b" in chunk:
                    break
        stage.reopen()
        assert await stage.invoke(graph, None) == {"log": ["a", "b", "c"]}
        assert ran == ["a", "b", "c"]

    play(scenario)
