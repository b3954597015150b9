"""Writers that commit together, and a Ctrl-C for one of them: it is for that one alone, and nobody waits for ever."""

from __future__ import annotations

import signal
import sqlite3
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, closing

import pytest

from eventstore.recorders.sqlite.group_commit import GroupCommit

PATIENCE_SECONDS = 30.0

Work = Callable[[sqlite3.Connection], str]


@pytest.fixture
def connection() -> Iterator[sqlite3.Connection]:
    with closing(sqlite3.connect(":memory:", isolation_level=None, check_same_thread=False)) as connection:
        connection.execute("CREATE TABLE done (name TEXT)")
        yield connection


@pytest.fixture
def commits(connection: sqlite3.Connection) -> GroupCommit:
    return GroupCommit(lambda: connection)


@pytest.fixture
def writers() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(8) as writers:
        yield writers


@pytest.fixture
def note() -> Callable[[str], Work]:
    """Work that leaves a name, and gives it back."""

    def named(name: str) -> Work:
        def work(connection: sqlite3.Connection) -> str:
            connection.execute("INSERT INTO done VALUES (?)", (name,))
            return name

        return work

    return named


def done(connection: sqlite3.Connection) -> list[str]:
    return [name for (name,) in connection.execute("SELECT name FROM done ORDER BY rowid")]


def interrupt_main_thread_when(is_time: Callable[[], bool]) -> threading.Thread:
    def interrupt() -> None:
        while not is_time():
            threading.Event().wait(0.001)
        main = threading.main_thread().ident
        assert main is not None
        signal.pthread_kill(main, signal.SIGINT)

    thread = threading.Thread(target=interrupt)
    thread.start()
    return thread


def waiting(commits: GroupCommit, count: int) -> Callable[[], bool]:
    return lambda: len(commits._queue) == count


def until(is_time: Callable[[], bool]) -> None:
    while not is_time():
        threading.Event().wait(0.001)


def test_a_leader_that_is_interrupted_before_it_begins_leaves_the_lead_to_the_next(
    connection: sqlite3.Connection,
    commits: GroupCommit,
    writers: ThreadPoolExecutor,
    note: Callable[[str], Work],
) -> None:
    with commits.exclusive():
        interrupting = interrupt_main_thread_when(waiting(commits, 1))
        with pytest.raises(KeyboardInterrupt):
            commits.run(note("interrupted"))
        interrupting.join()
    assert writers.submit(commits.run, note("next")).result(PATIENCE_SECONDS) == "next"
    assert done(connection) == ["next"]


def test_a_writer_that_is_interrupted_while_it_waits_takes_its_work_back(
    connection: sqlite3.Connection,
    commits: GroupCommit,
    writers: ThreadPoolExecutor,
    note: Callable[[str], Work],
) -> None:
    with commits.exclusive():
        first = writers.submit(commits.run, note("first"))
        until(waiting(commits, 1))
        interrupting = interrupt_main_thread_when(waiting(commits, 2))
        with pytest.raises(KeyboardInterrupt):
            commits.run(note("interrupted"))
        interrupting.join()
        second = writers.submit(commits.run, note("second"))
        until(waiting(commits, 2))
    assert (first.result(PATIENCE_SECONDS), second.result(PATIENCE_SECONDS)) == ("first", "second")
    assert done(connection) == ["first", "second"]


def test_the_lead_is_never_handed_to_a_writer_that_has_left(
    connection: sqlite3.Connection,
    commits: GroupCommit,
    writers: ThreadPoolExecutor,
    note: Callable[[str], Work],
) -> None:
    begun, go_on = threading.Event(), threading.Event()

    def interrupted_work(_connection: sqlite3.Connection) -> None:
        begun.set()
        go_on.wait()
        raise KeyboardInterrupt

    def last_to_queue() -> str:
        until(waiting(commits, 2))
        return commits.run(note("last"))

    def release() -> None:
        until(waiting(commits, 3))
        held.close()

    held = ExitStack()
    held.enter_context(commits.exclusive())
    leader: Future[None] = writers.submit(commits.run, interrupted_work)
    until(waiting(commits, 1))
    last, releasing = writers.submit(last_to_queue), writers.submit(release)
    interrupting = interrupt_main_thread_when(begun.is_set)
    with pytest.raises(KeyboardInterrupt):
        commits.run(note("interrupted"))  # its work is begun by the leader, together with the last one's
    interrupting.join()
    releasing.result(PATIENCE_SECONDS)
    go_on.set()
    with pytest.raises(KeyboardInterrupt):
        leader.result(PATIENCE_SECONDS)
    assert last.result(PATIENCE_SECONDS) == "last"
    assert done(connection) == ["last"]


def test_a_leader_that_is_interrupted_again_while_it_leaves_keeps_nobody_waiting(
    connection: sqlite3.Connection,
    commits: GroupCommit,
    writers: ThreadPoolExecutor,
    note: Callable[[str], Work],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def interrupted_work(_connection: sqlite3.Connection) -> None:
        until(waiting(commits, 1))  # the next one waits for this leader
        monkeypatch.setattr(commits, "_leave", interrupted_again)
        raise KeyboardInterrupt

    def interrupted_again(_ticket: object) -> None:
        monkeypatch.undo()
        raise KeyboardInterrupt

    leader: Future[None] = writers.submit(commits.run, interrupted_work)
    until(commits._turn.locked)
    assert writers.submit(commits.run, note("next")).result(PATIENCE_SECONDS) == "next"
    with pytest.raises(KeyboardInterrupt):
        leader.result(PATIENCE_SECONDS)
    assert done(connection) == ["next"]
