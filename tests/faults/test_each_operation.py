"""The Nth operation on the disk, or the Nth message to the server, fails or is the last of its process: for every N.

Everything that is done to a thread is done over and over, and meets the fault each time one operation later, until it
gets through unharmed: I/O errors, short writes, full disks and locks that are not to be had on SQLite; errors of the
server on PostgreSQL; and SIGKILL on both. The call is carried out, or raises an error of ours and has done nothing, or
all of it; made again, it does what it should have done. What others see is whole, verifies, and is the same when it is
rebuilt.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any, NamedTuple

import pytest

from eventstore import EventStoreError
from langgraph.checkpoint.eventstore import EventStoreSaver
from tests.support.failing_files import FailingDisk, How
from tests.support.operations import ANY, MADE_ANEW, prepared, shows, told
from tests.support.points import one_after_the_other
from tests.support.processes import Child, Pipe, child
from tests.support.saving import Calls
from tests.support.servers import proxied

DISK: tuple[How, ...] = ("error", "short write", "full", "for good")
SERVER = {
    "40001": "a serialization failure",
    "40P01": "a deadlock",
    "53100": "a full disk",
    "53300": "no connections left",
    "55P03": "a lock that is not to be had",
    "57014": "a statement that takes too long",
    "58030": "an I/O error",
}
KILLS: tuple[How, ...] = ("killed before", "killed after")


class Trial(NamedTuple):
    """The outcome of one attempt.

    Attributes:
        hit: At which operation it met the fault; `None`: it got through before that.
        error: Of what kind the error was that it raised, and what it said.
        shown: What the threads show then, and
        again: what they show when it was done once more.
    """

    hit: str | None
    error: str | None
    shown: str
    again: str


LAST = 99_999


def thread_of(operation: str, number: int) -> str:
    """The thread of one attempt: a new one, unless the whole store is made anew, which must not grow meanwhile."""
    return f"thread {LAST if ANY[operation] in MADE_ANEW else number:05}"


def named(text: Any, thread: str) -> str:
    return repr(text).replace(thread, "thread")


def attempt(saver: EventStoreSaver, operation: str, thread: str, fault: Any) -> Trial:
    """Do something to a new thread with a fault in between, and once more if it failed."""
    calls = Calls(saver)
    prepared(saver, thread, operation)
    error: str | None = None
    with fault as met:
        try:
            ANY[operation](calls, thread)
        except EventStoreError as refused:
            error = f"{type(refused).__name__}: {refused}"
    saver.checkpoints.drop_cache()
    shown = again = named(shows(calls, thread), thread)
    if error:
        try:
            ANY[operation](calls, thread)
        except EventStoreError as refused:  # it had been carried out, and cannot be twice
            again += f" {refused!r}" if shown == again == "" else ""
        again = named(shows(calls, thread), thread)
    return Trial(met(), error, shown, again)


def hold(trial: Trial, before: str, after: str, where: str) -> None:
    """Hold that an attempt did all or nothing, and that doing it again did the rest."""
    if trial.error is None:
        assert trial.shown == after, f"{where}: it did not do what it said"
    else:
        assert trial.shown in (before, after), f"{where}: a part of it was done before {trial.error}"
        assert trial.again == after, f"{where}: done again after {trial.error}, it came to something else"


def sound(saver: EventStoreSaver) -> None:
    """Hold that the log verifies, and that what is shown is what it says."""
    saver.store.verify()
    streams = [stream.name for stream in saver.store.streams().streams]
    before = [told(Calls(saver), name) for name in streams]
    saver.checkpoints.rebuild()
    assert [told(Calls(saver), name) for name in streams] == before


# Faults that raise ----------------------------------------------------------------------------------------------------


def on_a_failing_disk(pipe: Pipe, url: str, operation: str) -> None:
    """Try what one is told to, in a process whose disk fails."""
    disk = FailingDisk()
    with EventStoreSaver.from_conn_string(url, synchronous="NORMAL", busy_timeout=1.0) as saver:
        while (told := pipe.recv()) != "done":
            thread, at, how = told
            pipe.send(attempt(saver, operation, thread, failing(disk, at, how)))
        sound(saver)


@contextmanager
def failing(disk: FailingDisk, at: int, how: How) -> Iterator[Any]:
    def met() -> str | None:
        return hit[0] if hit else None

    hit: list[str] = []
    disk.fail(at, how)
    yield met
    if disk.happened:
        hit.append(disk.done[at])
    disk.fail(-1, "never")


@pytest.mark.parametrize("operation", ANY)
def test_an_operation_does_all_or_nothing_whichever_write_sync_or_lock_fails(sqlite_url: str, operation: str) -> None:
    with child(on_a_failing_disk, sqlite_url, operation) as worker:

        def trial(thread: str, at: int, how: How) -> Trial:
            worker.pipe.send((thread, at, how))
            tried: Trial = worker.pipe.recv()
            assert isinstance(tried, Trial), tried
            return tried

        before, after = unharmed(sqlite_url, operation)
        for number in one_after_the_other(every=151):
            at, how = number // len(DISK), DISK[number % len(DISK)]
            tried = trial(thread_of(operation, number), at, how)
            hold(tried, before, after, f"{how} at operation {at} ({tried.hit}) of {operation}")
            if tried.hit is None:
                break
        worker.pipe.send("done")
        worker.result()


def unharmed(url: str, operation: str) -> tuple[str, str]:
    """Return what threads show before an operation, and after it."""
    thread = thread_of(operation, LAST)
    with EventStoreSaver.from_conn_string(url) as saver:
        prepared(saver, thread, operation)
        before = named(shows(Calls(saver), thread), thread)
        ANY[operation](Calls(saver), thread)
        return before, named(shows(Calls(saver), thread), thread)


@pytest.mark.parametrize("operation", ANY)
def test_an_operation_does_all_or_nothing_whichever_statement_the_server_refuses(
    postgres_url: str, operation: str
) -> None:
    codes = [*SERVER]
    with proxied(postgres_url) as proxy, EventStoreSaver.from_conn_string(proxy.url, connect_timeout=5.0) as saver:
        before, after = unharmed(postgres_url, operation)
        for number in one_after_the_other(every=47):
            at, code = number // len(codes), codes[number % len(codes)]
            tried = attempt(saver, operation, thread_of(operation, number), refused(proxy, at, code))
            hold(tried, before, after, f"{SERVER[code]} at message {at} ({tried.hit}) of {operation}")
            if tried.hit is None:
                break
        sound(saver)


@contextmanager
def refused(proxy: Any, at: int, code: str) -> Iterator[Any]:
    with proxy.cutting(at, "never", refused=code) as cut:
        yield lambda: None if cut.done is None else str(cut.done)


# SIGKILL --------------------------------------------------------------------------------------------------------------


def until_killed(pipe: Pipe, url: str, operation: str, thread: str, at: int, how: How) -> int:
    """Do something, and die in it on the way to the disk; or, over the network, at somebody else's hand."""
    disk = FailingDisk() if url.startswith("sqlite") else None
    with EventStoreSaver.from_conn_string(url) as saver:
        prepared(saver, thread, operation)
        pipe.send("prepared")
        pipe.recv()
        if disk:
            disk.fail(at, how)
        ANY[operation](Calls(saver), thread)
        return len(disk.done) if disk else 0


@pytest.mark.parametrize("operation", ANY)
def test_a_process_that_is_killed_at_any_operation_has_done_all_or_nothing(url: str, operation: str) -> None:
    with ExitStack() as stack:
        proxy = stack.enter_context(proxied(url)) if url.startswith("postgresql") else None
        before, after = unharmed(url, operation)
        for number in one_after_the_other(every=151 if proxy is None else 59):
            at, how = number // 2, KILLS[number % 2]
            thread = thread_of(operation, number)
            worker = stack.enter_context(child(until_killed, proxy.url if proxy else url, operation, thread, at, how))
            assert worker.pipe.recv() == "prepared"
            survived = killed_by(proxy, worker, at, how) if proxy else went(worker)
            with EventStoreSaver.from_conn_string(url) as saver:
                shown = named(shows(Calls(saver), thread), thread)
                where = f"{how} operation {at} of {operation}"
                if survived:
                    assert shown == after, where
                    sound(saver)
                    break
                assert shown in (before, after), f"{where}: a part of it was done"
                try:
                    ANY[operation](Calls(saver), thread)
                except EventStoreError:
                    assert shown == after, f"{where}: it cannot be done again"
                assert named(shows(Calls(saver), thread), thread) == after, f"{where}: done again, it is something else"


def went(worker: Child) -> bool:
    """Let a process go on; whether it comes to the end."""
    worker.pipe.send("go on")
    try:
        worker.result()
    except EOFError:
        return False
    return True


def killed_by(proxy: Any, worker: Child, at: int, how: How) -> bool:
    """Kill a process when it sends its next message but some: before the server gets that, or when it has."""
    moment = "before" if how == "killed before" else "never"
    with proxy.cutting(at, moment, meanwhile=worker.kill) as cut:
        survived = went(worker)
    if cut.done is not None:
        proxy.settled()
    return survived
