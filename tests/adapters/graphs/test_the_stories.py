"""The stories that prune and copy are told with are themselves true: each ends as it says it does."""

from __future__ import annotations

from tests.support.stage import Stage, in_three_ways
from tests.support.stories import Story, each_story, tell


@each_story
@in_three_ways
def test_a_story_ends_as_it_says(reference: Stage, story: Story) -> None:
    async def scenario(stage: Stage) -> None:
        graph = stage.compile(story.graph(), **story.options)
        await tell(stage, graph, story.before)
        result = await tell(stage, graph, story.after)
        assert result["log"] == story.end

    reference.perform(scenario)
