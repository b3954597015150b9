"""`health`: whether the store is well, for an operator and for a monitor."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated

import click

from eventstore import EventStoreError
from eventstore.address import SQLiteAddress, parse
from eventstore.events import from_microseconds
from eventstore.migrations import load_migrations
from eventstore_cli.caller import named
from eventstore_cli.declaring import Option
from eventstore_cli.exits import Exit, exit_of
from eventstore_cli.output import Cell, Output, Text, complain
from eventstore_cli.tables import facts
from eventstore_cli.values import counted, size
from eventstore_views import times
from eventstore_views.session import SERIALIZER, Session, opened
from projections import statistics_of

_COMPONENTS = ("eventstore", "projections")
_PAGE = 100


@dataclass(slots=True)
class _Health:
    """The findings. `None` stands for what could not be told, or does not apply."""

    ok: bool = True
    problems: list[str] = field(default_factory=list)
    store: str = ""
    reachable: bool = False
    migrations: dict[str, int] = field(default_factory=dict)
    threads: int | None = None
    events: int | None = None
    bytes: int | None = None
    disk: int | None = None
    feed: int | None = None
    feed_lag: int | None = None
    feed_lag_seconds: float | None = None
    wal: int | None = None
    stalled: dict[str, int] = field(default_factory=dict)

    def problem(self, what: str) -> None:
        """Note what is not well."""
        self.ok = False
        self.problems.append(what)


def health(
    store: str | None,
    schema: str,
    out: Output,
    older_than: Annotated[
        str, Option(metavar="DURATION", help="A thread of which nothing was heard for so long is taken to have died.")
    ] = "10m",
    max_lag: Annotated[str, Option(metavar="DURATION", help="How far the feed may be behind.")] = "60s",
    max_wal: Annotated[int, Option(metavar="MB", min=0, help="How large SQLite's write-ahead log may be.")] = 1_000,
    max_stalled: Annotated[
        int | None, Option(metavar="N", min=0, help="How many threads may have failed or died; by default any number.")
    ] = None,
) -> None:
    """Tell whether the store is well, and what an operator watches.

    It ends with 5 if the store cannot be reached, with 6 if its tables are of another version, and with 1 if the feed
    is behind, the write-ahead log is too large, a thread cannot be read, or too many have failed or died.

    Examples:
      eventstore health
      eventstore health --max-stalled 0 --older-than 1h
      eventstore health --json | jq .feed_lag_seconds
    """
    url = named(store)
    died_after, lag = times.duration(older_than), times.duration(max_lag).total_seconds()
    found = _Health(store=str(parse(url)))
    code = Exit.OK
    try:
        with opened(url, schema) as session:
            _count(session, found)
            found.stalled = dict(Counter(_reasons(session, died_after)))
        _judge(found, lag, max_wal * 1_000_000, max_stalled)
    except EventStoreError as error:
        found.problem(str(error))
        code = exit_of(error)
    if found.problems and not code:
        code = Exit.FINDINGS
    if out.json:
        out.document(asdict(found))
    else:
        out.say(facts(out, _rows(found)))
        for problem in found.problems:
            complain(problem)
    if code:
        raise click.exceptions.Exit(code)


def _count(session: Session, found: _Health) -> None:
    """Ask the store for its numbers."""
    store = session.store
    dialect = store.recorder.dialect
    found.reachable = True
    session.checkpoints.latest_id("")  # it verifies the tables of the projections, too
    found.migrations = {each: load_migrations(each, dialect, store.recorder.schema)[-1].number for each in _COMPONENTS}
    found.feed = store.recorder.sequence()
    rest = store.log.feed_rest(after=found.feed)
    found.feed_lag, found.feed_lag_seconds = len(rest), 0.0
    if rest:
        oldest = from_microseconds(min(row.recorded_at for row in rest))
        found.feed_lag_seconds = max((datetime.now(UTC) - oldest).total_seconds(), 0.0)
    totals = statistics_of(store)
    found.threads, found.events = totals.threads, totals.events
    found.bytes, found.disk = totals.bytes, totals.disk
    address = parse(found.store)
    if isinstance(address, SQLiteAddress) and address.path:
        log = Path(f"{address.path}-wal")
        found.wal = log.stat().st_size if log.exists() else 0


def _reasons(session: Session, died_after: timedelta) -> Iterator[str]:
    """Why threads stopped in the middle: for each thread the first reason."""
    cursor: str | None = None
    while True:
        page = session.recovery.stalled(older_than=died_after, limit=_PAGE, cursor=cursor, serializer=SERIALIZER)
        yield from (thread.why[0] for thread in page.threads)
        cursor = page.next_cursor
        if cursor is None:
            return


def _judge(found: _Health, max_lag: float, max_wal: int, max_stalled: int | None) -> None:
    """Note what is not well in the numbers."""
    if (found.feed_lag_seconds or 0) > max_lag:
        behind = f"{found.feed_lag_seconds:.0f} s"
        found.problem(f"the feed is {behind} behind: a transaction is open for so long, see pg_stat_activity")
    if (found.wal or 0) > max_wal:
        found.problem(f"the write-ahead log takes {size(found.wal or 0)}: a reader keeps it from being taken over")
    if damaged := found.stalled.get("damaged"):
        found.problem(f"{counted(damaged, 'thread')} cannot be read: see eventstore stalled --why damaged, and verify")
    failed = found.stalled.get("error", 0) + found.stalled.get("died", 0)
    if max_stalled is not None and failed > max_stalled:
        found.problem(f"{counted(failed, 'thread')} failed or died: see eventstore stalled")


def _rows(found: _Health) -> list[tuple[str, Cell]]:
    """The numbers to read; those that are not known are left out."""
    verdict = Text("✓ well", "green") if found.ok else Text("✗ not well", "red bold")
    migrations = ", ".join(f"{name} {number}" for name, number in found.migrations.items())
    stalled = ", ".join(f"{number:,} {why}" for why, number in sorted(found.stalled.items()))
    numbers: list[tuple[str, Cell]] = [
        ("store", found.store),
        ("health", verdict),
        ("reachable", "yes" if found.reachable else Text("no", "red")),
    ]
    if found.events is not None:
        numbers += [
            ("migrations", migrations),
            ("threads", f"{found.threads:,}"),
            ("events", f"{found.events:,}"),
            ("content", size(found.bytes or 0)),
            ("on disk", size(found.disk or 0)),
            ("feed", f"at {found.feed:,}, {counted(found.feed_lag or 0, 'event')} behind"),
            ("oldest of them", f"{found.feed_lag_seconds:.1f} s" if found.feed_lag else ""),
            ("stalled", stalled or "none"),
        ]
    numbers += [] if found.wal is None else [("write-ahead log", size(found.wal))]
    return numbers
