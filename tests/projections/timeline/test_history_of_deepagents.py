"""A thread of deepagents, whose messages and files are DeltaChannels: what history shows of it, in all durabilities."""

from __future__ import annotations

from typing import Any

import pytest
from deepagents import create_deep_agent
from langchain.agents.middleware import TodoListMiddleware

from eventstore import BadInputError
from langgraph.checkpoint.eventstore import EventStoreSaver
from projections import Timeline
from tests.support.agents import DEEP, contents, deep_agent, human
from tests.support.deltas import telling
from tests.support.flavour import Flavour
from tests.support.histories import config
from tests.support.pace import in_each_durability, where_each_step_is_saved
from tests.support.scripted import ScriptedChatModel
from tests.support.stage import DURABILITIES, Durability, Stage

each_durability = pytest.mark.parametrize("durability", DURABILITIES)
each_flavour = pytest.mark.parametrize("flavour", list(Flavour))
RULES = {"files": "dicts by key", "messages": "messages by id"}


@each_flavour
@each_durability
def test_its_messages_and_files_are_shown_compared_and_blamed(
    saver: EventStoreSaver, flavour: Flavour, durability: Durability
) -> None:
    stage = Stage(saver, flavour, durability)

    async def scenario(stage: Stage) -> None:
        graph = deep_agent(stage)
        await stage.invoke(graph, human("write a report"))
        name, history = stage.here()["configurable"]["thread_id"], saver.history

        async def ask(method: str, *given: Any, **options: Any) -> Any:
            return await stage.call(history, method, name, *given, **options)

        for snapshot in await stage.history(graph):
            for options in ({}, {"graph": graph}):
                found = await ask("state", snapshot.config, **options)
                values = found.checkpoint["channel_values"]
                assert values.get("messages", []) == snapshot.values.get("messages", [])
                assert values.get("files", {}) == snapshot.values.get("files", {})
        latest = await ask("state")
        assert (latest.folded, latest.replayed) == (RULES, ())
        assert contents(latest.checkpoint["channel_values"]["files"])["/count.md"] == "2 lines\n"

        changes = [each async for each in stage.each(history, "timeline", name)]
        told = {change.channel: change for entry in changes for change in entry.changes}
        assert {channel: told[channel].folded for channel in RULES} == RULES
        assert not [change for entry in changes for change in entry.changes if change.kind == "written"]

        first = min(entry.id for entry in changes)
        difference = await ask("diff", first, graph=graph)
        assert {each.channel for each in difference.channels} >= set(RULES)
        assert difference.replayed == ()

        messages = await ask("blame", "messages")
        held = latest.checkpoint["channel_values"]["messages"]
        assert [origin.value for origin in messages] == held
        node_of = {"human": "__start__", "ai": "model", "tool": "tools"}
        for origin in messages:
            assert node_of[origin.value.type] in origin.nodes
            assert len(origin.nodes) == 1 or durability == "exit"
        assert [origin.step for origin in messages] == sorted(origin.step for origin in messages)
        assert len({origin.step for origin in messages}) > 6
        [notes] = await ask("blame", "files", "/notes.md")
        assert (notes.folded, "tools" in notes.nodes) == ("dicts by key", True)
        assert contents({"/notes.md": notes.before}) == {"/notes.md": "one\ntwo\n"}

    stage.perform(scenario)


@each_durability
def test_its_branches_are_compared_and_it_is_seen_as_it_was(saver: EventStoreSaver, durability: Durability) -> None:
    model = ScriptedChatModel(scripts=DEEP)
    graph: Any = create_deep_agent(model=model, middleware=[TodoListMiddleware()], checkpointer=saver)
    graph.invoke(human("more"), config(), durability=durability)
    saver.history.fork("t", "what-if")
    then = saver.history.state("t")
    assert then is not None
    graph.invoke(human("and?", 1), config(), durability=durability)
    graph.invoke(human("or?", 2), config("what-if"), durability=durability)
    for given in (None, graph):
        compared = saver.history.compare("t", "what-if", graph=given)
        assert "messages" in compared.conflicts
        sides = [
            {each.channel: each for each in side.changes.channels}
            for side in (compared.one, compared.other)
            if side.changes
        ]
        assert [len(side["messages"].after) - len(side["messages"].before) for side in sides] == [2, 2]
    event = next(
        each
        for each in saver.store.read("t")
        if each.cause.checkpoint == then.config["configurable"]["checkpoint_id"] and each.topic == "checkpoint.saved"
    )
    seen = saver.history.at("t", event.recorded_at)
    assert seen is not None
    assert seen.checkpoint["channel_values"]["messages"] == then.checkpoint["channel_values"]["messages"]
    assert seen.folded == then.folded


@where_each_step_is_saved
def test_a_subagents_namespace_is_shown_by_what_its_shape_tells(saver: EventStoreSaver, durability: Durability) -> None:
    stage = Stage(saver, Flavour.SYNC, durability)

    async def scenario(stage: Stage) -> None:
        graph = deep_agent(stage)
        await stage.invoke(graph, human("write a report"))
        name = stage.here()["configurable"]["thread_id"]
        namespaces = {entry.namespace for entry in saver.history.timeline(name, namespace=None)} - {""}
        [namespace] = namespaces
        found = saver.history.state(name, namespace=namespace, graph=graph)
        assert found is not None
        assert contents(found.checkpoint["channel_values"]["files"])["/count.md"] == "2 lines\n"
        assert found.folded["files"] == "dicts by key"

    stage.perform(scenario)


@in_each_durability
def test_a_graph_that_is_none_or_not_of_the_thread_is_refused(saver: EventStoreSaver) -> None:
    graph = telling().compile(checkpointer=saver)
    graph.invoke({"files": {"/a": "x"}}, config())
    uncompiled: Any = telling()
    number: Any = 3
    with pytest.raises(BadInputError, match="not compiled"):
        saver.history.state("t", graph=uncompiled)
    with pytest.raises(BadInputError, match="a int is not a graph"):
        saver.history.diff("t", graph=number)
    other: Any = create_deep_agent(model=ScriptedChatModel(scripts=DEEP))
    with pytest.raises(BadInputError, match="no channel 'script'"):
        saver.history.blame("t", "script", graph=other)


@in_each_durability
def test_what_a_reducer_raises_says_whose_it_is(saver: EventStoreSaver) -> None:
    telling().compile(checkpointer=saver).invoke({"files": {"/a": "x"}}, config())

    class Wrong:
        name = "wrong"

        def rule(self, namespace: str, channel: str) -> Any:
            return self if channel == "files" else None

        def fold(self, base: Any, writes: Any) -> Any:
            raise KeyError("no")

    with pytest.raises(BadInputError, match="reducer of channel 'files' raised KeyError"):
        Timeline(saver.checkpoints).state("t", saver.serde, fold=Wrong())
