"""`replay` and `compare`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from langgraph.checkpoint.eventstore import EventStoreSaver
from projections import Branches
from tests.adapters.cli.conftest import answer, offer_modules
from tests.support.shell import Shell

MODULE = """
from langgraph.checkpoint.eventstore import EventStoreSaver
from tests.support.histories import an_agent

graph = an_agent(None)
print("this is no part of the answer")
"""


@pytest.fixture(autouse=True)
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The agent's graph, where Python finds it: without a saver."""
    offer_modules(tmp_path, monkeypatch, an_agents_graph=MODULE)


GRAPH = ("--graph", "an_agents_graph:graph")


def test_a_replay_runs_what_a_changed_node_concerns(shell: Shell, agent: Any, saver: EventStoreSaver) -> None:
    plan = shell.ok("replay", "t", "search", *GRAPH, "--dry-run", "--json").document
    assert {task["node"]: task["again"] for task in plan["tasks"]}["write"] is False
    assert shell("threads", "--json").out.count("\n") == 1
    assert "its node changed" in shell.ok("replay", "t", "search", *GRAPH, "--dry-run").out
    assert shell("replay", "t", "search", *GRAPH).code == 8

    done = shell.ok("replay", "t", "search", *GRAPH, "--into", "again", "--yes", "--json").document
    assert (done["thread"], done["source"], done["ended"], done["error"]) == ("again", "t", "interrupt", None)
    ran = {task["node"]: task["recorded"] is None for task in done["tasks"]}
    assert (ran["search"], ran["write"]) == (True, False)
    shown = shell.ok("replay", "t", "search", *GRAPH, "--into", "once more", "--yes").out
    assert shown.splitlines()[-1] == "once more waits for an answer"
    assert shell.ok("show", "again", "-c", "files", "--json").document["channels"]["files"] == {"/1.txt": "text"}


def test_a_replay_that_cannot_be_is_refused(shell: Shell, agent: Any) -> None:
    assert "--graph" in shell("replay", "t", "search").err
    assert shell("replay", "t", "nobody", *GRAPH, "--yes").code == 2
    assert shell("replay", "nobody", "search", *GRAPH, "--yes").code == 3
    assert shell("replay", "t", "search", "--graph", "nowhere:graph").code == 2


def test_two_branches_are_compared(shell: Shell, agent: Any, saver: EventStoreSaver, ids: list[str]) -> None:
    Branches(saver.checkpoints).fork("t", "fork")
    answer(agent, "fork")
    shown = shell.ok("compare", "t", "fork").out
    assert shown.splitlines()[0] == f"in common up to {ids[-1][-6:]}"
    assert f"--- t {ids[-1][-6:]}  0 checkpoints since" in shown
    assert "1 checkpoint since" in shown
    assert '+   [4]: human: "Yes"' in shown
    agent.update_state({"configurable": {"thread_id": "t"}}, {"messages": [("ai", "No")]}, as_node="ask")
    found = shell.ok("compare", "t", "fork", "--json").document
    assert (found["ancestor"], found["conflicts"]) == (ids[-1], ["messages"])
    assert (found["one"]["ahead"], found["other"]["thread"]) == (1, "fork")
    assert "both changed messages" in shell.ok("compare", "t", "fork").out
    within = shell.ok("compare", "t", ids[1], "--json").document
    assert (within["other"]["tip"], within["other"]["ahead"]) == (ids[1], 0)
    assert shell("compare", "t", "nobody").code == 3
