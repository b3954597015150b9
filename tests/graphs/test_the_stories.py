"""The stories that prune and copy are told with are themselves true: each ends as it says it does."""

from __future__ import annotations

from .conftest import Play
from .stage import Stage
from .stories import Story, each_story, in_three_ways, tell


@each_story
@in_three_ways
def test_a_story_ends_as_it_says(play: Play, story: Story) -> None:
    async def scenario(stage: Stage) -> None:
        graph = stage.compile(story.graph(), **story.options)
        await tell(stage, graph, story.before)
        stage.reopen()
        result = await tell(stage, graph, story.after)
        if story.end is not None:
            assert result["log"] == story.end
        assert result["log"]

    play(scenario, in_place=True)
