"""How events get their places in the feed in PostgreSQL, where writers do not wait for each other."""

from __future__ import annotations

from collections.abc import Iterator

import psycopg
import pytest

from eventstore import Decision, EventStore, NewEvent, ReadOnlyError
from eventstore.address import PostgresAddress, parse
from eventstore.recorders.postgres.recorder import SEQUENCE_BATCH, PostgresRecorder


@pytest.fixture
def batch() -> int:
    """How many events are numbered in one transaction."""
    return SEQUENCE_BATCH


@pytest.fixture
def store(postgres_url: str, batch: int) -> Iterator[EventStore]:
    recorder = PostgresRecorder(parse_postgres(postgres_url), sequence_batch=batch)
    with EventStore(recorder) as store:
        recorder.migrate("eventstore", allowed=True)
        yield store


def parse_postgres(url: str) -> PostgresAddress:
    address = parse(url)
    assert isinstance(address, PostgresAddress)
    return address


@pytest.fixture
def database(store: EventStore, postgres_url: str) -> Iterator[psycopg.Connection]:
    """The store's database, past all of our own code."""
    with psycopg.connect(postgres_url, autocommit=True, options="-csearch_path=eventstore") as connection:
        yield connection


def append(store: EventStore, *streams: str) -> None:
    for stream in streams:
        store.append(stream, [NewEvent("said")])


def order(store: EventStore) -> list[tuple[str, int]]:
    entries = list(store.feed())
    assert [entry.position for entry in entries] == list(range(1, len(entries) + 1))
    return [(entry.event.stream, entry.event.version) for entry in entries]


def restore_into_a_new_cluster(database: psycopg.Connection) -> None:
    """All that is stored is now from transactions that are still to come here."""
    database.execute("UPDATE events SET xid = xid + 1000000")
    database.execute("UPDATE sequencer SET xid = xid + 1000000, restored_xid = restored_xid + 1000000")


def test_whoever_finds_nothing_new_in_the_feed_writes_nothing(store: EventStore, database: psycopg.Connection) -> None:
    def state() -> object:
        return database.execute("SELECT xmin, xmax, ctid FROM sequencer").fetchall()

    assert (order(store), state()) == ([], state())
    append(store, "a")
    order(store)
    before = state()
    assert order(store) == [("a", 1)]
    assert store.recorder.sequence() == 1
    assert state() == before


def test_a_feed_whose_events_all_have_their_places_can_be_read_where_nothing_may_be_written(
    store: EventStore, postgres_url: str
) -> None:
    read_only = f"{postgres_url}{'&' if '?' in postgres_url else '?'}options=-cdefault_transaction_read_only%3Don"
    append(store, "a")
    with EventStore.open(read_only, migrate=False) as reader:
        with pytest.raises(ReadOnlyError):
            list(reader.feed())
        order(store)
        assert order(reader) == [("a", 1)]


@pytest.mark.parametrize("batch", [1, 2, 3, 7])
def test_batches_of_any_size_leave_no_gap(store: EventStore) -> None:
    append(store, "a", "b")
    store.append("a", [NewEvent("said") for _ in range(5)])
    append(store, "b")
    assert order(store) == [("a", 1), ("b", 1), *(("a", version) for version in range(2, 7)), ("b", 2)]
    append(store, "c")
    assert order(store)[8:] == [("c", 1)]


@pytest.mark.parametrize("batch", [3])
def test_a_transaction_that_is_longer_than_a_batch_stays_together_in_its_order(store: EventStore) -> None:
    decision = Decision([NewEvent("said") for _ in range(5)])
    store.commit_all(
        {"b": lambda *_: decision, "a": lambda *_: decision}, places={"b": range(0, 10, 2), "a": range(1, 10, 2)}
    )
    assert order(store) == [(name, version) for version in range(1, 6) for name in "ba"]


@pytest.mark.parametrize("batch", [2, 10_000])
def test_what_was_not_numbered_when_it_was_dumped_comes_before_what_is_new(
    store: EventStore, database: psycopg.Connection
) -> None:
    append(store, "numbered")
    order(store)
    append(store, "a", "b", "a", "b", "a")
    restore_into_a_new_cluster(database)
    append(store, "a", "b", "new")
    restored = [("numbered", 1), ("a", 1), ("b", 1), ("a", 2), ("b", 2), ("a", 3)]
    assert order(store) == [*restored, ("a", 4), ("b", 3), ("new", 1)]


def test_what_was_restored_is_not_looked_at_again(store: EventStore, database: psycopg.Connection) -> None:
    append(store, "a", "a", "a")
    restore_into_a_new_cluster(database)
    order(store)
    # Taken out of the feed behind its back, they would get new places if somebody still looked for them.
    database.execute("DELETE FROM feed WHERE version < 3")
    append(store, "b")
    assert [entry.position for entry in store.feed()] == [3, 4]


def test_a_store_can_be_dumped_and_restored_again_and_again(store: EventStore, database: psycopg.Connection) -> None:
    expected: list[tuple[str, int]] = []
    for times in range(1, 4):
        append(store, "a", "b")
        order(store)
        append(store, "a")
        restore_into_a_new_cluster(database)
        expected += [("a", 2 * times - 1), ("b", times), ("a", 2 * times)]
        assert order(store) == expected


def test_a_transaction_of_another_database_delays_the_feed_and_loses_nothing(store: EventStore, pg_server: str) -> None:
    append(store, "before")
    with psycopg.connect(pg_server) as elsewhere:
        elsewhere.execute("SELECT pg_current_xact_id()")
        append(store, "during")
        assert order(store) == [("before", 1)]
        elsewhere.commit()
    assert order(store) == [("before", 1), ("during", 1)]
