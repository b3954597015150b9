"""Running the command line: in this process, in one of its own, and at a terminal."""

from __future__ import annotations

import json
import os
import pty
import select
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from fcntl import ioctl
from pathlib import Path
from typing import Any

import click
from click.testing import CliRunner

from eventstore_cli.program import program

ROOT = Path(__file__).parent.parent.parent
CTRL_C = "\x03"
_SECONDS = 60
# Ctrl-C is a signal only to whom the terminal controls.
_CONTROLLED = """
import fcntl, os, sys, termios
fcntl.ioctl(0, termios.TIOCSCTTY, 0)
os.execv(sys.argv[1], sys.argv[1:])
"""


READING = [
    ["threads"],
    ["log", "t"],
    ["show", "t"],
    ["diff", "t"],
    ["blame", "t", "messages"],
    ["tree", "t"],
    ["audit"],
    ["usage"],
    ["stalled"],
    ["verify"],
    ["stats"],
]
"""The commands that only read, of the thread `t`."""


@dataclass(frozen=True)
class Ran:
    """The outcome of a command."""

    code: int
    out: str
    err: str

    @property
    def lines(self) -> list[Any]:
        """Its output, as JSON lines."""
        return [json.loads(line) for line in self.out.splitlines()]

    @property
    def document(self) -> Any:
        """Its output, as one JSON document."""
        [document] = self.lines
        return document


class Shell:
    """A shell in which a store is named.

    Args:
        url: The store.
        program: The program that is run in this process.
    """

    def __init__(self, url: str, program: click.Command = program) -> None:
        self.program = program
        self.environment = {"EVENTSTORE_URL": url, "EVENTSTORE_SCHEMA": None, "TZ": "UTC"}

    def __call__(self, *arguments: str, **environment: str | None) -> Ran:
        """Run a command in this process, without a terminal."""
        result = CliRunner().invoke(
            self.program, list(arguments), env=self.environment | environment, prog_name="eventstore"
        )
        return Ran(result.exit_code, result.stdout, result.stderr)

    def ok(self, *arguments: str) -> Ran:
        """Run a command that is done without a word of complaint."""
        ran = self(*arguments)
        assert ran.code == 0, ran
        return ran

    def process(self, *arguments: str, **environment: str) -> Ran:
        """Run a command in a process of its own."""
        done = subprocess.run(
            command(arguments),
            env=self.variables(environment),
            capture_output=True,
            stdin=subprocess.DEVNULL,
            text=True,
            timeout=_SECONDS,
            check=False,
        )
        return Ran(done.returncode, done.stdout, done.stderr)

    def terminal(self, *arguments: str, typed: str = "", columns: int = 100, **environment: str) -> Ran:
        """Run a command at a terminal, where somebody answers its question; what it shows is all in `out`."""
        ours, theirs = pty.openpty()
        ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 10, columns, 0, 0))
        process = subprocess.Popen(
            [sys.executable, "-c", _CONTROLLED, *command(arguments)],
            env=self.variables({"TERM": "xterm-256color", "PAGER": "cat", **environment}),
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            start_new_session=True,
        )
        os.close(theirs)
        shown, answered = b"", False
        deadline = time.monotonic() + _SECONDS
        with suppress(OSError):  # the other side was closed
            while time.monotonic() < deadline:
                is_quiet = not select.select([ours], [], [], 1)[0]
                shown += b"" if is_quiet else os.read(ours, 4096)
                # A signal just before Python waits for input is lost: whoever is left waiting sends it again.
                if b"[y/N]" in shown and (not answered or (is_quiet and typed == CTRL_C)):
                    answered = True
                    os.write(ours, typed.encode())
        os.close(ours)
        return Ran(process.wait(_SECONDS), shown.decode().replace("\r\n", "\n"), "")

    def variables(self, more: Mapping[str, str]) -> dict[str, str]:
        """The environment of a process of its own."""
        named = {name: value for name, value in self.environment.items() if value is not None}
        path = os.pathsep.join([str(ROOT), str(ROOT / "adapters")])
        inherited = {name: value for name, value in os.environ.items() if name not in ("NO_COLOR", "COLUMNS", "LINES")}
        return {**inherited, **named, "PYTHONPATH": path, **more}


def command(arguments: Sequence[str]) -> list[str]:
    """The command line of a process that runs a command."""
    return [sys.executable, "-m", "eventstore_cli", *arguments]
