"""`make demo`, as a new user runs it: what it shows is held against its journal, its files and its store."""

from __future__ import annotations

import json
import os
import pty
import re
import shutil
import struct
import subprocess
import sys
import termios
from collections import Counter
from contextlib import suppress
from fcntl import ioctl
from importlib.util import module_from_spec, spec_from_file_location
from itertools import takewhile
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from langgraph.checkpoint.eventstore import EventStoreSaver

DEMO = Path(__file__).parents[1] / "docs" / "demo"
README = Path(__file__).parents[1] / "README.md"


def run_demo(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, DEMO / "demo.py", *arguments],
        cwd=folder,
        env=os.environ | {"COLUMNS": "80", "PYTHONIOENCODING": "utf-8"},
        capture_output=True,
        encoding="utf-8",
        check=False,
    )


def only(pattern: str, text: str) -> str:
    """Return the match of the pattern's group, at the one place where the pattern matches."""
    (found,) = re.findall(pattern, text, re.MULTILINE)
    return str(found)


def at_a_terminal(folder: Path) -> str:
    """Return what the demo shows at a terminal of 100 columns."""
    ours, theirs = pty.openpty()
    ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 50, 100, 0, 0))
    without = ("COLUMNS", "LINES", "EVENTSTORE_URL", "EVENTSTORE_SCHEMA")
    environment = {name: value for name, value in os.environ.items() if name not in without}
    with subprocess.Popen(
        [sys.executable, DEMO / "demo.py"],
        cwd=folder,
        env={**environment, "NO_COLOR": "1", "TERM": "xterm", "PYTHONIOENCODING": "utf-8"},
        stdin=subprocess.DEVNULL,
        stdout=theirs,
        stderr=theirs,
    ) as process:
        os.close(theirs)
        shown = b""
        with suppress(OSError):  # the other side was closed
            while read := os.read(ours, 4096):
                shown += read
        os.close(ours)
    assert process.returncode == 0, shown
    return re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]|\r", "", shown.decode())


def plainly(text: str) -> list[str]:
    """Lines without what differs from run to run: ids, times, processes, bytes; and the padding beside it."""
    text = re.sub(r"[\d,]+ (B|bytes)\b", r"N \1", text)
    known = re.sub(r"\b(?=\d*[a-f])[0-9a-f]{6}\b|\b\d{6}\b", "ID", text)
    known = re.sub(r"(\d{4}-\d\d-\d\d )?\d\d:\d\d:\d\d(\.\d+)?", "TIME", known)
    known = re.sub(r"(?m)(^ +|, | {2,})\d{3,}\b", r"\1PROCESS", known)
    return [" ".join(line.split()) for line in known.strip().splitlines()]


def notes_of(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / "demo-data" / "journal.jsonl").read_text().splitlines()]


def test_an_agent_is_killed_and_goes_on_and_asks_and_takes_another_way(url: str, tmp_path: Path):
    demo = run_demo(tmp_path, url)
    said = demo.stdout
    assert (demo.returncode, demo.stderr) == (0, ""), said
    process = {
        action: int(only(rf"^ *(\d+)  python  agent.py {action}$", said))
        for action in ("start", "resume", "answer", "travel")
    }
    assert len(set(process.values())) == 4

    # Killed while a tool call ran, by a signal that no process can catch.
    assert int(only(r"^ *(\d+)  killed  by SIGKILL while build ran: return code -9$", said)) == process["start"]

    # Resumed by another process, which ran that call again and none of those beside it or before it.
    notes = notes_of(tmp_path)
    starts = {
        call: [note["pid"] for note in notes if note["call"] == call and not note["done"]]
        for call in {note["call"] for note in notes}
    }
    done = {note["call"]: note["pid"] for note in notes if note["done"]}
    assert starts["build"] == [process["start"], process["resume"]]
    assert done["build"] == process["resume"]
    for call in "list", "read-cache", "read-login":
        assert starts[call] == [process["start"]]
        assert done[call] == process["start"]
    assert Counter(note["call"] for note in notes if note["done"]).most_common(1)[0][1] == 1
    resumed = rf"^ *{process['resume']}  "
    assert len(re.findall(resumed + r"store   recorded, not run again: read_file: ", said, re.MULTILINE)) == 2

    # Paused for a human, whose answer came with another process again; the other way got another answer.
    assert re.search(resumed + r"paused  Publish notes.md\?$", said, re.MULTILINE)
    assert starts["publish"] == [process["resume"], process["answer"]]
    assert done["publish"] == process["answer"]
    project = tmp_path / "demo-data" / "project"
    assert (project / "published" / "notes.md").read_text() == (project / "notes.md").read_text()
    assert (project / "customers.md").exists()
    assert not (project / "published" / "customers.md").exists()
    assert starts.keys() == done.keys()

    # Two branches, as the store has them too.
    thread = only(r"  thread  (\S+)$", said)
    with EventStoreSaver.from_conn_string(url) as saver:
        checkpoints = list(saver.list({"configurable": {"thread_id": thread}}))
    children = Counter(
        stored.parent_config["configurable"]["checkpoint_id"] for stored in checkpoints if stored.parent_config
    )
    assert [count for count in children.values() if count > 1] == [2]
    history = said[said.index("The history, from the store") :]
    rows = re.findall(r"── +-?\d+  [\d:]{8}\.\d{3} +([\d,]+) B  \w+", history)
    assert len(rows) == len(checkpoints)
    assert all(int(size.replace(",", "")) > 0 for size in rows)
    history, commands = history.split("Any of it back")
    trunk, first, second = re.split(r"── branch [12]\n", history)
    assert "✗ killed here" in trunk
    assert "⏸ paused: Publish notes.md?" in first
    assert "⏸ paused: Publish customers.md?" in second
    assert ["● HEAD" in part for part in (trunk, first, second)] == [False, False, True]

    # And the command line goes back, and back again, and tells the branches apart.
    _, rolled_back, tree, undone, diff, blame = commands.split("\n$ eventstore ")
    assert "is back at" in rolled_back
    assert [line.endswith("unreachable") for line in tree.strip().splitlines()[1:]] == [False, True, True]
    assert "undone" in undone
    assert re.search(r"^-.*published/notes.md", diff, re.MULTILINE)
    assert re.search(r"^\+.*customers.md stays a draft", diff, re.MULTILINE)
    assert re.search(r"\ttools\t.*messages\[6\]\ttool build: ", blame)

    # Its run is replayed, killed and sent back in time as it was; and what two changes do to it is told.
    _, replays = commands.split(">>> ", 1)
    written, same, prompted, shortened = replays.split("\n>>> ")
    assert (tmp_path / "demo-data" / "release-2.0.history").stat().st_size == int(only(r"^(\d+) bytes$", written))
    assert f"Replayed(thread='{thread}', runs=5, checkpoints={len(checkpoints)}, answered=15)" in same
    assert "differs in step 1, node 'model': " in " ".join(prompted.split())
    assert "differs in step 4, node 'tools', channel 'messages': " in " ".join(shortened.split())


def test_the_readme_shows_what_it_prints(tmp_path: Path):
    """Line by line: whoever wrote something there copied it from here."""
    shown = plainly(at_a_terminal(tmp_path))
    blocks = re.findall(r"(?s)^```text\n(.*?)^```$", README.read_text(encoding="utf-8"), re.MULTILINE)
    blocks = [plainly(block) for block in blocks]
    [history] = [block for block in blocks if block[0].startswith("release-2.0: 17 checkpoints")]
    [commands] = [block for block in blocks if block[0].startswith("$ export EVENTSTORE_URL")]
    [acts] = [block for block in blocks if block[0].startswith("1 An agent works")]
    assert history == shown[shown.index(history[0]) :][: len(history)]
    assert commands[1:] == shown[shown.index(commands[1]) :][: len(commands) - 1]
    [replays] = re.findall(r"(?s)^```text\n(.*?)^```$", (DEMO / "README.md").read_text(encoding="utf-8"), re.MULTILINE)
    assert plainly(replays) == shown[shown.index(plainly(replays)[0]) :][: len(plainly(replays))]
    # Tools that run beside each other say so in any order.
    assert acts.pop() == "…"
    for title in ("1 An agent works", "2 A new process"):
        said, told = (_act(lines, title) for lines in (shown, acts))
        assert sorted(said) == sorted(told)


def _act(lines: list[str], title: str) -> list[str]:
    """The lines of an act: up to an empty one."""
    [begin] = [number for number, line in enumerate(lines) if line.startswith(title)]
    return [line.strip("─ ") for line in takewhile(bool, lines[begin:])]


@pytest.mark.parametrize(("url", "needs"), [("", ".[cli]"), ("postgresql://h/d", ".[cli,postgres]")])
def test_make_demo_installs_what_the_demo_needs_and_says_so(tmp_path: Path, url: str, needs: str):
    for name in ("Makefile", "pyproject.toml", "requirements-dev.lock"):
        shutil.copy(README.parent / name, tmp_path)
    told = subprocess.run(
        ["make", "--dry-run", "demo", f"URL={url}"], cwd=tmp_path, capture_output=True, text=True, check=True
    ).stdout
    [install] = re.findall(r"pip install .*", told)
    assert f'--editable "{needs}" langchain' in install
    assert "--requirement" not in install
    assert "--constraint requirements-dev.lock" in install
    assert "Installing what the demo needs" in told
    assert ".venv-demo/bin/python docs/demo/demo.py" in told


def test_it_fits_a_plain_terminal_and_starts_afresh(tmp_path: Path):
    left = tmp_path / "demo-data"
    left.mkdir()
    (left / "journal.jsonl").write_text("of an earlier run\n")
    (left / "agents.db").write_text("of an earlier run, and no database\n")
    demo = run_demo(tmp_path)
    assert demo.returncode == 0, demo.stdout + demo.stderr
    story, _ = demo.stdout.split("Any of it back")  # what the commands show is for a terminal to wrap
    assert max(map(len, story.splitlines())) <= 80
    assert "\x1b" not in demo.stdout
    assert (left / "agents.db").read_bytes().startswith(b"SQLite format 3")


def test_it_leaves_a_folder_alone_that_is_not_its_own(tmp_path: Path):
    (tmp_path / "demo-data").mkdir()
    (tmp_path / "demo-data" / "thesis.txt").write_text("years of work")
    demo = run_demo(tmp_path)
    assert demo.returncode != 0
    assert "not from this demo" in demo.stderr
    assert (tmp_path / "demo-data" / "thesis.txt").exists()


@pytest.mark.parametrize("address", ["mysql://root:hunter2@localhost/db", "postgresql://ann:hunter2@127.0.0.1:1/none"])
def test_a_store_that_cannot_be_opened_is_one_clear_line_without_the_password(address: str, tmp_path: Path):
    demo = run_demo(tmp_path, address)
    assert demo.returncode != 0
    assert demo.stderr.startswith("The demo failed: ")
    assert "Traceback" not in demo.stderr
    assert "hunter2" not in demo.stdout + demo.stderr


@pytest.fixture
def journal(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> ModuleType:
    """The demo's module of that name, writing into a folder of the test's own."""
    spec = spec_from_file_location("journal", DEMO / "journal.py")
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    # dataclasses look their module up.
    monkeypatch.setitem(sys.modules, "journal", module)
    spec.loader.exec_module(module)
    vars(module)["JOURNAL"] = tmp_path / "journal.jsonl"
    return module


def test_the_witness_notices_a_finished_call_that_starts_again(journal: ModuleType):
    journal.write("a", "build", done=False)
    journal.write("a", "build", done=False)
    journal.write("a", "build", done=True)
    assert journal.check(journal.read()) == 1
    journal.write("a", "build", done=False)
    with pytest.raises(journal.CallRepeatedError, match="build"):
        journal.check(journal.read())
