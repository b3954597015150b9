"""LangGraph's savers as what is moved from: their databases are read beside them, and they stay at work."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import Any

import psycopg
import pytest
from langgraph.checkpoint.postgres import PostgresSaver
from langgraph.checkpoint.postgres.aio import AsyncPostgresSaver
from langgraph.checkpoint.serde.encrypted import EncryptedSerializer
from langgraph.checkpoint.serde.jsonplus import JsonPlusSerializer
from langgraph.checkpoint.sqlite import SqliteSaver
from langgraph.checkpoint.sqlite.aio import AsyncSqliteSaver
from psycopg.rows import dict_row
from psycopg_pool import AsyncConnectionPool, ConnectionPool

from eventstore import BadInputError, UnavailableError
from langgraph.checkpoint.eventstore import EventStoreSaver
from langgraph.checkpoint.eventstore.moving import Moving, MovingFrom
from tests.conftest import fresh_database
from tests.support.histories import an_agent, config, hello
from tests.support.observation import assert_same
from tests.support.stock import seen

KEY = b"0123456789abcdef"
OF_THE_DRIVER: dict[str, Any] = {"autocommit": True, "prepare_threshold": 0, "row_factory": dict_row}


@contextmanager
def a_saver(kind: str, folder: Path, pg_server: str) -> Iterator[Any]:
    """A saver of LangGraph's, as an application makes it."""
    with ExitStack() as stack:
        if kind in ("file", "memory"):
            path = str(folder / "old.db") if kind == "file" else ":memory:"
            yield SqliteSaver(stack.enter_context(closing(sqlite3.connect(path, check_same_thread=False))))
            return
        url = stack.enter_context(fresh_database(pg_server))
        if kind == "connection":
            connection: Any = stack.enter_context(psycopg.connect(url, **OF_THE_DRIVER))
        else:
            connection = stack.enter_context(
                ConnectionPool(url, kwargs={**OF_THE_DRIVER, "application_name": "old"}, min_size=1, max_size=1)
            )
        saver = PostgresSaver(connection)
        saver.setup()
        yield saver


@pytest.mark.parametrize("kind", ["file", "memory", "connection", "pool"])
def test_a_saver_that_is_at_work_is_moved_from(
    kind: str, tmp_path: Path, pg_server: str, in_a_file: EventStoreSaver
) -> None:
    with a_saver(kind, tmp_path, pg_server) as old:
        old.serde = EncryptedSerializer.from_pycryptodome_aes(JsonPlusSerializer(), key=KEY)
        agent = an_agent(old)
        for thread in ("a", "b"):
            agent.invoke(hello(), config(thread))
        live = EventStoreSaver(in_a_file.store, moving_from=MovingFrom(old))
        assert_same(seen(live, "a"), seen(old, "a"))
        report = Moving(in_a_file).import_from(old)
        assert (report.ok, report.moved, report.up_to_date) == (True, 1, 1)
        assert_same(seen(in_a_file, "b"), seen(old, "b"))
        agent.invoke(hello(2), config("b"))
        assert Moving(in_a_file).import_from(old).moved == 1


@pytest.mark.parametrize("pooled", [False, True])
async def test_an_async_saver_of_postgresql_is_moved_from_in_its_own_loop(
    pooled: bool, pg_server: str, in_a_file: EventStoreSaver
) -> None:
    with fresh_database(pg_server) as url:
        connecting: Any = (
            AsyncConnectionPool(url, kwargs=OF_THE_DRIVER, min_size=1, max_size=1, open=False)
            if pooled
            else await psycopg.AsyncConnection.connect(url, **OF_THE_DRIVER)
        )
        async with connecting as connection:
            old = AsyncPostgresSaver(connection)
            await old.setup()
            saver: Any = old
            for thread in ("a", "b"):
                await an_agent(saver).ainvoke(hello(), config(thread))
            live = EventStoreSaver(in_a_file.store, moving_from=old)
            assert await live.aget_tuple(config("a"))
            assert (await Moving(in_a_file).aimport_from(old)).moved == 1


def test_an_application_may_let_go_of_the_saver(tmp_path: Path, pg_server: str, in_a_file: EventStoreSaver) -> None:
    with a_saver("file", tmp_path, pg_server) as old:
        an_agent(old).invoke(hello(), config("a"))
        live = EventStoreSaver(in_a_file.store, moving_from=old)
    assert live.get_tuple(config("a"))


async def test_what_is_no_source_is_told_what_is(tmp_path: Path, pg_server: str, in_a_file: EventStoreSaver) -> None:
    async with AsyncSqliteSaver.from_conn_string(str(tmp_path / "old.db")) as unasked:
        for refused, advice in ((unasked, "'sqlite:///' and the path"), (in_a_file, "'sqlite:///old.db'")):
            for moves in (Moving(in_a_file).import_from, MovingFrom):
                with pytest.raises(BadInputError, match=advice):
                    moves(refused)
    with a_saver("file", tmp_path, pg_server) as file, a_saver("connection", tmp_path, pg_server) as connected:
        pass
    with pytest.raises(UnavailableError, match=r"'sqlite:///old\.db'"):
        Moving(in_a_file).import_from(file)
    with pytest.raises(UnavailableError, match="is closed"):
        Moving(in_a_file).import_from(connected)
