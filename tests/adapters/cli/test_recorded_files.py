"""`record`, and `replay` of the file that it wrote."""

from __future__ import annotations

from pathlib import Path

import pytest

from langgraph.checkpoint.eventstore import EventStoreSaver
from langgraph.checkpoint.eventstore.testing import RecordedHistory
from tests.adapters.cli.conftest import offer_modules
from tests.support.flavour import Flavour
from tests.support.histories import an_agent, config, hello
from tests.support.recorded import recorded
from tests.support.shell import Ran, Shell

MODULE = """
from tests.support.recorded import a_builder

same = a_builder().compile()
other = a_builder(note=str.upper).compile()
print("this is no part of the answer")
"""


@pytest.fixture(autouse=True)
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The graph as it was, and as it is now, where Python finds them."""
    offer_modules(tmp_path, monkeypatch, graphs_of_a_record=MODULE)


@pytest.fixture
def file(saver: EventStoreSaver, tmp_path: Path) -> str:
    """The path for the history of thread `main`, which is recorded in the store."""
    recorded(saver, "sync", Flavour.SYNC)
    return str(tmp_path / "main.history")


def replayed(shell: Shell, file: str, graph: str, *more: str) -> Ran:
    """Replay a file where no store is named."""
    return shell("replay", file, "--graph", f"graphs_of_a_record:{graph}", *more, EVENTSTORE_URL=None)


def test_a_thread_is_recorded_and_its_file_replayed_without_a_store(
    shell: Shell, saver: EventStoreSaver, file: str
) -> None:
    said = shell.ok("record", "main", "-o", file).out
    assert said.startswith(f"{file}: ")
    assert "events of main" in said
    assert RecordedHistory.read(file) == RecordedHistory.of(saver, "main")
    document = shell.ok("record", "main", "--output", file, "--yes", "--json").document
    assert (document["thread"], document["file"], document["bytes"]) == ("main", file, Path(file).stat().st_size)
    assert document["events"] == len(RecordedHistory.read(file).events)

    same = replayed(shell, file, "same")
    assert (same.code, same.out.startswith("main replays: 7 runs, ")) == (0, True), same
    [document] = replayed(shell, file, "same", "--json").lines
    assert (document["thread"], document["runs"]) == ("main", 7)
    other = replayed(shell, file, "other")
    assert (other.code, other.err.count("eventstore: ")) == (1, 0)
    assert '"ONE"' in other.out
    [document] = replayed(shell, file, "other", "--json").lines
    assert (document["thread"], document["differs"]["node"], document["differs"]["channel"]) == (
        "main",
        "note",
        "notes",
    )
    assert '"ONE"' in document["differs"]["report"]
    assert replayed(shell, file, "other", "--ignore", "notes", "--ignore", "told").code == 0


def test_a_file_that_is_there_is_written_over_only_if_somebody_says_so(shell: Shell, file: str) -> None:
    Path(file).write_text("mine")
    refused = shell("record", "main", "-o", file)
    assert (refused.code, "say --yes" in refused.err, Path(file).read_text()) == (8, True, "mine")
    shell.ok("record", "main", "-o", file, "--yes")
    assert RecordedHistory.read(file).thread == "main"


def test_what_cannot_be_recorded_is_refused_and_no_file_is_begun(shell: Shell, file: str) -> None:
    folder = Path(file).parent
    before = [*folder.iterdir()]
    for code, said, arguments in (
        (2, "Missing option '-o FILE'", ["main"]),
        (3, "there is no thread 'nobody'", ["nobody", "-o", file]),
        (3, "make it first", ["main", "-o", str(folder / "none" / "main.history")]),
        (2, "a folder", ["main", "-o", str(folder)]),
        (2, "a device", ["main", "-o", "/dev/null"]),
    ):
        ran = shell("record", *arguments)
        assert (ran.code, ran.out, said in ran.err) == (code, "", True), ran
    assert [*folder.iterdir()] == before


def test_a_file_that_cannot_be_replayed_is_refused(shell: Shell, saver: EventStoreSaver, file: str) -> None:
    assert "is no file of a recorded history" in replayed(shell, file, "same").err
    assert replayed(shell, file, "same").code == 2
    shell.ok("record", "main", "-o", file)
    assert (shell("replay", file).code, replayed(shell, file, "nobody").code) == (2, 2)
    for more in (["--dry-run"], ["--into", "x"], ["--at", "1"], ["--reason", "why"]):
        assert "not for a file" in replayed(shell, file, "same", *more).err
    assert "--ignore is for" in shell("replay", "main", "note", "--graph", "m:g", "--ignore", "notes").err
    assert "which store?" in shell("replay", "main", "note", "--graph", "m:g", EVENTSTORE_URL=None).err

    whole = Path(file).read_bytes()
    for wrong, said in ((whole[:-1], "Record it anew"), (b"text", "make one by")):
        Path(file).write_bytes(wrong)
        ran = replayed(shell, file, "same")
        assert (ran.code, repr(file) in ran.err, said in ran.err) == (7, True, True), ran

    an_agent(saver).invoke(hello(), config("bare"))
    shell.ok("record", "bare", "-o", file, "--yes")
    ran = replayed(shell, file, "same")
    assert (ran.code, "has no recorded runs" in ran.err) == (3, True), ran
