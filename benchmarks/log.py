"""What an append to the log costs, against the least that the database asks for and against the stock recorders.

    python benchmarks/log.py [--quick]

Eight writers, each on a stream of its own, append one event at a time, and each append is on disk before the next
begins. Three ways of doing that take turns, round by round, in one database: so they share the machine's moods, and
their ratios mean something where absolute rates do not.

- `EventStore.append`: hash chain, envelope, conditional on the predecessor.
- bare `INSERT … VALUES` of the very same rows, ready made, into a table of the same layout; in PostgreSQL through eight
  connections, in autocommit mode, prepared. In SQLite through one connection and a lock: it takes one writer at a time.
- eventsourcing's own `PostgresApplicationRecorder` and `SQLiteApplicationRecorder`, with events of the same content.

PostgreSQL is started for it, with fsync, unless EVENTSTORE_TEST_POSTGRES_URL names a server where databases may be
created.
"""

from __future__ import annotations

import argparse
import os
import random
import sqlite3
import statistics
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID, uuid4

import psycopg
from eventsourcing.persistence import StoredEvent
from eventsourcing.postgres import PostgresApplicationRecorder, PostgresDatastore
from eventsourcing.sqlite import SQLiteApplicationRecorder, SQLiteDatastore
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from psycopg.sql import SQL, Identifier
from rich.console import Console
from rich.table import Table

from eventstore import Cause, EventStore, Head, NewEvent
from eventstore.chain import genesis
from eventstore.codec import Row, chained
from tests.postgres import running_server

WRITERS = 8
ROUNDS, APPENDS = 9, 300
QUICK_ROUNDS, QUICK_APPENDS = 3, 50
OURS, BARE, STOCK = "EventStore.append", "bare INSERT", "eventsourcing's stock recorder"
CONTENT = (
    '{"messages": ["What the tool found is in the file that was named, 3 lines", "go on"], "step": %d}' * 2
).encode()

Write = Callable[[], object]
Contestant = Callable[[int], Sequence[Write]]
"""Prepares a round: for each writer what it has to do, one append after the other."""


@dataclass(frozen=True)
class Result:
    """How one way of appending did.

    Attributes:
        database: `"PostgreSQL"` or `"SQLite"`.
        way: How the events were stored.
        appends_per_second: The median of the rounds, all writers together.
        of_ours: Our rate divided by this one, the median of the rounds' ratios.
    """

    database: str
    way: str
    appends_per_second: float
    of_ours: float


def run(quick: bool = False) -> list[Result]:
    """Measure, on PostgreSQL and on SQLite."""
    rounds, appends = (QUICK_ROUNDS, QUICK_APPENDS) if quick else (ROUNDS, APPENDS)
    results = []
    with postgres_database() as url, ExitStack() as stack:
        results += race("PostgreSQL", postgres_contestants(url, appends, stack), rounds, appends)
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        results += race("SQLite", sqlite_contestants(Path(folder), appends, stack), rounds, appends)
    return results


def race(database: str, contestants: Mapping[str, Contestant], rounds: int, appends: int) -> list[Result]:
    """Let all take turns, in another order each time."""
    rates: dict[str, list[float]] = {way: [] for way in contestants}
    for number in range(-1, rounds):  # the first is for warming up
        for way in random.sample(list(contestants), len(contestants)):
            seconds = together([repeated(write, appends) for write in contestants[way](number)])
            if number >= 0:
                rates[way].append(WRITERS * appends / seconds)
    return [
        Result(
            database,
            way,
            statistics.median(found),
            statistics.median(ours / other for ours, other in zip(rates[OURS], found, strict=True)),
        )
        for way, found in rates.items()
    ]


def repeated(write: Write, times: int) -> Callable[[], None]:
    def work() -> None:
        for _ in range(times):
            write()

    return work


def together(works: Sequence[Callable[[], None]]) -> float:
    """How many seconds it takes to do all of this, each on a thread of its own."""
    errors: list[BaseException] = []
    ready = threading.Barrier(len(works) + 1)

    def run_one(work: Callable[[], None]) -> None:
        ready.wait()
        try:
            work()
        except BaseException as error:  # noqa: BLE001 (it is raised below, in the thread that measures)
            errors.append(error)

    threads = [threading.Thread(target=run_one, args=(work,)) for work in works]
    for thread in threads:
        thread.start()
    ready.wait()
    began = time.perf_counter()
    for thread in threads:
        thread.join()
    took = time.perf_counter() - began
    if errors:
        raise errors[0]
    return took


# The contestants


def ours(store: EventStore, appends: int) -> Contestant:
    def prepare(number: int) -> list[Write]:
        return [writer(f"thread-{number}-{index}") for index in range(WRITERS)]

    def writer(name: str) -> Write:
        events = iter([event(number) for number in range(appends)])
        return lambda: store.append(name, [next(events)])

    return prepare


def bare_postgres(store: EventStore, connections: Sequence[psycopg.Connection], appends: int) -> Contestant:
    table = Identifier(store.recorder.schema, "events")
    insert = SQL(
        "INSERT INTO {} (stream_id, version, topic, recorded_at, hash, payload) VALUES (%s, %s, %s, %s, %s, %s)"
    ).format(table)

    def prepare(number: int) -> list[Write]:
        return [
            writer(connection, ready_made(number * WRITERS + index, appends))
            for index, connection in enumerate(connections)
        ]

    def writer(connection: psycopg.Connection, rows: Iterator[tuple[object, ...]]) -> Write:
        cursor = connection.cursor(binary=True)
        return lambda: cursor.execute(insert, next(rows), prepare=True)

    return prepare


def bare_sqlite(connection: sqlite3.Connection, appends: int) -> Contestant:
    turn = threading.Lock()
    insert = "INSERT INTO events (stream_id, version, topic, recorded_at, hash, payload) VALUES (?, ?, ?, ?, ?, ?)"

    def prepare(number: int) -> list[Write]:
        return [writer(ready_made(number * WRITERS + index, appends)) for index in range(WRITERS)]

    def writer(rows: Iterator[tuple[object, ...]]) -> Write:
        def write() -> None:
            with turn:
                connection.execute(insert, next(rows))

        return write

    return prepare


def stock(recorder: PostgresApplicationRecorder | SQLiteApplicationRecorder, appends: int) -> Contestant:
    def prepare(number: int) -> list[Write]:
        return [writer(uuid4()) for _ in range(WRITERS)]

    def writer(originator: UUID) -> Write:
        events = iter(
            [
                StoredEvent(originator, version, "checkpoint.saved", CONTENT % (version, version))
                for version in range(1, appends + 1)
            ]
        )
        return lambda: recorder.insert_events([next(events)])

    return prepare


def event(number: int) -> NewEvent:
    """About what an agent's step is: 200 bytes, and where they come from."""
    cause = Cause(checkpoint="1f0c2a5e-7f10-6d2e-8001-0242ac120002", node="agent", metadata={"step": number})
    return NewEvent("checkpoint.saved", CONTENT % (number, number), cause)


def ready_made(stream: int, count: int) -> Iterator[tuple[object, ...]]:
    """The rows that `EventStore.append` would store, computed beforehand."""
    head = Head(0, genesis(str(stream)))
    found: list[Row] = []
    for number in range(count):
        (row,) = chained([event(number)], head)
        head = Head(row.version, row.hash)
        found.append(row)
    # Streams of other numbers than those that the table has: negative ones.
    return iter(
        [(-1 - WRITERS - stream, row.version, row.topic, row.recorded_at, row.hash, row.payload) for row in found]
    )


# Where they run


def postgres_contestants(url: str, appends: int, stack: ExitStack) -> dict[str, Contestant]:
    store = stack.enter_context(EventStore.open(url, pool_size=WRITERS))
    twin = stack.enter_context(EventStore.open(url, schema="bare", pool_size=1))  # the same layout, of its own
    connections = [stack.enter_context(psycopg.connect(url, autocommit=True)) for _ in range(WRITERS)]
    place = conninfo_to_dict(url)
    datastore = PostgresDatastore(
        dbname=str(place["dbname"]),
        host=str(place.get("host", "")),
        port=str(place.get("port", 5432)),
        user=str(place["user"]),
        password=str(place.get("password", "")),
        pool_size=WRITERS,
    )
    stack.callback(datastore.close)
    recorder = PostgresApplicationRecorder(datastore)
    recorder.create_table()
    return {
        OURS: ours(store, appends),
        BARE: bare_postgres(twin, connections, appends),
        STOCK: stock(recorder, appends),
    }


def sqlite_contestants(folder: Path, appends: int, stack: ExitStack) -> dict[str, Contestant]:
    store = stack.enter_context(EventStore.open(folder / "ours.db"))
    EventStore.open(folder / "bare.db").close()
    connection = sqlite3.connect(folder / "bare.db", isolation_level=None, check_same_thread=False)
    stack.enter_context(closing(connection))
    connection.execute("PRAGMA synchronous = FULL")
    datastore = SQLiteDatastore(str(folder / "stock.db"))
    stack.callback(datastore.close)
    recorder = SQLiteApplicationRecorder(datastore)
    recorder.create_table()
    return {OURS: ours(store, appends), BARE: bare_sqlite(connection, appends), STOCK: stock(recorder, appends)}


@contextmanager
def postgres_database() -> Iterator[str]:
    """The URL of an empty database on a server whose commits wait for the disk."""
    given = os.environ.get("EVENTSTORE_TEST_POSTGRES_URL")
    with ExitStack() as stack:
        server = given or stack.enter_context(running_server(fsync="on", full_page_writes="on"))
        name = f"bench_{uuid4().hex}"
        with psycopg.connect(server, autocommit=True) as admin:
            admin.execute(SQL("CREATE DATABASE {}").format(Identifier(name)))
            try:
                yield url_of(make_conninfo(server, dbname=name))
            finally:
                admin.execute(SQL("DROP DATABASE {} WITH (FORCE)").format(Identifier(name)))


def url_of(conninfo: str) -> str:
    parts = conninfo_to_dict(conninfo)
    user = ":".join(str(parts[key]) for key in ("user", "password") if parts.get(key))
    return f"postgresql://{user}@/{parts['dbname']}?host={parts['host']}&port={parts.get('port', 5432)}"


def table(results: Sequence[Result]) -> Table:
    """The results as a person reads them."""
    drawn = Table("database", "way", title=f"{WRITERS} writers, one event per append, every append on disk")
    drawn.add_column("appends/s", justify="right")
    drawn.add_column(f"{OURS} to this", justify="right")
    for result in results:
        ratio = "" if result.way == OURS else f"{result.of_ours:.2f}×"
        drawn.add_row(result.database, result.way, f"{result.appends_per_second:,.0f}", ratio)
    return drawn


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Appends to the log, against bare inserts and the stock recorders.")
    parser.add_argument("--quick", action="store_true", help="small, to see that it runs")
    Console().print(table(run(parser.parse_args().quick)))
