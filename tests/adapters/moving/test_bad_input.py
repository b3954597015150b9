"""Moves that cannot be made are refused with an error that says what to do, and nothing half moved is shown."""

from __future__ import annotations

import sqlite3
import sys
from contextlib import closing
from decimal import Decimal
from pathlib import Path
from typing import Any

import psycopg
import pytest
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.checkpoint.serde.encrypted import EncryptedSerializer
from langgraph.checkpoint.serde.jsonplus import JsonPlusSerializer
from langgraph.graph import START, MessagesState, StateGraph
from langgraph.types import Command

from eventstore import (
    BadInputError,
    BusyError,
    ConflictError,
    InvalidUrlError,
    NotAStoreError,
    NotFoundError,
    SchemaError,
    StorageFullError,
    UnavailableError,
)
from langgraph.checkpoint.eventstore import EventStoreSaver
from langgraph.checkpoint.eventstore.moving import Moving
from tests.conftest import fresh_database
from tests.support.full_disk import no_room
from tests.support.histories import an_agent, config, hello
from tests.support.observation import assert_same
from tests.support.stock import Stock, opened, seen, threads_of

KEY = b"0123456789abcdef"


class Slip:
    """No data type: it is never made again."""

    def __init__(self, text: str) -> None:
        self.text = text


def says(saver: Any, *threads: str, number: int = 1) -> None:
    """Let an agent say something on some threads."""
    for thread in threads:
        an_agent(saver).invoke(hello(number), config(thread))


def enciphering(key: bytes = KEY) -> EncryptedSerializer:
    return EncryptedSerializer.from_pycryptodome_aes(key=key)


def sqlite_with(path: Path, *statements: str) -> str:
    with closing(sqlite3.connect(path)) as connection:
        for statement in statements:
            connection.execute(statement)
        connection.commit()
    return f"sqlite:///{path}"


# Whose database it is


def test_a_file_that_is_not_there_or_empty_or_no_database(in_a_file: EventStoreSaver, tmp_path: Path) -> None:
    moving = Moving(in_a_file)
    (tmp_path / "empty.db").touch()
    for name in ("nope.db", "empty.db"):
        with pytest.raises(UnavailableError, match=r"there is no database in .*check the address"):
            moving.import_from(tmp_path / name)
    assert not (tmp_path / "nope.db").exists()
    (tmp_path / "text.db").write_text("This is no database. " * 100)
    with pytest.raises(NotAStoreError, match="not an SQLite database"):
        moving.import_from(tmp_path / "text.db")
    with pytest.raises(UnavailableError, match="its program's alone"):
        moving.import_from(":memory:")
    with pytest.raises(InvalidUrlError):
        moving.import_from("mysql://here")


def test_another_programs_database_is_left_as_it_was(in_a_file: EventStoreSaver, tmp_path: Path) -> None:
    url = sqlite_with(tmp_path / "songs.db", "CREATE TABLE songs (title text)")
    before = (tmp_path / "songs.db").read_bytes()
    for move in (Moving(in_a_file).import_from, Moving(in_a_file).export_to):
        with pytest.raises(NotAStoreError, match="the tables of another program"):
            move(url)
    assert (tmp_path / "songs.db").read_bytes() == before


def test_another_programs_server_and_one_that_is_half_migrated_or_newer(
    in_a_file: EventStoreSaver, pg_server: str
) -> None:
    moving = Moving(in_a_file)
    with fresh_database(pg_server) as url:
        with pytest.raises(NotAStoreError, match="holds no tables"):
            moving.import_from(url)
        with opened(url) as stock, psycopg.connect(url, autocommit=True) as connection:
            says(stock.saver, "t")
            connection.execute("INSERT INTO checkpoint_migrations VALUES (99)")
            with pytest.raises(SchemaError, match="upgrade"):
                moving.import_from(url)
            connection.execute("DELETE FROM checkpoint_migrations WHERE v > 8")
            connection.execute("ALTER TABLE checkpoint_writes DROP COLUMN task_path")
            for move in (moving.import_from, moving.export_to):
                with pytest.raises(SchemaError, match=r"lacks checkpoint_writes.task_path.*setup\(\)"):
                    move(url)
            stock.saver.setup()  # as it says
            assert moving.import_from(url).moved == 1


def test_half_of_the_tables_of_a_file(in_a_file: EventStoreSaver, tmp_path: Path) -> None:
    url = sqlite_with(tmp_path / "half.db", "CREATE TABLE checkpoints (thread_id text, checkpoint_ns text)")
    with pytest.raises(SchemaError, match=r"lacks checkpoints.checkpoint, .*, writes: it is of another version"):
        Moving(in_a_file).import_from(url)


def test_a_store_of_ours_is_no_database_of_theirs(in_a_file: EventStoreSaver, sqlite_url: str) -> None:
    for move in (Moving(in_a_file).import_from, Moving(in_a_file).export_to):
        with pytest.raises(NotAStoreError, match="a store of this package already"):
            move(sqlite_url)


def test_a_database_that_somebody_holds(from_sqlite: Stock, in_a_file: EventStoreSaver) -> None:
    says(from_sqlite.saver, "t")
    path = from_sqlite.origin.removeprefix("sqlite:///")
    from_sqlite.saver.conn.close()
    with closing(sqlite3.connect(path, isolation_level=None)) as holder:
        holder.execute("PRAGMA locking_mode = EXCLUSIVE")
        holder.execute("BEGIN EXCLUSIVE")
        with pytest.raises(BusyError, match=r"old\.db locked: try again"):
            Moving(in_a_file).import_from(path)
    assert Moving(in_a_file).import_from(path).moved == 1


def test_the_package_of_the_saver_is_missing(
    in_a_file: EventStoreSaver, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "langgraph.checkpoint.sqlite", None)
    with pytest.raises(UnavailableError, match=r"pip install 'langgraph-checkpoint-eventstore\[moving\]'"):
        Moving(in_a_file).export_to(tmp_path / "new.db")


# What is in it


def test_enciphered_values_need_the_serializer_that_they_were_stored_with(
    in_a_file: EventStoreSaver, tmp_path: Path
) -> None:
    moving = Moving(in_a_file)
    url = f"sqlite:///{tmp_path / 'secret.db'}"
    with opened(url, enciphering()) as stock:
        says(stock.saver, "t")
        for serde, word in ((None, "serde=EncryptedSerializer"), (enciphering(KEY[::-1]), "MAC check failed")):
            report = moving.import_from(url, serde=serde)
            [problem] = report.problems
            assert (report.ok, problem.outcome, report.checkpoints) == (False, "failed", 0)
            assert word in str(problem.error)
            assert not in_a_file.store.streams().streams
        assert moving.import_from(url, serde=enciphering()).moved == 1
        assert_same(seen(in_a_file, "t"), seen(stock.saver, "t"))
    # Nobody who moves them out needs to leave them open either.
    there = f"sqlite:///{tmp_path / 'there.db'}"
    assert moving.export_to(there, serde=enciphering()).ok
    assert b"Answer 1" not in (tmp_path / "there.db").read_bytes()
    with opened(there, enciphering()) as stock:
        assert_same(seen(stock.saver, "t"), seen(in_a_file, "t"))


def test_a_store_that_enciphers_takes_them_in_enciphered(from_sqlite: Stock, sqlite_url: str) -> None:
    says(from_sqlite.saver, "t")
    with EventStoreSaver.from_conn_string(sqlite_url) as saver:
        saver.serde = EncryptedSerializer(enciphering().cipher, saver.serde)
        assert Moving(saver).import_from(from_sqlite.origin).ok
        assert_same(seen(saver, "t"), seen(from_sqlite.saver, "t"))
        stored = [row for event in saver.store.read("t") for row in [event.data]]
        assert not any(b"Answer 1" in data for data in stored)


def pickling(url: str) -> Any:
    return opened(url, JsonPlusSerializer(pickle_fallback=True))


def test_pickled_values_are_read_only_when_they_are_asked_for(in_a_file: EventStoreSaver, tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'pickled.db'}"
    with pickling(url) as stock:
        # A key that msgpack has no type for: all of the checkpoint is pickled.
        builder = StateGraph(MessagesState).add_node("say", lambda state: {"messages": [("ai", "yes")]})
        graph: Any = builder.add_edge(START, "say").compile(checkpointer=stock.saver)
        graph.invoke({"messages": [("human", "hello")]}, config("plain"))
        scored = StateGraph(dict).add_node("score", lambda state: {Decimal(1): 3}).add_edge(START, "score")  # type: ignore[type-var]
        scored.compile(checkpointer=stock.saver).invoke({"a": 1}, config("pickled"))
        report = Moving(in_a_file).import_from(url)
        [problem] = report.problems
        assert (report.moved, problem.thread, problem.outcome) == (1, "pickled", "failed")
        assert "--allow-pickle" in str(problem.error)
        report = Moving(in_a_file).import_from(url, allow_pickle=True)
        assert (report.moved, report.up_to_date, report.problems) == (1, 1, ())
        assert_same(seen(in_a_file, "pickled"), seen(stock.saver, "pickled"))


def test_a_value_that_is_not_stored_here_fails_its_thread_alone(in_a_file: EventStoreSaver, tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'pickled.db'}"
    with pickling(url) as stock:
        says(stock.saver, "good")
        odd = StateGraph(dict).add_node("count", lambda state: {"r": range(3)}).add_edge(START, "count")  # type: ignore[type-var]
        odd.compile(checkpointer=stock.saver).invoke({"a": 1}, config("bad"))
    report = Moving(in_a_file).import_from(url, allow_pickle=True)
    [problem] = report.problems
    assert (report.moved, problem.thread) == (1, "bad")
    assert "a range" in str(problem.error)
    assert [stream.name for stream in in_a_file.store.streams().streams] == ["good"]


def test_a_pickled_object_of_a_type_that_nobody_finds_again_fails_its_thread(
    in_a_file: EventStoreSaver, tmp_path: Path
) -> None:
    url = f"sqlite:///{tmp_path / 'pickled.db'}"
    with pickling(url) as stock:
        odd = StateGraph(dict).add_node("make", lambda state: {Decimal(1): Slip("x")}).add_edge(START, "make")  # type: ignore[type-var]
        odd.compile(checkpointer=stock.saver).invoke({"a": 1}, config("bad"))
    report = Moving(in_a_file).import_from(url, allow_pickle=True)
    assert [problem.outcome for problem in report.problems] == ["failed"]
    assert not in_a_file.store.streams().streams


def test_a_value_that_changed_in_place_without_a_version_comes_in_as_it_was(
    from_sqlite: Stock, in_a_file: EventStoreSaver
) -> None:
    class State(MessagesState):
        seen: int

    def sneak(state: Any) -> Any:
        state["messages"][0].content += "!"
        return {"seen": state["seen"] + 1}

    builder = StateGraph(State).add_node("sneak", sneak).add_edge(START, "sneak")
    builder.add_conditional_edges("sneak", lambda state: "sneak" if state["seen"] < 3 else "__end__")
    graph: Any = builder.compile(checkpointer=from_sqlite.saver)
    graph.invoke({"messages": [("human", "hm")], "seen": 0}, config("t"), durability="sync")
    assert Moving(in_a_file).import_from(from_sqlite.origin).ok
    assert_same(seen(in_a_file, "t"), seen(from_sqlite.saver, "t"))


# What is there already


def test_other_threads_of_these_ids_are_refused_skipped_or_replaced(
    from_sqlite: Stock, in_a_file: EventStoreSaver
) -> None:
    says(from_sqlite.saver, "a", "b", "c")
    says(in_a_file, "b")
    moving = Moving(in_a_file)
    before = in_a_file.store.head("b")
    with pytest.raises(ConflictError, match=r"'b'\. Nothing was moved\. .*--existing skip"):
        moving.import_from(from_sqlite.origin)
    assert [stream.name for stream in in_a_file.store.streams().streams] == ["b"]
    report = moving.import_from(from_sqlite.origin, existing="skip")
    assert (report.ok, report.moved, report.skipped, report.problems[0].thread) == (True, 2, 1, "b")
    assert in_a_file.store.head("b") == before
    report = moving.import_from(from_sqlite.origin, existing="replace")
    assert (report.moved, report.up_to_date) == (1, 2)
    assert_same(seen(in_a_file, "a", "b", "c"), seen(from_sqlite.saver, "a", "b", "c"))


def test_a_thread_that_went_on_at_both_ends_is_another(from_sqlite: Stock, in_a_file: EventStoreSaver) -> None:
    says(from_sqlite.saver, "t")
    moving = Moving(in_a_file)
    moving.import_from(from_sqlite.origin)
    says(in_a_file, "t", number=2)
    assert moving.import_from(from_sqlite.origin).gone_on == 1  # it has gone on here, and not there
    says(from_sqlite.saver, "t", number=2)
    with pytest.raises(ConflictError, match="'t'"):
        moving.import_from(from_sqlite.origin)


def test_what_runs_did_here_since_is_not_written_over(from_sqlite: Stock, in_a_file: EventStoreSaver) -> None:
    says(from_sqlite.saver, "t", "u")
    moving = Moving(in_a_file)
    moving.import_from(from_sqlite.origin)
    an_agent(in_a_file).invoke(Command(resume="Yes"), config("t"))
    place = in_a_file.get_tuple(config("u"))
    assert place
    in_a_file.put_writes(place.config, [("count", 7)], "00000000-0000-0000-0000-00000000000a", "late")
    before = seen(in_a_file, "t", "u")
    report = moving.import_from(from_sqlite.origin)
    assert (report.ok, report.moved, report.up_to_date, report.gone_on) == (True, 0, 1, 1)
    assert_same(seen(in_a_file, "t", "u"), before)


def test_out_into_a_database_in_use(from_sqlite: Stock, in_a_file: EventStoreSaver) -> None:
    says(from_sqlite.saver, "theirs", "both")
    says(in_a_file, "ours", "both")
    moving, path = Moving(in_a_file), Path(from_sqlite.origin.removeprefix("sqlite:///"))
    with pytest.raises(ConflictError, match="'both'"):
        moving.export_to(path)
    assert threads_of(path) == ["both", "theirs"]
    theirs = seen(from_sqlite.saver, "theirs")
    assert moving.export_to(path, existing="replace").moved == 2
    assert threads_of(path) == ["both", "ours", "theirs"]
    assert_same(seen(from_sqlite.saver, "theirs"), theirs)
    assert_same(seen(from_sqlite.saver, "both", "ours"), seen(in_a_file, "both", "ours"))


def test_threads_that_are_not_there_are_named_before_anything_is_done(
    from_sqlite: Stock, in_a_file: EventStoreSaver, tmp_path: Path
) -> None:
    says(from_sqlite.saver, "a")
    with pytest.raises(NotFoundError, match=r"'x', 'y' in sqlite:///.*old.db, so nothing was moved"):
        Moving(in_a_file).import_from(from_sqlite.origin, threads=["x", "a", "y"])
    assert not in_a_file.store.streams().streams
    with pytest.raises(NotFoundError, match="'z'"):
        Moving(in_a_file).export_to(tmp_path / "new.db", threads=["z"])


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        ({"source": object()}, "the address of its database"),
        ({"existing": "merge"}, "'refuse', 'skip' or 'replace'"),
        ({"allow_pickle": 1}, "true or false"),
        ({"serde": object()}, "serde"),
        ({"threads": "t"}, "a list of strings"),
        ({"prefix": 7}, "prefix"),
        ({"by": "ann"}, "by is 'ann'"),
    ],
)
def test_arguments_of_another_shape(in_a_file: EventStoreSaver, arguments: dict[str, Any], word: str) -> None:
    with pytest.raises(BadInputError, match=word):
        Moving(in_a_file).import_from(**{"source": InMemorySaver(), **arguments})


# What changes meanwhile


def test_what_is_written_while_it_is_moved_comes_in_by_the_next_call(
    from_sqlite: Stock, in_a_file: EventStoreSaver
) -> None:
    agent = an_agent(from_sqlite.saver)
    says(from_sqlite.saver, "a", "b")
    again = iter(range(2, 100))

    def goes_on(*_: Any) -> None:
        for thread in ("a", "b", "c"):
            agent.invoke(hello(next(again)), config(thread))

    moving = Moving(in_a_file)
    report = moving.import_from(from_sqlite.origin, progress=goes_on)
    assert report.ok
    assert moving.import_from(from_sqlite.origin).moved == 3
    assert_same(seen(in_a_file, "a", "b", "c"), seen(from_sqlite.saver, "a", "b", "c"))
    assert moving.import_from(from_sqlite.origin).up_to_date == 3


def test_an_answer_that_came_since_comes_in_by_the_next_call(old: Stock, saver: EventStoreSaver) -> None:
    says(old.saver, "t")
    moving = Moving(saver)
    moving.import_from(old.origin)
    an_agent(old.saver).invoke(Command(resume="Yes"), config("t"))
    old.saver.put_writes(
        old.saver.get_tuple(config("t")).config, [("count", 7)], "00000000-0000-0000-0000-00000000000a", "late"
    )
    report = moving.import_from(old.origin)
    assert (report.ok, report.moved) == (True, 1)
    assert_same(seen(saver, "t"), seen(old.saver, "t"))


def test_what_the_source_has_pruned_since_stays_here(pg_server: str, in_a_file: EventStoreSaver) -> None:
    with fresh_database(pg_server) as url, opened(url) as stock:
        says(stock.saver, "t")
        Moving(in_a_file).import_from(url)
        before = len([*in_a_file.list(config("t"))])
        stock.saver.prune(["t"])
        says(stock.saver, "t", number=2)
        report = Moving(in_a_file).import_from(url)
        assert (report.ok, report.moved) == (True, 1)
        assert len([*in_a_file.list(config("t"))]) > before
        # A thread that was pruned before it came in keeps what it has left.
        with EventStoreSaver.from_conn_string("sqlite:///:memory:") as other:
            assert Moving(other).import_from(url).ok


def test_a_disk_that_is_full_ends_the_move_and_the_next_call_goes_on(
    from_sqlite: Stock, in_a_file: EventStoreSaver
) -> None:
    for number in range(12):
        says(from_sqlite.saver, "t", number=number)
    says(from_sqlite.saver, "u")
    moving = Moving(in_a_file)
    with no_room(in_a_file), pytest.raises(StorageFullError, match="free some disk space"):
        moving.import_from(from_sqlite.origin)
    assert not in_a_file.store.streams().streams
    assert moving.import_from(from_sqlite.origin).moved == 2
    assert_same(seen(in_a_file, "t", "u"), seen(from_sqlite.saver, "t", "u"))


def test_what_is_refused_midway_leaves_the_thread_out_of_their_database(
    in_a_file: EventStoreSaver, tmp_path: Path
) -> None:
    says(in_a_file, "a", "b")
    told: list[str] = []

    def stop(thread: str, *_: int) -> None:
        told.append(thread)
        if thread == "b":
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        Moving(in_a_file).export_to(tmp_path / "new.db", progress=stop)
    assert threads_of(tmp_path / "new.db") == ["a"]
    report = Moving(in_a_file).export_to(tmp_path / "new.db")
    assert (report.moved, report.up_to_date) == (1, 1)


def test_a_thread_is_not_deleted_for_one_that_cannot_be_stored(from_sqlite: Stock, in_a_file: EventStoreSaver) -> None:
    says(from_sqlite.saver, "a")
    says(in_a_file, "a")
    state = from_sqlite.saver.get_tuple(config("a"))
    state.checkpoint["channel_values"]["more"] = range(3)
    state.checkpoint["channel_versions"]["more"] = "1"
    from_sqlite.saver.serde = JsonPlusSerializer(pickle_fallback=True)
    from_sqlite.saver.put(state.parent_config, state.checkpoint, state.metadata, {"more": "1"})
    before = seen(in_a_file, "a")
    report = Moving(in_a_file).import_from(from_sqlite.origin, existing="replace")
    assert [problem.outcome for problem in report.problems] == ["failed"]
    assert_same(seen(in_a_file, "a"), before)


@pytest.mark.parametrize(
    "act",
    [
        lambda saver: saver.delete_thread("a"),
        lambda saver: saver.prune(["a"]),
        lambda saver: saver.history.rollback("a", back=1),
    ],
    ids=["delete", "prune", "rollback"],
)
def test_what_was_taken_back_or_forgotten_here_does_not_come_back(
    from_sqlite: Stock, in_a_file: EventStoreSaver, act: Any
) -> None:
    says(from_sqlite.saver, "a", "b")
    moving = Moving(in_a_file)
    moving.import_from(from_sqlite.origin)
    act(in_a_file)
    before = [item.checkpoint["id"] for item in in_a_file.list(config("a"))]
    report = moving.import_from(from_sqlite.origin)
    assert (report.ok, report.up_to_date, report.gone_on) == (True, 1, 1)
    assert "--existing replace" in (report.problems[0].error or "")
    assert [item.checkpoint["id"] for item in in_a_file.list(config("a"))] == before
    assert moving.import_from(from_sqlite.origin, existing="replace").moved == 1
    assert_same(seen(in_a_file, "a", "b"), seen(from_sqlite.saver, "a", "b"))


def test_ids_that_no_store_can_hold_fail_alone(from_sqlite: Stock, in_a_file: EventStoreSaver) -> None:
    says(from_sqlite.saver, "a", "", "x" * 1100)
    report = Moving(in_a_file).import_from(from_sqlite.origin)
    assert (report.moved, sorted(len(problem.thread) for problem in report.problems)) == (1, [0, 1100])
    assert {problem.outcome for problem in report.problems} == {"failed"}
