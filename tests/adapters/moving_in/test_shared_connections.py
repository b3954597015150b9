"""A saver on a psycopg pool, or connection, of the caller's: who goes on to use it, and finds it as it was."""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from typing import Any

import psycopg
import pytest
from langchain_core.messages import AIMessage, HumanMessage
from langgraph.graph import START, MessagesState, StateGraph
from psycopg.rows import dict_row
from psycopg_pool import AsyncConnectionPool, ConnectionPool, NullConnectionPool

from eventstore import (
    BadInputError,
    BusyError,
    EventStore,
    NewEvent,
    StoreClosedError,
    UnavailableError,
    UnknownOptionError,
    open_on,
)
from langgraph.checkpoint.eventstore import EventStoreSaver

CONFIG: Any = {"configurable": {"thread_id": "t"}}
# How applications open theirs: as LangGraph's own saver wants it, as psycopg does by itself, and unlike both.
KINDS: dict[str, dict[str, Any]] = {
    "langgraph": {"autocommit": True, "prepare_threshold": 0, "row_factory": dict_row},
    "plain": {},
    "serializable": {"options": "-c default_transaction_isolation=serializable", "prepare_threshold": None},
    "client cursors": {"cursor_factory": psycopg.ClientCursor, "autocommit": True},
}
LENDERS = ["pool", "null pool", "connection"]


@pytest.fixture(params=KINDS)
def kind(request: pytest.FixtureRequest) -> dict[str, Any]:
    """The options of the caller's connections."""
    return KINDS[request.param]


@pytest.fixture
def lend(postgres_url: str) -> Iterator[Callable[..., Any]]:
    """Opens a pool or a connection of the caller's."""
    with ExitStack() as stack:

        def lend(lender: str, **options: Any) -> Any:
            if lender == "connection":
                return stack.enter_context(psycopg.connect(postgres_url, **options))
            made = ConnectionPool if lender == "pool" else NullConnectionPool
            sizes: dict[str, Any] = {"min_size": 1, "max_size": 3} if lender == "pool" else {"max_size": 3}
            return stack.enter_context(made(postgres_url, kwargs=options, open=True, timeout=5, **sizes))

        yield lend


def a_graph(saver: EventStoreSaver) -> Any:
    builder = StateGraph(MessagesState).add_node("say", lambda state: {"messages": [AIMessage("hello")]})
    return builder.add_edge(START, "say").compile(checkpointer=saver)


def hello() -> Any:
    return {"messages": [HumanMessage("hi")]}


def state_of(connection: psycopg.Connection[Any]) -> dict[str, Any]:
    """All that a caller may have set, in the connection and in its session."""
    with connection.cursor(row_factory=dict_row) as cursor:
        cursor.execute("DO $$ BEGIN END $$")  # it loads what adds settings of its own
        found = cursor.execute("SELECT name, setting FROM pg_settings").fetchall()
        settings = {each["name"]: each["setting"] for each in found}
    if not connection.autocommit:
        connection.rollback()
    return {
        "settings": settings,
        "autocommit": connection.autocommit,
        "row_factory": connection.row_factory,
        "cursor_factory": connection.cursor_factory,
        "isolation_level": connection.isolation_level,
        "prepare_threshold": connection.prepare_threshold,
        "status": connection.pgconn.transaction_status,
        "handlers": (connection.pgconn.notice_handler, connection.pgconn.notify_handler),
    }


@pytest.mark.parametrize("lender", LENDERS)
def test_graphs_run_and_histories_are_told_beside_what_the_caller_does(
    lend: Callable[..., Any], lender: str, kind: dict[str, Any], postgres_url: str
) -> None:
    lent = lend(lender, **kind)
    saver = EventStoreSaver.from_pool(lent)
    saver.setup()
    graph = a_graph(saver)
    for _ in range(3):
        graph.invoke(hello(), CONFIG)
    asyncio.run(graph.ainvoke(hello(), CONFIG))
    saver.history.rollback("t", back_turns=1)
    saver.history.fork("t", "fork")
    saver.history.undo("t")
    assert len(graph.get_state(CONFIG).values["messages"]) == 8
    assert saver.history.check("t").ok
    assert saver.history.audit.query(thread="fork").entries
    saver.prune(["t"])
    saver.delete_thread("fork")
    saver.store.verify()
    with EventStore.open(postgres_url) as store:
        assert store.head("t") == saver.store.head("t")
    saver.store.close()
    with pytest.raises(StoreClosedError):
        saver.get_tuple(CONFIG)
    if lender == "connection":
        assert lent.execute("SELECT 1 AS one").fetchall() in ([(1,)], [{"one": 1}])
    else:
        with lent.connection() as connection:
            assert connection.execute("SELECT 1 AS one").fetchall() in ([(1,)], [{"one": 1}])


def test_a_connection_is_given_back_as_it_was(lend: Callable[..., Any], kind: dict[str, Any]) -> None:
    connection = lend("connection", **kind)
    notices: list[str] = []
    connection.add_notice_handler(lambda notice: notices.append(notice.message_primary))
    before = state_of(connection)
    saver = EventStoreSaver.from_pool(connection)
    a_graph(saver).invoke(hello(), CONFIG)
    saver.history.rollback("t", step=0)
    with pytest.raises(BadInputError):
        saver.store.append("s", [NewEvent("t", b"x")], idempotency_key="a\0b")
    saver.store.close()
    after = state_of(connection)
    assert before.pop("settings").items() ^ after.pop("settings").items() == set()
    assert after == before
    connection.execute("DO $$ BEGIN RAISE NOTICE 'heard'; END $$")
    assert notices == ["heard"]
    names = {each[0] if isinstance(each, tuple) else each["name"] for each in _prepared(connection)}
    assert {name for name in names if not name.startswith("_pg3_")} == {
        name for name in names if name.startswith("eventstore_")
    }


def test_nothing_is_prepared_if_that_is_asked_for(lend: Callable[..., Any]) -> None:
    connection = lend("connection", autocommit=True, prepare_threshold=None)
    saver = EventStoreSaver.from_pool(connection, prepare=False)
    for _ in range(2):
        a_graph(saver).invoke(hello(), CONFIG)
    saver.store.close()
    assert _prepared(connection) == []


def _prepared(connection: psycopg.Connection[Any]) -> list[Any]:
    return connection.execute("SELECT name FROM pg_prepared_statements").fetchall()


def test_what_the_caller_prepares_and_what_the_store_prepares_do_not_meet(lend: Callable[..., Any]) -> None:
    connection = lend("connection", autocommit=True, prepare_threshold=0)
    saver = EventStoreSaver.from_pool(connection)
    for number in range(20):
        saver.store.append("s", [NewEvent("t")])
        assert connection.execute(f"SELECT %s + {number}", [1]).fetchall() == [(number + 1,)]
        if number % 5 == 0:
            with pytest.raises(psycopg.Error):
                connection.execute("SELECT 1 / 0")
            connection.execute("DEALLOCATE ALL")
            connection._prepared.clear()  # as psycopg does after it
    assert [event.version for event in saver.store.read("s")] == [*range(1, 21)]
    saver.store.close()


def test_a_transaction_of_the_callers_is_not_written_into(lend: Callable[..., Any]) -> None:
    connection = lend("connection")
    store = open_on(connection)
    with connection.transaction():
        connection.execute("CREATE TABLE mine (n int)")
        with pytest.raises(BusyError, match="transaction of its owner"):
            store.append("s", [NewEvent("t")])
    with connection.pipeline(), pytest.raises(BusyError, match="pipeline"):
        store.append("s", [NewEvent("t")])
    assert store.append("s", [NewEvent("t")]).last == 1
    assert connection.execute("SELECT count(*) FROM mine").fetchall() == [(0,)]
    with pytest.raises(BusyError):
        store.head("s")
    connection.rollback()
    assert store.head("s")
    store.close()


def test_the_caller_uses_a_connection_while_graphs_run_on_it(lend: Callable[..., Any]) -> None:
    connection = lend("connection", autocommit=True)
    saver = EventStoreSaver.from_pool(connection)
    graph = a_graph(saver)
    with ThreadPoolExecutor(4) as threads:
        runs = [
            threads.submit(graph.invoke, hello(), {"configurable": {"thread_id": f"t{number}"}}) for number in range(12)
        ]
        while not all(run.done() for run in runs):
            assert connection.execute("SELECT 1").fetchall() == [(1,)]
    for number, run in enumerate(runs):
        assert run.result()
        assert saver.history.check(f"t{number}").ok
    saver.store.close()


def test_many_threads_share_one_pool_with_the_caller(lend: Callable[..., Any]) -> None:
    pool = lend("pool")
    saver = EventStoreSaver.from_pool(pool)
    assert saver.store.recorder.connections == 3
    graph = a_graph(saver)
    wrong: list[Exception] = []

    def work(number: int) -> None:
        try:
            graph.invoke(hello(), {"configurable": {"thread_id": f"t{number % 6}"}})
            with pool.connection() as connection:
                connection.execute("SELECT 1")
        except Exception as error:  # noqa: BLE001 (whatever it is, the test tells it)
            wrong.append(error)

    with ThreadPoolExecutor(8) as threads:
        [*threads.map(work, range(40))]
    assert wrong == []
    for number in range(6):
        assert saver.history.check(f"t{number}").ok
    saver.store.close()


@pytest.mark.parametrize("lender", ["pool", "connection"])
def test_a_connection_that_breaks_is_the_owners_to_replace(
    lend: Callable[..., Any], lender: str, postgres_url: str
) -> None:
    lent = lend(lender)
    store = open_on(lent, connect_timeout=5)
    store.append("s", [NewEvent("t")])
    with psycopg.connect(postgres_url, autocommit=True) as admin:
        admin.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
            "WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
    if lender == "pool":
        assert store.append("s", [NewEvent("t")]).last == 2
    else:
        with pytest.raises(UnavailableError):
            store.append("s", [NewEvent("t")])
        with pytest.raises(UnavailableError, match="was closed"):
            store.append("s", [NewEvent("t")])
    store.close()


def test_subscriptions_hear_of_the_stores_own_appends_and_look_for_others(
    lend: Callable[..., Any], postgres_url: str
) -> None:
    store = open_on(lend("pool"))
    with store.subscribe(after=0) as subscription, EventStore.open(postgres_url) as other:
        store.append("s", [NewEvent("mine")])
        assert next(subscription).event.topic == "mine"
        writing = threading.Timer(0.1, lambda: other.append("s", [NewEvent("others")]))
        writing.start()
        assert next(subscription).event.topic == "others"
        writing.join()
    store.close()


def test_what_lends_no_connections_is_refused(lend: Callable[..., Any], postgres_url: str) -> None:
    async def refused() -> None:
        async with AsyncConnectionPool(postgres_url, open=False) as pool:
            with pytest.raises(BadInputError, match=r"AsyncConnectionPool.*ConnectionPool, or a psycopg.Connection"):
                EventStoreSaver.from_pool(pool)
            with pytest.raises(BadInputError, match="share a ConnectionPool"):
                EventStoreSaver(pool)  # type: ignore[arg-type]

    asyncio.run(refused())
    for wrong in (None, postgres_url, object()):
        with pytest.raises(BadInputError, match="lends no connections"):
            open_on(wrong)
    pool = lend("pool")
    with pytest.raises(BadInputError, match="from_pool"):
        EventStoreSaver(pool)
    with pytest.raises(UnknownOptionError, match="pool_size"):
        EventStoreSaver.from_pool(pool, pool_size=3)  # type: ignore[call-arg]
    with pytest.raises(BadInputError, match="schema"):
        open_on(pool, schema="")
    with pytest.raises(BadInputError, match="client_encoding=utf8"):
        open_on(lend("connection", client_encoding="latin1"))
    busy = lend("connection")
    busy.execute("SELECT 1")
    with pytest.raises(BusyError):
        open_on(busy)
    busy.close()
    with pytest.raises(UnavailableError, match="closed"):
        open_on(busy)
    pool.close()
    with pytest.raises(UnavailableError, match="PoolClosed"):
        open_on(pool)


def test_a_pool_that_has_none_left_is_waited_for_no_longer_than_one_asks_for(lend: Callable[..., Any]) -> None:
    pool = lend("pool")
    store = open_on(pool, connect_timeout=0.2)
    with ExitStack() as stack:
        for _ in range(3):
            stack.enter_context(pool.connection())
        with pytest.raises(UnavailableError, match="PoolTimeout"):
            store.head("s")
    assert store.head("s") is None
    store.close()


def test_a_child_of_the_process_leaves_the_connections_alone(lend: Callable[..., Any]) -> None:
    store = open_on(lend("connection", autocommit=True))
    store.append("s", [NewEvent("t")])
    child = os.fork()
    if child == 0:
        try:
            store.head("s")
        except UnavailableError as error:
            os._exit(0 if "forked" in str(error) else 2)
        os._exit(3)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert store.append("s", [NewEvent("t")]).last == 2
    store.close()
