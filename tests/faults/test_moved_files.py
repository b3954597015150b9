"""A file that is moved, deleted or replaced under an open store: nothing is acknowledged that nobody will find."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

import pytest

from eventstore import NewEvent, UnavailableError
from langgraph.checkpoint.eventstore import EventStoreSaver
from projections import Audit
from tests.support.flavour import Flavour
from tests.support.saving import Calls, at, numbers, save
from tests.support.tables import path_of

Trouble = Callable[[Path], Path | None]
"""Does something to a store's file; where it is now, if anywhere."""


def move(path: Path) -> Path:
    return path.rename(path.with_name("elsewhere.db"))


def move_with_its_log(path: Path) -> Path:
    for file in sorted(path.parent.glob(path.name + "-*")):
        file.rename(file.with_name(file.name.replace(path.name, "elsewhere.db")))
    return move(path)


def delete(path: Path) -> None:
    path.unlink()


def replace(path: Path) -> Path:
    moved = move(path)
    another(path)
    return moved


def another(path: Path) -> None:
    """A store of somebody else's, of the same kind."""
    made = path.with_name("another.db")
    with EventStoreSaver.from_conn_string(str(made)) as saver:
        for number in range(1, 30):
            save(saver, number, {"state": "x" * 5_000}, thread="theirs", parent=number - 1 or None)
    made.rename(path)


@pytest.mark.parametrize("trouble", [move, move_with_its_log, delete, replace], ids=lambda trouble: trouble.__name__)
def test_every_operation_notices_and_all_that_was_acknowledged_is_in_the_file(
    sqlite_url: str, flavour: Flavour, trouble: Trouble
) -> None:
    path = path_of(sqlite_url)
    with EventStoreSaver.from_conn_string(sqlite_url) as saver:
        calls = Calls(saver, flavour)
        for number in (1, 2, 3):
            save(calls, number, parent=number - 1 or None)
        subscription = saver.store.subscribe(after=3)
        moved = trouble(path)
        operations: list[Callable[[], Any]] = [
            lambda: save(calls, 4, parent=3),
            lambda: save(calls, 1, thread="new"),
            lambda: calls.put_writes(at(number=3), [("count", 5)], "task"),
            lambda: calls.copy_thread("thread", "copy"),
            lambda: calls.prune(["thread"]),
            lambda: calls.delete_thread("thread"),
            lambda: calls.get_tuple(at()),
            lambda: numbers(calls),
            lambda: saver.store.append("s", [NewEvent("x")] * 10),
            lambda: list(saver.store.feed()),
            saver.store.verify,
            saver.checkpoints.rebuild,
            lambda: Audit(saver.store).query(),
            lambda: next(subscription),
        ]
        for operation in operations:
            with pytest.raises(UnavailableError, match="no longer the file"):
                operation()
        subscription.close()
    if moved:
        with EventStoreSaver.from_conn_string(str(moved)) as there:
            assert numbers(there) == [3, 2, 1]
            there.store.verify()


def test_what_stands_there_now_is_left_alone_and_gets_nothing_of_the_old_log(sqlite_url: str, flavour: Flavour) -> None:
    path = path_of(sqlite_url)
    with EventStoreSaver.from_conn_string(sqlite_url) as saver:
        for number in range(1, 20):
            save(saver, number, {"state": "y" * 5_000}, parent=number - 1 or None)
        replace(path)
        before = path.read_bytes()
        with pytest.raises(UnavailableError):
            save(Calls(saver, flavour), 20, parent=19)
        assert path.read_bytes() == before
        with EventStoreSaver.from_conn_string(sqlite_url) as fresh:  # while the old store is still open
            assert numbers(Calls(fresh, flavour), "theirs") == [*range(29, 0, -1)]
            save(Calls(fresh, flavour), 30, thread="theirs", parent=29)
    with EventStoreSaver.from_conn_string(sqlite_url) as fresh:
        assert numbers(fresh, "theirs") == [*range(30, 0, -1)]
        assert numbers(fresh) == []
        fresh.store.verify()
    with closing(sqlite3.connect(path)) as database:
        assert database.execute("PRAGMA integrity_check").fetchall() == [("ok",)]


def test_a_store_that_is_closed_without_another_call_takes_its_log_with_it_too(sqlite_url: str) -> None:
    path = path_of(sqlite_url)
    with EventStoreSaver.from_conn_string(sqlite_url) as saver:
        save(saver, 1)
        moved = move(path)
    assert not [*path.parent.glob(path.name + "*")]
    with EventStoreSaver.from_conn_string(str(moved)) as there:
        assert numbers(there) == [1]


def test_while_threads_write_all_that_they_were_told_is_stored_is_in_the_moved_file(sqlite_url: str) -> None:
    path = path_of(sqlite_url)
    reached = [0] * 4
    with EventStoreSaver.from_conn_string(sqlite_url) as saver:

        def work(number: int) -> None:
            calls = Calls(saver, list(Flavour)[number % 2])
            with suppress(UnavailableError):
                while True:
                    save(calls, reached[number] + 1, thread=f"t {number}", parent=reached[number] or None)
                    reached[number] += 1

        threads = [threading.Thread(target=work, args=(number,)) for number in range(len(reached))]
        for thread in threads:
            thread.start()
        while min(reached) < 5:
            pass
        moved = move(path)
        for thread in threads:
            thread.join()
    with EventStoreSaver.from_conn_string(str(moved)) as there:
        for number, last in enumerate(reached):
            found = numbers(there, f"t {number}")
            assert found == [*range(len(found), 0, -1)]
            assert len(found) in (last, last + 1)  # one may have been stored, and its caller not told
        there.store.verify()
