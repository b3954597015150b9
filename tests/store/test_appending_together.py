"""Writers of one stream that wait for each other are stored together; each hears of its own."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from contextvars import Context, ContextVar

import pytest

from eventstore import BadInputError, Cause, ConflictError, Decision, EventStore, Head, NewEvent, UnserializableError

WRITERS = 6
TENANT: ContextVar[int] = ContextVar("tenant")


def decided(store: EventStore, decides: list[object], monkeypatch: pytest.MonkeyPatch) -> list[object]:
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
            return store.commit("s", decide)  # type: ignore[arg-type]
        except Exception as error:  # noqa: BLE001 (whatever it is, the test looks at it)
            return error

    monkeypatch.setattr(store.recorder, "append", slow)
    waiting = store._appender._stream("s").waiting
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
