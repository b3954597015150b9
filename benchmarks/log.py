"""The cost of an append to the log, against the least that the database asks for and against the stock recorders.

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
import random
import sqlite3
import statistics
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID, uuid4

import psycopg
from eventsourcing.persistence import StoredEvent
from eventsourcing.postgres import PostgresApplicationRecorder, PostgresDatastore
from eventsourcing.sqlite import SQLiteApplicationRecorder, SQLiteDatastore
from psycopg.conninfo import conninfo_to_dict
from psycopg.sql import SQL, Identifier
from rich.console import Console
from rich.table import Table

from benchmarks.databases import Databases, running_databases
from benchmarks.findings import Grid, Section, at_least
from benchmarks.progress import Progress
from benchmarks.scale import FULL, QUICK, Scale
from eventstore import Cause, EventStore, Head, NewEvent
from eventstore.codec import Row, chained
from eventstore.codec.chain import genesis

WRITERS = 8
OURS, BARE, STOCK = "EventStore.append", "bare INSERT", "eventsourcing's stock recorder"
COLUMNS = ["database", "way", "appends/s", f"{OURS} to this"]
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


def measure(scale: Scale, databases: Databases, progress: Progress) -> Section:
    """Measure, as one part of the whole comparison."""
    results = run(scale, databases, progress)
    to_ours = {(result.database, result.way): result.of_ours for result in results}
    return Section(
        "log",
        "The raw log, in this run",
        f"{WRITERS} writers on streams of their own, one event per append, every append on disk; medians of "
        f"{scale.log_rounds} interleaved rounds of {WRITERS * scale.appends:,} appends.",
        [Grid(COLUMNS, rows(results))],
        [
            at_least("PostgreSQL: appends at least 0.70× bare inserts", to_ours["PostgreSQL", BARE], 0.7),
            at_least("PostgreSQL: appends at least 4× the stock recorder's", to_ours["PostgreSQL", STOCK], 4),
        ],
    )


def run(scale: Scale, databases: Databases, progress: Progress) -> list[Result]:
    """Measure, on PostgreSQL and on SQLite."""
    progress.part("the raw log", 2 * (scale.log_rounds + 1))
    results = []
    with ExitStack() as stack:
        contestants = postgres_contestants(databases.fresh("PostgreSQL"), scale.appends, stack)
        results += race("PostgreSQL", contestants, scale, progress)
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        contestants = sqlite_contestants(Path(folder), scale.appends, stack)
        results += race("SQLite", contestants, scale, progress)
    return results


def race(database: str, contestants: Mapping[str, Contestant], scale: Scale, progress: Progress) -> list[Result]:
    """Let all take turns, in another order each time."""
    rates: dict[str, list[float]] = {way: [] for way in contestants}
    for number in range(-1, scale.log_rounds):  # the first is for warming up
        for way in random.sample(list(contestants), len(contestants)):
            seconds = together([repeated(write, scale.appends) for write in contestants[way](number)])
            if number >= 0:
                rates[way].append(WRITERS * scale.appends / seconds)
        progress.step()
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


def rows(results: Sequence[Result]) -> list[list[str]]:
    """The results as a person reads them."""
    return [
        [
            result.database,
            result.way,
            f"{result.appends_per_second:,.0f}",
            "" if result.way == OURS else f"{result.of_ours:.2f}×",
        ]
        for result in results
    ]


def main(quick: bool) -> None:
    """Measure only this, and print it."""
    console = Console()
    scale = QUICK if quick else FULL
    with running_databases() as databases, Progress(1, console) as progress:
        results = run(scale, databases, progress)
        progress.done()
    table = Table(*COLUMNS, title=f"{WRITERS} writers, one event per append, every append on disk")
    for row in rows(results):
        table.add_row(*row)
    console.print(table)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Appends to the log, against bare inserts and the stock recorders.")
    parser.add_argument("--quick", action="store_true", help="small, to see that it runs")
    main(parser.parse_args().quick)
