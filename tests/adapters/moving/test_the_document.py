"""docs/moving.md: its commands and its Python run as they are printed."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from sqlite3 import connect

import pytest

from langgraph.checkpoint.eventstore import EventStoreSaver
from langgraph.checkpoint.eventstore.moving import Moving
from tests.conftest import fresh_database
from tests.support.stock import opened, seen, threads_of

ROOT = Path(__file__).parents[3]
DOCUMENT = (ROOT / "docs" / "moving.md").read_text(encoding="utf-8")
DATABASE = Path(__file__).parent / "databases" / "sqlite-3.0.0.sql"
THREADS = ["asks", "done", "packets-wait"]


def blocks(language: str) -> list[str]:
    """The blocks of a language, one after the other."""
    return re.findall(rf"^```{language}\n(.*?)^```$", DOCUMENT, re.DOTALL | re.MULTILINE)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with the old application's database in it."""
    with closing(connect(tmp_path / "old.db")) as connection:
        connection.executescript(DATABASE.read_text())
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_its_commands_do_what_it_says(folder: Path, pg_server: str) -> None:
    install, *commands = blocks("sh")
    assert install.startswith("pip install")
    with fresh_database(pg_server) as server:
        with opened(server) as stock, opened("sqlite:///old.db") as old:
            with EventStoreSaver.from_conn_string("sqlite:///:memory:") as saver:
                Moving(saver).import_from("sqlite:///old.db")
                Moving(saver).export_to(server, threads=["asks"])
            expected = seen(old.saver, *THREADS)
            assert seen(stock.saver, "asks")
        script = "".join(commands).replace("postgresql://me@host/app", server)
        shell = f'set -e\neventstore() {{ "{sys.executable}" -m eventstore_cli "$@"; }}\n'
        path = os.pathsep.join([str(ROOT), str(ROOT / "adapters")])
        done = subprocess.run(
            ["sh", "-c", shell + script],
            env={**os.environ, "PYTHONPATH": path},
            capture_output=True,
            text=True,
            timeout=170,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        [shown] = blocks("text")
        for line in shown.splitlines():
            assert line.split(":")[0].split(",")[0] in done.stdout
        with opened("sqlite:///back.db") as back, opened(server) as served:
            for stock in (back, served):
                assert repr(seen(stock.saver, *THREADS)) == repr(expected)
    assert threads_of(folder / "done.db") == ["done"]


def test_its_python_runs(folder: Path) -> None:
    live, in_and_out = blocks("python")
    exec(live, {})
    with EventStoreSaver.from_conn_string("sqlite:///agents.db") as saver:
        assert [each.name for each in saver.store.streams().streams] == ["asks"]
    exec(in_and_out, {})
    assert threads_of(folder / "back.db") == ["done"]
