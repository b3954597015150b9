"""`rollback`, `undo`, `switch`, `fork`, `promote`, `delete`: asked, recorded with who and why, and told."""

from __future__ import annotations

import getpass
from typing import Any

import pytest

from eventstore import ConflictError
from eventstore_cli.commands import moving
from eventstore_cli.output import Output
from eventstore_views.session import Session
from langgraph.checkpoint.eventstore import EventStoreSaver
from tests.adapters.cli.conftest import answer
from tests.support.histories import config
from tests.support.shell import Shell

DESTRUCTIVE = [
    ("rollback", "t", "~1"),
    ("undo", "t"),
    ("switch", "t", "~1"),
    ("promote", "fork", "t"),
    ("delete", "fork"),
]


def stands(agent: Any, thread: str = "t") -> str:
    """Where a thread stands, as LangGraph sees it."""
    found: str = agent.get_state(config(thread)).config["configurable"]["checkpoint_id"]
    return found


def last(saver: EventStoreSaver, thread: str = "t") -> Any:
    """A thread's last event."""
    [event] = saver.store.read(thread, backward=True, limit=1)
    return event


def test_a_rollback_puts_a_thread_back_and_undo_brings_it_back(shell: Shell, agent: Any, ids: list[str]) -> None:
    answer(agent)
    head = stands(agent)
    ran = shell.ok("rollback", "t", "step:1", "--yes")
    assert ran.out == f"t is back at {ids[2][-6:]} (step 1); eventstore undo brings 2 checkpoints back\n"
    assert stands(agent) == ids[2]
    assert head[-6:] in shell.ok("undo", "t", "-y").out
    assert stands(agent) == head


def test_who_did_it_how_and_why_is_recorded(shell: Shell, agent: Any, saver: EventStoreSaver, ids: list[str]) -> None:
    for arguments in (
        ["rollback", "t", "~1"],
        ["undo", "t"],
        ["switch", "t", ids[0]],
        ["fork", "t", "fork"],
        ["promote", "fork", "t"],
        ["delete", "t"],
    ):
        yes = [] if arguments[0] == "fork" else ["--yes"]
        shell.ok(*arguments, "--reason", "why not", *yes)
        [entry] = shell.ok("audit", "-n", "1", "--where", f"via=eventstore {arguments[0]}", "--json").lines
        assert entry["metadata"]["by"] == getpass.getuser()
        assert entry["metadata"]["reason"] == "why not"


def test_changes_are_told_as_json(shell: Shell, agent: Any, ids: list[str]) -> None:
    assert shell.ok("rollback", "t", "~1", "-y", "--json").document["checkpoint"] == ids[-2]
    assert shell.ok("undo", "t", "-y", "--json").document["undoes"]
    assert shell.ok("switch", "t", ids[0], "-y", "--json").document["topic"] == "head.switched"
    assert shell.ok("fork", "t", "fork", "--json").document["thread"] == "fork"
    assert shell.ok("promote", "fork", "t", "--keep-as", "old", "-y", "--json").document["kept_as"] == "old"
    assert shell.ok("delete", "old", "-y", "--json").document["threads"] == 1


@pytest.mark.parametrize("command", DESTRUCTIVE, ids=lambda command: command[0])
def test_nothing_is_changed_if_nobody_can_be_asked(
    shell: Shell, agent: Any, saver: EventStoreSaver, command: tuple[str, ...]
) -> None:
    saver.copy_thread("t", "fork")
    saver.checkpoints.rollback("t", back=1)
    before = saver.store.head("t"), saver.store.head("fork")
    ran = shell(*command)
    assert ran.code == 8
    assert ran.out == ""
    assert ran.err.endswith("There is nobody to ask: say --yes\n")
    assert ran.err.count("\n") == 1
    assert (saver.store.head("t"), saver.store.head("fork")) == before


def test_a_person_is_asked_and_may_decline(shell: Shell, agent: Any, ids: list[str]) -> None:
    ran = shell.terminal("rollback", "t", "~1", typed="n\n")
    assert ran.code == 8
    assert "Put 't' back to" in ran.out
    assert "make 1 later checkpoint unreachable? [y/N]" in ran.out
    assert "nothing was changed" in ran.out
    assert stands(agent) == ids[-1]
    assert shell.terminal("rollback", "t", "~1", typed="y\n").code == 0
    assert stands(agent) == ids[-2]


def test_what_is_unreachable_can_be_switched_to_and_forked(shell: Shell, agent: Any, ids: list[str]) -> None:
    shell.ok("rollback", "t", "~2", "-y")
    ran = shell("show", "t", ids[-1])
    assert ran.code == 3
    assert "unreachable since a rollback" in ran.err
    shell.ok("fork", "t", "fork", "--at", ids[-1][-6:])
    assert stands(agent, "fork") == ids[-1]
    shell.ok("switch", "t", ids[-1][-6:], "-y")
    assert stands(agent) == ids[-1]


def test_a_fork_begins_where_it_is_told_to(shell: Shell, agent: Any, ids: list[str]) -> None:
    assert shell.ok("fork", "t", "a", "--at", "step:0").out == f"a begins as t at {ids[1][-6:]}\n"
    assert stands(agent, "a") == ids[1]
    assert shell.ok("fork", "t", "b").out == "b begins as t as it is now\n"
    assert stands(agent, "b") == ids[-1]


def test_a_branch_within_a_thread_is_deleted(shell: Shell, agent: Any, ids: list[str]) -> None:
    agent.invoke(None, config("t", checkpoint_id=ids[2]))
    ran = shell.ok("delete", "t", "--branch", ids[-1][-6:], "-y")
    assert ran.out.startswith("deleted 1 checkpoint; ")
    assert shell("show", "t", ids[-1]).code == 3
    assert shell("delete", "t", "--branch", "@", "-y").code == 2  # the thread stands there


def test_a_promoted_fork_has_the_others_id(shell: Shell, agent: Any, saver: EventStoreSaver) -> None:
    shell.ok("fork", "t", "fork", "--at", "step:0")
    ran = shell.ok("promote", "fork", "t", "-y", "--keep-as", "t-old")
    assert ran.out == "t is now what was fork; what was t is kept as t-old (eventstore promote t-old t reverses that)\n"
    assert len(shell.ok("log", "t", "--json").lines) == 2
    assert len(shell.ok("log", "t-old", "--json").lines) == 4


def test_what_exists_already_is_a_conflict(shell: Shell, agent: Any, saver: EventStoreSaver) -> None:
    shell.ok("fork", "t", "fork")
    assert shell("fork", "t", "fork").code == 4
    assert shell("promote", "fork", "t", "--keep-as", "fork", "-y").code in (2, 4)


def test_nothing_to_undo_is_not_found(shell: Shell, agent: Any) -> None:
    ran = shell("undo", "t", "-y")
    assert ran.code == 3
    assert "nothing to undo" in ran.err


def test_a_thread_that_moves_on_while_a_person_thinks_is_left_alone(shell: Shell, agent: Any, saver: Any) -> None:
    class Slow(Output):
        def confirm(self, question: str, *, yes: bool) -> None:
            answer(agent)

    with pytest.raises(ConflictError):
        moving.rollback(Session(saver.store), Slow(), "t", "~1")
    assert last(saver).topic == "checkpoint.saved"
