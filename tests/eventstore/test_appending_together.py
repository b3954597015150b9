"""Writers of one stream that wait for each other are stored together; each hears of its own."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from contextvars import Context, ContextVar

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
from eventstore.recorders import Append, Statement

WRITERS = 6
TENANT: ContextVar[int] = ContextVar("tenant")


def decided(
    store: EventStore, decides: list[object], monkeypatch: pytest.MonkeyPatch, *, call: bool = False
) -> list[object]:
    """What came of decisions on one stream that all wait while the first is being stored: results, or errors."""
    begun, go_on = threading.Event(), threading.Event()
    append = store.recorder.append
    calls = []

    def slow(*appends: object) -> bool:
        calls.append(appends)
        if len(calls) == 1:
            begun.set()
            go_on.wait()
        return append(*appends)  # type: ignore[arg-type]

    def commit(decide: object, tenant: int) -> object:
        TENANT.set(tenant)
        try:
            if call:
                return decide()  # type: ignore[operator]
            return store.commit("s", decide, joins=True)  # type: ignore[arg-type]
        except BaseException as error:  # noqa: BLE001 (whatever it is, the test looks at it)
            return error

    monkeypatch.setattr(store.recorder, "append", slow)
    waiting = store._appender.writer("s").waiting
    with ThreadPoolExecutor(WRITERS + 1) as pool:
        first = pool.submit(store.append, "s", [NewEvent("first")])
        begun.wait()
        others = []
        for number, decide in enumerate(decides, 1):
            others.append(pool.submit(Context().run, commit, decide, number))
            while len(waiting) < number:
                threading.Event().wait(0.001)
        go_on.set()
        first.result()
        results = [other.result() for other in others]
    results.append(len(calls))
    return results


def appending(topic: str) -> object:
    return lambda _stream, _head: Decision([NewEvent(topic)])


def test_all_that_wait_are_stored_in_one_transaction_in_their_order(
    store: EventStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    *results, appends = decided(store, [appending(f"t{number}") for number in range(WRITERS)], monkeypatch)
    assert [result.first for result in results] == list(range(2, WRITERS + 2))  # type: ignore[attr-defined]
    assert appends == 2
    assert [event.topic for event in store.read("s")] == ["first", *(f"t{number}" for number in range(WRITERS))]
    store.verify()


def test_who_fails_fails_alone(store: EventStore, monkeypatch: pytest.MonkeyPatch) -> None:
    def failing(_stream: int, _head: Head) -> Decision:
        raise BadInputError("mine")

    def late(_stream: int, head: Head) -> Decision:
        if head.version != 1:
            raise ConflictError("s", 1, head.version)
        return Decision([NewEvent("late")])

    def unserializable(_stream: int, _head: Head) -> Decision:
        return Decision([NewEvent("lost", cause=Cause(metadata={"a": object()}))])

    *results, _ = decided(store, [appending("a"), failing, late, appending("b"), unserializable], monkeypatch)
    assert str(results[1]) == "mine"
    assert isinstance(results[4], UnserializableError)
    assert isinstance(results[2], ConflictError)
    assert sorted(event.topic for event in store.read("s")) == ["a", "b", "first"]
    store.verify()


def test_each_decides_in_its_own_context(store: EventStore, monkeypatch: pytest.MonkeyPatch) -> None:
    def by_tenant(_stream: int, _head: Head) -> Decision:
        return Decision([NewEvent(f"of {TENANT.get()}")])

    decided(store, [by_tenant, by_tenant], monkeypatch)
    assert [event.topic for event in store.read("s")] == ["first", "of 1", "of 2"]


def test_what_wants_a_transaction_of_its_own_gets_one(store: EventStore, monkeypatch: pytest.MonkeyPatch) -> None:
    done = []

    def with_work(_stream: int, _head: Head) -> Decision:
        return Decision([NewEvent("work")], work=lambda _session: done.append(1))

    *results, _ = decided(store, [appending("a"), with_work, appending("b")], monkeypatch)
    assert not [result for result in results if isinstance(result, Exception)]
    assert sorted(event.topic for event in store.read("s")) == ["a", "b", "first", "work"]
    assert done == [1]
    store.verify()


def test_two_of_one_idempotency_key_are_one(store: EventStore, monkeypatch: pytest.MonkeyPatch) -> None:
    events = [NewEvent("once")]

    def append(*_: object) -> object:
        return store.append("s", events, idempotency_key="key")

    def another(*_: object) -> object:
        return store.append("s", [NewEvent("a")])

    results = decided(store, [append, append, another], monkeypatch, call=True)[:-1]
    assert results[0] == results[1]
    assert sorted(event.topic for event in store.read("s")) == ["a", "first", "once"]


def test_what_the_database_refuses_of_one_is_not_refused_of_others(
    store: EventStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(_stream: int, _head: Head) -> Decision:
        return Decision([NewEvent("refused")], [Statement("INSERT INTO there_is_no_such_table VALUES (1)", {})])

    *results, _ = decided(store, [appending("a"), refused, appending("b")], monkeypatch)
    assert isinstance(results[1], StorageError)
    assert [event.topic for event in store.read("s")] == ["first", "a", "b"]
    store.verify()


@pytest.mark.parametrize("stored", [True, False])
def test_whose_leader_is_interrupted_is_stored_once(
    stored: bool, store: EventStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    append = store.recorder.append
    interrupts: list[int] = []

    def interrupted(*appends: Append) -> bool:
        if len(appends[0].rows) > 1 and not interrupts:
            interrupts.append(1)
            if stored:
                append(*appends)
            raise KeyboardInterrupt
        return append(*appends)

    monkeypatch.setattr(store.recorder, "append", interrupted)
    *results, _ = decided(store, [appending("a"), appending("b"), appending("c")], monkeypatch)
    assert interrupts
    assert sum(isinstance(result, KeyboardInterrupt) for result in results) == 1
    topics = [event.topic for event in store.read("s")]
    assert sorted(topics)[-2:] == ["c", "first"]
    assert len(topics) == len(set(topics)) == (4 if stored else 3)
    store.verify()


def test_if_nobody_can_tell_nobody_is_told_that_it_is_stored(
    store: EventStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    append = store.recorder.append

    def lost(*appends: Append) -> bool:
        if len(appends[0].rows) > 1:
            raise ConnectionLostError("gone")
        return append(*appends)

    def away(*_: object) -> bool:
        raise UnavailableError("away")

    monkeypatch.setattr(store.recorder, "append", lost)
    monkeypatch.setattr(store._appender._storing, "is_stored", away)
    *results, _ = decided(store, [appending("a"), appending("b")], monkeypatch)
    assert [type(result) for result in results] == [ConnectionLostError, ConnectionLostError]


def test_a_stream_is_described_by_who_begins_it(store: EventStore, monkeypatch: pytest.MonkeyPatch) -> None:
    stream = store._appender.writer("s")
    with ThreadPoolExecutor(2) as pool, stream.lock:
        for number in (1, 2):
            pool.submit(store.append, "s", [NewEvent(f"t{number}")], metadata={"number": number})
            while len(stream.waiting) < number:
                threading.Event().wait(0.001)
    [described] = store.streams().streams
    assert described.metadata == {"number": 1}
    assert [event.topic for event in store.read("s")] == ["t1", "t2"]
