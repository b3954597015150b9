"""Agents of LangChain and deepagents: real tools, real files, a scripted model."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from langchain.agents.middleware import HumanInTheLoopMiddleware
from langgraph.types import Command

from tests.support.agents import Desk, agent, contents, deep_agent, human
from tests.support.scripted import said
from tests.support.stage import Stage, in_three_ways

from .conftest import Play


@pytest.fixture
def desks(tmp_path: Path) -> Any:
    """A new folder at each call: the reference and the saver under test each get their own."""
    made: list[Desk] = []

    def desk() -> Desk:
        folder = tmp_path / f"desk-{len(made)}"
        folder.mkdir()
        made.append(Desk(folder))
        return made[-1]

    return desk


def test_an_agent_works_with_tools_asks_and_remembers_the_conversation(play: Play, desks: Any) -> None:
    async def scenario(stage: Stage) -> None:
        desk = desks()
        graph = agent(stage, desk)
        paused = await stage.invoke(graph, human("tidy up"))
        assert [asked.value for asked in paused["__interrupt__"]] == ["delete a?"]
        assert (desk.folder / "a").read_text() == "alpha"

        stage.reopen()
        result = await stage.invoke(graph, Command(resume="yes"))
        assert said(result["messages"]) == [
            "human: tidy up",
            "ai calls write, write",
            "tool: wrote 5 characters",
            "tool: wrote 4 characters",
            "ai calls read",
            "tool: alpha",
            "ai calls delete",
            "tool: deleted",
            "ai: done",
        ]
        assert sorted(desk.calls) == ["delete a", "read a", "write a", "write b"]

        stage.reopen()
        result = await stage.invoke(graph, human("and now?", 1))
        assert said(result["messages"])[-2:] == ["human: and now?", "ai: as I said, done"]

    play(scenario)


@in_three_ways
def test_a_tool_that_fails_is_called_again_and_its_finished_sibling_is_not(play: Play, desks: Any) -> None:
    async def scenario(stage: Stage) -> None:
        desk = desks()
        desk.jammed = True
        graph = agent(stage, desk)

        async def run_until_it_fails() -> None:
            async for _, update in stage.stream(graph, human("tidy up"), stream_mode="updates", subgraphs=True):
                if "tools" in update:  # the other call has ended
                    desk.may_jam.set()

        with pytest.raises(OSError, match="jammed"):
            await run_until_it_fails()
        stage.reopen()
        desk.jammed = False
        paused = await stage.invoke(graph, None)
        assert [asked.value for asked in paused["__interrupt__"]] == ["delete a?"]
        assert sorted(desk.calls) == ["read a", "write a", "write b", "write b"]
        result = await stage.invoke(graph, Command(resume="no"))
        assert said(result["messages"])[-2:] == ["tool: kept", "ai: done"]

    play(scenario)


@in_three_ways
def test_an_agent_goes_back_and_takes_another_way(play: Play, desks: Any) -> None:
    async def scenario(stage: Stage) -> None:
        desk = desks()
        graph = agent(stage, desk)
        await stage.invoke(graph, human("tidy up"))
        asked = await stage.state(graph)
        await stage.invoke(graph, Command(resume="yes"))
        assert not (desk.folder / "a").exists()

        paused = await stage.invoke(graph, None, asked.config)
        assert [question.value for question in paused["__interrupt__"]] == ["delete a?"]
        result = await stage.invoke(graph, Command(resume="no"))
        assert said(result["messages"])[-2:] == ["tool: kept", "ai: done"]
        endings = [said(shown.values["messages"])[-2] for shown in await stage.history(graph) if not shown.next]
        assert endings == ["tool: kept", "tool: deleted"]

    play(scenario)


@in_three_ways
def test_an_agent_whose_tool_calls_a_person_decides_on_goes_by_each_decision(play: Play, desks: Any) -> None:
    async def scenario(stage: Stage) -> None:
        desk = desks()
        asks = HumanInTheLoopMiddleware(interrupt_on={"write": True})
        graph = agent(stage, desk, middleware=[asks])
        paused = await stage.invoke(graph, human("tidy up"))
        requests = paused["__interrupt__"][0].value["action_requests"]
        assert [request["args"]["name"] for request in requests] == ["a", "b"]
        stage.reopen()
        edited = {"name": "write", "args": {"name": "a", "text": "edited"}}
        decisions = [{"type": "edit", "edited_action": edited}, {"type": "reject", "message": "not b"}]
        await stage.invoke(graph, Command(resume={"decisions": decisions}))
        assert (desk.folder / "a").read_text() == "edited"
        assert not (desk.folder / "b").exists()

    play(scenario)


def test_a_deep_agent_keeps_files_and_todos_and_its_subagents_work(play: Play) -> None:
    async def scenario(stage: Stage) -> None:
        graph = deep_agent(stage)
        result = await stage.invoke(graph, human("write a report"))
        assert contents(result["files"]) == {"/notes.md": "one\n2\n", "/count.md": "2 lines\n"}
        assert [todo["status"] for todo in result["todos"]] == ["completed"]
        assert said(result["messages"])[-1] == "ai: reported"

        stage.reopen()
        result = await stage.invoke(graph, human("and?", 1))
        assert contents(result["files"]) == {"/notes.md": "one\n2\n", "/count.md": "2 lines\n"}
        stage.reopen()
        assert (await stage.state(graph)).values["todos"] == [{"content": "research", "status": "completed"}]

    play(scenario)


@in_three_ways
def test_a_deep_agent_stops_before_a_file_is_written_and_goes_back_to_that_point(play: Play) -> None:
    async def scenario(stage: Stage) -> None:
        graph = deep_agent(stage, interrupt_on={"edit_file": True})
        paused = await stage.invoke(graph, human("write a report"))
        assert paused["__interrupt__"][0].value["action_requests"][0]["name"] == "edit_file"
        at_the_question = await stage.state(graph)
        stage.reopen()
        approved = await stage.invoke(graph, Command(resume={"decisions": [{"type": "approve"}]}))
        assert contents(approved["files"])["/notes.md"] == "one\n2\n"

        await stage.invoke(graph, None, at_the_question.config)
        rejected = await stage.invoke(graph, Command(resume={"decisions": [{"type": "reject"}]}))
        assert contents(rejected["files"]) == {"/notes.md": "one\ntwo\n", "/count.md": "2 lines\n"}

    play(scenario)
