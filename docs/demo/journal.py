"""The journal: every tool call writes a line when it starts and when it is done, with its process id.

It is a plain file outside the store on purpose: the witness that a resumed run repeats no finished call.
"""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path

FOLDER = Path("demo-data")
JOURNAL = FOLDER / "journal.jsonl"


@dataclass(frozen=True)
class Note:
    """One line: the tool call `call` (the id that the model gave it) started, or was done, in process `pid`."""

    call: str
    tool: str
    done: bool
    pid: int


class CallRepeatedError(Exception):
    """A tool call started again although it was done."""


def write(call: str, tool: str, *, done: bool) -> None:
    """Append a line. It outlives a SIGKILL from the moment this returns."""
    with JOURNAL.open("a", encoding="utf-8") as file:
        file.write(json.dumps(asdict(Note(call, tool, done, os.getpid()))) + "\n")


def read() -> list[Note]:
    """All lines, the oldest first."""
    lines = JOURNAL.read_text(encoding="utf-8").splitlines() if JOURNAL.exists() else []
    return [Note(**json.loads(line)) for line in lines]


def check(notes: list[Note]) -> int:
    """The number of calls that were done, each of them once.

    Raises:
        CallRepeatedError: A call started, in whatever process, after it was done.
    """
    done: set[str] = set()
    for note in notes:
        if note.call in done:
            raise CallRepeatedError(f"{note.tool} ({note.call}) was done, and ran again in process {note.pid}")
        if note.done:
            done.add(note.call)
    return len(done)
