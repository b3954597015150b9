"""Listings at 80 columns: the point is there, whole; what is left out is named. And in a pipe."""

from __future__ import annotations

import re
from typing import Any

import pytest
from langgraph.graph import START, MessagesState, StateGraph
from langgraph.types import interrupt

from eventstore import Cause, NewEvent
from langgraph.checkpoint.eventstore import EventStoreSaver
from projections import Branches
from tests.adapters.cli.conftest import answer
from tests.support.histories import config, hello
from tests.support.shell import Shell

LONG = "support/tenant-acme/2026-11-28/customer-4711/conversation-1"
QUESTION = "May the agent refund 129.90 EUR to the customer, although the return is three days late, as an exception?"
# What LangGraph's server writes into the metadata of each run.
SERVER = {
    **dict.fromkeys(["assistant_id", "graph_id", "created_by", "run_attempt", "revision_id", "from_studio"], "x" * 20),
    **{f"langgraph_{name}": "x" * 20 for name in ("version", "plan", "host", "api_url", "auth_user_id", "request_id")},
    "ls_integration": "langgraph",
    "__request_start_time_ms__": 1,
    "x-request-id": "x" * 20,
}


def screen(shell: Shell, *arguments: str, columns: int = 80) -> list[str]:
    """The lines that a terminal shows."""
    shown = shell.terminal(*arguments, "--no-pager", columns=columns, NO_COLOR="1").out
    return re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]|\r", "", shown).splitlines()


@pytest.fixture
def asking(saver: EventStoreSaver) -> EventStoreSaver:
    """A thread of a long name that asks a long question, begun by LangGraph's server for ann."""

    def ask(state: Any) -> Any:
        return {"messages": [("human", interrupt(QUESTION))]}

    graph: Any = StateGraph(MessagesState).add_node(ask).add_edge(START, "ask").compile(checkpointer=saver)
    graph.invoke(hello(), {**config(LONG), "metadata": {**SERVER, "user": "ann"}})
    return saver


def test_a_question_is_shown_whole(shell: Shell, asking: EventStoreSaver) -> None:
    head, *lines = screen(shell, "stalled")
    assert max(map(len, lines)) <= 80
    assert head.split()[:2] == ["THREAD", "WHY"]
    assert lines[0].startswith(f"{LONG}  interrupt")
    assert QUESTION in " ".join(line.strip() for line in lines)
    assert lines[-1] == "left out for want of room: SINCE, AT, STEP, NEXT; --json has all"


def test_columns_are_left_out_before_the_point_is(shell: Shell, agent: Any) -> None:
    wide, narrow = screen(shell, "stalled", columns=120), screen(shell, "stalled", columns=50)
    assert wide[0].split() == ["THREAD", "WHY", "SINCE", "AT", "STEP", "NEXT", "WHAT"]
    assert len(wide) == 2
    assert narrow[1].startswith("t ")
    assert narrow[1].endswith('"Is it good?"')
    assert "left out for want of room: " in " ".join(narrow)


def test_of_a_servers_metadata_threads_show_what_is_the_callers(shell: Shell, asking: EventStoreSaver) -> None:
    lines = screen(shell, "threads")
    assert max(map(len, lines)) <= 80
    assert "user=ann" in " ".join(lines)
    assert "xxx" not in " ".join(lines)
    [line] = [line for line in screen(shell, "threads", "-m", "graph_id") if "graph_id" in line]
    assert line.strip() == f"graph_id={'x' * 20}"
    assert "langgraph_plan" in shell.ok("threads", "--json").lines[0]["metadata"]


def test_where_a_fork_comes_from_is_shown(shell: Shell, asking: EventStoreSaver) -> None:
    Branches(asking.checkpoints).fork(LONG, "refund?")
    lines = screen(shell, "threads")
    [fork] = [line for line in lines if line.startswith("refund?")]
    assert fork.split()[1].startswith("support/")
    # What is still too long gives way evenly, so that no column is pushed off the screen.
    assert max(map(len, lines)) <= 80


def test_the_audit_shows_who_and_what(shell: Shell, agent: Any, ids: list[str]) -> None:
    shell.ok("rollback", "t", "~1", "--yes", "--reason", "it took a wrong turn")
    lines = [line for line in screen(shell, "audit", "-n", "3") if "thread.rolled_back" in line]
    assert len(lines) == 1
    who = shell.ok("audit", "-n", "1", "--json").lines[0]["metadata"]["by"]
    assert who in lines[0]
    assert "left out for want of room: " in "\n".join(screen(shell, "audit", "-n", "3", columns=60))


def test_in_a_pipe_a_tab_is_between_fields_and_nothing_is_padded(shell: Shell, asking: EventStoreSaver) -> None:
    asking.store.append("a\tb", [NewEvent("n", b"", Cause(metadata={"note": "n" * 200}))])
    for command in ("threads", "stalled", "audit"):
        lines = shell.ok(command).out.splitlines()
        assert len({line.count("\t") for line in lines}) == 1
        assert not any("  " in line for line in lines)
    assert r"a\tb" in shell.ok("threads").out
    assert QUESTION in shell.ok("stalled").out


def test_the_log_follows_the_heads_line(shell: Shell, agent: Any, ids: list[str]) -> None:
    answer(agent)
    # Another way from the first checkpoint on: what was before it is beside the line now.
    again = agent.update_state({**config("t", checkpoint_id=ids[1])}, {"count": 5})
    log = shell.ok("log", "t")
    shown = [line.split("\t")[0] for line in log.out.splitlines()[1:]]
    head = again["configurable"]["checkpoint_id"]
    assert shown == [id_[-6:] for id_ in (head, ids[1], ids[0])]
    assert "on other branches; --all shows all" in log.err
    assert [line["id"] for line in shell.ok("log", "t", "--json").lines] == [head, ids[1], ids[0]]

    all_ = shell.ok("log", "t", "--all", "--json").lines
    assert {line["id"]: line["on_heads_line"] for line in all_}[ids[2]] is False
    rows = {row.split("\t")[0]: row.split("\t")[1] for row in shell.ok("log", "t", "--all").out.splitlines()[1:]}
    assert rows[head[-6:]].startswith("●")
    assert rows[ids[2][-6:]].startswith("○")
    assert rows[ids[1][-6:]].strip() == ""
