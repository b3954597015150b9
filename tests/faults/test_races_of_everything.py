"""All that changes a thread at once: puts, forks, rollbacks, undos, promotions, prunes, deletions and rebuilds.

Each process has threads that do these at random to threads that all share, read them meanwhile, and put to a thread of
their own, beside conditional appends and the feed. `make test-long` has 8 processes of 8 threads.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from itertools import count
from random import Random
from typing import NamedTuple

from eventstore import BadInputError, BusyError, ConflictError, FeedEvent, NotFoundError
from langgraph.checkpoint.eventstore import EventStoreSaver
from tests.support.linearizing import Call, appended, explained
from tests.support.points import ALL, chance
from tests.support.processes import Pipe, in_processes
from tests.support.races import in_threads
from tests.support.saving import assert_true, at, everything, numbers, save, shown, step

PROCESSES, THREADS, ACTIONS = (8, 8, 60) if ALL else (3, 3, 12)
SHARED = ["one", "two", "three"]
# Numbers that no other worker gives to a checkpoint, above those of threads' own.
NUMBERS = 1_000_000

Move = Callable[[EventStoreSaver, str, Random], object]


def put(saver: EventStoreSaver, thread: str, drawn: Random) -> None:
    """A checkpoint upon the latest, with a task's write."""
    number = NUMBERS + drawn.getrandbits(60)
    latest = numbers(saver, thread)[:1]
    save(saver, number, thread=thread, parent=latest[0] if latest else None)
    saver.put_writes(at(thread, number), [("count", number)], "task")


# What may happen to a thread. Names of forks are drawn from few: some of them are there.
MOVES: dict[str, Move] = {
    "put": put,
    "fork": lambda saver, thread, drawn: saver.history.fork(thread, f"{thread} {drawn.randrange(4)}"),
    "copy": lambda saver, thread, drawn: saver.copy_thread(thread, f"{thread} {drawn.randrange(4)}"),
    "roll back": lambda saver, thread, drawn: saver.history.rollback(thread, back=drawn.randrange(1, 3)),
    "undo": lambda saver, thread, drawn: saver.history.undo(thread),
    "promote": lambda saver, thread, drawn: saver.history.promote(f"{thread} {drawn.randrange(4)}", thread),
    "prune": lambda saver, thread, drawn: saver.prune([thread]),
    "prune a fork": lambda saver, thread, drawn: saver.prune([f"{thread} {drawn.randrange(4)}"]),
    "delete": lambda saver, thread, drawn: saver.delete_thread(thread),
    "delete a fork": lambda saver, thread, drawn: saver.delete_thread(f"{thread} {drawn.randrange(4)}"),
    "rebuild": lambda saver, thread, drawn: saver.checkpoints.rebuild(),
    "look": lambda saver, thread, drawn: [saver.history.tree(thread), [*saver.history.audit.entries(thread=thread)]],
}
# How likely each is: one that leaves little comes seldom.
WEIGHTS = [16, 3, 3, 4, 3, 3, 1, 1, 1, 1, 1, 1]


class Seen(NamedTuple):
    """The record of a process: its appends, the feeds that its threads read, what it did, and what it put alone."""

    calls: list[Call]
    feeds: list[list[tuple[int, int, str]]]
    done: Counter[str]
    own: dict[str, int]


def place(entry: FeedEvent) -> tuple[int, int, str]:
    """The part of an event that stays: a promotion gives its stream another name."""
    return entry.position, entry.event.version, entry.event.topic


def act(_: Pipe, url: str, process: int) -> Seen:
    """Do everything, from each of some threads."""
    with EventStoreSaver.from_conn_string(url) as saver:
        each = in_threads(lambda worker: work(saver, f"{process} {worker}"), THREADS)
    return Seen(
        [call for seen in each for call in seen.calls],
        [feed for seen in each for feed in seen.feeds],
        sum((seen.done for seen in each), Counter()),
        {name: last for seen in each for name, last in seen.own.items()},
    )


def work(saver: EventStoreSaver, name: str) -> Seen:
    """Do everything once in a while, and hold that what is read is true."""
    drawn, own = chance("everything", name), count(1)
    calls: list[Call] = []
    feed: list[tuple[int, int, str]] = []
    done: Counter[str] = Counter()
    for _ in range(ACTIONS):
        [move] = drawn.choices([*MOVES], WEIGHTS)
        thread = drawn.choice(SHARED)
        try:
            MOVES[move](saver, thread, drawn)
            done[move] += 1
        # Another one has moved or forgotten it, or was faster; of two that wait for each other, the server lets one go.
        except (NotFoundError, ConflictError, BadInputError, BusyError):
            done["refused"] += 1
        for item in shown(saver, thread):
            [number] = {item.checkpoint["channel_values"]["count"], item.metadata.get("step")}
            assert [write[1:] for write in item.pending_writes or ()] in ([], [("count", number)])
        step(saver, number := next(own), thread=f"own {name}", writes=True)
        assert [assert_true(item) for item in shown(saver, f"own {name}")] == [*range(number, 0, -1)]
        calls += appended(saver.store, drawn.choice(["log", "other log"]))
        feed += [place(each) for each in saver.store.feed(after=feed[-1][0] if feed else 0, limit=200)]
    return Seen(calls, [feed], done, {f"own {name}": number})


def test_whatever_is_done_at_once_all_that_is_read_is_true_and_nothing_lost(url: str, saver: EventStoreSaver) -> None:
    for thread in SHARED:
        save(saver, 1, thread=thread)
    seen: list[Seen] = in_processes(act, [(url, process) for process in range(PROCESSES)])
    assert (sum((each.done for each in seen), Counter()).keys() >= {*MOVES}) or not ALL
    whole = [place(each) for each in saver.store.feed()]
    assert [position for position, _, _ in whole] == [*range(1, len(whole) + 1)]
    for each in seen:
        for feed in each.feeds:
            assert feed == whole[: len(feed)]
        for name, last in each.own.items():
            assert [assert_true(item) for item in shown(saver, name)] == [*range(last, 0, -1)]
    for stream in ("log", "other log"):
        explained([call for each in seen for call in each.calls if call.stream == stream])
    threads = [stream.name for stream in saver.store.streams(limit=1_000).streams if "log" not in stream.name]
    before = everything(saver, threads)
    for thread in threads:
        assert not saver.history.check(thread).findings
    saver.checkpoints.rebuild()
    assert everything(saver, threads) == before
    saver.store.verify()
