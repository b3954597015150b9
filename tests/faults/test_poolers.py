"""A PgBouncer before the server, in both of its modes, with nothing said about it to the store."""

from __future__ import annotations

import logging
from collections.abc import Iterator

import psycopg
import pytest

from eventstore import EventStore, NewEvent
from eventstore.address import parse
from langgraph.checkpoint.eventstore import EventStoreSaver
from projections import Audit
from tests.support.flavour import Flavour
from tests.support.pgbouncer import Bouncer, PoolMode, running_pgbouncer
from tests.support.races import in_threads
from tests.support.saving import Calls, numbers, save

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
    assert [vars(record)["store"] for record in polls] == [str(parse(pooled_url))]


@pytest.fixture(scope="module")
def one_session(pg_server: str) -> Iterator[Bouncer]:
    """A PgBouncer in transaction mode, whose clients all share one session of the server."""
    with running_pgbouncer(pg_server, "transaction", default_pool_size="1") as bouncer:
        yield bouncer


@pytest.fixture(scope="module")
def emptying(pg_server: str) -> Iterator[Bouncer]:
    """A PgBouncer that empties a session after each transaction."""
    with running_pgbouncer(pg_server, "transaction", server_reset_query_always="1") as bouncer:
        yield bouncer


def statements(url: str) -> dict[str, int]:
    """Return the statements of ours that the shared session has prepared, with the number of values that each takes."""
    with psycopg.connect(url, autocommit=True, prepare_threshold=None) as client:
        return dict(
            client.execute(
                "SELECT name, cardinality(parameter_types) FROM pg_prepared_statements WHERE name LIKE 'eventstore%'"
            ).fetchall()
        )


def warned(caplog: pytest.LogCaptureFixture) -> list[tuple[str, str]]:
    """Return the level and the SQLSTATE of each log record about prepared statements."""
    said = [record for record in caplog.records if "prepared statements" in record.message]
    return [(record.levelname, record.sqlstate) for record in said]  # type: ignore[attr-defined]


def test_a_statement_that_another_client_has_prepared_in_the_shared_session_is_used(
    one_session: Bouncer, postgres_url: str, flavour: Flavour, caplog: pytest.LogCaptureFixture
) -> None:
    url = one_session.url_of(postgres_url)
    with EventStoreSaver.from_conn_string(url) as saver, EventStoreSaver.from_conn_string(url) as other:
        for number in range(1, 4):
            save(Calls(saver, flavour), number, parent=number - 1 or None)
        before = statements(url)
        assert before
        for number in range(4, 7):  # 42P05: "already exists"
            save(Calls(other, flavour), number, parent=number - 1)
        assert statements(url) == before
        assert numbers(saver) == [*range(6, 0, -1)]
        other.store.verify()
    assert warned(caplog) == []


def test_a_statement_of_that_name_which_is_another_one_is_noticed_and_said_once(
    one_session: Bouncer, postgres_url: str, flavour: Flavour, caplog: pytest.LogCaptureFixture
) -> None:
    url = one_session.url_of(postgres_url)
    with EventStoreSaver.from_conn_string(url) as saver, EventStoreSaver.from_conn_string(url) as other:
        save(Calls(saver, flavour), 1)
        save(Calls(saver, flavour), 2, parent=1)
        with psycopg.connect(url, autocommit=True, prepare_threshold=None) as client:
            for name in statements(url):
                client.execute(f"DEALLOCATE {name}")
                client.execute(f"PREPARE {name} AS SELECT 1")
        calls = [Calls(other, flavour), Calls(saver, flavour)]
        for number in range(3, 9):  # 42P05, and then 08P01: it takes no values
            save(calls[number % 2], number, parent=number - 1)
        assert set(statements(url).values()) == {0}
        assert numbers(saver) == [*range(8, 0, -1)]
        saver.store.verify()
    assert warned(caplog) == [("WARNING", "08P01")] * 2  # each store for itself


def test_a_pooler_that_empties_its_sessions_is_noticed_and_said_once(
    emptying: Bouncer, postgres_url: str, flavour: Flavour, caplog: pytest.LogCaptureFixture
) -> None:
    with EventStoreSaver.from_conn_string(emptying.url_of(postgres_url), pool_size=4) as saver:

        def work(number: int) -> None:
            for step in range(1, 11):
                save(Calls(saver, flavour), step, thread=f"thread {number}", parent=step - 1 or None)

        in_threads(work, 4)
        assert [numbers(saver, f"thread {number}") for number in range(4)] == [[*range(10, 0, -1)]] * 4
        saver.store.verify()
    assert warned(caplog) == [("WARNING", "26000")]


# As behind a pooler that does not show, whose clients call their statements alike: the driver numbers them.
EMPTIED = "EXECUTE 'DEALLOCATE ALL'"
TAKEN = """
FOR number IN 0..99 LOOP
    BEGIN
        EXECUTE format('PREPARE _pg3_%s AS SELECT 1', number);
    EXCEPTION WHEN duplicate_prepared_statement THEN NULL;
    END;
END LOOP
"""


@pytest.mark.parametrize(("act", "sqlstate"), [(EMPTIED, "26000"), (TAKEN, "42P05")], ids=["emptied", "taken"])
def test_what_somebody_else_does_to_the_prepared_statements_of_a_session_is_noticed_and_said_once(
    postgres_url: str, act: str, sqlstate: str, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING, "eventstore"), EventStore.open(postgres_url, pool_size=1) as store:
        for round_ in range(3):
            store.recorder.write(lambda session: session.execute(f"DO $$ BEGIN {act}; END $$", {}))
            for number in range(3):
                store.append("s", [NewEvent(f"{round_} {number}")])
                assert store.head("s")
            store.recorder.write(lambda session: session.execute(f"DO $$ BEGIN {act}; END $$", {}))
            store.append("s", [NewEvent("one")])
            store.append("t", [NewEvent("several"), NewEvent("several")])
        assert store.head("s").version == 12
        store.verify()
    assert warned(caplog) == [("WARNING", sqlstate)]


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
