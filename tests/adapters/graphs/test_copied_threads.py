"""Copies of threads: each goes its own way, and whatever becomes of one, the others stay as they were."""

from __future__ import annotations

from typing import Any

import pytest
from langgraph.types import Command

from tests.support.observation import assert_same
from tests.support.pruning import all_of, copy, own, prune
from tests.support.stage import Stage, checkpoint_id, in_three_ways, thread
from tests.support.stories import SELDOM, STORIES, Story, answering, counting, each_story, nested, siblings, tell

pytestmark = in_three_ways


async def forget(stage: Stage, name: str, how: str) -> None:
    """Forget a thread in one of three ways."""
    if how == "delete_thread":
        await stage.call(stage.saver, "delete_thread", own(stage, name))
    else:
        await prune(stage, name, strategy=how)


each_way_to_forget = pytest.mark.parametrize("how", ["keep_latest", "delete", "delete_thread"])


@each_story
def test_a_copy_is_its_source_value_for_value_until_they_go_ways_that_the_other_does_not_see(
    story: Story, stage: Stage
) -> None:
    async def scenario(stage: Stage) -> None:
        graph = stage.compile(story.graph(), **story.options)
        await tell(stage, graph, story.before)
        await copy(stage, "main", "copy")
        stage.reopen()
        source, copied = await all_of(stage, "main"), await all_of(stage, "copy")
        assert repr(copied) == repr(source).replace(own(stage, "main"), own(stage, "copy"))
        # The source goes on first: its answers and results belong to checkpoints that the copy shares.
        on_the_source = await tell(stage, graph, story.after, "main")
        assert_same(await all_of(stage, "copy"), copied)
        gone_on = await all_of(stage, "main")
        assert await tell(stage, graph, story.after, "copy") == on_the_source
        assert_same(await all_of(stage, "main"), gone_on)
        assert repr(gone_on) != repr(source)

    stage.perform(scenario)


@each_way_to_forget
@pytest.mark.parametrize("forgotten", ["main", "copy"])
@pytest.mark.parametrize("story", [STORIES[1], STORIES[10]], ids=str)
def test_forgetting_either_side_leaves_the_other_as_it_was(
    stage: Stage, story: Story, forgotten: str, how: str
) -> None:
    async def scenario(stage: Stage) -> None:
        graph = stage.compile(story.graph(), **story.options)
        await tell(stage, graph, story.before)
        await copy(stage, "main", "copy")
        other = "copy" if forgotten == "main" else "main"
        before = await all_of(stage, other)
        await forget(stage, forgotten, how)
        assert_same(await all_of(stage, other), before)
        stage.reopen()
        assert_same(await all_of(stage, other), before)
        assert (await tell(stage, graph, story.after, other))["log"] == story.end

    stage.perform(scenario)


@each_way_to_forget
def test_copies_of_copies_outlive_the_ones_between(stage: Stage, how: str) -> None:
    async def scenario(stage: Stage) -> None:
        graph = stage.compile(counting(SELDOM)())
        names = ["main", "child", "grandchild", "great-grandchild"]
        expected: list[str] = []
        for n, name in enumerate(names):
            result = await stage.invoke(graph, {"log": [name], "step": 4}, thread(name))
            expected += [name, "4"]
            assert result["log"] == expected
            if n < 3:
                await copy(stage, name, names[n + 1])
        last = await all_of(stage, "great-grandchild")
        for name in ("child", "main", "grandchild"):
            await forget(stage, name, how)
            stage.reopen()
            assert_same(await all_of(stage, "great-grandchild"), last)
        result = await stage.invoke(graph, {"log": ["on"], "step": 4}, thread("great-grandchild"))
        assert result["log"] == [*expected, "on", "4"]

    stage.perform(scenario)


def test_two_copies_of_one_question_take_two_answers(stage: Stage) -> None:
    async def scenario(stage: Stage) -> None:
        graph = stage.compile(nested(SELDOM)())
        await stage.invoke(graph, {"log": ["in"]})
        await copy(stage, "main", "copy")
        answered = [
            (await stage.invoke(graph, Command(resume=answer), thread(name)))["log"][-2]
            for name, answer in {"main": "yes", "copy": "no"}.items()
        ]
        assert answered == ["q=yes", "q=no"]

    stage.perform(scenario)


def test_an_answer_given_before_the_copy_is_in_both_and_one_given_after_it_in_one(stage: Stage) -> None:
    async def scenario(stage: Stage) -> None:
        graph = stage.compile(siblings(SELDOM)())
        await tell(stage, graph, [{"log": ["in"]}, answering(p="both")])
        await copy(stage, "main", "copy")
        await tell(stage, graph, [answering(q="main only")])
        waiting = await stage.state(graph, thread("copy"))
        assert [asked.value for asked in waiting.interrupts] == ["q"]
        result = await tell(stage, graph, [answering(q="copy only")], "copy")
        assert result["log"] == ["in", "p=both", "q=copy only", "work", "end"]

    stage.perform(scenario)


def test_a_copy_can_go_back_to_before_it_was_copied(stage: Stage) -> None:
    async def scenario(stage: Stage) -> None:
        graph = stage.compile(counting(SELDOM)())
        for word in ("one", "two"):
            await stage.invoke(graph, {"log": [word], "step": 4})
        await copy(stage, "main", "copy")
        source = await all_of(stage, "main")
        ends = [
            shown for shown in await stage.history(graph, thread("copy")) if shown.values.get("log") and not shown.next
        ]
        back = stage.here(thread("copy", checkpoint_id=checkpoint_id(ends[-1].config)))
        result: Any = await stage.invoke(graph, {"log": ["other"], "step": 4}, back)
        assert result["log"] == ["one", "4", "other", "4"]
        assert (await stage.state(graph, thread("copy"))).values["log"] == result["log"]
        assert_same(await all_of(stage, "main"), source)

    stage.perform(scenario)
