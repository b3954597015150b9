"""A prune, or the deletion of runs, that dies between two threads: each is whole, and a second call finishes it."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import pytest

from eventstore import EventStore
from eventstore.recorders import Append, Recorder
from eventstore.testing import Relay
from langgraph.checkpoint.eventstore import EventStoreSaver
from projections import Recovery
from tests.support.processes import Pipe, child
from tests.support.saving import assert_true, at, number_of, numbers, shown, step

Act = Callable[[EventStoreSaver, str], object]
NAMES = ("one", "forked", "fork", "deleted", "its fork")


def threads(case: str) -> list[str]:
    """The threads of one case; of some of them there are forks, of a deleted one, too."""
    return [f"{case} {name}" for name in NAMES]


def prepare(saver: EventStoreSaver, case: str) -> None:
    """Threads of four checkpoints, of which one run saved two, and forks of these."""
    one, forked, fork, deleted, its_fork = threads(case)
    for thread in (one, forked, deleted):
        for number in range(1, 5):
            run = f"{case} run" if number in (2, 3) else f"{case} other run"
            step(saver, number, thread=thread, writes=True, run_id=run)
    saver.copy_thread(forked, fork)
    saver.copy_thread(deleted, its_fork)
    saver.delete_thread(deleted)
    step(saver, 5, thread=fork)


def delete_runs(saver: EventStoreSaver, case: str) -> None:
    saver.delete_for_runs([f"{case} run"])


def prune(saver: EventStoreSaver, case: str) -> None:
    saver.prune(threads(case))


def delete(saver: EventStoreSaver, case: str) -> None:
    saver.prune(threads(case), strategy="delete")


ACTS: Mapping[str, Act] = {act.__name__: act for act in (delete_runs, prune, delete)}


class Mortal(Relay):
    """Ends the process where one append more would begin than it has in it."""

    def __init__(self, inner: Recorder, appends: int) -> None:
        super().__init__(inner)
        self.left = appends

    def append(self, *appends: Append) -> bool:
        if not self.left:
            os.kill(os.getpid(), signal.SIGKILL)
        self.left -= 1
        return super().append(*appends)


def die_after(pipe: Pipe, url: str, act: str, case: str, commits: int) -> str:
    """Forget, and die where the next transaction would begin after so many."""
    with EventStoreSaver.from_conn_string(url) as saver:
        ACTS[act](EventStoreSaver(EventStore(Mortal(saver.store.recorder, commits))), case)
    return "finished"


def died(url: str, *arguments: Any) -> bool:
    """Return whether a process that forgets died before it was through."""
    with child(die_after, url, *arguments) as process:
        try:
            return bool(process.result() != "finished")
        except EOFError:
            return True


def seen(saver: EventStoreSaver, case: str) -> list[list[int]]:
    """Return what the threads show, and hold that each of it is true."""
    found = {thread: [assert_true(item) for item in shown(saver, thread)] for thread in threads(case)}
    for thread, those in found.items():
        latest = saver.get_tuple(at(thread))
        assert those == numbers(saver, thread)
        assert (number_of(latest) if latest else None) == max(those, default=None)
    return [*found.values()]


def assert_sound(saver: EventStoreSaver, names: Sequence[str]) -> None:
    """Hold that the threads are what their logs say."""
    recovery = Recovery(saver.checkpoints)
    for thread in names:
        if saver.store.head(thread):
            assert recovery.check(thread, saver.serde).ok


@pytest.mark.parametrize("act", ACTS)
def test_each_thread_is_whole_after_a_crash_in_between_and_a_second_call_finishes_it(
    url: str, make_saver: Callable[..., EventStoreSaver], act: str
) -> None:
    saver = make_saver()
    prepare(saver, "at once")
    before = seen(saver, "at once")
    ACTS[act](saver, "at once")
    after = seen(saver, "at once")
    assert after != before
    halves = 0
    for commits in range(10):
        case = f"after {commits}"
        prepare(saver, case)
        is_over = not died(url, act, case, commits)
        found = seen(saver, case)
        assert all(thread in (left, right) for thread, left, right in zip(found, before, after, strict=True))
        halves += found not in (before, after)
        assert_sound(saver, threads(case))
        ACTS[act](saver, case)
        assert seen(saver, case) == after
        assert_sound(saver, threads(case))
        events = {thread: saver.store.head(thread) for thread in threads(case)}
        ACTS[act](saver, case)  # there is nothing left to do
        assert {thread: saver.store.head(thread) for thread in threads(case)} == events
        if is_over:
            break
    assert is_over
    assert halves > 1
    everything = [seen(saver, f"after {number}") for number in range(commits + 1)]
    saver.checkpoints.rebuild()
    assert [seen(saver, f"after {number}") for number in range(commits + 1)] == everything
    saver.store.verify()
