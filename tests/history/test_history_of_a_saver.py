"""`saver.history`: what the other tests of this folder hold of the library, by LangGraph's configs, sync and async."""

from __future__ import annotations

import inspect
from datetime import timedelta
from typing import Any

import pytest
from langgraph.types import Command

from eventstore import BadInputError, NotFoundError
from langgraph.checkpoint.eventstore import EventStoreSaver
from langgraph.checkpoint.eventstore._history import History
from tests.support.histories import an_agent, config, hello
from tests.support.pace import in_each_durability, where_each_step_is_saved


@pytest.fixture
def agent(saver: EventStoreSaver) -> Any:
    """An agent that has asked, and was answered."""
    graph = an_agent(saver)
    graph.invoke(hello(), config())
    graph.invoke(Command(resume="yes"), config())
    return graph


def test_every_method_has_a_twin_for_async_code() -> None:
    public = {name for name, _ in inspect.getmembers(History, inspect.isfunction) if not name.startswith("_")}
    sync = {name for name in public if f"a{name}" in public}
    assert public == sync | {f"a{name}" for name in sync}


@where_each_step_is_saved
def test_threads_and_checkpoints_are_named_by_ids_or_configs(saver: EventStoreSaver, agent: Any) -> None:
    states = list(agent.get_state_history(config()))
    ids = [state.config["configurable"]["checkpoint_id"] for state in states]
    history = saver.history
    assert [entry.id for entry in history.timeline("t")] == [entry.id for entry in history.timeline(config())] == ids
    assert [entry.id for entry in history.page(config(), limit=2).entries] == ids[:2]
    assert (
        history.diff("t", ids[2], ids[0]).lines() == history.diff(config(), states[2].config, states[0].config).lines()
    )
    assert history.blame(config(), "count", checkpoint=states[0].config)[0].nodes == ("model",)
    assert history.rollback(states[0].config, states[2].config).checkpoint == ids[2]
    assert history.undo(config()).undoes
    assert history.switch(config(), states[1].config).checkpoint == ids[1]
    assert history.fork(config(), config("fork"), at=states[3].config).checkpoint == ids[3]
    assert [point.id for point in history.points(config("fork"), limit=1)] == [ids[3]]
    assert history.compare(config(), config("fork")).ancestor == ids[3]
    assert history.check(config()).ok


@in_each_durability
async def test_async_code_gets_the_same(saver: EventStoreSaver, agent: Any) -> None:
    history = saver.history
    assert [entry.id async for entry in history.atimeline("t")] == [entry.id for entry in history.timeline("t")]
    assert (await history.apage("t", limit=1)).entries[0].nodes == ("ask",)
    assert (await history.adiff("t")).lines() == history.diff("t").lines()
    assert (await history.ablame("t", "count"))[0].value == 1
    assert (await history.apoints("t"))[0].clean
    assert (await history.acheck("t")).ok
    assert (await history.astalled()).threads == []
    found = await history.audit.aquery(thread="t", limit=1)
    assert found.entries[0].thread == "t"


@in_each_durability
def test_threads_that_wait_are_told(saver: EventStoreSaver) -> None:
    an_agent(saver).invoke(hello(), config())
    [stalled] = saver.history.stalled(older_than=timedelta(hours=1)).threads
    assert (stalled.thread, stalled.why) == ("t", ("interrupt",))
    assert stalled.latest
    assert [task.status for task in stalled.latest.tasks if task.node == "ask"] == ["interrupted"]


@where_each_step_is_saved
def test_the_audit_tells_who_went_back_forked_promoted_pruned_and_deleted(saver: EventStoreSaver, agent: Any) -> None:
    history, ann = saver.history, {"user": "ann"}
    history.rollback("t", back=1, by=ann, reason="wrong")
    history.undo("t", by=ann)
    tip = next(iter(history.timeline("t"))).id
    history.rollback("t", back=2, by=ann)
    history.switch("t", tip, by=ann)
    history.rollback("t", back=1, by=ann)
    history.delete_branch("t", tip, by=ann)
    history.fork("t", "fork", by=ann)
    history.promote("fork", "t", keep_as="old", by=ann)
    history.delete_branch("old", by=ann)
    saver.prune(["t"])
    told = [entry.topic for entry in history.audit.query(metadata=ann, newest_first=False).entries]
    assert told == [
        "thread.rolled_back",
        "rollback.undone",
        "thread.rolled_back",
        "head.switched",
        "thread.rolled_back",
        "branch.deleted",
        "stream.forked",
        "thread.promoted",
        "thread.promoted",
        "thread.deleted",
    ]
    assert history.audit.query(topics=["thread.pruned"]).entries[0].thread == "t"
    before = list(history.audit.entries())
    history.audit.rebuild()
    assert list(history.audit.entries()) == before


@in_each_durability
def test_what_names_nothing_is_refused(saver: EventStoreSaver, agent: Any) -> None:
    for refused in (
        lambda: saver.history.rollback("t", config()),
        lambda: saver.history.switch("t", config()),
        lambda: saver.history.diff("t", config()),
        lambda: saver.history.undo({}),
        lambda: saver.history.undo(""),
        lambda: saver.history.undo(5.0),  # type: ignore[arg-type]
    ):
        with pytest.raises(BadInputError):
            refused()
    with pytest.raises(NotFoundError):
        saver.history.tree("nobody")


@where_each_step_is_saved
async def test_what_a_changed_node_concerns_is_told_and_run_again(saver: EventStoreSaver, agent: Any) -> None:
    history = saver.history
    before = next(state for state in agent.get_state_history(config()) if set(state.next) == {"search", "write"})
    plans = [
        history.affected(agent, config(), before.config, "search"),
        await history.aaffected(agent, "t", before.config["configurable"]["checkpoint_id"], "search"),
    ]
    assert [[task.node for task in plan.again] for plan in plans] == [["search", "ask"]] * 2
    assert [[task.node for task in plan.reused] for plan in plans] == [["write"]] * 2
    for replayed in (
        history.replay(agent, config(), before.config, "search", target="again", reason="a new index"),
        await history.areplay(agent, config(), before.config, "search", target="and again"),
    ):
        # It wrote what it had written before: what comes behind it need not run again.
        assert (replayed.ended, [task.node for task in replayed.ran]) == ("end", ["search"])
        assert [task.node for task in replayed.reused] == ["write", "ask"]
    assert [branch.reason for branch in history.tree("t")[0].children] == ["a new index", None]
