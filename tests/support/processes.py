"""Other processes that use the same store: quick to start, and to be killed at any moment.

They are forked from a server process that has imported everything and opened nothing, so that no lock and no
connection of this process is copied; except for a `copy`, which is made to have them all.
"""

from __future__ import annotations

import multiprocessing
import os
import pwd
import signal
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from multiprocessing.connection import Connection
from typing import Any

_FORKED = multiprocessing.get_context("forkserver")
_FORKED.set_forkserver_preload(["tests.support.saving", "tests.support.tables", "psycopg", "psycopg_pool"])

Pipe = Connection
# Longer than anything takes that goes on at all.
_PATIENCE_SECONDS = 60
Work = Callable[..., Any]


class Child:
    """A process that does some work, with a pipe to it; `work` is a function of a module, and gets the pipe first."""

    def __init__(self, work: Work, *args: Any) -> None:
        self.pipe, theirs = _FORKED.Pipe()
        self._process = _FORKED.Process(target=_run, args=(theirs, work, args), daemon=True)
        self._process.start()
        theirs.close()

    def kill(self) -> None:
        """End it as a power failure would: without a word, wherever it is."""
        self._process.kill()
        self._process.join()

    def interrupt(self) -> None:
        """Press Ctrl-C."""
        if self._process.pid:
            os.kill(self._process.pid, signal.SIGINT)

    def result(self) -> Any:
        """Return what the work returned, or raise if it raised.

        What the work itself sends comes before it, and has to be received first.
        """
        outcome, value = self.pipe.recv()
        self._process.join()
        if outcome == "raised":
            raise AssertionError(f"a process failed:\n{value}")
        return value


class Copy(Child):
    """A copy of this process, as `os.fork` makes it, that does some work, which may be any function."""

    def __init__(self, work: Callable[..., Any], *args: Any) -> None:
        self.pipe, theirs = multiprocessing.Pipe()
        self._pid = os.fork()
        if self._pid == 0:
            try:
                signal.signal(signal.SIGALRM, signal.SIG_DFL)
                signal.alarm(_PATIENCE_SECONDS)  # a copy that hangs is ended, and its pipe with it
                self.pipe.close()
                _run(theirs, work, args)
            finally:
                os._exit(0)
        theirs.close()

    def kill(self) -> None:
        """End it as a power failure would, and wait until it is gone."""
        if self._pid:
            os.kill(self._pid, signal.SIGKILL)
            os.waitpid(self._pid, 0)
            self._pid = 0

    def result(self) -> Any:
        """See `Child.result`."""
        outcome, value = self.pipe.recv()
        os.waitpid(self._pid, 0)
        self._pid = 0
        if outcome == "raised":
            raise AssertionError(f"a copy of this process failed:\n{value}")
        return value


@contextmanager
def copies(count: int, work: Callable[..., Any], *args: Any) -> Iterator[list[Copy]]:
    """Copies of this process, that are gone after the block. `work` gets a pipe, the number of the copy, and `args`."""
    made: list[Copy] = []
    try:
        made.extend(Copy(work, number, *args) for number in range(count))
        yield made
    finally:
        for each in made:
            each.kill()
            each.pipe.close()


@contextmanager
def child(work: Work, *args: Any) -> Iterator[Child]:
    """A process that is gone after the block."""
    process = Child(work, *args)
    try:
        yield process
    finally:
        process.kill()
        process.pipe.close()


def in_processes(work: Work, arguments: list[tuple[Any, ...]]) -> list[Any]:
    """Do some work in several processes at once; what each of them returned."""
    processes = [Child(work, *args) for args in arguments]
    try:
        return [process.result() for process in processes]
    finally:
        for process in processes:
            process.kill()
            process.pipe.close()


def become_nobody() -> None:
    """Let the permissions of files count, which they do not for root."""
    if os.geteuid() == 0:
        nobody = pwd.getpwnam("nobody")
        os.setgroups([])
        os.setgid(nobody.pw_gid)
        os.setuid(nobody.pw_uid)


def _run(pipe: Connection, work: Work, args: tuple[Any, ...]) -> None:
    try:
        pipe.send(("returned", work(pipe, *args)))
    except BaseException:  # noqa: BLE001 (whatever it is, it is told)
        pipe.send(("raised", traceback.format_exc()))
