"""The published distributions: built from the checkout, installed far from it, and used there."""

from __future__ import annotations

import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent

SAVE = """
import sys
from langgraph.checkpoint.base import empty_checkpoint
from langgraph.checkpoint.eventstore import EventStoreSaver

checkpoint = empty_checkpoint()
checkpoint["channel_values"] = {"greeting": ["hello", "world"]}
checkpoint["channel_versions"] = {"greeting": "1"}
config = {"configurable": {"thread_id": "1", "checkpoint_ns": ""}}
with EventStoreSaver.from_conn_string(sys.argv[1]) as saver:
    config = saver.put(config, checkpoint, {"source": "input", "step": -1, "parents": {}}, {"greeting": "1"})
    saver.put_writes(config, [("answer", 42)], "task")
"""

LOAD = """
import sys
from langgraph.checkpoint.eventstore import EventStoreSaver

with EventStoreSaver.from_conn_string(sys.argv[1]) as saver:
    found = saver.get_tuple({"configurable": {"thread_id": "1"}})
print(found.checkpoint["channel_values"], found.pending_writes)
"""

WHERE = """
import importlib, importlib.resources, sys, sysconfig
from pathlib import Path

home = Path(sysconfig.get_path("purelib")).resolve()
adapters = (
    *("langgraph.checkpoint.eventstore", "eventstore_views", "eventstore_cli", "eventstore_shadowing"),
    *("eventstore_eventsourcing", "eventstore_pytest"),
)
for name in ("eventstore", "projections", *adapters):
    module = importlib.import_module(name)
    folder = Path(module.__file__).resolve().parent
    assert folder == home.joinpath(*name.split(".")), folder
    assert importlib.resources.files(name).joinpath("py.typed").is_file(), name
import langgraph.checkpoint.base
assert not hasattr(langgraph.checkpoint, "__file__") or langgraph.checkpoint.__file__ is None
"""

# The bytes of the package and of all that it needs without extras, as they were installed.
SIZE = """
import re
from importlib.metadata import PackageNotFoundError, distribution

seen, due, size = set(), ["langgraph-checkpoint-eventstore"], 0
while due:
    name = re.sub(r"[-_.]+", "-", due.pop()).lower()
    if name in seen:
        continue
    seen.add(name)
    try:
        found = distribution(name)
    except PackageNotFoundError:  # for another Python or system
        continue
    paths = (found.locate_file(file) for file in found.files or ())
    size += sum(path.stat().st_size for path in paths if path.is_file())
    due += [re.match(r"[\\w.-]+", each)[0] for each in found.requires or () if "extra ==" not in each]
assert {"langgraph-checkpoint", "eventsourcing", "zstandard"} <= seen
print(size)
"""
MOST_BYTES = 100_000_000


@pytest.fixture(scope="module")
def distributions(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the source distribution of this checkout, and the wheel that was built out of it."""
    folder = tmp_path_factory.mktemp("dist")
    _run(sys.executable, "-m", "build", "--no-isolation", "--outdir", folder, ROOT, cwd=folder)
    return folder


@pytest.fixture(scope="module")
def wheel(distributions: Path) -> Path:
    (wheel,) = distributions.glob("*.whl")
    return wheel


def test_the_wheel_holds_every_file_of_the_packages(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = {name for name in archive.namelist() if ".dist-info/" not in name}
    assert names == (
        _files("eventstore")
        | _files("projections")
        | _files("adapters/langgraph", strip="adapters")
        | _files("adapters/eventstore_views", strip="adapters")
        | _files("adapters/eventstore_cli", strip="adapters")
        | _files("adapters/eventstore_shadowing", strip="adapters")
        | _files("adapters/eventstore_eventsourcing", strip="adapters")
        | _files("adapters/eventstore_pytest", strip="adapters")
    )


def test_the_wheel_leaves_the_shared_packages_open(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        assert not {"langgraph/__init__.py", "langgraph/checkpoint/__init__.py"} & set(archive.namelist())


def test_the_source_distribution_holds_what_its_tests_need(distributions: Path) -> None:
    (path,) = distributions.glob("*.tar.gz")
    with tarfile.open(path) as archive:
        names = {member.name.partition("/")[2] for member in archive if member.isfile()}
    for folder in ("eventstore", "projections", "adapters", "tests", "benchmarks", "docs"):
        assert _files(folder) <= names, folder
    assert {
        ".ci/run",
        "CHANGELOG.md",
        "LICENSE",
        "Makefile",
        "README.md",
        "mkdocs.yml",
        "requirements-dev.lock",
    } <= names


@pytest.mark.timeout(900)  # it downloads packages
def test_the_wheel_works_in_a_fresh_environment(
    wheel: Path, sqlite_url: str, postgres_url: str, tmp_path: Path
) -> None:
    environment = tmp_path / "environment"
    _run(sys.executable, "-m", "venv", environment, cwd=tmp_path)
    python = environment / "bin" / "python"
    lock = ROOT / "requirements-dev.lock"
    _run(
        python, "-m", "pip", "install", "--quiet", "--constraint", lock, f"{wheel}[cli,postgres,testing]", cwd=tmp_path
    )

    _run(python, "-I", "-c", WHERE, cwd=tmp_path)
    assert int(_run(python, "-I", "-c", SIZE, cwd=tmp_path)) < MOST_BYTES
    for url in (sqlite_url, postgres_url):
        _run(python, "-I", "-c", SAVE, url, cwd=tmp_path)
        loaded = _run(python, "-I", "-c", LOAD, url, cwd=tmp_path)
        assert loaded == "{'greeting': ['hello', 'world']} [('task', 'answer', 42)]\n"
        shown = _run(environment / "bin" / "eventstore", "show", "1", "-c", "greeting", "--store", url, cwd=tmp_path)
        assert shown == 'greeting = ["hello", "world"]\n'
    # pytest knows the fixtures by the entry point alone.
    (tmp_path / "test_it.py").write_text("def test_it(eventstore_saver): assert not [*eventstore_saver.list(None)]")
    assert "1 passed" in _run(
        environment / "bin" / "pytest", "-q", "-W", "error", tmp_path / "test_it.py", cwd=tmp_path
    )


def _files(folder: str, strip: str = "") -> set[str]:
    """The files below a folder of the checkout that belong to it, without what running it leaves behind."""
    return {
        path.relative_to(ROOT / strip).as_posix()
        for path in (ROOT / folder).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts and path.suffix not in {".db", ".db-shm", ".db-wal"}
    }


def _run(*command: str | Path, cwd: Path) -> str:
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
    return done.stdout
