"""`prune` and `delete`, of several threads."""

from __future__ import annotations

from typing import Any

import pytest

from eventstore import Cause, NewEvent
from eventstore_cli.commands import forgetting
from eventstore_cli.output import Output
from eventstore_views.session import Session
from langgraph.checkpoint.eventstore import EventStoreSaver
from projections import Branches
from tests.adapters.cli.conftest import answer
from tests.support.histories import config
from tests.support.shell import Shell


@pytest.fixture
def several(saver: EventStoreSaver, agent: Any) -> EventStoreSaver:
    """Thread `t`, and three that a test made."""
    for name in ("a", "b", "c"):
        Branches(saver.checkpoints).fork("t", name, cause=Cause(metadata={"test": True}))
    return saver


def left(shell: Shell) -> list[str]:
    """The threads that are there."""
    return [line["thread"] for line in shell.ok("threads", "--by-name", "--json").lines]


def test_several_threads_are_deleted(shell: Shell, several: EventStoreSaver) -> None:
    assert [line["thread"] for line in shell.ok("delete", "a", "c", "-y", "--json").lines] == ["a", "c"]
    assert left(shell) == ["b", "t"]


def test_if_some_of_them_are_not_there_none_is_deleted(shell: Shell, several: EventStoreSaver) -> None:
    refused = shell("delete", "a", "nope", "nor-this", "-y")
    assert refused.code == 3
    assert "'nope', 'nor-this'" in refused.err
    assert left(shell) == ["a", "b", "c", "t"]


def test_threads_are_deleted_by_what_is_true_of_them(shell: Shell, several: EventStoreSaver) -> None:
    none = shell.ok("delete", "--older-than", "1h", "-y")
    assert (none.out, none.err) == ("", "there are no such threads\n")
    assert "of 3 threads" in shell.ok("delete", "--where", "test=true", "--older-than", "0s", "-y").out
    assert left(shell) == ["t"]


def test_other_streams_of_the_log_are_no_threads_to_delete(shell: Shell, several: EventStoreSaver) -> None:
    several.store.append("orders-7", [NewEvent("order.placed")], metadata={"test": True})
    several.store.fork("orders-7", "orders-8", metadata={"test": True})
    shell.ok("delete", "--where", "test=true", "-y")
    assert left(shell) == ["orders-7", "orders-8", "t"]


def test_a_person_is_told_how_many_before_they_go(shell: Shell, several: EventStoreSaver) -> None:
    ran = shell.terminal("delete", "--where", "test=true", typed="n\n", columns=200)
    assert ran.code == 8
    assert "Delete 3 threads ('a', 'b', 'c') with 12 checkpoints? This cannot be undone." in ran.out
    assert left(shell) == ["a", "b", "c", "t"]
    assert shell("delete", "--where", "test=true").code == 8


def test_which_threads_has_to_be_said_in_one_way(shell: Shell, several: EventStoreSaver) -> None:
    assert shell("delete", "-y").code == 2
    assert shell("prune", "-y").code == 2
    assert shell("delete", "t", "--older-than", "1d", "-y").code == 2
    assert shell("delete", "a", "b", "--branch", "@", "-y").code == 2


def test_a_thread_that_goes_on_meanwhile_is_left_alone(shell: Shell, several: EventStoreSaver) -> None:
    class Slow(Output):
        def confirm(self, question: str, *, yes: bool) -> None:
            several.store.append("b", [NewEvent("n")])

    with pytest.raises(Exception, match="4"):  # the exit code
        forgetting.delete(Session(several.store), Slow(), metadata=["test=true"])
    assert left(shell) == ["b", "t"]


def test_a_prune_keeps_the_latest_and_tells_before_what_goes(shell: Shell, agent: Any, saver: EventStoreSaver) -> None:
    answer(agent)
    would = shell.ok("prune", "t", "--dry-run", "--json").document
    assert len(shell.ok("log", "t", "--json").lines) == 5
    assert shell("prune", "t").code == 8
    state = agent.get_state(config("t")).values
    done = shell.ok("prune", "t", "-y", "--reason", "old", "--json").document
    assert done == {**would, "dry_run": False}
    assert done["checkpoints"] == 4
    assert len(shell.ok("log", "t", "--json").lines) == 1
    assert agent.get_state(config("t")).values == state
    [event] = saver.store.read("t", backward=True, limit=1)
    assert (event.topic, event.cause.metadata["reason"]) == ("thread.pruned", "old")
    none = shell.ok("prune", "--where", "user=ann", "-y")
    assert (none.out, none.err) == ("", "there is nothing to prune\n")
