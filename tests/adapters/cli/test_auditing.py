"""`audit` and `export`: who did what, and into files."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from pyarrow import parquet  # type: ignore[import-untyped]

from eventstore import Cause, NewEvent
from langgraph.checkpoint.eventstore import EventStoreSaver
from tests.adapters.cli.conftest import RUN
from tests.support.shell import Shell


def test_the_audit_lists_events_the_last_first(shell: Shell, agent: Any, saver: EventStoreSaver) -> None:
    lines = shell.ok("audit", "-n", "0", "--json").lines
    assert [line["version"] for line in lines] == [event.version for event in saver.store.read("t", backward=True)]
    assert shell.ok("audit", "--oldest-first", "-n", "1", "--json").lines == lines[-1:]
    head, *rows = shell.ok("audit").out.splitlines()
    assert head.split()[:5] == ["POSITION", "RECORDED", "THREAD", "VERSION", "WHAT"]
    assert len(rows) == len(lines)
    assert "-n 0 shows all" in shell.ok("audit", "-n", "2").err


@pytest.mark.parametrize(
    "filters",
    [
        ["--thread", "t"],
        ["--prefix", "t"],
        ["--run", str(RUN)],
        ["--node", "model"],
        ["--channel", "files"],
        ["--topic", "writes.saved", "--topic", "thread.deleted"],
        ["--where", "user=ann"],
        ["--since", "1h"],
        ["--until", "2199-01-01"],
    ],
    ids=lambda filters: filters[0],
)
def test_events_are_picked(shell: Shell, agent: Any, filters: list[str]) -> None:
    assert shell.ok("audit", "--json", *filters).lines


@pytest.mark.parametrize(
    "filters",
    [["--where", "user=bob"], ["--since", "2199-01-01"], ["--topic", "thread.pruned"]],
    ids=lambda filters: filters[0],
)
def test_other_events_are_not(shell: Shell, agent: Any, filters: list[str]) -> None:
    assert shell.ok("audit", "--json", *filters).out == ""
    assert shell.ok("audit", *filters).err == "there are no such events\n"


@pytest.mark.parametrize("named", ["thread", "node", "topic"])
def test_what_is_named_and_is_not_there_is_told(shell: Shell, agent: Any, named: str) -> None:
    ran = shell("audit", f"--{named}", "nope")
    assert (ran.code, ran.err) == (3, f"eventstore: there is no {named} 'nope': check the name\n")


def test_metadata_is_compared_to_the_type(shell: Shell, agent: Any, saver: EventStoreSaver) -> None:
    saver.store.append("s", [NewEvent("n", cause=Cause(metadata={"attempt": 2, "test": True, "name": "2x"}))])
    for wanted in ("attempt=2", "test=true", "name=2x", 'name="2x"'):
        assert len(shell.ok("audit", "--where", wanted, "--json").lines) == 1
    assert shell.ok("audit", "--where", 'attempt="2"', "--json").out == ""


def test_an_export_is_json_lines(shell: Shell, agent: Any, tmp_path: Path) -> None:
    file = tmp_path / "audit.jsonl"
    ran = shell.ok("export", str(file))
    lines = [json.loads(line) for line in file.read_text().splitlines()]
    assert lines == shell.ok("audit", "--oldest-first", "-n", "0", "--json").lines
    assert ran.out == f"{len(lines)} events written to {file}\n"
    assert [json.loads(line) for line in shell.ok("export", "-").out.splitlines()] == lines
    assert shell.ok("export", "-", "--newest-first", "--node", "model").lines[0]["node"] == "model"


@pytest.mark.parametrize("name", ["out.csv", "out", "out.json"])
def test_a_format_that_is_none_is_refused(shell: Shell, agent: Any, tmp_path: Path, name: str) -> None:
    ran = shell("export", str(tmp_path / name))
    assert ran.code == 2
    assert "--format" in ran.err
    assert not list(tmp_path.glob("out*"))
    shell.ok("export", str(tmp_path / name), "--format", "jsonl")
    assert json.loads((tmp_path / name).read_text().splitlines()[0])


def test_an_export_is_parquet(shell: Shell, agent: Any, tmp_path: Path) -> None:
    file = tmp_path / "audit.parquet"
    count = len(shell.ok("audit", "-n", "0", "--json").lines)
    found = shell.ok("export", str(file), "--json").document
    assert found == {"file": str(file), "format": "parquet", "entries": count}
    assert parquet.read_table(file).num_rows == count
    assert shell("export", "-", "--format", "parquet").code == 2


def test_a_file_that_is_there_is_not_written_over_without_being_asked(shell: Shell, agent: Any, tmp_path: Path) -> None:
    file = tmp_path / "audit.jsonl"
    file.write_text("mine")
    assert shell("export", str(file)).code == 8
    assert file.read_text() == "mine"
    shell.ok("export", str(file), "--yes")
    assert file.read_text() != "mine"
    assert shell("export", str(tmp_path / "no" / "folder.jsonl")).code == 5
