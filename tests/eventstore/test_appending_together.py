"""Writers of one stream that wait for each other are stored together; each hears of its own."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextvars import Context, ContextVar
from typing import Any

import pytest

from eventstore import (
    BadInputError,
    Cause,
    ConflictError,
    ConnectionLostError,
    Decision,
    EventStore,
    Head,
    NewEvent,
    StorageError,
    UnavailableError,
    UnserializableError,
)
from eventstore.recorders import Append, Params, Recorder, Rows, Statement
from eventstore.testing import Relay
from eventstore.writing import Decide, Storing
from eventstore.writing.idempotency import once
from eventstore.writing.stream_writer import StreamWriter

WRITERS = 6
TENANT: ContextVar[int] = ContextVar("tenant")


class Slow(Relay):
    """Holds the first append back, until it may go on."""

    def __init__(self, inner: Recorder) -> None:
        super().__init__(inner)
        self.appends = 0
        self.begun, self.go_on = threading.Event(), threading.Event()

    def append(self, *appends: Append) -> bool:
        self.appends += 1
        if self.appends == 1:
            self.begun.set()
            self.go_on.wait()
        return super().append(*appends)


def writer_of(recorder: Recorder) -> StreamWriter:
    """The writer of the stream `s`."""
    store = EventStore(recorder)
    return StreamWriter("s", Storing(recorder, store.tables, store.log, store.max_value_bytes))


def decided(recorder: Recorder, decides: Sequence[Decide], *, alone: Sequence[Decide] = ()) -> tuple[list[Any], int]:
    """Return results or errors of decisions that all wait while the first is being stored, and how many appends."""
    slow = Slow(recorder)
    writer = writer_of(slow)

    def commit(decide: Decide, tenant: int) -> object:
        TENANT.set(tenant)
        try:
            return writer.append(decide, {}, joins=decide not in alone)
        except BaseException as error:  # noqa: BLE001 (whatever it is, the test looks at it)
            return error

    with ThreadPoolExecutor(WRITERS + 1) as pool:
        first = pool.submit(writer.append, appending("first"), {}, joins=True)
        slow.begun.wait()
        others = []
        for number, decide in enumerate(decides, 1):
            others.append(pool.submit(Context().run, commit, decide, number))
            while len(writer.waiting) <= number:  # the first is among them
                threading.Event().wait(0.001)
        slow.go_on.set()
        first.result()
        return [other.result() for other in others], slow.appends


def appending(topic: str) -> Decide:
    return lambda _stream, _head: Decision([NewEvent(topic)])


def test_all_that_wait_are_stored_in_one_transaction_in_their_order(store: EventStore) -> None:
    results, appends = decided(store.recorder, [appending(f"t{number}") for number in range(WRITERS)])
    assert [result.first for result in results] == list(range(2, WRITERS + 2))
    assert appends == 2
    assert [event.topic for event in store.read("s")] == ["first", *(f"t{number}" for number in range(WRITERS))]
    store.verify()


def test_who_fails_fails_alone(store: EventStore) -> None:
    def failing(_stream: int, _head: Head) -> Decision:
        raise BadInputError("mine")

    def late(_stream: int, head: Head) -> Decision:
        if head.version != 1:
            raise ConflictError("s", 1, head.version)
        return Decision([NewEvent("late")])

    def unserializable(_stream: int, _head: Head) -> Decision:
        return Decision([NewEvent("lost", cause=Cause(metadata={"a": object()}))])

    results, _ = decided(store.recorder, [appending("a"), failing, late, appending("b"), unserializable])
    assert str(results[1]) == "mine"
    assert isinstance(results[4], UnserializableError)
    assert isinstance(results[2], ConflictError)
    assert sorted(event.topic for event in store.read("s")) == ["a", "b", "first"]
    store.verify()


def test_each_decides_in_its_own_context(store: EventStore) -> None:
    def by_tenant(_stream: int, _head: Head) -> Decision:
        return Decision([NewEvent(f"of {TENANT.get()}")])

    decided(store.recorder, [by_tenant, by_tenant])
    assert [event.topic for event in store.read("s")] == ["first", "of 1", "of 2"]


def test_what_wants_a_transaction_of_its_own_gets_one(store: EventStore) -> None:
    done = []

    def with_work(_stream: int, _head: Head) -> Decision:
        return Decision([NewEvent("work")], work=lambda _session: done.append(1))

    results, _ = decided(store.recorder, [appending("a"), with_work, appending("b")])
    assert not [result for result in results if isinstance(result, Exception)]
    assert sorted(event.topic for event in store.read("s")) == ["a", "b", "first", "work"]
    assert done == [1]
    store.verify()


def test_two_of_one_idempotency_key_are_one(store: EventStore) -> None:
    events = [NewEvent("once")]
    append = once(lambda _stream, _head: Decision(events), events, "key", store.tables.idempotency)
    results, _ = decided(store.recorder, [append, append, appending("a")], alone=[append])
    assert results[0] == results[1]
    assert sorted(event.topic for event in store.read("s")) == ["a", "first", "once"]


def test_what_the_database_refuses_of_one_is_not_refused_of_others(store: EventStore) -> None:
    def refused(_stream: int, _head: Head) -> Decision:
        return Decision([NewEvent("refused")], [Statement("INSERT INTO there_is_no_such_table VALUES (1)", {})])

    results, _ = decided(store.recorder, [appending("a"), refused, appending("b")])
    assert isinstance(results[1], StorageError)
    assert [event.topic for event in store.read("s")] == ["first", "a", "b"]
    store.verify()


class Interrupted(Relay):
    """Is interrupted in the first append of several rows, when they are stored or before."""

    def __init__(self, inner: Recorder, *, stored: bool) -> None:
        super().__init__(inner)
        self.stored, self.interrupts = stored, 0

    def append(self, *appends: Append) -> bool:
        if len(appends[0].rows) > 1 and not self.interrupts:
            self.interrupts += 1
            if self.stored:
                super().append(*appends)
            raise KeyboardInterrupt
        return super().append(*appends)


@pytest.mark.parametrize("stored", [True, False])
def test_whose_leader_is_interrupted_is_stored_once(stored: bool, store: EventStore) -> None:
    interrupted = Interrupted(store.recorder, stored=stored)
    results, _ = decided(interrupted, [appending("a"), appending("b"), appending("c")])
    assert interrupted.interrupts
    assert sum(isinstance(result, KeyboardInterrupt) for result in results) == 1
    topics = [event.topic for event in store.read("s")]
    assert sorted(topics)[-2:] == ["c", "first"]
    assert len(topics) == len(set(topics)) == (4 if stored else 3)
    store.verify()


class Lost(Relay):
    """Loses the connection in an append of several rows, and gets no other one."""

    away = False

    def append(self, *appends: Append) -> bool:
        if len(appends[0].rows) > 1:
            self.away = True
            raise ConnectionLostError("gone")
        return super().append(*appends)

    def read(self, sql: str, params: Params) -> Rows:
        if self.away:
            raise UnavailableError("away")
        return super().read(sql, params)


def test_if_nobody_can_tell_nobody_is_told_that_it_is_stored(store: EventStore) -> None:
    results, _ = decided(Lost(store.recorder), [appending("a"), appending("b")])
    assert [type(result) for result in results] == [ConnectionLostError, ConnectionLostError]


def test_a_stream_is_described_by_who_begins_it(store: EventStore) -> None:
    writer = writer_of(store.recorder)
    with ThreadPoolExecutor(2) as pool, writer.lock:
        for number in (1, 2):
            pool.submit(writer.append, appending(f"t{number}"), {"number": number}, joins=True)
            while len(writer.waiting) < number:
                threading.Event().wait(0.001)
    [described] = store.streams().streams
    assert described.metadata == {"number": 1}
    assert [event.topic for event in store.read("s")] == ["t1", "t2"]
