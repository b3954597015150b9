"""A program that has modules of its own called like this distribution's packages is told so, by both files' names."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

import eventstore
import projections
from tests.support.shell import ROOT

HIDDEN = {"eventstore": Path(eventstore.__file__).parent, "projections": Path(projections.__file__).parent}
SAVER = "from langgraph.checkpoint.eventstore import EventStoreSaver\nprint('imported')\n"
LOG = """
from eventstore import EventStore, NewEvent

with EventStore.open("sqlite:///:memory:") as store:
    print(store.append("orders", [NewEvent("order.placed")]).last)
"""


def run(folder: Path, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
    """Run Python in a folder, which its path then has first."""
    environment = {"PYTHONPATH": f"{ROOT}:{ROOT / 'adapters'}", "PATH": "/usr/bin:/bin"}
    command = [sys.executable, *arguments]
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)


def run_script(folder: Path, text: str) -> subprocess.CompletedProcess[str]:
    (folder / "app.py").write_text(text)
    return run(folder, folder / "app.py")


def hide(folder: Path, name: str, kind: str = "a module") -> Path:
    """Make a module of that name, and return what Python finds."""
    hiding = folder / (name if kind == "a package" else f"{name}.py")
    if kind == "a package":
        hiding.mkdir()
    module = hiding / "__init__.py" if kind == "a package" else hiding
    module.write_text("raise SystemExit('it must not be imported to be found')\n")
    return hiding


@pytest.mark.parametrize("name", HIDDEN)
@pytest.mark.parametrize("kind", ["a package", "a module"])
def test_a_module_of_the_programs_own_is_named_with_what_it_hides(tmp_path: Path, name: str, kind: str) -> None:
    hiding = hide(tmp_path, name, kind)
    ran = run_script(tmp_path, SAVER)
    assert ran.returncode == 1
    last = ran.stderr.strip().splitlines()[-1]
    assert last.startswith(f"ImportError: {hiding} hides the package {name!r} of langgraph-checkpoint-eventstore")
    assert str(HIDDEN[name]) in last
    assert "another name" in last
    # The command line says the same, in one line.
    shown = run(tmp_path, "-m", "eventstore_cli", "threads")
    assert (shown.returncode, shown.stdout) == (5, "")
    assert shown.stderr == last.replace("ImportError: ", "eventstore: ") + "\n"


def test_a_terminal_obeys_nothing_of_what_a_hiding_file_is_called(tmp_path: Path) -> None:
    (folder := tmp_path / "a\x1b[31m\n").mkdir()
    hide(folder, "projections")
    shown = run(folder, "-m", "eventstore_cli", "threads")
    assert shown.stderr.startswith(f"eventstore: {tmp_path}/a\\x1b[31m\\n/projections.py hides")
    assert len(shown.stderr.splitlines()) == 1


def test_a_program_that_needs_only_the_log_may_have_projections_of_its_own(tmp_path: Path) -> None:
    hide(tmp_path, "projections")
    ran = run_script(tmp_path, LOG)
    assert ran.stdout == "1\n", ran.stderr


@pytest.mark.parametrize("name", HIDDEN)
def test_a_folder_that_is_no_package_hides_nothing(tmp_path: Path, name: str) -> None:
    (tmp_path / name).mkdir()
    (tmp_path / name / "notes.txt").write_text("notes")
    ran = run_script(tmp_path, SAVER)
    assert ran.stdout == "imported\n", ran.stderr
    assert run(tmp_path, "-m", "eventstore_cli", "--version").returncode == 0
