"""Asking the audit neither reads whole tables nor sorts, and reads no more than it needs."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from benchmarks.audit import event, fill, run_id
from eventstore import EventStore, NewEvent
from projections import Audit
from projections.audit.searching import FEW_STREAMS
from projections.records import CHECKPOINT_SAVED, THREAD_PROMOTED, WRITES_SAVED
from projections.records.promotions import promotion
from projections.tables.audit import AuditTable
from tests.conftest import explained
from tests.support.plans import Statement, costly, overheard, plans
from tests.support.relays import Counting
from tests.support.tables import blocks_of

# Large enough for PostgreSQL's planner to choose: in some threads, and in as many others of one event each.
EVENTS, OTHERS = 20_000, 2_000
SPANS = 1_400

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


@pytest.fixture(scope="module", params=["sqlite", "postgres"])
def filled(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URL of a store with many events, with which the audit has caught up."""
    with explained(request, tmp_path_factory, make) as url:
        yield url


def make(url: str) -> None:
    with EventStore.open(url, synchronous="NORMAL") as store:
        fill(store, EVENTS, lambda _: None)
        for number in range(OTHERS):
            # As after as many promotions: of an empty table PostgreSQL reads all, and sorts it.
            renamed = NewEvent(THREAD_PROMOTED, promotion("", "", "", was=f"was-{number}"))
            store.append(f"other-{number}", [renamed])
        audit = Audit(store)
        audit.catch_up()
        # As many spans as there are in a store of millions of events: those that are not there are of long ago.
        spans = {span: [span] for span in range(EVENTS, EVENTS + SPANS)}
        store.recorder.write(lambda session: AuditTable.of(store).within(session).add([], {}, spans, []))


@pytest.mark.parametrize("order", ["newest", "oldest"])
@pytest.mark.parametrize("asked", ASKED)
def test_no_answer_reads_a_whole_table_or_sorts(filled: str, asked: str, order: str) -> None:
    with EventStore.open(filled) as store:
        arguments = {**ASKED[asked], "newest_first": order == "newest"}
        Audit(store).catch_up()
        with overheard(store) as (heard, statements):
            audit = Audit(heard)
            cursor = audit.query(**arguments, limit=20).next_cursor
            audit.query(**arguments, limit=20, cursor=cursor)
        assert_cheap(store, filled, statements)


def test_no_answer_that_compares_names_reads_a_whole_table_or_sorts(filled: str) -> None:
    assert OTHERS > FEW_STREAMS
    with EventStore.open(filled) as store:
        Audit(store).catch_up()
        with overheard(store) as (heard, statements):
            assert len(Audit(heard).query(thread_prefix="was-", newest_first=False).entries) == 100
        assert blocks_of(store, "audit")["audit_named"] in dict(statements)
        assert_cheap(store, filled, statements)


def test_catching_up_reads_what_is_new(filled: str) -> None:
    with EventStore.open(filled) as store:
        Audit(store).catch_up()
        store.append("customer-0/thread-0", [event(1, 3)])
        store.recorder.sequence()  # what gives new events their place sorts them: that is what it is for
        with overheard(store) as (heard, statements):
            Audit(heard).catch_up()
        # What is entered is sorted, so that the index is written in its order.
        assert_cheap(
            store,
            filled,
            [each for each in statements if each[0] != blocks_of(store, "audit")["audit_add_terms"]],
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
def test_a_page_reads_as_many_rows_as_it_shows(filled: str, asked: str) -> None:
    with EventStore.open(filled) as store:
        Audit(store).catch_up()
        counting = Counting(store.recorder)
        audit = Audit(EventStore(counting))
        page = audit.query(**ASKED[asked], limit=50)
    read = [len(each.rows) for each in counting.reads]
    assert len(page.entries) == 50
    assert max(read) <= 51
    assert len(read) < 10


def test_of_several_properties_the_rarest_leads(filled: str) -> None:
    with EventStore.open(filled) as store:
        leading = {blocks_of(store, "audit")[f"audit_{order}"] for order in ("newest", "oldest")}
        counting = Counting(store.recorder)
        audit = Audit(EventStore(counting))
        for newest_first in (True, False):
            found = list(audit.entries(channel="messages", node="rare", newest_first=newest_first))
            looked_at = sum(len(each.rows) for each in counting.reads if each.sql in leading)
            assert len(found) == looked_at == EVENTS // 5_000
            counting.reads.clear()
