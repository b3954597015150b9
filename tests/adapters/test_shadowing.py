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
SCRIPT = "from langgraph.checkpoint.eventstore import EventStoreSaver\nprint('imported')\n"


def run(folder: Path) -> subprocess.CompletedProcess[str]:
    """Run a script in a folder, which Python's path then has first."""
    script = folder / "app.py"
    script.write_text(SCRIPT)
    path = f"{ROOT}:{ROOT / 'adapters'}"
    environment = {"PYTHONPATH": path, "PATH": "/usr/bin:/bin"}
    return subprocess.run([sys.executable, script], env=environment, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("name", HIDDEN)
@pytest.mark.parametrize("kind", ["a package", "a module"])
def test_a_module_of_the_programs_own_is_named_with_what_it_hides(tmp_path: Path, name: str, kind: str) -> None:
    hiding = tmp_path / (name if kind == "a package" else f"{name}.py")
    if kind == "a package":
        hiding.mkdir()
        (hiding / "__init__.py").write_text("raise SystemExit('it must not be imported to be found')\n")
    else:
        hiding.write_text("raise SystemExit('it must not be imported to be found')\n")
    ran = run(tmp_path)
    assert ran.returncode == 1
    last = ran.stderr.strip().splitlines()[-1]
    assert last.startswith(f"ImportError: {hiding} hides the package {name!r} of langgraph-checkpoint-eventstore")
    assert str(HIDDEN[name]) in last
    assert "another name" in last


@pytest.mark.parametrize("name", HIDDEN)
def test_a_folder_that_is_no_package_hides_nothing(tmp_path: Path, name: str) -> None:
    (tmp_path / name).mkdir()
    (tmp_path / name / "notes.txt").write_text("notes")
    ran = run(tmp_path)
    assert ran.stdout == "imported\n", ran.stderr
