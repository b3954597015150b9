"""At a terminal: colours, the pager, the width, the bar, and completion."""

from __future__ import annotations

import re
from typing import Any

import pytest

from tests.support.completing import completions
from tests.support.shell import Shell

ESCAPE = "\x1b["
PAGER = "sed s/^/paged:/"


def test_a_terminal_has_colours_and_a_pipe_has_none(shell: Shell, agent: Any, ids: list[str]) -> None:
    assert f"{ESCAPE}33m{ids[-1][-6:]}" in shell.terminal("log", "t").out
    assert ESCAPE not in shell.process("log", "t").out


def test_no_color_is_respected(shell: Shell, agent: Any) -> None:
    assert f"{ESCAPE}33m" not in shell.terminal("log", "t", NO_COLOR="1").out
    assert ESCAPE not in shell.terminal("log", "t", TERM="dumb").out


def test_what_is_long_goes_through_the_pager(shell: Shell, agent: Any) -> None:
    assert "paged:" not in shell.terminal("show", "t", "-c", "count", PAGER=PAGER).out
    assert "paged:" not in shell.terminal("log", "t", "-n", "1", PAGER=PAGER).out
    assert "paged:" in shell.terminal("audit", PAGER=PAGER).out
    assert "paged:" not in shell.terminal("audit", "--no-pager", PAGER=PAGER).out
    assert "paged:" not in shell.terminal("audit", "--json", PAGER=PAGER).out


def test_what_changed_stands_below_where_the_screen_is_narrow(shell: Shell, agent: Any) -> None:
    wide, narrow = (
        shell.terminal("log", "t", "--no-pager", columns=columns, NO_COLOR="1").out for columns in (250, 72)
    )
    assert "CHANGES" in wide
    assert "CHANGES" not in narrow
    plain = re.sub(r"\x1b\[[0-9;]*m", "", narrow)
    assert "\n        count " in plain
    assert max(map(len, plain.splitlines())) <= 72


def test_a_bar_is_shown_only_to_people(shell: Shell, agent: Any) -> None:
    assert "━" in shell.terminal("verify").out
    ran = shell.process("verify")
    assert ran.err == ""
    assert "━" not in ran.out


@pytest.mark.parametrize(
    ("line", "offered"),
    [
        ("eventstore lo", {"log"}),
        ("eventstore log ", {"t"}),
        ("eventstore log x", set()),
        ("eventstore blame t f", {"files"}),
        ("eventstore audit --thread ", {"t"}),
        ("eventstore --json lo", {"log"}),
        ("eventstore --utc log ", {"t"}),
        ("eventstore delete t --branch ", None),
    ],
)
def test_a_shell_completes_commands_and_names_of_the_store(
    shell: Shell, agent: Any, line: str, offered: set[str] | None
) -> None:
    found = {each.partition("\t")[0] for each in completions(shell, line)}
    assert found == offered if offered is not None else len(found) == 4


def test_a_shell_completes_checkpoints(shell: Shell, agent: Any, ids: list[str]) -> None:
    def offered(begun: str) -> list[str]:
        return completions(shell, f"eventstore show t {begun}")

    assert offered("") == [id_[-6:] for id_ in reversed(ids)]
    assert offered(ids[2][-6:-2]) == [ids[2][-6:]]
    assert offered(ids[2]) == [ids[2]]


def test_completion_without_a_store_offers_nothing() -> None:
    assert completions(Shell("sqlite:///nowhere.db"), "eventstore log ") == []
