"""`stalled` and `verify`."""

from __future__ import annotations

from typing import Any

import pytest
from langgraph.graph import START, MessagesState, StateGraph

from langgraph.checkpoint.eventstore import EventStoreSaver
from tests.adapters.cli.conftest import answer
from tests.support.histories import config, hello
from tests.support.shell import Shell


def failing(saver: EventStoreSaver) -> None:
    """Leave a thread with an error."""

    def fail(state: Any) -> Any:
        raise RuntimeError("the printer is on fire")

    graph: Any = StateGraph(MessagesState).add_node(fail).add_edge(START, "fail").compile(checkpointer=saver)
    with pytest.raises(RuntimeError):
        graph.invoke(hello(), config("failed"))


def test_threads_that_stopped_are_listed_with_what_they_ask(shell: Shell, agent: Any, saver: EventStoreSaver) -> None:
    failing(saver)
    failed, asks = shell.ok("stalled", "--json").lines
    assert (failed["thread"], failed["why"], failed["next"]) == ("failed", ["error"], ["fail"])
    assert "on fire" in failed["tasks"][0]["error"]
    assert (asks["thread"], asks["why"], asks["questions"]) == ("t", ["interrupt"], ["Is it good?"])
    head, *rows = shell.ok("stalled").out.splitlines()
    assert head.split() == ["THREAD", "WHY", "SINCE", "AT", "STEP", "NEXT", "WHAT"]
    assert rows[0].endswith("RuntimeError('the printer is on fire')")
    assert rows[1].endswith('"Is it good?"')
    assert [line["thread"] for line in shell.ok("stalled", "f", "--json").lines] == ["failed"]
    assert len(shell.ok("stalled", "-n", "1", "--json").lines) == 1


def test_of_stalled_threads_those_of_a_reason_are_listed_or_counted(
    shell: Shell, agent: Any, saver: EventStoreSaver
) -> None:
    failing(saver)
    assert [line["thread"] for line in shell.ok("stalled", "--why", "error", "--json").lines] == ["failed"]
    assert len(shell.ok("stalled", "--why", "error", "--why", "interrupt", "--json").lines) == 2
    assert shell.ok("stalled", "--count").out == "2\n"
    assert shell.ok("stalled", "--count", "--why", "died", "--json").document == {"stalled": 0}
    assert shell("stalled", "--why", "boredom").code == 2


def test_stalled_ends_with_1_for_a_monitor(shell: Shell, agent: Any) -> None:
    assert shell("stalled", "--exit-code").code == 1
    counted = shell("stalled", "--why", "interrupt", "--count", "--exit-code")
    assert (counted.code, counted.out) == (1, "1\n")
    assert shell("stalled", "--why", "error", "--exit-code").code == 0


def test_a_thread_that_is_not_there_keeps_none_from_being_verified(shell: Shell, agent: Any, saver: Any) -> None:
    saver.copy_thread("t", "fork")
    ran = shell("verify", "t", "nope", "fork")
    assert ran.code == 3
    assert [line.split(":")[0] for line in ran.out.splitlines()] == ["✓ t", "✓ fork"]
    assert ran.err == "eventstore: there is no thread 'nope' to check: see eventstore threads\n"
    found = shell("verify", "nope", "t", "--json").document
    assert (found["ok"], found["missing"], [each["thread"] for each in found["threads"]]) == (False, ["nope"], ["t"])


def test_a_thread_that_went_on_is_not_stalled(shell: Shell, agent: Any) -> None:
    answer(agent)
    ran = shell.ok("stalled")
    assert (ran.out, ran.err) == ("", "no thread stopped in the middle\n")
    assert shell("stalled", "--older-than", "soon").code == 2


def test_a_sound_store_is_verified(shell: Shell, agent: Any, saver: EventStoreSaver) -> None:
    saver.copy_thread("t", "fork")
    found = shell.ok("verify", "--json").document
    assert found["ok"]
    assert [thread["thread"] for thread in found["threads"]] == ["fork", "t"]
    assert found["log"]["events"] == len([*saver.store.feed()])
    assert shell.ok("verify").out.splitlines()[-1] == "✓ 2 threads: all is as it was written"
    assert "4 checkpoints" in shell.ok("verify", "t").out
    assert shell.ok("verify", "--quick", "--json").document["threads"] == []


def test_damage_is_found(shell: Shell, agent: Any, saver: EventStoreSaver) -> None:
    schema = "eventstore." if saver.store.recorder.dialect == "postgres" else ""
    damage = f"UPDATE {schema}events SET recorded_at = recorded_at + 1 WHERE version = 3"
    saver.store.recorder.write(lambda session: session.execute(damage, {}))
    for arguments in (["verify"], ["verify", "t"], ["verify", "--quick"]):
        ran = shell(*arguments)
        assert ran.code == 1
        assert "✗" in ran.out
        assert ran.err == ""
    ran = shell("verify", "--json")
    assert ran.code == 1
    assert not ran.document["ok"]
    assert ran.document["log"]["version"] == 3
    assert {finding["kind"] for thread in ran.document["threads"] for finding in thread["findings"]} == {"chain"}
