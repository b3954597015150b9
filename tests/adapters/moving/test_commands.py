"""`eventstore import` and `eventstore export --to-langgraph`: what they say, and how they end."""

from __future__ import annotations

import operator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, TypedDict

import pytest
from langgraph.graph import START, StateGraph

from eventstore import EventStore
from langgraph.checkpoint.eventstore import EventStoreSaver
from projections import Checkpoints
from tests.support.histories import an_agent, config, hello
from tests.support.observation import assert_same
from tests.support.shell import Shell
from tests.support.stock import Stock, seen, threads_of


@pytest.fixture
def shell(sqlite_url: str) -> Shell:
    """A shell in which an empty store is named."""
    with EventStore.open(sqlite_url) as store:
        Checkpoints(store)
    return Shell(sqlite_url)


def test_import_tells_what_came_in_and_how_large_it_is(from_sqlite: Stock, shell: Shell) -> None:
    an_agent(from_sqlite.saver).invoke(hello(), config("t"))
    ran = shell.ok("import", from_sqlite.origin)
    assert ran.out.splitlines()[:2] == [
        "1 thread moved, 4 checkpoints; 0 threads up to date, 0 gone on, 0 skipped",
        "4 checkpoints compared: the same at both ends",
    ]
    assert "kB before, " in ran.out
    told = shell.ok("import", from_sqlite.origin, "--json").document
    assert (told["ok"], told["moved"], told["up_to_date"], told["compared"]) == (True, 0, 1, 4)
    assert told["source"] == from_sqlite.origin
    assert shell.ok("log", "t").out
    assert shell.ok("verify", "t").out


def test_import_names_its_store_by_an_argument_too(from_sqlite: Stock, shell: Shell) -> None:
    an_agent(from_sqlite.saver).invoke(hello(), config("t"))
    url = shell.environment["EVENTSTORE_URL"]
    assert url is not None
    assert Shell("sqlite:///nowhere.db").ok("import", from_sqlite.origin, url).out.startswith("1 thread moved")
    assert Shell("sqlite:///nowhere.db")("import", from_sqlite.origin).code == 5
    twice = shell("import", from_sqlite.origin, url, "--store", url)
    assert (twice.code, "named twice" in twice.err) == (2, True)


def test_other_threads_are_a_conflict_and_are_replaced_only_when_somebody_says_so(
    from_sqlite: Stock, shell: Shell, sqlite_url: str
) -> None:
    an_agent(from_sqlite.saver).invoke(hello(), config("t"))
    with EventStoreSaver.from_conn_string(sqlite_url) as saver:
        an_agent(saver).invoke(hello(), config("t"))
    ran = shell("import", from_sqlite.origin)
    assert (ran.code, "--existing skip" in ran.err) == (4, True)
    ran = shell("import", from_sqlite.origin, "--existing", "skip")
    assert (ran.code, "0 threads moved" in ran.out, "thread 't' skipped" in ran.err) == (0, True, True)
    assert shell("import", from_sqlite.origin, "--existing", "replace").code == 8
    assert shell.ok("import", from_sqlite.origin, "--existing", "replace", "--yes").out.startswith("1 thread moved")


def test_what_cannot_be_found_or_is_somebody_elses(shell: Shell, from_sqlite: Stock, tmp_path: Path) -> None:
    assert shell("import", "nope.db").code == 5
    assert shell("import", str(shell.environment["EVENTSTORE_URL"])).code == 6
    assert shell("import", from_sqlite.origin, "--thread", "x").code == 3
    assert shell("export", "--to-langgraph", str(tmp_path / "new.db"), "--thread", "x").code == 3
    assert shell("export").code == 2
    assert shell("export", "--to-langgraph", "new.db", "--since", "1d").code == 2


def test_a_thread_that_fails_ends_it_with_1_and_says_why(shell: Shell, tmp_path: Path) -> None:
    from langgraph.checkpoint.serde.encrypted import EncryptedSerializer

    from tests.support.stock import opened

    with opened(f"sqlite:///{tmp_path / 'old.db'}", EncryptedSerializer.from_pycryptodome_aes(key=b"k" * 16)) as stock:
        an_agent(stock.saver).invoke(hello(), config("t"))
    ran = shell("import", str(tmp_path / "old.db"))
    assert ran.code == 1
    assert "thread 't' failed" in ran.err
    assert "serde=EncryptedSerializer" in ran.err


def test_export_to_langgraph_makes_a_database_of_its_savers(shell: Shell, sqlite_url: str, tmp_path: Path) -> None:
    with EventStoreSaver.from_conn_string(sqlite_url) as saver:
        for thread in ("a-1", "a-2", "b-1"):
            an_agent(saver).invoke(hello(), config(thread))
    path = tmp_path / "new.db"
    told = shell.ok("export", "--to-langgraph", str(path), "--prefix", "a-", "--json").document
    assert (told["moved"], told["checkpoints"]) == (2, 8)
    assert threads_of(path) == ["a-1", "a-2"]
    assert shell.ok("export", "--to-langgraph", str(path)).out.startswith("1 thread moved")


def test_at_a_terminal_there_is_a_bar(shell: Shell, from_sqlite: Stock) -> None:
    an_agent(from_sqlite.saver).invoke(hello(), config("t"))
    ran = shell.terminal("import", from_sqlite.origin)
    assert ran.code == 0
    assert "1 thread moved" in ran.out


@dataclass
class Draft:
    """A type of the application's: the command line does not have it."""

    text: str


class State(TypedDict, total=False):
    drafts: Annotated[list[Draft], operator.add]


def test_values_of_types_that_are_not_here_come_in_and_are_read_where_they_are(
    shell: Shell, from_sqlite: Stock, sqlite_url: str
) -> None:
    builder = StateGraph(State).add_node("write", lambda state: {"drafts": [Draft("more")]})
    graph: Any = builder.add_edge(START, "write").compile(checkpointer=from_sqlite.saver)
    graph.invoke({"drafts": [Draft("first")]}, config("t"))
    ran = shell.process("import", from_sqlite.origin)
    assert (ran.code, ran.err) == (0, "")
    with EventStoreSaver.from_conn_string(sqlite_url) as saver:
        graph.checkpointer = saver
        assert graph.get_state(config("t")).values == {"drafts": [Draft("first"), Draft("more")]}
        assert_same(seen(saver, "t"), seen(from_sqlite.saver, "t"))
