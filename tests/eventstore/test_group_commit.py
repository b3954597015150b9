"""Writers that commit together, and a Ctrl-C for one of them: it is for that one alone, and nobody waits for ever."""

from __future__ import annotations

import linecache
import signal
import sqlite3
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, closing
from types import FrameType

import pytest

from eventstore.recorders.sqlite import group_commit
from eventstore.recorders.sqlite.group_commit import GroupCommit

PATIENCE_SECONDS = 30.0
# More than a leader's way out has.
LINES = 25

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
    return lambda: len(commits.waiting) == count


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
    note: Callable[[str], Work],
) -> None:
    def leave(stop_at: int) -> bool:
        with (
            closing(sqlite3.connect(":memory:", isolation_level=None, check_same_thread=False)) as connection,
            ThreadPoolExecutor(2) as writers,
        ):
            connection.execute("CREATE TABLE done (name TEXT)")
            commits, begun = GroupCommit(lambda: connection), threading.Event()
            leader = writers.submit(interrupted_twice, commits, begun, stop_at)
            assert begun.wait(PATIENCE_SECONDS)
            assert writers.submit(commits.run, note("next")).result(PATIENCE_SECONDS) == "next"
            assert (done(connection), connection.in_transaction) == (["next"], False)
            return leader.result(PATIENCE_SECONDS)

    with ThreadPoolExecutor(LINES) as cases:
        stopped = [*cases.map(leave, range(1, LINES + 1))]
    # All lines of the way out were tried.
    assert 5 < sum(stopped) < LINES


def interrupted_twice(commits: GroupCommit, begun: threading.Event, stop_at: int) -> bool:
    """Be interrupted in one's work, while another writer waits, and again on the way out; `False` if that is over.

    The way out begins in the work, before it is rolled back. (A `with` is not interrupted: there Python does not look
    for signals while it gives a lock back.)

    Args:
        commits: Who carries the work out.
        begun: Is set when it has begun.
        stop_at: How many lines there are from the beginning of the way out to the second interrupt.
    """
    steps = 0

    def interrupt(frame: FrameType, event: str, _arg: object) -> object:
        nonlocal steps
        file = frame.f_code.co_filename
        if event == "line" and file == group_commit.__file__ and not is_with(file, frame.f_lineno):
            steps += 1
            if steps == stop_at:
                raise KeyboardInterrupt
        return interrupt

    def work(connection: sqlite3.Connection) -> None:
        connection.execute("INSERT INTO done VALUES ('interrupted')")
        begun.set()
        until(waiting(commits, 1))  # the next one waits for this leader
        # In the frames that this was called from, too.
        frame = sys._getframe().f_back
        while frame is not None:
            frame.f_trace = interrupt
            frame = frame.f_back
        sys.settrace(interrupt)  # type: ignore[arg-type]
        raise KeyboardInterrupt

    try:
        with pytest.raises(KeyboardInterrupt):
            commits.run(work)
    finally:
        sys.settrace(None)
    return steps >= stop_at


def is_with(file: str, line: int) -> bool:
    return linecache.getline(file, line).lstrip().startswith("with ")
