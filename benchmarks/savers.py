"""The contestants: who takes part in a comparison, and how each is opened."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import AbstractContextManager, asynccontextmanager, contextmanager
from dataclasses import dataclass
from typing import Any, Literal

from langgraph.checkpoint.memory import InMemorySaver
from langgraph.checkpoint.postgres import PostgresSaver
from langgraph.checkpoint.postgres.aio import AsyncPostgresSaver
from langgraph.checkpoint.sqlite import SqliteSaver
from langgraph.checkpoint.sqlite.aio import AsyncSqliteSaver
from psycopg import AsyncConnection, Connection
from psycopg.rows import DictRow, dict_row
from psycopg_pool import AsyncConnectionPool, ConnectionPool

from benchmarks.databases import Databases, Kind
from benchmarks.graphs import Graph, Saver, chat
from langgraph.checkpoint.eventstore import EventStoreSaver

STOCK_POOL = 20
"""Connections in the pool of a stock saver: as many as LangGraph's own documentation shows. Ours keeps its default."""

_AS_DOCUMENTED: dict[str, Any] = {"autocommit": True, "prepare_threshold": 0, "row_factory": dict_row}


@dataclass(frozen=True)
class Contestant:
    """A saver, with the graph that it saves.

    Attributes:
        name: How tables name it.
        kind: Where it stores.
        make: Whose saver it is.
        delta: Whether the graph was changed to a `DeltaChannel`.
    """

    name: str
    kind: Kind
    make: Literal["ours", "stock"]
    delta: bool = False

    def graph(self, saver: Saver) -> Graph:
        """The conversation, saved by this one."""
        return chat(saver, delta=self.delta)

    def open(self, address: str) -> AbstractContextManager[Saver]:
        """The saver on a database that `set_up` has prepared, opened as its documentation shows it."""
        return _opened(self, address)

    def set_up(self, databases: Databases) -> str:
        """Make a database for this saver, with its tables; returns the address."""
        address = databases.fresh(self.kind)
        with self.open(address) as saver:
            if isinstance(saver, PostgresSaver):
                saver.setup()
        return address


OURS_SQLITE = Contestant("EventStoreSaver, SQLite", "SQLite", "ours")
OURS_POSTGRES = Contestant("EventStoreSaver, PostgreSQL", "PostgreSQL", "ours")
SQLITE = Contestant("SqliteSaver", "SQLite", "stock")
POSTGRES = Contestant("PostgresSaver", "PostgreSQL", "stock")
MEMORY = Contestant("InMemorySaver", "memory", "stock")
SQLITE_DELTA = Contestant("SqliteSaver + DeltaChannel", "SQLite", "stock", delta=True)
POSTGRES_DELTA = Contestant("PostgresSaver + DeltaChannel", "PostgreSQL", "stock", delta=True)

OURS = (OURS_SQLITE, OURS_POSTGRES)
STOCK = (SQLITE, POSTGRES, MEMORY, SQLITE_DELTA, POSTGRES_DELTA)
CONTESTANTS = (*OURS, *STOCK)
COMPARED = (OURS_SQLITE, SQLITE, OURS_POSTGRES, POSTGRES, MEMORY)
"""Those that run one and the same graph: ours, and LangGraph's own."""
ON_DISK = COMPARED[:-1]
RIVALS: Mapping[Contestant, Contestant] = {OURS_SQLITE: SQLITE, OURS_POSTGRES: POSTGRES}
"""Of each of ours the stock saver of the same database."""
BY_NAME = {contestant.name: contestant for contestant in CONTESTANTS}


def url(kind: Kind, address: str) -> str:
    """The address as `EventStore.open` takes it."""
    return f"sqlite:///{address}" if kind == "SQLite" else address


@contextmanager
def _opened(contestant: Contestant, address: str) -> Iterator[Saver]:
    if contestant.make == "ours":
        with EventStoreSaver.from_conn_string(url(contestant.kind, address)) as ours:
            yield ours
    elif contestant.kind == "SQLite":
        with SqliteSaver.from_conn_string(address) as sqlite_saver:
            yield sqlite_saver
    elif contestant.kind == "PostgreSQL":
        with PostgresSaver.from_conn_string(address) as postgres_saver:
            yield postgres_saver
    else:
        yield InMemorySaver()


@contextmanager
def pooled(contestant: Contestant, address: str) -> Iterator[Saver]:
    """The saver as a server with many threads opens it: on PostgreSQL with a pool of connections."""
    if contestant is not POSTGRES:
        with contestant.open(address) as saver:
            yield saver
        return
    pool: ConnectionPool[Connection[DictRow]]
    pool = ConnectionPool(address, min_size=STOCK_POOL, max_size=STOCK_POOL, kwargs=_AS_DOCUMENTED, open=False)
    with pool:
        pool.wait()
        yield PostgresSaver(pool)


@asynccontextmanager
async def pooled_async(contestant: Contestant, address: str) -> AsyncIterator[Saver]:
    """The saver as an asynchronous server opens it: stock savers have a second class for that."""
    if contestant is POSTGRES:
        pool: AsyncConnectionPool[AsyncConnection[DictRow]]
        pool = AsyncConnectionPool(address, min_size=STOCK_POOL, max_size=STOCK_POOL, kwargs=_AS_DOCUMENTED, open=False)
        async with pool:
            await pool.wait()
            yield AsyncPostgresSaver(pool)
    elif contestant is SQLITE:
        async with AsyncSqliteSaver.from_conn_string(address) as saver:
            yield saver
    else:
        with contestant.open(address) as saver:
            yield saver


def async_name(contestant: Contestant) -> str:
    """Return the name of the class for async code."""
    return f"Async{contestant.name}" if contestant in (SQLITE, POSTGRES) else contestant.name
