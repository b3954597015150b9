"""Naming, finding, making and updating a store."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import psycopg
import pytest

from eventstore import EventStore
from langgraph.checkpoint.eventstore import EventStoreSaver
from tests.support.shell import READING, Shell


def test_the_store_is_named_by_an_option_or_by_the_environment(url: str, agent: Any) -> None:
    listed = Shell(url).ok("threads").out
    nowhere = Shell("")
    assert nowhere.ok("threads", "--store", url).out == listed
    assert nowhere.ok("--store", url, "threads").out == listed
    assert nowhere.ok(f"--store={url}", "--json", "threads").lines[0]["thread"] == "t"
    assert Shell("sqlite:///nowhere.db").ok("threads", "--store", url).out == listed
    ran = nowhere("threads")
    assert ran.code == 2
    assert "--store" in ran.err
    assert "EVENTSTORE_URL" in ran.err


def test_the_schema_is_named_likewise(postgres_url: str) -> None:
    shell = Shell(postgres_url)
    shell.ok("migrate", "--schema", "agents", "--yes")
    assert shell("threads").code == 6
    assert shell("threads", "--schema", "agents").code == 0
    assert shell("threads", EVENTSTORE_SCHEMA="agents").code == 0
    assert shell("threads", "--schema", "a b").code == 2


@pytest.mark.parametrize("command", [*READING, ["migrate", "--check"]], ids=" ".join)
def test_reading_makes_no_file(tmp_path: Path, command: list[str]) -> None:
    path = tmp_path / "missing.db"
    ran = Shell(f"sqlite:///{path}")(*command)
    assert (ran.code, ran.out) == (5, "")
    assert ran.err.count("\n") == 1
    assert "eventstore migrate" in ran.err
    assert not list(tmp_path.iterdir())
    path.touch()
    assert Shell(str(path))(*command).code == 5
    assert path.stat().st_size == 0


def test_what_is_no_store_is_left_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "notes.txt"
    path.write_text("not a database, but a text of some length" * 10)
    ran = Shell(str(path))("threads")
    assert ran.code == 6
    assert path.read_text().startswith("not a database")


def test_a_server_that_is_not_there_is_one_line() -> None:
    ran = Shell("postgresql://nobody:secret@127.0.0.1:1/none?connect_timeout=1")("threads")
    assert ran.code == 5
    assert ran.err.count("\n") == 1
    assert "secret" not in ran.err


def test_an_address_that_is_none_is_refused_without_its_password() -> None:
    ran = Shell("mysql://root:secret@host/db")("threads")
    assert ran.code == 2
    assert "secret" not in ran.err


def test_migrate_makes_a_store_if_it_may(new_url: str) -> None:
    shell = Shell(new_url)
    assert shell("migrate").code == 8
    assert shell("threads").code in (5, 6)
    assert shell.ok("migrate", "--yes").out.startswith("made: ")
    assert shell.ok("migrate").out == "up to date: nothing to do\n"
    assert not shell.ok("migrate", "--check", "--json").document["changed"]
    assert shell.ok("threads").out == ""
    with EventStoreSaver.from_conn_string(new_url, migrate=False):
        pass


def test_migrate_tells_that_something_is_to_be_done(postgres_url: str) -> None:
    ran = Shell(postgres_url)("migrate", "--check")
    assert ran.code == 6
    assert "there is no store yet in" in ran.err


def test_the_sql_makes_a_store_that_opens(postgres_url: str, sqlite_url: str) -> None:
    sql = Shell(postgres_url).ok("migrate", "--sql").out
    with psycopg.connect(postgres_url, autocommit=True) as connection:
        connection.execute(sql.encode())
    assert Shell(postgres_url).ok("migrate", "--check").out == "up to date\n"
    script = Shell(sqlite_url).ok("migrate", "--sql").out
    assert script == Shell("").ok("migrate", "--sql", "--dialect", "sqlite").out or "eventstore_migrations" in script
    assert set(Shell("").ok("migrate", "--sql", "--dialect", "postgres", "--json").document["sql"]) == {
        "eventstore",
        "projections",
    }
    assert Shell("")("migrate", "--sql").code == 2


def test_a_newer_store_is_refused(url: str) -> None:
    with EventStore.open(url) as store:
        schema = "eventstore." if store.recorder.dialect == "postgres" else ""
        newer = f"UPDATE {schema}eventstore_migrations SET number = 99 WHERE number = 1 AND component = 'eventstore'"
        store.recorder.write(lambda session: session.execute(newer, {}))
    for command in (["threads"], ["migrate"], ["migrate", "--yes"]):
        ran = Shell(url)(*command)
        assert ran.code == 6
        assert "newer version" in ran.err


WITHOUT = """
import importlib.util, sys
found = importlib.util.find_spec
importlib.util.find_spec = lambda name, *rest: None if name in ("click", "rich") else found(name, *rest)
sys.argv = ["eventstore", "threads"]
from eventstore_cli.app import main
assert not {"click", "rich"} & set(sys.modules)
main()
"""


def test_without_its_packages_it_says_what_to_install() -> None:
    environment = Shell("").process("--version")
    assert environment.code == 0
    path = [str(Path(__file__).parents[3]), str(Path(__file__).parents[3] / "adapters")]
    script = f"import sys; sys.path[:0] = {path!r}\n{WITHOUT}"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert done.returncode == 5
    assert done.stdout == ""
    assert done.stderr == 'eventstore: its command line needs: pip install "langgraph-checkpoint-eventstore[cli]"\n'
