"""The audit follows the feed by itself: exact for all that was committed, whoever writes, asks, or makes it anew."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import psycopg
import pytest

from eventstore import (
    BusyError,
    Cause,
    CorruptionError,
    EventStore,
    NewEvent,
    ReadOnlyError,
    StoreClosedError,
    UnknownFormatError,
)
from langgraph.checkpoint.eventstore import EventStoreSaver
from projections import Audit
from projections.audit.rows import AuditRows
from tests.support.plans import overheard
from tests.support.processes import Pipe, child, in_processes
from tests.support.relays import Meanwhile
from tests.support.saving import at, save
from tests.support.tables import blocks_of, execute, forge, rows

MakeStore = Callable[..., EventStore]


def happen(store: EventStore, thread: str, count: int = 1) -> None:
    store.append(thread, [NewEvent("happened", b"", Cause(run=f"run-{number % 3}")) for number in range(count)])


def assert_whole(audit: Audit, events: int) -> None:
    """The audit is the feed: each event once, at its place."""
    feed = [
        (entry.position, entry.event.stream, entry.event.version, entry.event.recorded_at)
        for entry in audit.store.feed()
    ]
    found = [
        (entry.position, entry.thread, entry.version, entry.recorded_at) for entry in audit.entries(newest_first=False)
    ]
    assert found == feed
    assert [position for position, *_ in found] == list(range(1, events + 1))


# --- exactness -------------------------------------------------------------------------------------------------------


def test_each_event_is_in_the_answer_to_the_next_question(store: EventStore) -> None:
    audit = Audit(store)
    assert audit.query().entries == []
    for number in range(1, 30):
        happen(store, f"thread-{number % 4}")
        assert len(audit.query(limit=100).entries) == number


def test_batches_of_any_size_give_the_same(make_store: MakeStore) -> None:
    store = make_store()
    for number in range(6):
        store.append(f"thread-{number}", [NewEvent("happened", bytes(1000 * number)) for _ in range(5)])
    answers = []
    for events, size in ((1_000, 1 << 20), (1, 1 << 20), (4, 1 << 20), (1_000, 1), (1_000, 150)):
        audit = Audit(store, batch_events=events, batch_bytes=size)
        audit.rebuild()
        answers.append(list(audit.entries()))
    assert answers == [answers[0]] * 5
    assert len(answers[0]) == 30


def test_writers_and_readers_at_once_miss_nothing_and_see_nothing_twice(make_store: MakeStore) -> None:
    stores = [make_store(), make_store()]
    writers, each = 4, 25
    stored: list[tuple[str, int]] = []
    done = threading.Event()
    failures: list[BaseException] = []

    def write(name: int) -> None:
        for version in range(1, each + 1):
            happen(stores[name % 2], f"thread-{name}")
            stored.append((f"thread-{name}", version))

    def read(audit: Audit) -> None:
        while not done.is_set():
            before = [*stored]
            found = [(entry.thread, entry.version) for entry in audit.query(limit=1_000).entries]
            assert set(before) <= set(found)
            assert len(found) == len(set(found))

    def noting(work: Callable[..., None], *args: Any) -> None:
        try:
            work(*args)
        except BaseException as error:  # noqa: BLE001 (it is raised below)
            failures.append(error)

    # Two of one audit, and two that know nothing of each other.
    first, second = Audit(stores[0], batch_events=7), Audit(stores[1], batch_events=7)
    readers = [threading.Thread(target=noting, args=(read, audit)) for audit in (first, first, second)]
    threads = [threading.Thread(target=noting, args=(write, name)) for name in range(writers)]
    for thread in [*readers, *threads]:
        thread.start()
    for thread in threads:
        thread.join()
    done.set()
    for reader in readers:
        reader.join()
    assert not failures, failures
    assert_whole(first, writers * each)
    assert_whole(second, writers * each)


def test_several_who_catch_up_at_once_enter_each_event_once(make_store: MakeStore) -> None:
    stores = [make_store() for _ in range(3)]
    audits = [Audit(store, batch_events=7) for store in stores]
    happen(stores[0], "thread", 400)
    threads = [threading.Thread(target=audit.catch_up) for audit in audits]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert_whole(audits[0], 400)


def catching_up(_: Pipe, url: str) -> int:
    with EventStore.open(url) as store:
        return Audit(store).catch_up()


def test_processes_that_catch_up_at_once_enter_each_event_once(url: str, make_store: MakeStore) -> None:
    store = make_store()
    for number in range(20):
        happen(store, f"thread-{number % 3}", 300)
    assert in_processes(catching_up, [(url,)] * 3) == [6_000] * 3
    assert_whole(Audit(store), 6_000)


def telling(pipe: Pipe, url: str) -> None:
    with EventStore.open(url) as store:
        Audit(store, batch_events=5).catch_up(progress=lambda position, end: pipe.send((position, end)))


def test_a_process_that_is_killed_as_it_catches_up_leaves_whole_batches(url: str, make_store: MakeStore) -> None:
    store = make_store()
    happen(store, "thread", 500)
    Audit(store)
    with child(telling, url) as process:
        assert process.pipe.recv() == (5, 500)
        assert process.pipe.recv() == (10, 500)
        process.kill()
    [(position,)] = store.recorder.read(*state_of(store))
    assert position % 5 == 0
    assert_whole(Audit(store), 500)


def state_of(store: EventStore) -> tuple[str, dict[str, Any]]:
    schema = "" if store.recorder.dialect == "sqlite" else "eventstore."
    return f"SELECT position FROM {schema}progress", {}


def test_progress_is_told_after_each_batch(store: EventStore) -> None:
    happen(store, "thread", 20)
    audit = Audit(store, batch_events=7)
    told: list[tuple[int, int]] = []
    assert audit.catch_up(progress=lambda position, end: told.append((position, end))) == 20
    assert told == [(7, 20), (14, 20), (20, 20)]
    assert audit.catch_up(progress=lambda *_: pytest.fail("there is nothing to do")) == 20


def test_nothing_is_written_when_there_is_nothing_new(url: str, store: EventStore) -> None:
    happen(store, "thread", 3)
    audit = Audit(store)
    audit.query()
    before = rows(url)
    audit.query(run="run-1")
    assert rows(url) == before


def test_an_append_does_not_know_of_the_audit(saver: EventStoreSaver) -> None:
    Audit(saver.store).catch_up()
    with overheard(saver.store) as (store, statements):
        heard = EventStoreSaver(store)
        save(heard, 1, {"count": 1})
        heard.put_writes(at(number=1), [("count", 2)], "task")
    assert statements
    assert not [sql for sql, _ in statements if "audit" in sql]


# --- PostgreSQL: older transactions ----------------------------------------------------------------------------------


def test_what_was_committed_while_an_older_transaction_is_open_is_waited_for(
    postgres_url: str, on_postgres: EventStore
) -> None:
    audit = Audit(on_postgres)
    happen(on_postgres, "early")
    with psycopg.connect(postgres_url) as slow:
        slow.execute("SELECT pg_current_xact_id()")
        happen(on_postgres, "later")
        answers: list[int] = []
        asking = threading.Thread(target=lambda: answers.append(len(audit.query().entries)))
        asking.start()
        slow.commit()
        asking.join()
    assert answers == [2]


def test_no_answer_is_given_that_would_not_be_exact(postgres_url: str, on_postgres: EventStore) -> None:
    audit = Audit(on_postgres, patience=0.05)
    with psycopg.connect(postgres_url) as slow:
        slow.execute("SELECT pg_current_xact_id()")
        happen(on_postgres, "later")
        with pytest.raises(BusyError, match="pg_stat_activity"):
            audit.query()
        slow.rollback()
    assert len(audit.query().entries) == 1


def test_what_is_committed_after_the_question_is_not_waited_for(postgres_url: str, on_postgres: EventStore) -> None:
    with psycopg.connect(postgres_url) as slow, psycopg.connect(postgres_url) as slower:
        slow.execute("SELECT pg_current_xact_id()")
        happen(on_postgres, "first")

        def go_on() -> None:
            # It was seen who waits. Now the older transaction ends, a younger one begins, and something else happens.
            slow.commit()
            slower.execute("SELECT pg_current_xact_id()")
            happen(on_postgres, "second")

        waiting = blocks_of(on_postgres, "queries", "eventstore")["feed_waiting"]
        audit = Audit(EventStore(Meanwhile(on_postgres.recorder, waiting, after=go_on)))
        assert [entry.thread for entry in audit.query().entries] == ["first"]
        slower.commit()
    assert [entry.thread for entry in audit.query().entries] == ["second", "first"]


# --- making it anew --------------------------------------------------------------------------------------------------


def test_what_is_made_anew_gives_identical_answers_and_rows(url: str, store: EventStore) -> None:
    for number in range(40):
        happen(store, f"thread-{number % 3}", number % 5)
    audit = Audit(store)
    asked: list[dict[str, Any]] = [{}, {"run": "run-1"}, {"thread": "thread-2", "newest_first": False}]
    before = [list(audit.entries(**each)) for each in asked]
    kept = {name: each for name, each in rows(url).items() if name in AuditRows.tables}
    assert audit.rebuild() == len(before[0])
    assert [list(audit.entries(**each)) for each in asked] == before
    assert {name: each for name, each in rows(url).items() if name in kept} == kept


def test_answers_are_exact_while_it_is_made_anew(make_store: MakeStore) -> None:
    store, elsewhere = make_store(), make_store()
    happen(store, "thread", 90)
    audit, other = Audit(store, batch_events=7), Audit(elsewhere, batch_events=7)
    expected = list(audit.entries(run="run-1"))
    done = threading.Event()
    failures: list[object] = []

    def ask(of: Audit) -> None:
        while not done.is_set():
            if list(of.entries(run="run-1")) != expected or len(of.query(limit=90).entries) != 90:
                failures.append("an answer was not exact")

    readers = [threading.Thread(target=ask, args=(each,)) for each in (audit, other)]
    for reader in readers:
        reader.start()
    for _ in range(10):
        other.rebuild()
    done.set()
    for reader in readers:
        reader.join()
    assert not failures
    assert_whole(audit, 90)


def test_a_cursor_stays_good_when_it_is_made_anew(store: EventStore) -> None:
    happen(store, "thread", 10)
    audit = Audit(store)
    cursor = audit.query(limit=4).next_cursor
    audit.rebuild()
    assert [entry.position for entry in audit.query(limit=3, cursor=cursor).entries] == [6, 5, 4]


# --- failures --------------------------------------------------------------------------------------------------------


def test_an_event_that_cannot_be_read_is_not_passed_over(url: str, store: EventStore) -> None:
    happen(store, "thread", 2)
    forge(url, lambda content: b"\xc1" + content)
    with pytest.raises(CorruptionError, match="damaged"):
        Audit(store).query()


def test_an_event_of_a_newer_version_is_refused_by_name(url: str, store: EventStore) -> None:
    happen(store, "thread", 1)
    newer = "x'7f00'" if store.recorder.dialect == "sqlite" else r"'\x7f00'"
    execute(url, f"UPDATE events SET payload = {newer}")
    with pytest.raises(UnknownFormatError, match="upgrade"):
        Audit(store).query()


def test_a_closed_store_says_so(make_store: MakeStore) -> None:
    store = make_store()
    audit = Audit(store)
    store.close()
    with pytest.raises(StoreClosedError):
        audit.query()


def test_a_store_that_may_only_be_read_answers_what_it_has(postgres_url: str, on_postgres: EventStore) -> None:
    happen(on_postgres, "thread", 2)
    Audit(on_postgres).catch_up()
    read_only = f"{postgres_url}{'&' if '?' in postgres_url else '?'}options=-cdefault_transaction_read_only%3Don"
    with EventStore.open(read_only, migrate=False) as store:
        audit = Audit(store, migrate=False)
        assert len(audit.query().entries) == 2
        happen(on_postgres, "thread")
        with pytest.raises(ReadOnlyError):
            audit.query()
