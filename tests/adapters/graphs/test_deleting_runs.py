"""Deleting what some runs saved: it is gone from every thread, and what other runs saved is whole, and goes on."""

from __future__ import annotations

from typing import Any

from langgraph.pregel import Pregel

from tests.support.observation import assert_same, exactly
from tests.support.stage import Stage, in_three_ways, thread
from tests.support.stories import OFTEN, SELDOM, Plain, counting

pytestmark = in_three_ways

KINDS = {"plain": Plain, "snapshots seldom": SELDOM, "snapshots often": OFTEN}
"""A thread's name, and the kind of state it has."""


async def run(stage: Stage, graph: Pregel, name: str, on: str = "main") -> Any:
    """A run of that name, which counts from 4 to 5."""
    config = thread(on) | {"metadata": {"run_id": f"{stage.prefix}{name}"}}
    return await stage.invoke(graph, {"log": [name], "step": 4}, config)


async def delete(stage: Stage, *names: str) -> None:
    """Delete what the runs of these names saved."""
    await stage.call(stage.saver, "delete_for_runs", [f"{stage.prefix}{name}" for name in names])


def test_later_runs_keep_their_state_with_what_deleted_runs_had_written_into_it(stage: Stage) -> None:
    async def scenario(stage: Stage) -> None:
        for name, kind in KINDS.items():
            graph = stage.compile(counting(kind)())
            for run_name in ("one", "two", "three"):
                result = await run(stage, graph, run_name, name)
            kept = [saved for saved in await stage.saved(thread(name)) if is_of(saved, "three")]
            await delete(stage, "one", "two")
            stage.reopen()
            left = await stage.saved(thread(name))
            assert {saved.metadata["run_id"].removeprefix(stage.prefix) for saved in left} == {"three"}
            assert_same(without_parent(left), without_parent(kept))
            assert (await stage.state(graph, thread(name))).values == result
            assert (await run(stage, graph, "four", name))["log"] == [*result["log"], "four", "4"]

    stage.perform(scenario)


def test_a_thread_whose_last_run_is_deleted_stands_where_the_run_before_it_ended(stage: Stage) -> None:
    async def scenario(stage: Stage) -> None:
        for name, kind in KINDS.items():
            graph = stage.compile(counting(kind)())
            before = await run(stage, graph, "one", name)
            await run(stage, graph, "two", name)
            await delete(stage, "two", "never was")
            assert (await stage.state(graph, thread(name))).values == before
            assert (await run(stage, graph, "again", name))["log"] == [*before["log"], "again", "4"]

    stage.perform(scenario)


def test_threads_without_such_a_run_stay_as_they_were(stage: Stage) -> None:
    async def scenario(stage: Stage) -> None:
        graph = stage.compile(counting(SELDOM)())
        await run(stage, graph, "one", "a")
        await run(stage, graph, "two", "b")
        before = exactly(await stage.saved(thread("b")))
        await delete(stage, "one")
        assert_same(exactly(await stage.saved(thread("b"))), before)
        assert await stage.saved(thread("a")) == []

    stage.perform(scenario)


def is_of(saved: Any, name: str) -> bool:
    """Return whether a run of that name saved a checkpoint."""
    return bool(saved.metadata["run_id"].endswith(f"/{name}"))


def without_parent(saved: Any) -> list[Any]:
    """Checkpoints to the byte, but for what came before them."""
    return exactly([each._replace(parent_config=None) for each in saved])
