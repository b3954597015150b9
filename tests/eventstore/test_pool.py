"""The pool of connections to PostgreSQL."""

from __future__ import annotations

import linecache
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from types import FrameType, SimpleNamespace
from typing import Any

import psycopg
import pytest
from psycopg.pq import TransactionStatus

from eventstore import StoreClosedError, UnavailableError
from eventstore.recorders.fair_semaphore import FairSemaphore
from eventstore.recorders.pool import Pool


@pytest.fixture
def pool(pg_server: str) -> Iterator[Pool[psycopg.Connection]]:
    pool = Pool(lambda: psycopg.connect(pg_server, autocommit=True), size=2, timeout=30.0, where="here")
    yield pool
    pool.close()


def test_the_connection_that_was_used_last_is_used_first(pool: Pool[psycopg.Connection]) -> None:
    first, second = pool.take(), pool.take()
    pool.give(first)
    pool.give(second)
    assert pool.take() is second
    assert pool.take() is first
    pool.give(first)
    pool.give(second)


def test_who_waits_gets_what_is_given_back(pool: Pool[psycopg.Connection]) -> None:
    first, second = pool.take(), pool.take()
    with ThreadPoolExecutor(1) as executor:
        waiting = executor.submit(pool.take)
        pool.give(first)
        assert waiting.result() is first
    pool.give(first)
    pool.give(second)


def test_if_all_are_in_use_for_too_long_the_error_says_what_to_do(pg_server: str) -> None:
    pool = Pool(lambda: psycopg.connect(pg_server, autocommit=True), size=1, timeout=0.01, where="here")
    with pool.use(), pytest.raises(UnavailableError, match=r"here.*raise pool_size"):
        pool.take()
    with pool.use():
        pass
    pool.close()


def test_a_connection_that_broke_or_was_left_in_a_transaction_is_not_used_again(
    pool: Pool[psycopg.Connection],
) -> None:
    with pool.use() as begun:
        begun.execute("BEGIN")
    with pool.use() as other:
        assert (other is begun, begun.closed) == (False, True)
        other.execute("SELECT 1")
        with pytest.raises(psycopg.OperationalError):
            other.execute("SELECT pg_terminate_backend(pg_backend_pid())")
    with pool.use() as fresh:
        fresh.execute("SELECT 1")


def test_after_a_server_was_away_the_others_are_not_tried_one_by_one(pool: Pool[psycopg.Connection]) -> None:
    first, second = pool.take(), pool.take()
    pool.give(first)
    pool.give(second)
    pool.clear()
    assert (first.closed, second.closed) == (True, True)
    with pool.use() as fresh:
        fresh.execute("SELECT 1")


def test_when_it_is_closed_everybody_hears_of_it(pool: Pool[psycopg.Connection]) -> None:
    first, second = pool.take(), pool.take()
    with ThreadPoolExecutor(3) as executor:
        waiting = [executor.submit(pool.take) for _ in range(3)]
        pool.close()
        for each in waiting:
            with pytest.raises(StoreClosedError):
                each.result()
    with pytest.raises(StoreClosedError):
        pool.take()
    first.execute("SELECT 1")  # who has one may finish
    for connection in (first, second):
        pool.give(connection)
        assert connection.closed


def test_a_server_that_is_restarting_is_waited_for(pg_server: str) -> None:
    up = threading.Event()
    attempts: list[bool] = []

    def connect() -> psycopg.Connection:
        attempts.append(up.is_set())
        if len(attempts) > 2:
            up.set()
        return psycopg.connect(pg_server if up.is_set() else "host=127.0.0.1 port=1", autocommit=True)

    pool = Pool(connect, size=1, timeout=30.0, where="here")
    with pool.use() as connection:
        connection.execute("SELECT 1")
    assert len(attempts) == 3
    pool.close()


def test_a_server_that_does_not_come_back_is_given_up(pg_server: str) -> None:
    pool = Pool(lambda: psycopg.connect("host=127.0.0.1 port=1"), size=1, timeout=0.1, where="here")
    for _ in range(2):  # the failure gives its place back
        with pytest.raises(psycopg.OperationalError):
            pool.take()
    pool.close()


def test_who_came_first_is_served_first_also_if_others_come_back_at_once() -> None:
    permits = FairSemaphore(1)
    served: list[int] = []
    first = permits.visit()
    assert first.enter(0)

    def work(number: int) -> None:
        for _ in range(3):
            visit = permits.visit()
            assert visit.enter(30)
            served.append(number)
            visit.leave()

    threads = []
    for number in range(3):
        threads.append(threading.Thread(target=work, args=(number,)))
        threads[-1].start()
        while len(permits.waiting) <= number:
            threading.Event().wait(0.001)
    first.leave()
    for thread in threads:
        thread.join()
    assert served == [0, 1, 2] * 3


def test_who_waits_no_longer_keeps_no_permit() -> None:
    permits = FairSemaphore(1)
    inside, outside = permits.visit(), permits.visit()
    assert inside.enter(0)
    assert not outside.enter(0.01)
    outside.leave()
    inside.leave()
    next_one = permits.visit()
    assert next_one.enter(0)
    assert not permits.visit().enter(0)


def is_with(file: str, line: int) -> bool:
    return linecache.getline(file, line).lstrip().startswith("with ")


class Idle:
    """All that a pool asks of a connection."""

    pgconn = SimpleNamespace(transaction_status=TransactionStatus.IDLE)

    def close(self) -> None:
        pass


def test_ctrl_c_loses_no_connection_wherever_it_comes() -> None:
    pool: Pool[Any] = Pool(Idle, size=1, timeout=0.01, where="here")
    stop_at = 0
    for stop_at in range(1, 200):
        steps = 0

        def interrupt(frame: FrameType, event: str, _arg: object, stop_at: int = stop_at) -> object:
            nonlocal steps
            file = frame.f_code.co_filename
            # (A `with` of a lock is not interrupted as it ends: there Python does not look for signals.)
            if (
                event == "line"
                and file.endswith(("pool.py", "fair_semaphore.py"))
                and not is_with(file, frame.f_lineno)
            ):
                steps += 1
                if steps == stop_at:
                    raise KeyboardInterrupt
            return interrupt

        sys.settrace(interrupt)  # type: ignore[arg-type]
        try:
            with pool.use():
                pass
        except KeyboardInterrupt:
            sys.settrace(None)
        else:
            break
        finally:
            sys.settrace(None)
        with pool.use():
            pass
    assert stop_at > 15  # all lines of a turn were tried
