"""Conditional appends of many processes and threads, recorded with their times: some order explains all answers.

Of a stream that only grows, that can be told without a search. Each version was given to one append; an append was
refused only if another one may have come before it; and a head that was read is neither from the future nor too old.
`make test-long` has 8 processes of 8 threads.
"""

from __future__ import annotations

from typing import NamedTuple

import pytest

from eventstore import EventStore, FeedEvent
from tests.support.linearizing import Call, appended, explained
from tests.support.points import ALL, chance
from tests.support.processes import Pipe, in_processes
from tests.support.races import in_threads

PROCESSES, THREADS, APPENDS = (8, 8, 120) if ALL else (3, 3, 12)
STREAMS = ["one", "two", "three"]


class History(NamedTuple):
    """The calls of one process, and the feed as its threads have read it, piece by piece."""

    calls: list[Call]
    feeds: list[list[tuple[int, str, int]]]


def place(entry: FeedEvent) -> tuple[int, str, int]:
    return entry.position, entry.event.stream, entry.event.version


def act(_: Pipe, url: str, process: int) -> History:
    """Read heads and append to them, from each of some threads; and follow the feed in pages."""
    with EventStore.open(url, pool_size=4) as store:

        def work(worker: int) -> History:
            drawn = chance("appends", process, worker)
            calls: list[Call] = []
            feed: list[tuple[int, str, int]] = []
            stored = 0
            while stored < APPENDS:
                stream = drawn.choice(STREAMS)
                calls += (made := appended(store, stream))
                if made[-1].kind == "stored":
                    stored, last = stored + 1, made[-1].version
                    assert [event.version for event in store.read(stream, after=last - 1, limit=1)] == [last]
                if drawn.random() < 0.2:
                    after = feed[-1][0] if feed else 0
                    feed += [place(each) for each in store.feed(after=after, limit=50)]
            return History(calls, [feed])

        each = in_threads(work, THREADS)
    return History([call for history in each for call in history.calls], [one.feeds[0] for one in each])


@pytest.fixture
def histories(url: str, store: EventStore) -> list[History]:
    """The histories of all processes."""
    found: list[History] = in_processes(act, [(url, process) for process in range(PROCESSES)])
    return found


def test_appends_that_race_are_linearizable_and_the_feed_is_the_same_for_all(
    histories: list[History], store: EventStore
) -> None:
    calls = [call for history in histories for call in history.calls]
    whole = [place(each) for each in store.feed()]
    assert [position for position, _, _ in whole] == [*range(1, PROCESSES * THREADS * APPENDS + 1)]
    for history in histories:
        for feed in history.feeds:
            assert feed == whole[: len(feed)]
    for stream in STREAMS:
        explained([call for call in calls if call.stream == stream])
    store.verify()
