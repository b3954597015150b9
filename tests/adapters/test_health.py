"""`health` of stores and savers: it tells what is wrong, in time, and raises nothing."""

from __future__ import annotations

import asyncio
import json
import threading
import time
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import psycopg
import pytest

from eventstore import BadInputError, EventStore, Health, NewEvent, UnknownOptionError
from eventstore.recorders import Session
from langgraph.checkpoint.eventstore import EventStoreSaver
from tests.support.flavour import Flavour
from tests.support.processes import Pipe, become_nobody, child, copies
from tests.support.servers import proxied
from tests.support.tables import execute, path_of, rows

MakeStore = Callable[..., EventStore]


def health_of(flavour: Flavour, one: EventStore | EventStoreSaver, **limits: Any) -> Health:
    return asyncio.run(one.ahealth(**limits)) if flavour is Flavour.ASYNC else one.health(**limits)


def kinds(health: Health) -> list[str]:
    return [problem.kind for problem in health.problems]


def test_a_store_that_is_well_says_so(store: EventStore, flavour: Flavour) -> None:
    store.append("s", [NewEvent("n")])
    assert len([*store.feed()]) == 1
    found = health_of(flavour, store)
    assert found
    assert (found.problems, found.reachable, found.writable) == ([], True, True)
    assert (found.feed, found.feed_lag, found.feed_lag_seconds) == (1, 0, 0.0)
    assert (found.migrations, found.connections) == ({"eventstore": 1}, 8)
    assert found.seconds < 5
    sqlite = store.recorder.dialect == "sqlite"
    assert (found.wal_bytes is not None, found.free_bytes is not None) == (sqlite, sqlite)


def test_a_saver_looks_at_its_projections_too(saver: EventStoreSaver, flavour: Flavour) -> None:
    saver.store.append("s", [NewEvent("n")])
    saver.history.audit.catch_up()
    saver.store.append("s", [NewEvent("n"), NewEvent("n")])
    assert len([*saver.store.feed()]) == 3
    found = health_of(flavour, saver)
    assert (found.ok, found.migrations) == (True, {"eventstore": 1, "projections": 1})
    assert found.projections == {"audit": 2}


def test_a_health_is_json(saver: EventStoreSaver) -> None:
    saver.store.close()
    document = json.loads(json.dumps(saver.health().document()))
    assert (document["ok"], document["problems"][0]["kind"]) == (False, "closed")
    assert document["store"] == saver.store.recorder.where


def test_it_changes_nothing(store: EventStore, url: str) -> None:
    store.append("s", [NewEvent("n")])
    before = rows(url)
    assert store.health().ok
    assert rows(url) == before


def test_tables_that_are_not_all_there_are_not_well(saver: EventStoreSaver, url: str) -> None:
    """A process may die between the log's migrations and those of the projections."""
    execute(url, "DELETE FROM eventstore_migrations WHERE component = 'projections'")
    assert saver.store.health().ok
    found = saver.health()
    assert (kinds(found), found.migrations) == (["schema"], {"eventstore": 1})
    assert "migrate" in found.problems[0].message
    execute(url, "UPDATE eventstore_migrations SET number = 99")
    assert "newer version" in saver.health().problems[0].message
    execute(url, "DROP TABLE eventstore_migrations")
    assert "no store yet" in saver.health().problems[0].message


def test_a_file_that_is_gone_is_not_well(sqlite_url: str, flavour: Flavour) -> None:
    with EventStore.open(sqlite_url) as store:
        Path(path_of(sqlite_url)).unlink()
        assert kinds(health_of(flavour, store)) == ["unreachable"]


def test_a_file_that_is_damaged_is_not_well(sqlite_url: str) -> None:
    with EventStore.open(sqlite_url) as store:
        store.append("s", [NewEvent("n")])
    path = Path(path_of(sqlite_url))
    with EventStore.open(sqlite_url) as store:
        path.write_bytes(path.read_bytes()[:4096] + b"\xff" * (path.stat().st_size - 4096))
        assert kinds(store.health()) == ["damaged"]


def test_a_store_in_memory_is_well(flavour: Flavour) -> None:
    with EventStore.open("sqlite:///:memory:") as store:
        found = health_of(flavour, store)
    assert (found.ok, found.wal_bytes, found.free_bytes) == (True, None, None)


def test_a_server_that_refuses_is_not_well_and_is_again_when_it_answers(postgres_url: str, flavour: Flavour) -> None:
    with proxied(postgres_url) as proxy, EventStore.open(proxy.url, connect_timeout=0) as store:
        assert store.health().ok
        proxy.refusing = True
        proxy.cut_all()
        found = health_of(flavour, store)
        assert (kinds(found), found.reachable) == (["unreachable"], False)
        proxy.refusing = False
        assert health_of(flavour, store).ok


def test_it_answers_in_time_while_all_connections_are_in_use(postgres_url: str, flavour: Flavour) -> None:
    with EventStore.open(postgres_url, pool_size=1) as store:
        found: list[Health] = []

        def keep_the_only_connection(_: Session) -> None:
            found.extend(health_of(flavour, store, timeout=0.2) for _ in range(3))

        store.recorder.write(keep_the_only_connection)
        assert [kinds(each) for each in found] == [["no answer"]] * 3
        assert [each.connections_used for each in found] == [1] * 3
        assert "raise pool_size" in found[0].problems[0].message
        # Who waits is one thread, however often it was asked.
        assert found[-1].calls_waiting == 1
        assert health_of(flavour, store).ok


def test_many_may_ask_at_once(store: EventStore) -> None:
    found: list[Health] = []
    threads = [threading.Thread(target=lambda: found.append(store.health())) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [each.problems for each in found] == [[]] * 20


def test_async_code_hears_of_a_store_all_of_whose_workers_are_busy(make_store: MakeStore) -> None:
    store, free = make_store(pool_size=2), threading.Event()

    async def ask() -> Health:
        busy = [asyncio.create_task(store.workers.run(free.wait, 60)) for _ in range(8)]
        try:
            return await store.ahealth()
        finally:
            free.set()
            await asyncio.gather(*busy)

    assert asyncio.run(ask()).ok


def test_a_process_that_was_forked_asks_for_itself(store: EventStore) -> None:
    assert store.health().ok
    with copies(1, lambda *_: store.health().problems) as [copy]:
        assert copy.result() == []
    assert store.health().ok


def test_a_store_on_connections_of_ones_own_tells_how_it_is(postgres_url: str, flavour: Flavour) -> None:
    with psycopg.connect(postgres_url) as connection:
        saver = EventStoreSaver.from_pool(connection)
        found = health_of(flavour, saver)
        assert (found.ok, found.connections) == (True, 1)
        connection.execute("SELECT 1")
        assert kinds(health_of(flavour, saver)) == ["unreachable"]  # it is in a transaction of its owner's
        connection.rollback()
        assert health_of(flavour, saver).ok
        saver.store.close()


def health_as_nobody(_: Pipe, url: str) -> tuple[list[str], bool, bool | None]:
    with EventStoreSaver.from_conn_string("sqlite:///:memory:") as warm:  # imports what may be out of reach later
        assert warm.health().ok
    become_nobody()
    with EventStoreSaver.from_conn_string(url) as saver:
        found = saver.health()
        return kinds(found), saver.health(writable=False).ok, found.writable


def test_a_file_that_may_only_be_read_is_well_for_who_only_reads() -> None:
    with TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        url = f"sqlite:///{folder}/store.db"
        with EventStoreSaver.from_conn_string(url), child(health_as_nobody, url) as process:
            assert process.result() == (["read-only"], True, False)


def test_a_server_that_only_reads_is_well_for_who_only_reads(postgres_url: str) -> None:
    with psycopg.connect(postgres_url, autocommit=True) as admin:
        admin.execute(f"ALTER DATABASE {admin.info.dbname} SET default_transaction_read_only = off")
        with EventStore.open(postgres_url):
            pass
        admin.execute(f"ALTER DATABASE {admin.info.dbname} SET default_transaction_read_only = on")
    with EventStore.open(postgres_url, migrate=False) as store:
        assert kinds(store.health()) == ["read-only"]
        assert store.health(writable=False).ok


def test_a_feed_that_is_held_up_is_not_well(on_postgres: EventStore, postgres_url: str) -> None:
    on_postgres.append("s", [NewEvent("n")])
    with psycopg.connect(postgres_url) as older:
        older.execute("SELECT pg_current_xact_id()")
        on_postgres.append("s", [NewEvent("n")])
        assert on_postgres.health().ok
        found = on_postgres.health(max_lag=0)
        assert (kinds(found), found.feed_lag) == (["behind"], 1)
        older.rollback()
    assert on_postgres.health(max_lag=0).ok


@pytest.mark.parametrize(
    "limits",
    [
        *({"timeout": -1}, {"timeout": "5s"}, {"timeout": float("nan")}, {"max_lag": None}),
        *({"writable": 1}, {"max_wal_bytes": -1}, {"min_free_bytes": 0.5}),
    ],
)
def test_a_limit_that_makes_no_sense_is_refused(store: EventStore, limits: dict[str, Any], flavour: Flavour) -> None:
    with pytest.raises(BadInputError, match=next(iter(limits))):
        health_of(flavour, store, **limits)


def test_a_limit_that_is_misspelled_is_told_with_the_one_that_was_meant(saver: EventStoreSaver) -> None:
    with pytest.raises(UnknownOptionError, match="did you mean 'timeout'"):
        saver.health(time_out=5)  # type: ignore[call-arg]


def test_a_health_takes_no_time(store: EventStore) -> None:
    began = time.monotonic()
    for _ in range(20):
        assert store.health().ok
    assert time.monotonic() - began < 20
