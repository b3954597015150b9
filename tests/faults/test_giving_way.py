"""Transactions that PostgreSQL rolls back for another one's sake are tried again, within a bound."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest

from eventstore import BusyError, EventStore
from eventstore.recorders.postgres.giving_way import ATTEMPTS
from eventstore.recorders.protocol import Session

LOCK = "SELECT pg_advisory_xact_lock(%(key)s)::text"
REFUSE = "DO $$ BEGIN RAISE EXCEPTION 'never' USING ERRCODE = '{code}'; END $$"


def test_of_two_transactions_that_wait_for_each_other_both_are_carried_out(on_postgres: EventStore) -> None:
    both_hold_one = Barrier(2)
    begun: list[int] = []

    def lock(first: int, second: int) -> None:
        met = False

        def work(session: Session) -> None:
            nonlocal met
            begun.append(first)
            session.execute(LOCK, {"key": first})
            if not met:
                met = True
                both_hold_one.wait(30)
            session.execute(LOCK, {"key": second})

        on_postgres.recorder.write(work)

    with ThreadPoolExecutor(2) as threads:
        for each in [threads.submit(lock, 1, 2), threads.submit(lock, 2, 1)]:
            each.result(60)
    assert sorted(begun) in ([1, 1, 2], [1, 2, 2])  # PostgreSQL rolled one of them back


def test_a_transaction_whose_snapshot_is_too_old_is_carried_out_on_a_new_one(on_postgres: EventStore) -> None:
    recorder = on_postgres.recorder
    recorder.write(lambda session: session.execute("CREATE TABLE counted (number integer)", {}))
    recorder.write(lambda session: session.execute("INSERT INTO counted VALUES (0)", {}))
    others = [100]

    def work(session: Session) -> None:
        session.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ", {})
        [[number]] = session.execute("SELECT number FROM counted", {})
        if others:
            more = others.pop()
            recorder.write(lambda other: other.execute("UPDATE counted SET number = number + %(more)s", {"more": more}))
        session.execute("UPDATE counted SET number = %(number)s", {"number": number + 1})

    recorder.write(work)
    assert [tuple(row) for row in recorder.read("SELECT number FROM counted", {})] == [(101,)]


@pytest.mark.parametrize("code", ["40001", "40P01"])
def test_one_that_is_rolled_back_each_time_is_busy_within_a_bound(on_postgres: EventStore, code: str) -> None:
    begun = 0

    def work(session: Session) -> None:
        nonlocal begun
        begun += 1
        session.execute(REFUSE.format(code=code), {})

    with pytest.raises(BusyError, match="gave precedence to another session: try again"):
        on_postgres.recorder.write(work)
    assert begun == ATTEMPTS
