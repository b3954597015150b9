"""`health`: whether the store is well, for an operator and for a monitor."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Annotated, Any

import click

from eventstore import EventStoreError, Health
from eventstore.health import Kind, Limits
from eventstore_cli.caller import named
from eventstore_cli.declaring import Option
from eventstore_cli.exits import Exit
from eventstore_cli.output import Cell, Output, Text, complain
from eventstore_cli.tables import facts
from eventstore_cli.values import counted, size
from eventstore_views import times
from eventstore_views.probing import probe
from eventstore_views.session import Session, opened
from projections import statistics_of

_MEGABYTE = 1_000_000
_EXITS: dict[Kind, Exit] = {
    "unreachable": Exit.UNAVAILABLE,
    "no answer": Exit.UNAVAILABLE,
    "closed": Exit.UNAVAILABLE,
    "refused": Exit.UNAVAILABLE,
    "schema": Exit.SCHEMA,
    "damaged": Exit.DAMAGED,
}
"""The exit codes for what keeps the store from being used; all else ends with `FINDINGS`."""


@dataclass(slots=True)
class _Contents:
    """The contents of the store. `None`: nobody has counted."""

    threads: int | None = None
    events: int | None = None
    bytes: int | None = None
    disk: int | None = None
    stalled: dict[str, int] | None = None
    problems: list[str] = field(default_factory=list)


def health(
    store: str | None,
    schema: str | None,
    out: Output,
    timeout: Annotated[str, Option(metavar="DURATION", help="How long the store may take to answer.")] = "5s",
    read_only: Annotated[
        bool, Option("--read-only", help="A store that can be read but not written is well, too.")
    ] = False,
    max_lag: Annotated[
        str, Option(metavar="DURATION", help="PostgreSQL: how long a transaction may hold up the feed.")
    ] = "60s",
    max_wal: Annotated[int, Option(metavar="MB", min=0, help="SQLite: how large the write-ahead log may be.")] = 1_000,
    min_free: Annotated[int, Option(metavar="MB", min=0, help="SQLite: how much room there has to be.")] = 100,
    all_: Annotated[
        bool, Option("--all", help="Also look at every thread and count every event: longer, the more there are.")
    ] = False,
    older_than: Annotated[
        str,
        Option(
            metavar="DURATION",
            help="With --all: a thread of which nothing was heard for so long is taken to have died.",
        ),
    ] = "10m",
    max_stalled: Annotated[
        int | None,
        Option(metavar="N", min=0, help="With --all, which it implies: how many threads may have failed or died."),
    ] = None,
) -> None:
    """Tell whether the store is well, or why not.

    It is made for probes: it changes nothing, and answers within --timeout (but for --all). It ends with 5 if the store
    cannot be reached or used, with 6 if its tables are of another version or not all there, with 7 if it is damaged,
    and with 1 if it cannot be written, the feed is behind, the write-ahead log is too large, or there is little room on
    its disk; with --all also if a thread cannot be read, or too many have failed or died.

    Examples:
      eventstore health
      eventstore health --timeout 2s --json
      eventstore health --max-stalled 0 --older-than 1h
    """
    url, died_after = named(store), times.duration(older_than)
    limits = Limits.of(
        {
            "timeout": times.duration(timeout).total_seconds(),
            "writable": not read_only,
            "max_lag": times.duration(max_lag).total_seconds(),
            "max_wal_bytes": max_wal * _MEGABYTE,
            "min_free_bytes": min_free * _MEGABYTE,
        }
    )
    found, contents = probe(url, schema, limits), _Contents()
    if (all_ or max_stalled is not None) and not any(each.kind in _EXITS for each in found.problems):
        try:
            with opened(url, schema) as session:
                _count(session, contents, died_after, max_stalled)
        except EventStoreError as error:
            found.add_error(error)
    _show(out, found, contents)
    if found.problems or contents.problems:
        kinds = [each.kind for each in found.problems]
        raise click.exceptions.Exit(next((_EXITS[kind] for kind in kinds if kind in _EXITS), Exit.FINDINGS))


def _count(session: Session, contents: _Contents, died_after: timedelta, max_stalled: int | None) -> None:
    """Count what the store holds, and look at its threads."""
    totals = statistics_of(session.store)
    contents.threads, contents.events = totals.threads, totals.events
    contents.bytes, contents.disk = totals.bytes, totals.disk
    contents.stalled = dict(Counter(thread.why[0] for thread in session.stalled(older_than=died_after)))
    if damaged := contents.stalled.get("damaged"):
        contents.problems.append(
            f"{counted(damaged, 'thread')} cannot be read: see eventstore stalled --why damaged, and verify"
        )
    failed = contents.stalled.get("error", 0) + contents.stalled.get("died", 0)
    if max_stalled is not None and failed > max_stalled:
        contents.problems.append(f"{counted(failed, 'thread')} failed or died: see eventstore stalled")


def _show(out: Output, found: Health, contents: _Contents) -> None:
    ok = found.ok and not contents.problems
    if out.json:
        out.document(_document(found, contents, ok=ok))
        return
    out.say(facts(out, _rows(found, contents, ok=ok)))
    for problem in [*(each.message for each in found.problems), *contents.problems]:
        complain(problem)


def _document(found: Health, contents: _Contents, *, ok: bool) -> dict[str, Any]:
    """The findings for programs."""
    plain = found.document()
    plain["problems"] += [{"kind": "threads", "message": each} for each in contents.problems]
    counts = {name: getattr(contents, name) for name in ("threads", "events", "bytes", "disk", "stalled")}
    return {**plain, **counts, "ok": ok}


def _rows(found: Health, contents: _Contents, *, ok: bool) -> list[tuple[str, Cell]]:
    """The numbers to read; those that are not known are left out."""
    rows: list[tuple[str, Cell]] = [
        ("store", found.store),
        ("health", Text("✓ well", "green") if ok else Text("✗ not well", "red bold")),
        ("reachable", "yes" if found.reachable else Text("no", "red")),
    ]
    if found.migrations:
        rows.append(("migrations", ", ".join(f"{name} {number}" for name, number in found.migrations.items())))
    if found.feed is not None:
        rows += [
            ("writable", "yes" if found.writable else Text("no", "red")),
            ("feed", f"at {found.feed:,}, {counted(found.feed_lag or 0, 'event')} behind"),
            ("oldest of them", f"{found.feed_lag_seconds:.1f} s" if found.feed_lag else ""),
            ("projections", ", ".join(f"{name} {behind:,} behind" for name, behind in found.projections.items())),
        ]
    if found.wal_bytes is not None:
        rows += [("write-ahead log", size(found.wal_bytes)), ("room on the disk", size(found.free_bytes or 0))]
    return rows + _counts(contents)


def _counts(contents: _Contents) -> list[tuple[str, Cell]]:
    if contents.stalled is None:
        return []
    return [
        ("threads", f"{contents.threads:,}"),
        ("events", f"{contents.events:,}"),
        ("content", size(contents.bytes or 0)),
        ("on disk", size(contents.disk or 0)),
        ("stalled", ", ".join(f"{number:,} {why}" for why, number in sorted(contents.stalled.items())) or "none"),
    ]
