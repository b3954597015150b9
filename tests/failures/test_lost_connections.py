"""A connection that breaks at any moment of any operation: what was asked for is carried out, and once.

Each operation is run over and over, and cut each time at another of its round trips to the server, until it is through
without having been cut. Each cut comes at three moments: see `servers.Moment`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from eventstore import EventStore, NewEvent
from langgraph.checkpoint.eventstore import EventStoreSaver

from .saving import Calls, Flavour, at, numbers, save, shown
from .servers import Moment, Proxy, proxied

LATER: tuple[Moment, ...] = ("after", "late")

Outcome = Any
Operation = Callable[[Calls, str], Outcome]


@pytest.fixture
def proxy(postgres_url: str) -> Iterator[Proxy]:
    """What stands before the server."""
    with proxied(postgres_url) as proxy:
        yield proxy


def prepared(saver: EventStoreSaver, thread: str) -> None:
    """A thread with a past, with runs and writes, from which another one was copied."""
    for number in (1, 2):
        save(saver, number, thread=thread, parent=number - 1 or None, run_id=f"{thread} run {number}")
        saver.put_writes(at(thread, number), [("count", number), ("other", "x")], f"task {number}")
    saver.copy_thread(thread, f"{thread} copy")
    save(saver, 3, thread=thread, parent=2)


def put_first(calls: Calls, thread: str) -> Outcome:
    save(calls, 1, {"state": 1}, thread=f"{thread} new", metadata={"user": "somebody"})
    return [stream.metadata for stream in calls.saver.store.streams(prefix=f"{thread} new").streams]


def put_next(calls: Calls, thread: str) -> Outcome:
    save(calls, 4, {"state": 1}, thread=thread, parent=3)


def put_again(calls: Calls, thread: str) -> Outcome:
    save(calls, 3, {"state": 1}, thread=thread, parent=2)


def put_writes(calls: Calls, thread: str) -> Outcome:
    calls.put_writes(at(thread, 3), [("count", 5), ("__interrupt__", "?")], "task")


def copy(calls: Calls, thread: str) -> Outcome:
    calls.copy_thread(thread, f"{thread} new")
    return numbers(calls, f"{thread} new")


def prune(calls: Calls, thread: str) -> Outcome:
    report = calls.prune([thread])
    return report.checkpoints, report.threads


def prune_a_copy(calls: Calls, thread: str) -> Outcome:
    report = calls.prune([f"{thread} copy"])
    return report.checkpoints, report.threads


def prune_by_deleting(calls: Calls, thread: str) -> Outcome:
    report = calls.prune([thread], strategy="delete")
    return report.checkpoints, report.threads


def delete(calls: Calls, thread: str) -> Outcome:
    calls.delete_thread(thread)


def delete_runs(calls: Calls, thread: str) -> Outcome:
    calls.delete_for_runs([f"{thread} run 1"])


def read_one(calls: Calls, thread: str) -> Outcome:
    return calls.get_tuple(at(thread)).checkpoint, calls.get_tuple(at(f"{thread} copy", 2)).pending_writes


def read_history(calls: Calls, thread: str) -> Outcome:
    return calls.get_delta_channel_history(config=at(thread), channels=["count"])


def append_several(calls: Calls, thread: str) -> Outcome:
    events = [NewEvent("topic", str(number).encode()) for number in range(3)]
    appended = calls.saver.store.append(f"{thread} log", events, expected_version=0, idempotency_key="key")
    again = calls.saver.store.append(f"{thread} log", events, idempotency_key="key")
    assert again == appended
    return appended.first, appended.last


def read_the_log(calls: Calls, thread: str) -> Outcome:
    store = calls.saver.store
    topics = [event.topic for event in store.read(thread)]
    assert [entry.position for entry in store.feed()] == list(range(1, store.recorder.sequence() + 1))
    return topics, store.verify(thread)


OPERATIONS: list[Operation] = [
    *(put_first, put_next, put_again, put_writes, copy, prune, prune_a_copy, prune_by_deleting, delete, delete_runs),
    *(read_one, read_history, append_several, read_the_log),
]


def told(calls: Calls, thread: str) -> list[Any]:
    """All that the threads of a trial show, and all that the log says of them, but for times and hashes."""
    store: EventStore = calls.saver.store
    threads = [stream.name for stream in store.streams(prefix=thread).streams]
    seen: list[Any] = []
    for name in sorted({thread, f"{thread} copy", f"{thread} new", *threads}):
        log = [(event.version, event.topic, event.data, event.erased) for event in store.read(name)]
        shows = [
            (item.checkpoint, item.metadata, item.parent_config, item.pending_writes) for item in shown(calls, name)
        ]
        seen.append((name, log, shows))
    return seen


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda operation: operation.__name__)
def test_an_operation_is_carried_out_once_wherever_its_connection_breaks(proxy: Proxy, operation: Operation) -> None:
    with EventStoreSaver.from_conn_string(proxy.url, connect_timeout=10.0) as saver:

        def attempt(trip: int, moment: Moment) -> tuple[str, list[str] | None]:
            thread = f"{moment:.>6} {trip:03}"  # all of one length
            prepared(saver, thread)
            calls = Calls(saver, list(Flavour)[trip % 2])
            with proxy.cutting(trip, moment) as cut:
                result = operation(calls, thread)
            return repr((result, told(calls, thread))).replace(thread, "thread"), cut.done

        uncut, _ = attempt(999, "before")
        for trip in range(999):
            outcome, broken = attempt(trip, "before")
            assert outcome == uncut, f"cut before {broken}"
            if broken is None:
                break
            # What only reads does nothing late, or twice.
            for moment in () if all(map(_only_reads, broken)) else LATER:
                outcome, broken = attempt(trip, moment)
                assert outcome == uncut, f"cut {moment} {broken}"
        saver.store.verify()


def _only_reads(statement: str) -> bool:
    return statement.startswith("SELECT") and "FOR " not in statement
