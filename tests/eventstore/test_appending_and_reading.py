"""Streams: appends that are conditional and happen once, and reading them back."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from types import FrameType
from typing import Any

import pytest

from eventstore import (
    Appended,
    BadInputError,
    Cause,
    ConflictError,
    Decision,
    EventStore,
    EventStoreError,
    Head,
    IdempotencyError,
    InvalidIdError,
    NewEvent,
    Upcasters,
)
from eventstore.codec import Row
from eventstore.queries import prepare
from eventstore.recorders import Append, Statement
from eventstore.recorders.postgres.connection import Connection, Preparing
from eventstore.recorders.postgres.fast_statement import FastAppend, FastStatement
from eventstore.writing.idempotency import once

MakeStore = Callable[..., EventStore]


def numbered(first: int, last: int) -> list[NewEvent]:
    return [NewEvent("counted", str(number).encode()) for number in range(first, last + 1)]


def versions(store: EventStore, stream: str, **arguments: int | bool) -> list[int]:
    return [event.version for event in store.read(stream, **arguments)]  # type: ignore[arg-type]  # of several kinds


def test_an_append_tells_where_it_ended_up_and_moves_the_head(store: EventStore) -> None:
    assert store.head("s") is None
    first = store.append("s", numbered(1, 2))
    second = store.append("s", numbered(3, 3))
    assert (first.first, first.last, second.first, second.last) == (1, 2, 3, 3)
    assert store.head("s") == Head(3, second.hash)


def test_an_event_is_read_as_it_was_appended(store: EventStore) -> None:
    cause = Cause("ns|inner:1", "cp-1", "run-1", "node", "task-1", {"user": "ann", "n": [1, {"deep": None}], "t": True})
    before = datetime.now(UTC)
    appended = store.append("s", [NewEvent("kind", b"\x00\xff" * 500, cause, schema=3)])
    [event] = store.read("s")
    assert (event.stream, event.version, event.topic, event.schema) == ("s", 1, "kind", 3)
    assert (event.data, event.cause, event.hash) == (b"\x00\xff" * 500, cause, appended.hash)
    assert before - timedelta(seconds=1) < event.recorded_at <= datetime.now(UTC)
    assert 0 < event.size < 1000, "what repeats is compressed"


def test_nothing_is_appended_where_the_stream_is_not_at_the_expected_version(store: EventStore) -> None:
    store.append("s", numbered(1, 3), expected_version=0)
    for expected in (0, 2, 4):
        with pytest.raises(ConflictError) as conflict:
            store.append("s", numbered(9, 9), expected_version=expected)
        assert (conflict.value.stream, conflict.value.expected, conflict.value.actual) == ("s", expected, 3)
    assert versions(store, "s") == [1, 2, 3]
    assert store.append("s", numbered(4, 4), expected_version=3).last == 4


def test_a_store_that_was_overtaken_by_another_sees_it(make_store: MakeStore) -> None:
    here, there = make_store(), make_store()
    here.append("s", numbered(1, 1))
    there.append("s", numbered(2, 2))
    assert here.append("s", numbered(3, 3)).last == 3
    assert there.append("s", numbered(4, 4), expected_version=3).last == 4
    with pytest.raises(ConflictError) as conflict:
        here.append("s", numbered(9, 9), expected_version=3)
    assert conflict.value.actual == 4
    assert [event.data for event in here.read("s")] == [b"1", b"2", b"3", b"4"]


def test_of_many_that_expect_the_same_version_one_succeeds(make_store: MakeStore) -> None:
    stores = [make_store() for _ in range(4)]
    begin = threading.Barrier(len(stores))
    outcomes: list[Appended | ConflictError] = []

    def race(store: EventStore) -> None:
        begin.wait()
        try:
            outcomes.append(store.append("s", numbered(1, 2), expected_version=0))
        except ConflictError as conflict:
            outcomes.append(conflict)

    threads = [threading.Thread(target=race, args=(store,)) for store in stores]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(type(outcome).__name__ for outcome in outcomes) == ["Appended", *["ConflictError"] * 3]
    assert versions(stores[0], "s") == [1, 2]


def test_writers_of_one_stream_leave_no_gap_and_lose_nothing(make_store: MakeStore) -> None:
    stores = [make_store() for _ in range(3)]

    def write(store: EventStore, name: int) -> None:
        for number in range(20):
            store.append("s", [NewEvent("by", f"{name}.{number}".encode())])

    threads = [threading.Thread(target=write, args=(store, name)) for name, store in enumerate(stores * 2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    events = list(stores[0].read("s"))
    assert [event.version for event in events] == list(range(1, 121))
    assert {event.data for event in events} == {
        f"{name}.{number}".encode() for name in range(6) for number in range(20)
    }
    assert stores[0].verify("s").events == 120


def test_a_stream_begins_once_also_if_two_want_to_begin_it_at_different_versions(make_store: MakeStore) -> None:
    stores = {0: make_store(), 1: make_store()}
    begin = threading.Barrier(len(stores))

    def race(stream: str, first: int) -> bool:
        def decide(_: int, head: Head) -> Decision:
            if head.version:
                raise ConflictError(stream, first - 1, head.version)
            return Decision(numbered(first, first))

        # The stream is known to both, and empty.
        stores[first].commit(stream, lambda *_: Decision(()))
        begin.wait()
        try:
            return stores[first].commit_all({stream: decide}, first_versions={stream: first})[stream].first == first
        except ConflictError:
            return False

    with ThreadPoolExecutor(len(stores)) as executor:
        for number in range(30):
            stream = f"s{number}"
            zero, one = (executor.submit(race, stream, first) for first in stores)
            outcomes = (zero.result(), one.result())
            found = versions(stores[0], stream, after=-1)
            assert found in ([0], [1], [0, 1]), outcomes
            assert stores[0].verify(stream).events == len(found)


def test_an_idempotency_key_makes_an_append_happen_once(make_store: MakeStore) -> None:
    store = make_store()
    first = store.append("s", numbered(1, 2), expected_version=0, idempotency_key="request-1")
    store.append("s", numbered(3, 3))
    assert store.append("s", numbered(1, 2), expected_version=0, idempotency_key="request-1") == first
    elsewhere = make_store()
    assert elsewhere.append("s", numbered(1, 2), idempotency_key="request-1") == first
    assert versions(store, "s") == [1, 2, 3]


def test_an_idempotency_key_is_of_one_stream_and_of_the_same_events(store: EventStore) -> None:
    store.append("s", numbered(1, 1), idempotency_key="k")
    assert store.append("other", numbered(1, 1), idempotency_key="k").last == 1
    with pytest.raises(IdempotencyError):
        store.append("s", numbered(2, 2), idempotency_key="k")
    assert versions(store, "s") == [1]


def test_an_append_of_nothing_stores_nothing(store: EventStore) -> None:
    store.append("s", numbered(1, 1))
    assert store.append("s", []).last == 1
    assert versions(store, "s") == [1]


@pytest.mark.parametrize(
    "events",
    [["text"], [NewEvent("", b"")], [NewEvent("nul\0", b"")], [NewEvent("t" * 256, b"")], [NewEvent("t", "text")]],  # type: ignore[arg-type]
)
def test_events_that_cannot_be_stored_are_refused_with_all_of_their_batch(
    store: EventStore, events: list[NewEvent]
) -> None:
    with pytest.raises(BadInputError):
        store.append("s", [*numbered(1, 1), *events])
    assert store.head("s") is None


@pytest.mark.parametrize("name", ["", "nul\0", "lone \ud800", "x" * 1025, 7, None])
def test_names_that_cannot_be_stored_are_refused(store: EventStore, name: Any) -> None:
    for attempt in (
        lambda: store.append(name, numbered(1, 1)),
        lambda: store.read(name),
        lambda: store.head(name),
        lambda: store.fork("s", name),
    ):
        with pytest.raises(InvalidIdError):
            attempt()


def test_names_may_hold_any_other_text(store: EventStore) -> None:
    names = ["a b", "'; DROP TABLE events; --", "ü🎉", "%_\\", "x" * 1024]
    for name in names:
        store.append(name, numbered(1, 1))
    assert [store.head(name).version for name in names] == [1] * 5
    assert {stream.name for stream in store.streams().streams} == set(names)


def test_a_stream_is_read_forward_backward_between_and_up_to_a_limit(store: EventStore) -> None:
    store.append("s", numbered(1, 600))  # more than two pages
    assert versions(store, "s") == list(range(1, 601))
    assert versions(store, "s", backward=True) == list(range(600, 0, -1))
    assert versions(store, "s", after=590) == list(range(591, 601))
    assert versions(store, "s", before=4) == [1, 2, 3]
    assert versions(store, "s", after=10, before=15) == [11, 12, 13, 14]
    assert versions(store, "s", after=10, backward=True, limit=3) == [600, 599, 598]
    assert versions(store, "s", limit=300) == list(range(1, 301))
    assert versions(store, "s", limit=0) == []
    assert versions(store, "s", after=600) == []
    assert list(store.read("missing")) == []
    with pytest.raises(BadInputError):
        list(store.read("s", limit=-1))


def test_a_reader_that_pauses_keeps_nobody_waiting(store: EventStore) -> None:
    store.append("s", numbered(1, 400))
    reading = store.read("s")
    assert next(reading).version == 1
    assert store.append("s", numbered(401, 401)).last == 401
    assert [event.version for event in reading] == list(range(2, 402))


async def test_the_same_in_async_code(store: EventStore) -> None:
    await store.aappend("s", numbered(1, 3), expected_version=0, idempotency_key="k", metadata={"user": "ann"})
    with pytest.raises(ConflictError):
        await store.aappend("s", numbered(9, 9), expected_version=0)
    assert [event.version async for event in store.aread("s", backward=True)] == [3, 2, 1]
    assert (await store.ahead("s")).version == 3
    await store.afork("s", "t", at=2)
    assert [event.version async for event in store.aread("t")] == [1, 2, 3]
    assert [entry.position async for entry in store.afeed()] == [1, 2, 3, 4]
    assert [stream.name for stream in (await store.astreams(metadata={"user": "ann"})).streams] == ["s"]
    assert (await store.averify()).events == 4


def test_old_layouts_are_translated_when_they_are_read_and_stay_as_they_are(make_store: MakeStore) -> None:
    make_store().append("s", [NewEvent("order", b"1"), NewEvent("order", b"2", schema=2), NewEvent("other", b"1")])
    upcasters = Upcasters()
    upcasters.register("order", 1, lambda data: b"two:" + data)
    upcasters.register("order", 2, lambda data: b"three:" + data)
    translating = make_store(upcasters=upcasters)
    assert [(event.schema, event.data) for event in translating.read("s")] == [
        (3, b"three:two:1"),
        (3, b"three:2"),
        (1, b"1"),
    ]
    assert [event.data for event in make_store().read("s")] == [b"1", b"2", b"1"]
    assert translating.verify("s").events == 3


@pytest.mark.parametrize("count", [0, 1, 6, 7])
def test_any_number_of_statements_goes_with_an_append(count: int, store: EventStore) -> None:
    schema, cast = ("{schema}.", "::bigint") if store.recorder.dialect == "postgres" else ("", "")
    sql = prepare(
        f"UPDATE {schema}streams SET created_at = :time{cast} WHERE name = 's'",
        store.recorder.dialect,
        store.recorder.schema,
    )
    store.append("s", [NewEvent("first")])

    def append(time: object) -> None:
        then = [Statement(sql, {"time": time})] * count
        store.commit("s", lambda _stream, _head: Decision([NewEvent("more")], then))

    append(7)
    append(7)
    if count:
        assert store.streams().streams[0].created_at == datetime.fromtimestamp(7e-6, UTC)
        with pytest.raises(EventStoreError):
            append("no time")  # what a statement cannot take keeps the event out, too
    assert [event.version for event in store.read("s")] == [1, 2, 3]
    append(None if not count else 8)
    store.verify()


def test_an_append_to_postgres_takes_few_calls_of_python(postgres_store_url: str) -> None:
    calls: list[str] = []
    within = False

    def note(frame: FrameType, event: str, _: object) -> None:
        nonlocal within
        name = frame.f_code.co_qualname
        if name == "PostgresRecorder.append":
            within = event == "call"
        if within and event == "call":
            calls.append(name)

    with EventStore.open(postgres_store_url) as store:
        for number in (1, 2, 3):  # it begins the stream, and prepares the statement
            store.append("s", numbered(number, number))
        sys.setprofile(note)
        try:
            store.append("s", numbered(4, 4))
        finally:
            sys.setprofile(None)
    assert calls[0] == "PostgresRecorder.append"
    assert len(calls) <= 24, calls


def test_a_statement_that_is_prepared_already_is_used(pg_server: str) -> None:
    statement = FastStatement("SELECT %(a)s::bigint", ["a"])
    connection, _ = Connection.open(pg_server, Preparing(wanted=True, where="here"))
    with connection:
        one = [(1).to_bytes(8, "big")]
        assert statement.execute(connection, [*one], prepare=True) == 1
        named = {*connection.fast_statements}
        connection.fast_statements.clear()  # as after an interrupt, which came before the answer
        assert statement.execute(connection, [*one], prepare=True) == 1
        assert connection.fast_statements == named
        connection.execute("DEALLOCATE ALL")
        assert statement.execute(connection, [*one], prepare=True) == 1


@pytest.mark.parametrize(
    ("value", "fits"),
    [(1, True), ("x", True), (b"", True), (None, True), (1.5, False), (True, False), ([1], False), (2**70, False)],
)
def test_what_a_fast_statement_cannot_bind_it_does_not_take(value: object, fits: bool) -> None:
    fast = FastAppend("", ["%(a)s"])
    append = Append(1, Head(1, b""), False, [Row(2, "t", 3, b"", b"")], [Statement("%(a)s", {"a": value})])
    assert (fast.values(append) is not None) == fits


def test_an_append_that_is_made_once_keeps_all_that_was_decided(store: EventStore) -> None:
    store.append("s", numbered(1, 1))
    decision = Decision(numbered(2, 2), work=lambda _: None)
    made = once(lambda *_: decision, decision.events, "key", store.tables.idempotency)(1, Head(1, b""))
    assert isinstance(made, Decision)
    assert [statement.params["key"] for statement in made.then] == ["key"]
    assert replace(made, then=()) == decision
