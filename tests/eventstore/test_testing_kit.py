"""The public kit: what it draws can be stored, its model is right, its faults happen, and its contract can fail."""

from __future__ import annotations

from collections.abc import Callable
from typing import get_args
from uuid import uuid4

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from eventstore import EventStore, EventStoreError, NewEvent, UnavailableError
from eventstore.recorders import Append, Listener, Params, Recorder, Rows
from eventstore.testing import (
    Faulty,
    Killed,
    LogModel,
    RecorderContract,
    Relay,
    causes,
    events,
    histories,
    names,
    topics,
)
from eventstore.testing.faults import Fault

few = settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@few
@given(data=st.data())
def test_a_history_makes_of_a_store_what_it_makes_of_the_model(store: EventStore, data: st.DataObject) -> None:
    history = data.draw(histories(prefix=uuid4().hex))
    model, before = LogModel(), sum(1 for _ in store.feed())
    history.play(store)
    history.play(model)
    assert model.names == sorted(history.streams)
    for name in history.streams:
        stored = [(event.version, event.topic, event.cause) for event in store.read(name)]
        assert stored == [(event.version, event.topic, event.cause) for event in model.read(name)]
        assert store.verify(name).events == model.version(name)
    assert [(each.event.stream, each.event.version) for each in store.feed(after=before)] == model.feed()


@few
@given(name=names(), event=events(), more=events(topics(), st.just(b"data"), causes(st.just({"by": "me"}))))
def test_all_that_is_drawn_can_be_stored(store: EventStore, name: str, event: NewEvent, more: NewEvent) -> None:
    stored = [*store.read(name, after=store.append(name, [event, more]).first - 1)]
    assert [(each.topic, each.data, each.cause, each.schema) for each in stored] == [
        (each.topic, each.data, each.cause, each.schema) for each in (event, more)
    ]
    assert more.cause.metadata == {"by": "me"}


@pytest.mark.parametrize("fault", get_args(Fault))
@pytest.mark.parametrize("at", range(3))
def test_a_fault_happens_with_the_append_that_was_named(
    make_store: Callable[..., EventStore], fault: Fault, at: int
) -> None:
    recorder = Faulty(make_store().recorder, fault, at)
    store, acknowledged = EventStore(recorder), 0
    for number in range(4):
        try:
            store.append("s", [NewEvent("said", b"%d" % number)])
        except Killed:
            assert (number, fault.split()[0]) == (at, "killed")
            break
        except UnavailableError:
            assert (number, fault) == (at, "unavailable")
            continue
        acknowledged += 1
    assert recorder.happened
    assert recorder.dead == fault.startswith("killed")
    if recorder.dead:
        for call in (lambda: store.append("s", [NewEvent("said")]), lambda: [*store.read("s")]):
            with pytest.raises(Killed):
                call()
    stored = [int(event.data) for event in make_store().read("s")]
    expected = {
        "killed before": [*range(at)],
        "killed after": [*range(at + 1)],
        "unavailable": [number for number in range(4) if number != at],
        "acknowledgement lost": [*range(4)],  # the store asks, and finds it
    }
    assert stored == expected[fault]
    assert acknowledged == len(stored) - (fault == "killed after")


class Unconditional(Relay):
    """Appends to whatever is there."""

    def append(self, *appends: Append) -> bool:
        return self.inner.append(*appends) or True


class Partial(Relay):
    """Stores the first event of several."""

    def append(self, *appends: Append) -> bool:
        return self.inner.append(*(append._replace(rows=append.rows[:1]) for append in appends))


class Alone(Relay):
    """Stores the first of several streams, and nothing that goes with an append."""

    def append(self, *appends: Append) -> bool:
        return self.inner.append(appends[0]._replace(then=(), work=None))


class Repeating(Relay):
    """Reads some rows twice."""

    def read(self, sql: str, params: Params) -> Rows:
        rows = super().read(sql, params)
        return rows + rows[-1:] if len(rows) > 1 else rows


class Deaf(Relay):
    """Never hears of anything."""

    def listen(self) -> Listener:
        return _Deaf(self.inner.listen())


class _Deaf:
    def __init__(self, inner: Listener) -> None:
        self.wake, self.close = inner.wake, inner.close

    def wait(self, timeout: float) -> bool:
        return False


class Forgetful(Relay):
    """Says that it has stored what it has not."""

    def append(self, *appends: Append) -> bool:
        return True


@pytest.mark.parametrize(
    ("broken", "test"),
    [
        (Unconditional, RecorderContract.test_of_two_that_append_on_one_head_one_is_refused),
        (Partial, RecorderContract.test_several_events_are_stored_together_or_not_at_all),
        (Alone, RecorderContract.test_streams_that_are_appended_to_together_are_stored_together),
        (Alone, RecorderContract.test_what_goes_with_an_append_is_stored_with_it_or_not_at_all),
        (Repeating, RecorderContract.test_an_append_is_seen_by_every_recorder_of_the_database),
        (Deaf, RecorderContract.test_a_listener_hears_of_appends_through_any_recorder),
        (Forgetful, RecorderContract.test_an_append_outlives_its_recorder),
    ],
    ids=lambda value: value.__name__,
)
def test_a_recorder_that_breaks_the_contract_is_found(
    make_store: Callable[..., EventStore],
    broken: Callable[[Recorder], Recorder],
    test: Callable[[RecorderContract, Callable[[], EventStore]], None],
) -> None:
    with pytest.raises((AssertionError, EventStoreError, pytest.fail.Exception)):
        test(RecorderContract(), lambda: EventStore(broken(make_store().recorder)))
