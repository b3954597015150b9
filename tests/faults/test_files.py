"""SQLite files that cannot be written, do not fit on the disk, or are held by somebody else."""

from __future__ import annotations

import resource
import sqlite3
import stat
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from eventstore import (
    BusyError,
    EventStoreError,
    NewEvent,
    ReadOnlyError,
    StorageError,
    StorageFullError,
    UnavailableError,
)
from langgraph.checkpoint.eventstore import EventStoreSaver
from langgraph.checkpoint.eventstore.moving import Moving
from tests.support.flavour import Flavour
from tests.support.full_disk import no_room
from tests.support.processes import Pipe, become_nobody, child
from tests.support.races import in_threads
from tests.support.saving import Calls, at, every_write, numbers, save, shown
from tests.support.stock import opened
from tests.support.tables import path_of, rows

BIG = "x" * 20_000


@pytest.fixture
def anybodys(tmp_path: Path) -> Path:
    """A folder that anybody can reach, which those that pytest makes are not."""
    folder = tmp_path
    for parent in [folder, *folder.parents]:
        if parent.owner() == folder.owner() and parent.stat().st_mode & 0o055 != 0o055:
            parent.chmod(parent.stat().st_mode | 0o055)
    return folder


def try_everything(_: Pipe, url: str, flavour: Flavour) -> list[Any]:
    """Return the outcomes of reading and of each way of writing, without any rights."""
    with EventStoreSaver.from_conn_string("sqlite:///:memory:") as warm:  # imports what may be out of reach later
        save(warm, 1)
        shown(Calls(warm, flavour))
    become_nobody()
    with EventStoreSaver.from_conn_string(url) as saver:
        calls = Calls(saver, flavour)
        outcomes: list[Any] = [numbers(calls), saver.store.verify().events]
        for write in every_write(calls):
            try:
                write()
            except EventStoreError as error:
                outcomes.append((type(error), str(error)))
            else:
                outcomes.append("written")
        return [*outcomes, numbers(calls)]


def test_a_read_only_file_can_be_read_and_each_write_says_why_it_cannot_be(anybodys: Path, flavour: Flavour) -> None:
    url = f"sqlite:///{anybodys / 'store.db'}"
    with EventStoreSaver.from_conn_string(url) as saver:
        save(saver, 1)
        # As long as somebody has it open, what readers need is there.
        for file in anybodys.iterdir():
            file.chmod(stat.S_IRUSR | stat.S_IRGRP | stat.S_IROTH)
        before = rows(url)
        with child(try_everything, url, flavour) as reader:
            shown_first, events, *writes, shown_last = reader.result()
        assert (shown_first, events, shown_last) == ([1], 1, [1])
        for kind, message in writes:
            assert kind is ReadOnlyError
            assert "permissions" in message
        assert rows(url) == before


def test_a_file_in_a_read_only_folder_that_nobody_has_open_says_what_it_needs(anybodys: Path, flavour: Flavour) -> None:
    folder = anybodys / "archive"
    folder.mkdir()
    url = f"sqlite:///{folder / 'store.db'}"
    with EventStoreSaver.from_conn_string(url) as saver:
        save(saver, 1)
    (folder / "store.db").chmod(0o444)
    folder.chmod(0o555)
    with child(open_as_nobody, url) as reader:
        assert "of its folder" in reader.result()
    folder.chmod(0o755)


def open_as_nobody(_: Pipe, url: str) -> str:
    with EventStoreSaver.from_conn_string("sqlite:///:memory:"):
        become_nobody()
    with pytest.raises(StorageError) as refusal, EventStoreSaver.from_conn_string(url):
        pass
    return str(refusal.value)


def test_a_folder_that_may_no_longer_be_entered_is_told_of_and_loses_nothing(anybodys: Path, flavour: Flavour) -> None:
    anybodys.chmod(0o777)
    with child(read_through_a_locked_folder, anybodys / "locked", flavour) as reader:
        refused, afterwards = reader.result()
    for message in refused:
        assert "may no longer be entered" in message
    assert afterwards == [1]


def read_through_a_locked_folder(_: Pipe, folder: Path, flavour: Flavour) -> tuple[list[str], list[int]]:
    with EventStoreSaver.from_conn_string("sqlite:///:memory:"):
        become_nobody()
    folder.mkdir()
    refused = []
    with EventStoreSaver.from_conn_string(f"sqlite:///{folder / 'store.db'}") as saver:
        calls = Calls(saver, flavour)
        save(calls, 1)
        folder.chmod(0)
        for call in (lambda: numbers(calls), *every_write(calls)):
            with pytest.raises(UnavailableError) as refusal:
                call()
            refused.append(str(refusal.value))
        folder.chmod(0o755)
        return refused, numbers(calls)


def test_an_old_database_that_may_only_be_read_is_moved_from_or_says_what_to_do(anybodys: Path) -> None:
    folder = anybodys / "old"
    folder.mkdir()
    outcomes = {"DELETE": "1 moved", "WAL": "use a copy of it"}
    for mode in outcomes:
        path = folder / f"{mode}.db"
        with opened(f"sqlite:///{path}") as old:
            save(old.saver, 1)
            old.saver.conn.execute(f"PRAGMA journal_mode = {mode}")
        path.chmod(0o444)
    folder.chmod(0o555)
    for mode, outcome in outcomes.items():
        with child(move_as_nobody, str(folder / f"{mode}.db")) as mover:
            assert outcome in mover.result()
    folder.chmod(0o755)


def test_an_old_database_in_a_folder_that_may_not_be_read_is_not_there(anybodys: Path) -> None:
    folder = anybodys / "old"
    folder.mkdir(mode=0o700)
    with child(move_as_nobody, str(folder / "old.db")) as mover:
        assert "may it be read" in mover.result()


def move_as_nobody(_: Pipe, path: str) -> str:
    with EventStoreSaver.from_conn_string("sqlite:///:memory:") as saver:
        moving = Moving(saver)
        with suppress(UnavailableError):  # imports what may be out of reach later
            moving.import_from("nowhere.db")
        become_nobody()
        try:
            return f"{moving.import_from(path).moved} moved"
        except (ReadOnlyError, UnavailableError) as error:
            return str(error)


def test_when_the_disk_is_full_nothing_is_stored_and_afterwards_the_store_goes_on(
    sqlite_url: str, flavour: Flavour
) -> None:
    with EventStoreSaver.from_conn_string(sqlite_url) as saver:
        calls = Calls(saver, flavour)
        for number in (1, 2):
            save(calls, number, {"state": BIG}, parent=number - 1 or None)
        noise = [hash((seed, 1)) for seed in range(5_000)]
        writes: list[Callable[[], Any]] = [
            lambda: save(calls, 3, {"state": noise}, parent=2),
            lambda: save(calls, 1, {"state": noise}, thread="new"),
            lambda: calls.put_writes(at(number=2), [("state", noise)], "task"),
            lambda: saver.store.append("log", [NewEvent("topic", repr(noise).encode())]),
        ]
        for write in writes:
            before = rows(sqlite_url)
            with no_room(saver):
                for _ in range(2):
                    with pytest.raises(StorageFullError, match="free some disk space"):
                        write()
                assert numbers(calls)[-2:] == [2, 1]
            after = rows(sqlite_url)
            # The name of a thread that could not begin may stay behind, with its first branch; nothing else does.
            nameless = {"streams": None, "branches": None}
            assert after | nameless == before | nameless
            write()
        assert numbers(calls) == [3, 2, 1]
        saver.store.verify()


def test_of_writers_that_commit_together_on_a_full_disk_each_hears_of_it(sqlite_url: str) -> None:
    with EventStoreSaver.from_conn_string(sqlite_url) as saver:
        for number in range(8):
            save(saver, 1, thread=f"thread {number}")
        noise = [hash((seed, 1)) for seed in range(5_000)]

        def write(number: int) -> list[str]:
            outcomes = []
            for step in range(2, 6):
                try:
                    save(saver, step, {"state": noise if number % 2 else step}, thread=f"thread {number}")
                    outcomes.append("stored")
                except StorageFullError:
                    outcomes.append("refused")
            return outcomes

        with no_room(saver):
            outcomes = in_threads(write, 8)
        assert any("refused" in each for each in outcomes)
        for number, each in enumerate(outcomes):
            expected = [step for step, outcome in zip(range(2, 6), each, strict=True) if outcome == "stored"]
            assert numbers(saver, f"thread {number}") == [*reversed(expected), 1]
        saver.store.verify()


def fill_up(pipe: Pipe, url: str, flavour: Flavour) -> None:
    """Put until the process may write no more, as with a quota; tell each that is acknowledged."""
    with EventStoreSaver.from_conn_string(url) as saver:
        calls = Calls(saver, flavour)
        resource.setrlimit(resource.RLIMIT_FSIZE, (600_000, resource.RLIM_INFINITY))
        number = 1
        with suppress(StorageError):
            while True:
                save(
                    calls, number, {"state": [hash((number, seed)) for seed in range(3_000)]}, parent=number - 1 or None
                )
                pipe.send(number)
                number += 1
        pipe.send("full")
        for attempt in range(3):
            with pytest.raises(StorageError, match="disk"):
                save(calls, number, {"state": [hash((number, attempt, seed)) for seed in range(30_000)]})
        pipe.send(numbers(calls)[0])
        resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
        save(calls, number, {"state": "room again"}, parent=number - 1)


def test_a_file_that_may_not_grow_keeps_all_that_was_acknowledged(sqlite_url: str, flavour: Flavour) -> None:
    with child(fill_up, sqlite_url, flavour) as writer:
        acknowledged = [*iter(writer.pipe.recv, "full")]
        assert writer.pipe.recv() == acknowledged[-1]
        writer.result()
    with EventStoreSaver.from_conn_string(sqlite_url) as saver:
        assert numbers(saver) == [*reversed([*acknowledged, len(acknowledged) + 1])]
        assert saver.store.verify("thread").events == len(acknowledged) + 1


@contextmanager
def held(url: str) -> Iterator[None]:
    """Write to the file from elsewhere, and take one's time."""
    with closing(sqlite3.connect(path_of(url), isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        yield


def test_a_file_that_another_writer_holds_is_read_and_writes_are_given_up_after_the_timeout(
    sqlite_url: str, flavour: Flavour
) -> None:
    with EventStoreSaver.from_conn_string(sqlite_url, busy_timeout=0.1) as saver:
        calls = Calls(saver, flavour)
        save(calls, 1)
        before = rows(sqlite_url)
        with held(sqlite_url):
            assert numbers(calls) == [1]
            writes: list[Callable[[], Any]] = [
                lambda: save(calls, 2, parent=1),
                lambda: calls.put_writes(at(number=1), [("count", 3)], "task"),
                lambda: calls.copy_thread("thread", "copy"),
                lambda: calls.delete_thread("thread"),
            ]
            for write in writes:
                with pytest.raises(BusyError, match="busy_timeout"):
                    write()
        assert rows(sqlite_url) == before
        save(calls, 2, parent=1)
        assert numbers(calls) == [2, 1]


def test_a_store_can_be_opened_while_somebody_writes(sqlite_url: str) -> None:
    EventStoreSaver.from_conn_string(sqlite_url).__enter__().store.close()
    with held(sqlite_url), EventStoreSaver.from_conn_string(sqlite_url, busy_timeout=0.1) as saver:
        assert numbers(saver) == []


def test_a_file_that_is_replaced_under_an_open_store_is_not_mixed_up_with_the_new_one(sqlite_url: str) -> None:
    path = path_of(sqlite_url)
    with EventStoreSaver.from_conn_string(sqlite_url) as saver:
        save(saver, 1)
        for file in path.parent.glob(path.name + "*"):
            file.rename(file.with_name("old-" + file.name))
        with EventStoreSaver.from_conn_string(sqlite_url) as fresh:
            assert numbers(fresh) == []
            save(fresh, 7)
            with suppress(EventStoreError):
                save(saver, 2, parent=1)
            assert numbers(fresh) == [7]
            fresh.store.verify()
