"""The cost of an audit in a store of 1,000,000 events: the pages, the catching up, the bytes.

    python -m benchmarks.audit [--quick] [--events 1000000] [--only SQLite]

Threads take turns in the feed, as those of a busy service do: each goes on for 50 events, then the next. A step is what
a task wrote and a checkpoint, each with its run, its user and tenant, in the very layout that a saver stores them in.
They are appended in batches, without waiting for the disk. Then the audit follows the feed, which is timed, and is
asked: each page of 100 some times to warm up, and then `REPEATS` times. By then PostgreSQL has vacuumed and analyzed
its tables, as it does by itself a minute later.

PostgreSQL is started for it, with fsync, unless EVENTSTORE_TEST_POSTGRES_URL names a server where databases may be
created.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from statistics import median
from typing import Any
from uuid import UUID

import psycopg
from rich.console import Console
from rich.table import Table

from benchmarks.databases import Databases, Kind, running_databases
from benchmarks.progress import Progress
from benchmarks.texts import Slices
from eventstore import Cause, EventStore, NewEvent
from projections import Audit
from projections.records import CHECKPOINT_SAVED, WRITES_SAVED, CheckpointRecord, Entry, Write, WritesRecord
from projections.values.change import Change

EVENTS, QUICK_EVENTS = 1_000_000, 20_000
KINDS: tuple[Kind, ...] = ("SQLite", "PostgreSQL")
PAGE, REPEATS, WARM_UP = 100, 30, 5
TARGET_SECONDS = 0.020
# A thread has so many events; of these it appends so many at a time, and so many are one run's.
THREAD, TURN, RUN = 500, 50, 250
USERS, TENANTS, NODES = 1_000, 20, 8
# One event of so many is of the rare node, and of the rare channel: 200 of a million.
RARE = 5_000

_texts = Slices(200, seed=4)


@dataclass(frozen=True)
class Question:
    """A page that is asked for.

    Attributes:
        title: What it is.
        filters: The arguments.
        target: Whether it is one that the target is for.
    """

    title: str
    filters: dict[str, Any]
    target: bool = True


@dataclass(frozen=True)
class Answer:
    """The time that a page took, in seconds."""

    title: str
    entries: int
    median: float
    slowest: float
    target: bool


@dataclass(frozen=True)
class Result:
    """The measurements on one database.

    Attributes:
        database: Which.
        events: How many there are.
        per_second: How many were entered per second, when the audit caught up.
        log_bytes: What the log takes, per event.
        audit_bytes: What the audit takes besides, per event.
        answers: The pages.
    """

    database: Kind
    events: int
    per_second: float
    log_bytes: float
    audit_bytes: float
    answers: Sequence[Answer]


def measure(kind: Kind, events: int, databases: Databases, progress: Progress) -> Result:
    """Fill a store, let the audit catch up, and ask."""
    address = databases.fresh(kind)
    progress.part(f"{kind}: appending", events)
    with EventStore.open(_hasty(kind, address), synchronous="NORMAL") as store:
        began = datetime.now(UTC)
        fill(store, events, progress.step)
        store.recorder.sequence()  # PostgreSQL: that is the feed's, not the audit's
    without = databases.size(kind, address)
    with EventStore.open(address) as store:
        audit = Audit(store)
        progress.part(f"{kind}: catching up", events)
        seconds = timed(lambda: audit.catch_up(progress=_steps(progress)))
    size = databases.size(kind, address)
    if kind == "PostgreSQL":
        with psycopg.connect(address, autocommit=True) as connection:
            connection.execute("ANALYZE")
    with EventStore.open(address) as store:
        questions = list(asked(events, began))
        progress.part(f"{kind}: asking", len(questions) + 1)
        answers = [answer(Audit(store), question, progress) for question in questions]
        answers.append(after_an_append(store, progress))
    progress.done()
    return Result(kind, events, events / seconds, without / events, (size - without) / events, answers)


def fill(store: EventStore, events: int, done: Callable[[int], None]) -> None:
    """Append the steps of threads that take turns."""
    threads = max(events // THREAD, 1)
    for turn in range(THREAD // TURN):
        for thread in range(threads):
            first = turn * TURN
            store.append(
                f"customer-{thread % 100}/thread-{thread}", [event(thread, first + number) for number in range(TURN)]
            )
            done(TURN)


def event(thread: int, number: int) -> NewEvent:
    """One event of a thread: in turns what a task wrote, and the checkpoint that applied it."""
    text = _texts[(thread * THREAD + number) % 10_000].encode()
    rare = (thread * THREAD + number) % RARE < 2
    channels = ["messages", "rare" if rare else f"channel-{number // 2 % 5}"]
    checkpoint, run = str(UUID(int=thread << 64 | number // 2)), run_id(thread, number)
    metadata = {
        "user": f"user-{thread % USERS}",
        "tenant": f"tenant-{thread % TENANTS}",
        "step": number,
        "source": "loop",
    }
    if number % 2:
        manifest = {channel: Entry(f"{number:032}.0", 0) for channel in channels}
        changes = {channel: Change(0, (), 0, 1, text) for channel in channels}
        record = CheckpointRecord(checkpoint, 4, "2026-01-01T00:00:00+00:00", {}, channels, manifest, changes)
        return NewEvent(CHECKPOINT_SAVED, record.pack(), Cause("", checkpoint, run, metadata=metadata))
    writes = WritesRecord("~__pregel_pull, agent", [Write(channel, 0, 1, text, 0) for channel in channels])
    node = "rare" if rare else f"node-{number // 2 % NODES}"
    return NewEvent(WRITES_SAVED, writes.pack(), Cause("", checkpoint, run, node, checkpoint, metadata))


def run_id(thread: int, number: int) -> str:
    """The run of one of a thread's events."""
    return str(UUID(int=(thread + 1) << 32 | number // RUN))


def asked(events: int, began: datetime) -> Iterator[Question]:
    """The pages that are asked for."""
    threads = max(events // THREAD, 1)
    some = threads // 3
    yield Question("the newest", {}, target=False)
    yield Question("the oldest", {"newest_first": False}, target=False)
    yield Question("of a run", {"run": run_id(some, 0)})
    yield Question("of a run, the oldest", {"run": run_id(some, 0), "newest_first": False})
    yield Question("of a node", {"node": "node-3"})
    yield Question("of a node, the oldest", {"node": "node-3", "newest_first": False})
    yield Question("of a rare node", {"node": "rare"})
    yield Question("of a channel", {"channel": "messages"})
    yield Question("of a rare channel", {"channel": "rare"})
    yield Question("of a thread", {"thread": f"customer-{some % 100}/thread-{some}"})
    yield Question("of threads by a prefix", {"thread_prefix": "customer-7/"}, target=False)
    yield Question("of all threads by a prefix", {"thread_prefix": "customer-"}, target=False)
    yield Question("of a user", {"metadata": {"user": f"user-{some % USERS}"}})
    yield Question(
        "of a user, a node and a channel", {"metadata": {"user": "user-7"}, "node": "node-7", "channel": "messages"}
    )
    yield Question(
        "of a tenant and a rare channel", {"metadata": {"tenant": "tenant-7"}, "channel": "rare"}, target=False
    )
    yield Question("of a topic", {"topics": [WRITES_SAVED]})
    yield Question("of a topic that nothing has", {"topics": ["thread.deleted", "thread.pruned"]})
    yield Question(
        "of a user in the first second", {"metadata": {"user": "user-7"}, "until": began + timedelta(seconds=1)}
    )
    yield Question(
        "of a topic and a node that never meet", {"topics": [CHECKPOINT_SAVED], "node": "node-3"}, target=False
    )


def answer(audit: Audit, question: Question, progress: Progress) -> Answer:
    """Ask for one page, warm."""
    page = audit.query(limit=PAGE, **question.filters)
    for _ in range(WARM_UP):
        audit.query(limit=PAGE, **question.filters)
    times = [timed(lambda: audit.query(limit=PAGE, **question.filters)) for _ in range(REPEATS)]
    progress.step()
    return Answer(question.title, len(page.entries), median(times), max(times), question.target)


def after_an_append(store: EventStore, progress: Progress) -> Answer:
    """Ask for a page right after one event was appended: it has to be entered first."""
    audit, times = Audit(store), []
    for number in range(WARM_UP + REPEATS):
        store.append("customer-0/thread-0", [event(0, THREAD + number)])
        times.append(timed(lambda: audit.query(limit=PAGE, metadata={"user": "user-0"})))
    progress.step()
    return Answer("of a user, after an append", PAGE, median(times[WARM_UP:]), max(times[WARM_UP:]), target=False)


def timed(work: Callable[[], object]) -> float:
    """How many seconds it took."""
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def _steps(progress: Progress) -> Callable[[int, int], None]:
    seen = 0

    def step(position: int, _: int) -> None:
        nonlocal seen
        progress.step(position - seen)
        seen = position

    return step


def _hasty(kind: Kind, address: str) -> str:
    return address if kind == "SQLite" else f"{address}&options=-csynchronous_commit%3Doff"


def table(result: Result) -> Table:
    """The result as a person reads it."""
    rate = f"caught up at {result.per_second:,.0f} events/s; bytes per event: log {result.log_bytes:,.0f}"
    drawn = Table(
        "page of 100",
        "entries",
        "median",
        "slowest",
        f"target {TARGET_SECONDS * 1000:.0f} ms",
        title=f"{result.database}, {result.events:,} events: {rate}, audit {result.audit_bytes:,.0f}",
    )
    for each in result.answers:
        met = ("met" if each.median < TARGET_SECONDS else "missed") if each.target else ""
        times = (f"{each.median * 1000:.2f} ms", f"{each.slowest * 1000:.2f} ms")
        drawn.add_row(each.title, str(each.entries), *times, met)
    return drawn


def main() -> None:
    """Measure, and print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.audit", description="The audit of many events.")
    parser.add_argument("--quick", action="store_true", help="small, to see that it runs")
    parser.add_argument("--events", type=int, default=EVENTS, help="how many")
    parser.add_argument("--only", choices=KINDS, help="one of the databases")
    given = parser.parse_args()
    kinds = (given.only,) if given.only else KINDS
    console = Console()
    with running_databases() as databases, Progress(len(kinds), console) as progress:
        events = QUICK_EVENTS if given.quick else given.events
        results = [measure(kind, events, databases, progress) for kind in kinds]
    for result in results:
        console.print(table(result))


if __name__ == "__main__":
    main()
