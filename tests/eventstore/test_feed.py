"""The feed: all events of all streams in one order that neither skips nor repeats, and waiting for what is to come."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from queue import SimpleQueue
from typing import Any

import psycopg
import pytest

from eventstore import EventStore, FeedEvent, NewEvent
from eventstore.recorders import Listener, Recorder
from eventstore.testing import Relay

MakeStore = Callable[..., EventStore]
ROOT = Path(__file__).parents[2]
WRITER = """
import sys
from eventstore import EventStore, NewEvent
url, name, count = sys.argv[1:]
with EventStore.open(url) as store:
    for number in range(int(count)):
        store.append(f"{name}-{number % 3}", [NewEvent("counted", str(number).encode())])
"""
# The subscription waits: the second event comes when the first was taken, from another thread.
CROWDED = """
import resource, sys, threading
from eventstore import EventStore, NewEvent
_, most = resource.getrlimit(resource.RLIMIT_NOFILE)
resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
files = [open("/dev/null") for _ in range(1100)]
with EventStore.open(sys.argv[1]) as store:
    store.append("s", [NewEvent("first")])
    with store.subscribe() as subscription:
        first = next(subscription).position
        threading.Timer(0.3, store.append, ("s", [NewEvent("second")])).start()
        print(first, next(subscription).position)
"""


def append(store: EventStore, *streams: str) -> None:
    for stream in streams:
        store.append(stream, [NewEvent("said", stream.encode())])


def started_writer(url: str, name: str, count: int) -> subprocess.Popen[bytes]:
    paths = {"PYTHONPATH": f"{ROOT}:{ROOT / 'adapters'}"}
    return subprocess.Popen([sys.executable, "-c", WRITER, url, name, str(count)], env={**paths, "PATH": ""})


def assert_whole(entries: list[FeedEvent], events: int) -> None:
    """Contiguous, each event once, each stream in its order."""
    assert [entry.position for entry in entries] == list(range(1, events + 1))
    seen: dict[str, int] = {}
    for entry in entries:
        assert entry.event.version == seen.get(entry.event.stream, 0) + 1
        seen[entry.event.stream] = entry.event.version


def test_the_feed_holds_all_streams_in_the_order_of_their_appends(store: EventStore) -> None:
    append(store, "a", "b", "a", "c")
    assert [(entry.position, entry.event.stream, entry.event.version) for entry in store.feed()] == [
        (1, "a", 1),
        (2, "b", 1),
        (3, "a", 2),
        (4, "c", 1),
    ]


def test_the_feed_goes_on_behind_a_position_and_up_to_a_limit(store: EventStore) -> None:
    store.append("s", [NewEvent("odd" if number % 2 else "even") for number in range(1, 601)])

    def positions(**arguments: Any) -> list[int]:
        return [entry.position for entry in store.feed(**arguments)]

    assert positions(after=598) == [599, 600]
    assert positions(limit=3) == [1, 2, 3]
    assert positions(after=299, limit=300) == list(range(300, 600))
    assert positions(topics=["odd"]) == list(range(1, 601, 2))
    assert positions(topics=["odd", "even"], after=10, limit=2) == [11, 12]
    assert positions(topics=["missing"]) == []
    assert positions(after=600) == positions(limit=0) == []


def test_a_position_never_changes(store: EventStore) -> None:
    append(store, "b", "a")
    before = list(store.feed())
    append(store, "b", "a", "0")
    assert list(store.feed())[:2] == before


def test_eight_writers_and_two_readers_at_once_skip_and_repeat_nothing(store: EventStore) -> None:
    writers, each = 8, 25
    read: list[list[FeedEvent]] = [[], []]

    def write(name: int) -> None:
        for number in range(each):
            append(store, f"{name}-{number % 2}")

    def follow(into: list[FeedEvent]) -> None:
        # Its end waits for older transactions of the whole server, also for those that are not ours.
        while len(into) < writers * each:
            into += store.feed(after=into[-1].position if into else 0)

    readers = [threading.Thread(target=follow, args=(into,)) for into in read]
    threads = [threading.Thread(target=write, args=(name,)) for name in range(writers)]
    for thread in [*readers, *threads]:
        thread.start()
    for thread in threads:
        thread.join()
    for reader in readers:
        reader.join()
    assert_whole(read[0], writers * each)
    assert read[1] == read[0]


def test_writers_in_several_processes_skip_and_repeat_nothing(url: str, store: EventStore) -> None:
    processes = [started_writer(url, f"process-{number}", 40) for number in range(3)]
    read: list[FeedEvent] = []
    while any(process.poll() is None for process in processes):
        read += store.feed(after=read[-1].position if read else 0)
    read += store.feed(after=read[-1].position if read else 0)
    assert [process.returncode for process in processes] == [0, 0, 0]
    assert_whole(read, 120)


def test_an_event_whose_transaction_is_open_is_waited_for_and_not_skipped(
    postgres_url: str, on_postgres: EventStore
) -> None:
    store = on_postgres
    append(store, "early")
    with psycopg.connect(postgres_url) as slow:
        slow.execute(
            "INSERT INTO eventstore.events (stream_id, version, recorded_at, topic, hash, payload)"
            " SELECT stream_id, 2, recorded_at, 'slow', hash, payload FROM eventstore.events"
        )
        append(store, "later")
        assert [entry.event.topic for entry in store.feed()] == ["said"], "what is younger waits, too"
        assert [event.version for event in store.read("later")] == [1], "a stream's own reads never wait"
        slow.commit()
    assert [entry.event.topic for entry in store.feed()] == ["said", "slow", "said"]


def test_a_feed_goes_on_after_it_was_restored_into_a_cluster_that_counts_from_the_beginning(
    postgres_url: str, on_postgres: EventStore
) -> None:
    store = on_postgres
    append(store, "numbered")
    assert len(list(store.feed())) == 1
    append(store, "not numbered yet")
    with psycopg.connect(postgres_url, autocommit=True) as dump:
        # As after a restore: all that was stored is from transactions that are still to come here.
        dump.execute("UPDATE eventstore.events SET xid = xid + 1000000")
        dump.execute("UPDATE eventstore.sequencer SET xid = xid + 1000000")
    append(store, "new")
    assert [entry.event.stream for entry in store.feed()] == ["numbered", "not numbered yet", "new"]
    append(store, "newer")
    assert_whole(list(store.feed()), 4)


def test_a_subscription_yields_what_is_there_and_what_is_appended_later(store: EventStore) -> None:
    append(store, "a", "b")
    received: list[str] = []
    both = threading.Event()

    def follow() -> None:
        with store.subscribe(after=1) as subscription:
            for entry in subscription:
                received.append(entry.event.stream)
                both.set()
                if entry.position == 4:
                    return

    follower = threading.Thread(target=follow)
    follower.start()
    assert both.wait(30)
    append(store, "c", "d")
    follower.join(30)
    assert received == ["b", "c", "d"]


def test_a_subscription_is_woken_and_does_not_wait_for_its_next_look(make_store: MakeStore) -> None:
    here, elsewhere = make_store(), make_store()
    append(here, "first")
    delays: list[float] = []
    with here.subscribe(after=0) as subscription:
        next(subscription)
        for number in range(6):
            sent: list[float] = []

            def send(store: EventStore = here if number % 2 else elsewhere, at: list[float] = sent) -> None:
                at.append(time.monotonic())
                append(store, "more")

            thread = threading.Thread(target=send)
            thread.start()
            next(subscription)
            delays.append(time.monotonic() - sent[0])
            thread.join()
    # Without being woken it would look once a second: not all of six would be this early.
    assert min(delays) < 0.5


class Looking(Relay):
    """Notes each look into the feed, and wakes whom an append of this process wakes: other processes are not told."""

    def __init__(self, inner: Recorder) -> None:
        super().__init__(inner)
        self.looks: SimpleQueue[None] = SimpleQueue()
        self.listeners: list[Listener] = []

    def sequence(self) -> int:
        position = super().sequence()
        self.looks.put(None)
        return position

    def listen(self) -> Listener:
        self.listeners.append(super().listen())
        return self.listeners[-1]

    def signal(self) -> None:
        # What other processes are told would come back to this one, and wake it once more.
        for listener in self.listeners:
            listener.wake()


def test_a_subscription_that_was_woken_too_early_soon_looks_again(postgres_url: str, on_postgres: EventStore) -> None:
    append(on_postgres, "early")
    looking = Looking(on_postgres.recorder)
    store, looks = EventStore(looking), looking.looks
    delays: list[float] = []
    with store.subscribe() as subscription, psycopg.connect(postgres_url) as slow:
        next(subscription)
        for _ in range(4):
            slow.execute("SELECT pg_current_xact_id()")  # has a number, and so holds back what is younger
            append(store, "later")
            received: SimpleQueue[float] = SimpleQueue()
            follower = threading.Thread(target=lambda to=received: to.put((next(subscription), time.monotonic())[1]))
            while not looks.empty():
                looks.get()
            follower.start()
            looks.get()
            looks.get()  # the append has woken it, and there is nothing yet
            ended = time.monotonic()
            slow.commit()  # which nobody is told of
            delays.append(received.get() - ended)
            follower.join()
    # If it looked once a second, none would be this early.
    assert min(delays) < 0.3


def test_a_waiting_subscription_can_be_stopped_from_another_thread(store: EventStore) -> None:
    with store.subscribe() as subscription:
        stopper = threading.Timer(0.05, subscription.stop)
        stopper.start()
        assert list(subscription) == []
        stopper.join()


def test_a_subscription_to_topics_passes_over_the_others(store: EventStore) -> None:
    store.append("s", [NewEvent("odd"), NewEvent("even"), NewEvent("odd")])
    with store.subscribe(topics=["odd"]) as subscription:
        assert [next(subscription).position for _ in range(2)] == [1, 3]


@pytest.mark.parametrize("closed_first", ["subscription", "store"])
def test_a_subscription_and_its_store_can_be_closed_in_any_order(make_store: MakeStore, closed_first: str) -> None:
    store = make_store()
    subscription = store.subscribe()
    if closed_first == "store":
        store.close()
    subscription.__exit__(None, None, None)
    assert list(subscription) == []


def test_a_process_with_many_open_files_can_subscribe(postgres_url: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", CROWDED, postgres_url],
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout) == (0, "1 2\n"), done.stderr
