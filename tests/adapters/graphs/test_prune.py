"""Forgetting the past of a thread: its run goes on exactly as it would have, and no other thread notices."""

from __future__ import annotations

from typing import Any

import pytest
from langgraph.checkpoint.base import CheckpointTuple
from langgraph.pregel import Pregel
from langgraph.types import Command

from langgraph.checkpoint.eventstore import EventStoreSaver
from tests.support.observation import Names, assert_same, exactly, of_checkpoints, of_snapshot
from tests.support.pruning import all_of, copy, own, prune
from tests.support.stage import Stage, checkpoint_id, in_three_ways, thread
from tests.support.stories import SELDOM, STORIES, Story, counting, each_story, nested, siblings, tell

pytestmark = in_three_ways

LOOP = STORIES[1]


async def told_on(stage: Stage, story: Story, graph: Pregel, name: str = "main") -> list[Any]:
    """The rest of a story: its result, and every checkpoint that it adds."""
    before = {place(saved) for saved in await stage.saved(thread(name))}
    result = await tell(stage, graph, story.after, name)
    added = [saved for saved in await stage.saved(thread(name)) if place(saved) not in before]
    state = await stage.call(graph, "get_state", stage.here(thread(name)), subgraphs=True)
    names = Names(added)
    return [result["log"], of_checkpoints(added, names, latest=stage.durability == "async"), of_snapshot(state, names)]


def place(saved: CheckpointTuple) -> tuple[str, str]:
    """Namespace and id of a checkpoint."""
    return saved.config["configurable"]["checkpoint_ns"], saved.config["configurable"]["checkpoint_id"]


def on(stage: Stage, scenario: Any) -> list[Any]:
    """Run an async function of a stage, and return what it returns."""
    returned: list[Any] = []

    async def keep(stage: Stage) -> None:
        returned.append(await scenario(stage))

    stage.perform(keep)
    return returned


@each_story
def test_after_a_prune_a_run_goes_on_exactly_as_it_would_have(story: Story, stage: Stage, reference: Stage) -> None:
    async def never_pruned(stage: Stage) -> list[Any]:
        graph = stage.compile(story.graph(), **story.options)
        await tell(stage, graph, story.before)
        return await told_on(stage, story, graph)

    async def pruned(stage: Stage) -> list[Any]:
        graph = stage.compile(story.graph(), **story.options)
        await tell(stage, graph, story.before)
        state = await stage.call(graph, "get_state", stage.here(), subgraphs=True)
        await prune(stage, "main")
        stage.reopen()
        assert (await stage.state(graph)).values == state.values
        return await told_on(stage, story, graph)

    assert_same(on(stage, pruned), on(reference, never_pruned))


@each_story
def test_a_twin_that_was_copied_before_the_prune_and_the_pruned_thread_go_the_same_way(
    story: Story, stage: Stage
) -> None:
    async def scenario(stage: Stage) -> None:
        graph = stage.compile(story.graph(), **story.options)
        await tell(stage, graph, story.before)
        await copy(stage, "main", "twin")
        twin = await all_of(stage, "twin")
        await prune(stage, "main")
        assert_same(await all_of(stage, "twin"), twin)

        main_way = await told_on(stage, story, graph, "main")
        assert_same(await all_of(stage, "twin"), twin)
        assert_same(await told_on(stage, story, graph, "twin"), main_way)

    stage.perform(scenario)


@each_story
def test_a_dry_run_changes_nothing_and_tells_what_the_prune_then_removes(story: Story, stage: Stage) -> None:
    async def scenario(stage: Stage) -> None:
        graph = stage.compile(story.graph(), **story.options)
        await tell(stage, graph, story.before)
        before, exact, head = await stage.saved(), await all_of(stage, "main"), store_of(stage).head(own(stage))
        foreseen = await prune(stage, "main", dry_run=True)
        assert_same(await all_of(stage, "main"), exact)
        assert store_of(stage).head(own(stage)) == head

        contents = content(stage, head.version)
        removed = await prune(stage, "main")
        after = await stage.saved()
        assert removed == foreseen
        assert removed.checkpoints == len(before) - len(after)
        assert removed.checkpoints > 0 or not stage.saves_every_step
        # Where a DeltaChannel replays all of the past, nothing of its content can go.
        assert (removed.bytes > 0) == (content(stage, head.version) < contents)
        nothing_left = await prune(stage, "main")
        assert (nothing_left.checkpoints, nothing_left.bytes) == (0, 0)
        for saved in before:
            found = await stage.call(stage.saver, "get_tuple", saved.config)
            assert (found is not None) == (place(saved) in map(place, after))

    stage.perform(scenario)


@each_story
def test_what_a_prune_keeps_is_the_latest_of_each_namespace_unchanged(story: Story, stage: Stage) -> None:
    async def scenario(stage: Stage) -> None:
        graph = stage.compile(story.graph(), **story.options)
        await tell(stage, graph, story.before)
        before = {place(saved): saved for saved in await stage.saved()}
        latest: dict[str, str] = {}
        for namespace, each in before:
            latest[namespace] = max(each, latest.get(namespace, ""))
        going_on = {checkpoint_id(state.config) for state in states(await stage.state(graph))}

        await prune(stage, "main")
        kept = await stage.saved()
        assert {place(saved) for saved in kept} <= set(latest.items())
        # Nobody needs the namespace of a subgraph's call that is over; the root and the calls under way stay.
        assert going_on <= {place(saved)[1] for saved in kept}
        # A parent that is forgotten is no longer named.
        unchanged = [before[place(saved)]._replace(parent_config=None) for saved in kept]
        assert_same(exactly(kept), exactly(unchanged))

    stage.perform(scenario)


def states(state: Any) -> list[Any]:
    """A state and those of the subgraphs that are on their way in it."""
    inner = [task.state for task in state.tasks if task.state is not None and task.state.config is not None]
    return [state, *(found for one in inner if one.metadata for found in states(one))]


def content(stage: Stage, until: int) -> int:
    """The bytes that the first events of a stage's thread hold."""
    events = store_of(stage).read(own(stage))
    return sum(len(event.data) for event in events if not event.erased and event.version <= until)


def store_of(stage: Stage) -> Any:
    """The event store under a stage's saver."""
    assert isinstance(stage.saver, EventStoreSaver)
    return stage.saver.store


@pytest.mark.parametrize("strategy", ["keep_latest", "delete"])
def test_pruning_some_threads_leaves_all_others_as_they_were(stage: Stage, strategy: str) -> None:
    async def scenario(stage: Stage) -> None:
        graph = stage.compile(LOOP.graph())
        for name in ("a", "b", "c"):
            await tell(stage, graph, LOOP.before, name)
        kept = await all_of(stage, "b")
        foreseen = await prune(stage, "a", "c", "never was", strategy=strategy, dry_run=True)
        report = await prune(stage, "a", "c", "never was", strategy=strategy)
        assert (report, report.threads) == (foreseen, 2 if report.checkpoints else 0)
        assert_same(await all_of(stage, "b"), kept)
        left = [len(await stage.saved(thread(name))) for name in ("a", "c")]
        assert left == ([1, 1] if strategy == "keep_latest" else [0, 0])
        assert (await prune(stage)).checkpoints == 0

    stage.perform(scenario)


def test_a_thread_that_was_deleted_by_a_prune_begins_anew(stage: Stage) -> None:
    async def scenario(stage: Stage) -> None:
        graph = stage.compile(LOOP.graph())
        first = await tell(stage, graph, LOOP.before)
        await prune(stage, "main", strategy="delete")
        assert (await stage.state(graph)).values == {}
        assert await tell(stage, graph, LOOP.before) == first

    stage.perform(scenario)


def test_a_thread_that_is_pruned_after_every_run_never_forgets_its_state(stage: Stage) -> None:
    async def scenario(stage: Stage) -> None:
        graph = stage.compile(counting(SELDOM)())
        expected: list[str] = []
        for n in range(6):
            result = await stage.invoke(graph, {"log": [f"run {n}"], "step": 4})
            expected += [f"run {n}", "4"]
            assert result["log"] == expected
            await prune(stage, "main")
            assert len(await stage.saved()) == 1
            stage.reopen()

    stage.perform(scenario)


def test_the_checkpoint_that_was_kept_can_be_gone_back_to(stage: Stage) -> None:
    async def scenario(stage: Stage) -> None:
        graph = stage.compile(nested(SELDOM)())
        await stage.invoke(graph, {"log": ["in"]})
        await prune(stage, "main")
        paused = await stage.state(graph)
        first = await stage.invoke(graph, Command(resume="yes"))
        assert first["log"][-2:] == ["q=yes", "end"]
        asked = await stage.invoke(graph, None, paused.config)
        assert [question.value for question in asked["__interrupt__"]] == ["q"]
        second = await stage.invoke(graph, Command(resume="no"))
        assert second["log"] == [*first["log"][:-2], "q=no", "end"]

    stage.perform(scenario)


def test_an_update_from_outside_goes_on_from_what_the_prune_kept(stage: Stage) -> None:
    async def scenario(stage: Stage) -> None:
        graph = stage.compile(siblings(SELDOM)())
        await stage.invoke(graph, {"log": ["in"]})
        await prune(stage, "main")
        await stage.update(graph, {"log": ["by hand"]}, as_node="end")
        stage.reopen()
        shown = await stage.state(graph)
        assert (shown.values["log"], shown.next) == (["in", "by hand"], ())

    stage.perform(scenario)
