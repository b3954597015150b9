"""Our persistence module for the eventsourcing library, beyond the cases that the library ships."""

from __future__ import annotations

import gc
import threading
from collections.abc import Callable, Iterator
from functools import partial
from queue import SimpleQueue
from uuid import UUID, uuid4

import psycopg
import pytest
from eventsourcing.application import Application
from eventsourcing.domain import Aggregate, event
from eventsourcing.persistence import (
    DataError,
    InfrastructureFactory,
    IntegrityError,
    InterfaceError,
    OperationalError,
    ProgrammingError,
    StoredEvent,
    Tracking,
)
from eventsourcing.utils import Environment

from eventstore import EventStore, StoreClosedError
from eventstore.persistence import (
    Factory,
    LogApplicationRecorder,
    LogProcessRecorder,
    LogSnapshotRecorder,
    LogTrackingRecorder,
)
from eventstore.recorders import Recorder, Session
from eventstore.testing import Relay

MakeStore = Callable[..., EventStore]
A, B, C = (UUID(int=number) for number in (3, 2, 1))


def stored(originator: UUID | str, *versions: int) -> list[StoredEvent]:
    return [StoredEvent(originator, version, "topic", f"{version}".encode()) for version in versions]


def versions(recorder: LogApplicationRecorder, originator: UUID | str) -> list[int]:
    return [found.originator_version for found in recorder.select_events(originator)]


def notified(recorder: LogApplicationRecorder) -> list[tuple[int, UUID | str, int]]:
    return [
        (found.id, found.originator_id, found.originator_version) for found in recorder.select_notifications(1, 1000)
    ]


@pytest.fixture
def recorder(store: EventStore) -> LogApplicationRecorder:
    return LogApplicationRecorder(store)


@pytest.fixture
def process(store: EventStore) -> LogProcessRecorder:
    return LogProcessRecorder(store)


# Several aggregates at once


def test_events_of_several_aggregates_are_notified_in_the_order_they_are_given(
    recorder: LogApplicationRecorder,
) -> None:
    assert recorder.insert_events(stored(C, 1)) == [1]
    batch = [*stored(A, 1), *stored(B, 1), *stored(C, 2), *stored(A, 2), *stored(B, 2, 3)]
    assert recorder.insert_events(batch) == [2, 3, 4, 5, 6, 7]
    assert notified(recorder) == [(1, C, 1), (2, A, 1), (3, B, 1), (4, C, 2), (5, A, 2), (6, B, 2), (7, B, 3)]
    assert recorder.store.verify().events == 7


def test_if_one_of_several_aggregates_has_moved_on_nothing_is_stored_of_any(recorder: LogApplicationRecorder) -> None:
    recorder.insert_events([*stored(A, 1), *stored(B, 1)])
    for conflict in ([*stored(A, 2), *stored(B, 1)], [*stored(B, 1), *stored(A, 2)], [*stored(C, 1), *stored(A, 2, 2)]):
        with pytest.raises(IntegrityError):
            recorder.insert_events(conflict)
    assert notified(recorder) == [(1, A, 1), (2, B, 1)]


def test_writers_of_the_same_aggregates_in_any_order_do_not_wait_for_each_other_forever(make_store: MakeStore) -> None:
    recorders = [LogApplicationRecorder(make_store()) for _ in range(2)]
    orders = [(A, B, C), (C, B, A), (B, C, A), (C, A, B)]
    rounds = 10

    def write(number: int) -> None:
        recorder, order = recorders[number % 2], orders[number]
        for _ in range(rounds):
            while True:
                batch = [one for who in order for one in stored(who, len(versions(recorder, who)) + 1)]
                try:
                    recorder.insert_events(batch)
                except IntegrityError:
                    continue
                break

    threads = [threading.Thread(target=write, args=(number,)) for number in range(len(orders))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    expected = list(range(1, rounds * len(orders) + 1))
    assert [versions(recorders[0], who) for who in (A, B, C)] == [expected] * 3
    assert recorders[0].store.verify().events == 3 * len(expected)


# Versions


@pytest.mark.parametrize("first", [0, 1])
def test_an_aggregates_versions_begin_at_0_or_1_and_follow_each_other(
    recorder: LogApplicationRecorder, make_store: MakeStore, first: int
) -> None:
    recorder.insert_events(stored(A, first))
    elsewhere = LogApplicationRecorder(make_store())
    for wrong in (first, first + 2, 7):
        for each in (recorder, elsewhere):
            with pytest.raises(IntegrityError):
                each.insert_events(stored(A, wrong))
    elsewhere.insert_events(stored(A, first + 1))
    recorder.insert_events(stored(A, first + 2))
    assert versions(recorder, A) == [first, first + 1, first + 2]
    assert recorder.store.verify(str(A)).events == 3


@pytest.mark.parametrize("first", [-1, 2, 100])
def test_an_aggregate_that_begins_elsewhere_is_refused(recorder: LogApplicationRecorder, first: int) -> None:
    with pytest.raises(IntegrityError):
        recorder.insert_events(stored(A, first))
    assert recorder.max_notification_id() is None


# Notification ids


class Numbering(Relay):
    """Notes each time that somebody had the events numbered."""

    def __init__(self, inner: Recorder) -> None:
        super().__init__(inner)
        self.done: SimpleQueue[None] = SimpleQueue()

    def sequence(self) -> int:
        position = super().sequence()
        self.done.put(None)
        return position


def test_ids_wait_for_older_transactions_and_no_longer(postgres_url: str) -> None:
    ids: list[object] = []
    with EventStore.open(postgres_url) as store, psycopg.connect(postgres_url) as older:
        LogApplicationRecorder(store).insert_events(stored(A, 1))
        numbering = Numbering(store.recorder)
        recorder = LogApplicationRecorder(EventStore(numbering))
        older.execute(
            "INSERT INTO eventstore.events (stream_id, version, recorded_at, topic, hash, payload)"
            " SELECT stream_id, 2, recorded_at, 'slow', hash, payload FROM eventstore.events"
        )
        inserting = threading.Thread(target=lambda: ids.append(recorder.insert_events(stored(B, 1))))
        inserting.start()
        for _ in range(2):  # it has looked, waited, and looked again
            numbering.done.get(timeout=30)
        assert (versions(recorder, B), ids) == ([1], [])
        older.commit()
        inserting.join()
    assert ids == [[3]]


def test_if_an_older_transaction_stays_open_the_events_are_stored_and_get_their_ids_later(
    postgres_url: str,
) -> None:
    with EventStore.open(postgres_url) as store, psycopg.connect(postgres_url) as older:
        recorder = LogApplicationRecorder(store, patience=0.05)
        older.execute("SELECT pg_current_xact_id()")
        assert recorder.insert_events(stored(A, 1)) is None
        assert versions(recorder, A) == [1]
        assert recorder.max_notification_id() is None
        older.commit()
        assert recorder.max_notification_id() == 1


# Tracking


def test_events_and_tracking_are_stored_together_or_not_at_all(process: LogProcessRecorder) -> None:
    process.insert_events([*stored(A, 1), *stored(B, 1)], tracking=Tracking("upstream", 5))
    with pytest.raises(IntegrityError):
        process.insert_events([*stored(A, 2), *stored(C, 1)], tracking=Tracking("upstream", 5))
    with pytest.raises(IntegrityError):
        process.insert_events([*stored(A, 1), *stored(C, 1)], tracking=Tracking("upstream", 6))
    assert notified(process) == [(1, A, 1), (2, B, 1)]
    assert process.max_tracking_id("upstream") == 5


def test_a_view_is_changed_together_with_its_tracking_or_not_at_all(store: EventStore) -> None:
    view = LogTrackingRecorder(store)
    other = LogTrackingRecorder(store)

    def fail(session: Session) -> None:
        raise ZeroDivisionError

    def go_on(session: Session, to: int) -> None:
        other.store.tables.within(session).tracking.advance("elsewhere", to)

    with pytest.raises(ZeroDivisionError):
        view.track(Tracking("upstream", 1), fail)
    assert view.max_tracking_id("upstream") is None
    view.track(Tracking("upstream", 1), partial(go_on, to=9))
    assert (view.max_tracking_id("upstream"), view.max_tracking_id("elsewhere")) == (1, 9)
    with pytest.raises(IntegrityError):
        view.track(Tracking("upstream", 1), partial(go_on, to=10))
    assert view.max_tracking_id("elsewhere") == 9


# Originator ids


def test_ids_are_read_back_as_what_they_were(store: EventStore) -> None:
    by_uuid, by_text = LogApplicationRecorder(store, "uuid"), LogApplicationRecorder(store, "text")
    by_uuid.insert_events(stored(A, 1))
    assert by_uuid.select_events(A)[0].originator_id == A
    assert by_text.select_events(str(A))[0].originator_id == str(A)
    by_text.insert_events(stored("order-1", 1))
    assert by_text.select_notifications(1, 9)[1].originator_id == "order-1"


def test_ids_of_the_other_type_are_refused_with_what_to_set(store: EventStore) -> None:
    by_uuid, by_text = LogApplicationRecorder(store, "uuid"), LogApplicationRecorder(store, "text")
    by_text.insert_events(stored("order-1", 1))
    with pytest.raises(ProgrammingError, match="ORIGINATOR_ID_TYPE"):
        by_uuid.insert_events(stored("order-1", 2))
    with pytest.raises(DataError, match="ORIGINATOR_ID_TYPE"):
        by_uuid.select_notifications(1, 9)


# Snapshots


def test_snapshots_have_their_aggregates_versions_in_any_order_and_are_not_notified(store: EventStore) -> None:
    snapshots = LogSnapshotRecorder(store)
    for version in (40, 7, 20):
        assert snapshots.insert_events(stored(A, version)) is None
    assert [found.originator_version for found in snapshots.select_events(A)] == [7, 20, 40]
    assert [found.state for found in snapshots.select_events(A, desc=True, limit=1)] == [b"40"]
    assert [found.originator_version for found in snapshots.select_events(A, gt=7, lte=39, desc=True)] == [20]
    assert snapshots.select_events(B) == []
    assert LogApplicationRecorder(store).max_notification_id() is None


def test_a_snapshot_is_taken_once(store: EventStore) -> None:
    snapshots = LogSnapshotRecorder(store)
    snapshots.insert_events(stored(A, 7))
    with pytest.raises(IntegrityError):
        snapshots.insert_events([*stored(B, 1), *stored(A, 7)])
    assert snapshots.select_events(B) == []
    LogSnapshotRecorder(store, purpose="other").insert_events(stored(A, 7))


# Errors


def test_our_errors_come_as_the_librarys(make_store: MakeStore) -> None:
    store = make_store()
    recorder = LogApplicationRecorder(store, "text")
    for refused in (stored("", 1), stored("x" * 2000, 1), [StoredEvent("a", 1, "", b"")]):
        with pytest.raises(DataError):
            recorder.insert_events(refused)
    store.close()
    for call in (
        lambda: recorder.insert_events(stored("a", 1)),
        lambda: recorder.select_events("a"),
        lambda: recorder.select_notifications(1, 1),
        recorder.max_notification_id,
        recorder.subscribe,
    ):
        with pytest.raises(InterfaceError) as closed:
            call()
        assert isinstance(closed.value.__cause__, StoreClosedError)


# The factory


def environment(name: str = "Orders", **settings: str) -> Environment:
    return Environment(name, {"PERSISTENCE_MODULE": "eventstore.persistence", **settings})


@pytest.mark.parametrize(
    ("settings", "named"),
    [
        ({}, "ORDERS_EVENTSTORE_URL"),
        ({"ORIGINATOR_ID_TYPE": "number"}, "ORIGINATOR_ID_TYPE"),
        ({"EVENTSTORE_POOL_SIZE": "many"}, "EVENTSTORE_POOL_SIZE"),
        ({"EVENTSTORE_PREPARE": "perhaps"}, "EVENTSTORE_PREPARE"),
    ],
)
def test_a_wrong_setting_is_named(settings: dict[str, str], named: str) -> None:
    url = {"EVENTSTORE_URL": "sqlite:///:memory:"} if settings else {}
    with pytest.raises(OSError, match=named):
        InfrastructureFactory.construct(environment(**settings, **url))


def test_a_store_that_cannot_be_opened_is_an_error_of_the_librarys() -> None:
    with pytest.raises(OperationalError):
        InfrastructureFactory.construct(environment(EVENTSTORE_URL="sqlite:////no/such/folder/store.db"))
    with pytest.raises(ProgrammingError, match="migrate"):
        InfrastructureFactory.construct(environment(EVENTSTORE_URL="sqlite:///:memory:", CREATE_TABLE="no"))


def test_a_recorder_must_be_one_of_ours() -> None:
    with Factory(environment(EVENTSTORE_URL="sqlite:///:memory:")) as factory:
        factory.env["APPLICATION_RECORDER_TOPIC"] = "eventsourcing.popo:POPOApplicationRecorder"
        with pytest.raises(OSError, match="LogApplicationRecorder"):
            factory.application_recorder()
        factory.close()


def test_a_setting_with_the_applications_name_goes_before_the_general_one(sqlite_url: str) -> None:
    factory = Factory(environment(EVENTSTORE_URL="nowhere://", ORDERS_EVENTSTORE_URL=sqlite_url))
    factory.close()


def test_options_reach_the_store(postgres_url: str) -> None:
    settings = {
        "EVENTSTORE_URL": postgres_url,
        "EVENTSTORE_SCHEMA": "orders",
        "EVENTSTORE_POOL_SIZE": "3",
        "EVENTSTORE_PREPARE": "no",
    }
    factory = Factory(environment(**settings))
    assert (factory.store.recorder.schema, factory.store.recorder.connections) == ("orders", 3)
    factory.close()


def still_open(database: Recorder) -> bool:
    try:
        database.sequence()
    except StoreClosedError:
        return False
    return True


def test_a_store_that_nobody_uses_any_more_is_closed(url: str) -> None:
    view = Factory(environment(EVENTSTORE_URL=url)).tracking_recorder()
    database = view.store.recorder
    gc.collect()
    assert view.max_tracking_id("upstream") is None  # its factory is gone, and it goes on
    del view
    gc.collect()
    while still_open(database):
        pass


# An application


class Dog(Aggregate):
    def __init__(self, name: str) -> None:
        self.name = name
        self.tricks: list[str] = []

    @event("TrickAdded")
    def add_trick(self, trick: str) -> None:
        self.tricks.append(trick)


class Kennel(Application[UUID]):
    snapshotting_intervals = {Dog: 3}  # noqa: RUF012 (the library's way)


@pytest.fixture
def kennel(url: str) -> Iterator[Kennel]:
    with Kennel(env=dict(environment(EVENTSTORE_URL=url))) as kennel:
        yield kennel


def test_an_application_saves_and_reads_aggregates_with_snapshots_of_their_own_versions(kennel: Kennel) -> None:
    fido, rex = Dog("Fido"), Dog("Rex")
    for trick in ("sit", "roll", "beg", "fetch", "jump"):
        fido.add_trick(trick)
    recordings = kennel.save(fido, rex)
    assert [recording.notification.id for recording in recordings] == list(range(1, 8))
    assert kennel.snapshots is not None
    assert [taken.originator_version for taken in kennel.snapshots.get(fido.id)] == [3, 6]
    loaded: Dog = kennel.repository.get(fido.id)
    assert loaded.tricks == ["sit", "roll", "beg", "fetch", "jump"]
    assert [item.id for item in kennel.notification_log.select(start=1, limit=10)] == list(range(1, 8))


def test_an_aggregate_that_somebody_else_changed_is_not_overwritten(kennel: Kennel) -> None:
    dog = Dog("Fido")
    kennel.save(dog)
    mine: Dog = kennel.repository.get(dog.id)
    theirs: Dog = kennel.repository.get(dog.id)
    theirs.add_trick("sit")
    kennel.save(theirs)
    mine.add_trick("roll")
    with pytest.raises(IntegrityError):
        kennel.save(mine)


def test_each_application_of_a_system_has_a_store_of_its_own(postgres_url: str) -> None:
    settings = environment(EVENTSTORE_URL=postgres_url, CATTERY_EVENTSTORE_SCHEMA="cattery")

    class Cattery(Kennel):
        pass

    with Kennel(env=dict(settings)) as kennel, Cattery(env=dict(settings)) as cattery:
        kennel.save(Dog("Fido"))
        assert cattery.recorder.max_notification_id() is None
        assert [recording.notification.id for recording in cattery.save(Dog(f"{uuid4()}"))] == [1]
