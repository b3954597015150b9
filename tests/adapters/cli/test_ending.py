"""How a command ends: with which code, in one line, and quietly where somebody left."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import pytest

from eventstore import NewEvent, errors
from eventstore_cli.declaring import command_of
from eventstore_cli.exits import Exit, exit_of
from eventstore_cli.options import with_shared
from eventstore_cli.output import Output
from eventstore_cli.program import Program
from eventstore_cli.table import TABLE, load
from eventstore_views.session import Session
from langgraph.checkpoint.eventstore import EventStoreSaver
from tests.support.shell import CTRL_C, READING, ROOT, Shell, command

COMMANDS = sorted(TABLE)


def test_every_command_is_there() -> None:
    assert set(COMMANDS) == {
        *("threads", "log", "show", "diff", "blame", "tree", "fork", "rollback", "undo", "switch", "promote", "delete"),
        *("audit", "export", "stalled", "verify", "stats", "migrate", "compare", "prune", "record", "replay"),
        *("tail", "health", "shapes", "usage"),
        "import",
    }


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_help_with_examples_and_json(sqlite_url: str, name: str) -> None:
    ran = Shell(sqlite_url).ok(name, "--help")
    assert "Example" in ran.out
    assert f"eventstore {name}" in ran.out
    assert "--json" in ran.out
    assert "--store" in ran.out


def test_the_exit_codes_are_in_the_help_and_in_the_document() -> None:
    shown = " ".join(Shell("").ok("--help").out.split())
    document = (ROOT / "docs" / "command-line.md").read_text(encoding="utf-8")
    for code in Exit:
        assert f"{code:d} {code.meaning.split(':')[0]}" in shown
        assert f"| {code:d} | {code.meaning.replace('|', '&#124;')} |" in document


def test_every_error_has_an_exit_code() -> None:
    tree = [value for name, value in vars(errors).items() if name.endswith("Error")]
    base = {errors.EventStoreError, errors.OvertakenError}
    made = [kind.__new__(kind) for kind in tree if kind not in base]
    assert not [error for error in made if exit_of(error) in (Exit.INTERNAL, Exit.OK)]


def test_how_checkpoints_are_named_is_told() -> None:
    assert "step:5" in Shell("").ok("help").out


@pytest.mark.parametrize("name", TABLE)
def test_the_list_says_of_a_command_what_its_help_says_first(name: str) -> None:
    assert (load(name).help or "").splitlines()[0] == TABLE[name].line


def test_help_of_a_command_is_that_commands_help() -> None:
    shell = Shell("")
    assert shell.ok("help", "log").out == shell.ok("log", "--help").out
    assert "Did you mean 'log'" in shell("help", "lgo").err


def test_the_bare_command_shows_help_and_nothing_odd() -> None:
    bare = Shell("").process()
    assert (bare.code, bare.err) == (0, "")
    assert bare.out.startswith("Usage: eventstore ")
    assert bare.out == Shell("").process("--help").out


LATER = ("asyncio", "langgraph", "psycopg", "pydantic", "rich.progress", "tenacity", "projections.recovery")
IMPORTED = """
import sys
from eventstore_cli.app import main
try:
    main()
finally:
    sys.stderr.write(" ".join(sorted(sys.modules)))
"""


def imported(arguments: list[str], environment: dict[str, str]) -> set[str]:
    """The modules that a command has imported when it ends."""
    done = subprocess.run(
        [sys.executable, "-c", IMPORTED, *arguments], env=environment, capture_output=True, text=True, check=False
    )
    return set(done.stderr.split())


@pytest.mark.parametrize("arguments", [[], ["help", "log"], ["threads"], ["log", "t"]], ids=" ".join)
def test_a_command_imports_what_it_needs_and_no_more(sqlite_url: str, arguments: list[str]) -> None:
    """A list says on every machine what seconds say on one: half of the start was modules that nothing called."""
    with EventStoreSaver.from_conn_string(sqlite_url) as saver:
        saver.store.append("t", [NewEvent("n")])
    found = imported(arguments, Shell(sqlite_url).variables({}))
    assert "eventstore_cli.program" in found
    assert not found.intersection(LATER)
    assert ("eventstore" in found) is bool(arguments)


def test_completion_of_a_command_takes_no_store(sqlite_url: str) -> None:
    asking = {"_EVENTSTORE_COMPLETE": "bash_complete", "COMP_WORDS": "eventstore lo", "COMP_CWORD": "1"}
    assert not imported([], Shell(sqlite_url).variables(asking)) & {*LATER, "eventstore", "rich"}


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["log"], "Missing argument"),
        (["lgo", "t"], "Did you mean 'log'"),
        (["log", "t", "--nope"], "--nope"),
        (["log", "t", "-n", "many"], "'-n'"),
        (["--json"], "--json"),
    ],
)
def test_wrong_arguments_are_one_line_that_says_where_help_is(sqlite_url: str, arguments: list[str], says: str) -> None:
    ran = Shell(sqlite_url)(*arguments)
    assert ran.code == 2
    assert ran.err.startswith("eventstore: ")
    assert says in ran.err
    assert "--help" in ran.err
    assert ran.err.count("\n") == 1
    assert ran.out == ""


def having(command: Callable[..., None]) -> Program:
    """A program like ours that has a command of its own, too."""
    own = Program("eventstore")
    own.add_command(command_of(command.__name__, with_shared(command)))
    return own


def test_an_unexpected_error_is_one_line_and_a_traceback_if_asked_for(url: str, saver: EventStoreSaver) -> None:
    def broken(session: Session, out: Output) -> None:
        raise RuntimeError("the moon\nis full")

    shell = Shell(url, having(broken))
    ran = shell("broken")
    assert ran.code == 70
    assert ran.err == "eventstore: unexpected RuntimeError: the moon is full (--debug shows where)\n"
    assert "Traceback" in shell("broken", "--debug").err


def test_ctrl_c_ends_quietly(url: str, saver: EventStoreSaver) -> None:
    def interrupted(session: Session, out: Output) -> None:
        raise KeyboardInterrupt

    ran = Shell(url, having(interrupted))("interrupted")
    assert (ran.code, ran.out, ran.err) == (130, "", "")


def test_ctrl_c_at_a_question_changes_nothing(shell: Shell, agent: Any, saver: EventStoreSaver) -> None:
    before = saver.store.head("t")
    ran = shell.terminal("rollback", "t", "~1", typed=CTRL_C)
    assert ran.code == 130
    assert "Traceback" not in ran.out
    assert saver.store.head("t") == before


def test_a_reader_that_goes_away_is_no_error(shell: Shell, agent: Any, saver: EventStoreSaver) -> None:
    for number in range(40):
        saver.store.append("s", [NewEvent("n" * 200, b"")] * 50 if number else [NewEvent("n")])
    for arguments in (["export", "-"], ["audit", "-n", "0"], ["audit", "-n", "0", "--json"]):
        process = subprocess.Popen(
            command(arguments),
            env=shell.variables({}),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        assert process.stdout is not None
        assert process.stderr is not None
        assert process.stdout.readline()
        process.stdout.close()
        assert process.stderr.read() == b""
        process.stderr.close()
        assert process.wait(60) == 141


# The program with one more command, which Ctrl-C ends.
STOPPED = """
import os, signal, sys
from eventstore_cli.app import main
from eventstore_cli.declaring import command_of
from eventstore_cli.options import with_shared
from eventstore_cli.program import program

def stop(session, out):
    os.kill(os.getpid(), signal.SIGINT)
    signal.pause()

program.add_command(command_of("stop", with_shared(stop)))
sys.argv = ["eventstore", "stop"]
main()
"""


def test_the_process_answers_a_signal_with_its_code(shell: Shell, agent: Any) -> None:
    done = subprocess.run(
        [sys.executable, "-c", STOPPED], env=shell.variables({}), capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout, done.stderr) == (130, "", "")


CHANGING = [
    ["migrate"],
    ["rollback", "t", "~1", "-y"],
    ["fork", "t", "fork"],
]


@pytest.mark.parametrize("arguments", [*READING, *CHANGING], ids=lambda arguments: arguments[0])
def test_a_real_process_gives_json_and_nothing_else(shell: Shell, agent: Any, arguments: list[str]) -> None:
    ran = shell.process(*arguments, "--json")
    assert (ran.code, ran.err) == (0, "")
    assert ran.out.splitlines()
    for line in ran.out.splitlines():
        json.loads(line, parse_constant=lambda name: pytest.fail(f"{name} is not JSON"))


def test_a_console_that_knows_only_ascii_is_served(shell: Shell, agent: Any) -> None:
    ran = shell.process("log", "t", PYTHONIOENCODING="ascii")
    assert (ran.code, ran.err) == (0, "")
    assert shell.process("tree", "t", "--json", PYTHONIOENCODING="ascii").code == 0
