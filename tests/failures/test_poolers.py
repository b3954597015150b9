"""A PgBouncer before the server, in both of its modes, with nothing said about it to the store."""

from __future__ import annotations

import logging
from collections.abc import Iterator

import psycopg
import pytest

from eventstore import EventStore, NewEvent
from langgraph.checkpoint.eventstore import EventStoreSaver
from projections import Audit
from tests.support.pgbouncer import Bouncer, PoolMode, running_pgbouncer
from tests.support.races import in_threads
from tests.support.saving import Calls, Flavour, numbers, save

THREADS, EACH = 12, 50


@pytest.fixture(scope="module", params=["transaction", "session"])
def bouncer(request: pytest.FixtureRequest, pg_server: str) -> Iterator[Bouncer]:
    """A PgBouncer in each of its modes."""
    mode: PoolMode = request.param
    with running_pgbouncer(pg_server, mode) as bouncer:
        yield bouncer


@pytest.fixture
def pooled_url(bouncer: Bouncer, postgres_url: str) -> str:
    """A fresh database, through the pooler."""
    return bouncer.url_of(postgres_url)


@pytest.mark.parametrize("prepare", [True, False])
def test_threads_write_through_a_pooler_and_the_feed_and_the_audit_are_right(
    pooled_url: str, flavour: Flavour, prepare: bool
) -> None:
    with EventStoreSaver.from_conn_string(pooled_url, prepare=prepare, pool_size=4) as saver:

        def work(number: int) -> None:
            for step in range(1, EACH + 1):
                save(Calls(saver, flavour), step, thread=f"thread {number}", parent=step - 1 or None)

        in_threads(work, THREADS)
        assert [numbers(saver, f"thread {number}") for number in range(THREADS)] == [[*range(EACH, 0, -1)]] * THREADS
        assert [entry.position for entry in saver.store.feed()] == [*range(1, THREADS * EACH + 1)]
        found = [entry.position for entry in Audit(saver.store).entries(newest_first=False)]
        assert found == [*range(1, THREADS * EACH + 1)]
        saver.store.verify()


def test_a_subscription_polls_through_a_pooler_and_leaves_no_session_that_listens(
    pooled_url: str, postgres_url: str, bouncer: Bouncer, caplog: pytest.LogCaptureFixture
) -> None:
    with (
        caplog.at_level(logging.INFO, "eventstore"),
        EventStore.open(pooled_url) as store,
        EventStore.open(pooled_url) as other,
        psycopg.connect(postgres_url, autocommit=True) as database,
    ):
        with store.subscribe() as subscription:
            store.append("s", [NewEvent("by this store")])
            assert next(subscription).position == 1
            other.append("s", [NewEvent("by another one")])
            assert next(subscription).position == 2
            locks = database.execute("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'").fetchall()
        for number in range(20):
            other.append(f"s {number}", [NewEvent("more")])
        assert locks == [(0,)]
        assert "got packet 'A'" not in bouncer.log()
    polls = [record for record in caplog.records if "look by themselves" in record.message]
    assert [record.store for record in polls] == [store.recorder._where]  # type: ignore[attr-defined]


def test_what_a_session_has_lost_of_its_prepared_statements_is_noticed_and_said_once(
    postgres_url: str, caplog: pytest.LogCaptureFixture
) -> None:
    """As behind a pooler that does not show: whoever else has the session empties it."""
    with caplog.at_level(logging.WARNING, "eventstore"), EventStore.open(postgres_url, pool_size=1) as store:
        for round_ in range(3):
            for number in range(3):
                store.append("s", [NewEvent(f"{round_} {number}")])
                assert store.head("s")
            store.recorder.write(lambda session: session.execute("DO $$ BEGIN EXECUTE 'DEALLOCATE ALL'; END $$", {}))
            store.append("s", [NewEvent("one")])
            store.append("t", [NewEvent("several"), NewEvent("several")])
        assert store.head("s").version == 12
        store.verify()
    [warning] = [record for record in caplog.records if "prepared statements" in record.message]
    assert (warning.levelname, warning.sqlstate) == ("WARNING", "26000")  # type: ignore[attr-defined]


def test_a_pooler_that_goes_away_and_comes_back_is_a_connection_that_broke(
    pooled_url: str, bouncer: Bouncer, flavour: Flavour
) -> None:
    with (
        EventStoreSaver.from_conn_string(pooled_url) as saver,
        psycopg.connect(bouncer.url_of("postgresql://x/pgbouncer"), autocommit=True) as console,
    ):
        database = pooled_url.rpartition("/")[2]
        save(Calls(saver, flavour), 1)
        for number in range(2, 5):
            console.execute(f"KILL {database}")
            console.execute(f"RESUME {database}")
            save(Calls(saver, flavour), number, parent=number - 1)
        assert numbers(Calls(saver, flavour)) == [4, 3, 2, 1]
