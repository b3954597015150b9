"""Asking the audit neither reads whole tables nor sorts, and reads no more than it needs."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest

from benchmarks.audit import event, fill, run_id
from eventstore import EventStore, NewEvent
from projections import Audit
from projections.audit import rows, searching
from projections.records import CHECKPOINT_SAVED, WRITES_SAVED
from tests.conftest import fresh_database
from tests.support.plans import Statement, costly, overheard, plans
from tests.support.tables import blocks_of

# Large enough for PostgreSQL's planner to choose: in some threads, and in as many others of one event each.
EVENTS, OTHERS = 20_000, 2_000

# What is asked for more than a page of is looked for in several steps.
ASKED: dict[str, dict[str, Any]] = {
    "everything": {},
    "a run": {"run": run_id(3, 0)},
    "a node": {"node": "node-3"},
    "a rare node": {"node": "rare"},
    "a channel": {"channel": "messages"},
    "a thread": {"thread": "customer-7/thread-7"},
    "threads": {"thread_prefix": "customer-7/"},
    "topics": {"topics": [WRITES_SAVED, CHECKPOINT_SAVED, "thread.deleted"]},
    "metadata": {"metadata": {"user": "user-7"}},
    "several": {"metadata": {"tenant": "tenant-7"}, "node": "node-3", "channel": "messages"},
    "what never meets": {"topics": [CHECKPOINT_SAVED], "node": "node-3"},
    "a time": {"since": datetime(2026, 1, 1, tzinfo=UTC), "until": datetime.now(UTC) + timedelta(days=400)},
}


@pytest.fixture(scope="module", autouse=True)
def short_spans() -> Iterator[None]:
    """As many spans as there are in a store of millions of events."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(searching, "SPAN", 16)
        patch.setattr(rows, "SPAN", 16)
        yield


@pytest.fixture(scope="module", params=["sqlite", "postgres"])
def filled(request: pytest.FixtureRequest, pg_server: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URL of a store with many events, with which the audit has caught up."""
    if request.param == "sqlite":
        url = f"sqlite:///{tmp_path_factory.mktemp('plans') / 'store.db'}"
        make(url)
        yield url
        return
    with fresh_database(pg_server) as url:
        make(url)
        with psycopg.connect(url, autocommit=True) as server:
            server.execute("VACUUM ANALYZE")
        yield url


def make(url: str) -> None:
    with EventStore.open(url, synchronous="NORMAL") as store:
        fill(store, EVENTS, lambda _: None)
        for number in range(OTHERS):
            store.append(f"other-{number}", [NewEvent("happened")])
        Audit(store).catch_up()


@pytest.mark.parametrize("order", ["newest", "oldest"])
@pytest.mark.parametrize("asked", ASKED)
def test_no_answer_reads_a_whole_table_or_sorts(
    filled: str, asked: str, order: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with EventStore.open(filled) as store:
        audit, arguments = Audit(store), {**ASKED[asked], "newest_first": order == "newest"}
        audit.catch_up()
        with overheard(store, monkeypatch) as statements:
            cursor = audit.query(**arguments, limit=20).next_cursor
            audit.query(**arguments, limit=20, cursor=cursor)
        assert_cheap(store, filled, statements)


def test_no_answer_that_compares_names_reads_a_whole_table_or_sorts(
    filled: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("projections.audit.searching._FEW_STREAMS", 3)
    with EventStore.open(filled) as store:
        audit = Audit(store)
        audit.catch_up()
        with overheard(store, monkeypatch) as statements:
            assert len(audit.query(thread_prefix="customer-").entries) == 100
        assert_cheap(store, filled, statements)


def test_catching_up_reads_what_is_new(filled: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with EventStore.open(filled) as store:
        audit = Audit(store)
        audit.catch_up()
        store.append("customer-0/thread-0", [event(1, 3)])
        store.recorder.sequence()  # what gives new events their place sorts them: that is what it is for
        with overheard(store, monkeypatch) as statements:
            audit.catch_up()
        # What is entered is sorted, so that the index is written in its order.
        assert_cheap(
            store,
            filled,
            [each for each in statements if each[0] != blocks_of(audit.store, "audit")["audit_add_terms"]],
        )


def assert_cheap(store: EventStore, url: str, statements: list[Statement]) -> None:
    own = [statement for statement in statements if "pg_notify" not in statement[0]]  # the notifier's thread goes on
    assert own
    for statement in own:
        for plan in plans(store, url, statement):
            found = [step for step in costly(store.recorder.dialect, statement, plan) if step not in ONE_ROW]
            assert not found, f"{statement[0]}\n\n{plan}"


ONE_ROW = {"Seq Scan on progress", "SCAN progress"}


@pytest.mark.parametrize("asked", ["a run", "a node", "a thread", "metadata", "everything"])
def test_a_page_reads_as_many_rows_as_it_shows(filled: str, asked: str, monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[int] = []
    with EventStore.open(filled) as store:
        audit, fetch = Audit(store), store.recorder.read
        audit.catch_up()

        def counting(sql: str, params: Mapping[str, Any]) -> Any:
            rows = fetch(sql, params)
            read.append(len(rows))
            return rows

        monkeypatch.setattr(store.recorder, "read", counting)
        page = audit.query(**ASKED[asked], limit=50)
    assert len(page.entries) == 50
    assert max(read) <= 51
    assert len(read) < 10


def test_of_several_properties_the_rarest_leads(filled: str, monkeypatch: pytest.MonkeyPatch) -> None:
    looked_at: list[int] = []
    with EventStore.open(filled) as store:
        audit, fetch = Audit(store), store.recorder.read
        leading: Callable[[str], bool] = {
            blocks_of(audit.store, "audit")[f"audit_{order}"] for order in ("newest", "oldest")
        }.__contains__

        def counting(sql: str, params: Mapping[str, Any]) -> Any:
            rows = fetch(sql, params)
            looked_at.append(len(rows) if leading(sql) else 0)
            return rows

        monkeypatch.setattr(store.recorder, "read", counting)
        for newest_first in (True, False):
            found = list(audit.entries(channel="messages", node="rare", newest_first=newest_first))
            assert len(found) == sum(looked_at) == EVENTS // 5_000
            looked_at.clear()
