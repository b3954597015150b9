"""`tail`."""

from __future__ import annotations

import json
import signal
import subprocess
from typing import Any

import pytest

from eventstore import NewEvent
from langgraph.checkpoint.eventstore import EventStoreSaver
from tests.support.shell import Shell, command


def test_the_last_events_are_shown_the_latest_last(shell: Shell, agent: Any, saver: EventStoreSaver) -> None:
    saver.store.append("s", [NewEvent(f"n{number}") for number in range(3)])
    lines = shell.ok("tail", "-n", "2", "--json").lines
    assert [line["topic"] for line in lines] == ["n1", "n2"]
    assert [line["position"] for line in lines] == [*range(lines[0]["position"], lines[0]["position"] + 2)]
    assert [line["topic"] for line in shell.ok("tail", "s", "-n", "1", "--json").lines] == ["n2"]
    assert [line["topic"] for line in shell.ok("tail", "--topic", "n0", "--json").lines] == ["n0"]
    assert "checkpoint.saved" in shell.ok("tail", "t").out
    head, *rows = shell.ok("tail", "s", "-n", "2").out.splitlines()
    assert head.split("\t") == ["RECORDED", "THREAD", "VERSION", "WHAT", "BY", "NAMESPACE", "RUN", "SIZE", "METADATA"]
    assert [row.split("\t")[1:4] for row in rows] == [["s", "2", "n1"], ["s", "3", "n2"]]
    assert shell.ok("tail", "-n", "0").out == ""
    assert shell("tail", "nobody").code == 3


def test_in_a_pipe_what_is_followed_has_a_line_of_names_first(shell: Shell, saver: EventStoreSaver) -> None:
    process = subprocess.Popen(
        command(["tail", "--follow", "s"]), env=shell.variables({}), stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    saver.store.append("s", [NewEvent("n0")])
    shown = [process.stdout.readline().split("\t") for _ in range(2)]
    saver.store.append("s", [NewEvent("n1")])
    shown.append(process.stdout.readline().split("\t"))
    assert [line[3] for line in shown] == ["WHAT", "n0", "n1"]
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=60)


def test_at_a_terminal_the_events_have_no_line_of_names(shell: Shell, saver: EventStoreSaver) -> None:
    saver.store.append("s", [NewEvent("n0")])
    ran = shell.terminal("tail")
    assert "n0" in ran.out
    assert "RECORDED" not in ran.out


@pytest.mark.parametrize("arguments", [[], ["s"]], ids=["all", "one"])
def test_what_comes_is_followed_until_ctrl_c(shell: Shell, saver: EventStoreSaver, arguments: list[str]) -> None:
    saver.store.append("s", [NewEvent("before")])
    process = subprocess.Popen(
        command(["tail", "--follow", "--json", *arguments]),
        env=shell.variables({}),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert json.loads(process.stdout.readline())["topic"] == "before"
    for number in range(3):
        saver.store.append("s", [NewEvent(f"n{number}")])
        assert json.loads(process.stdout.readline())["topic"] == f"n{number}"
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert (process.returncode, out, err) == (130, "", "")
