"""`stalled` and `verify`: which threads stopped in the middle, and whether all is as it was written."""

from __future__ import annotations

from collections.abc import Iterator
from enum import StrEnum
from itertools import islice
from typing import Annotated, Any

import click

from eventstore import ChainError, NotFoundError
from eventstore.paging import all_pages
from eventstore_cli import completion
from eventstore_cli.declaring import Argument, Option
from eventstore_cli.exits import Exit
from eventstore_cli.graphs import serializer_of
from eventstore_cli.options import Program, Upcasters
from eventstore_cli.output import Advance, Output, Text, complain
from eventstore_cli.tables import Column, Row, table
from eventstore_cli.values import counted
from eventstore_views import documents, times
from eventstore_views.session import SERIALIZER, Session
from projections import Serializer, StalledThread
from projections.diffing.content import fields_of
from projections.diffing.glance import glance
from projections.pregel import INTERRUPT
from projections.recovery.report import Report

_PAGE = 100
# What a task asks is shown, and not all that it may have handed over with it.
_QUESTION = 400
_STALLED = (
    Column("THREAD"),
    Column("WHY"),
    Column("SINCE", 1),
    Column("AT", 2),
    Column("STEP", 4, right=True),
    Column("NEXT", 3),
    Column("WHAT", point=True),
)
_STYLES = {"interrupt": "yellow", "error": "red", "died": "red", "damaged": "red bold", "pending": ""}


class Reason(StrEnum):
    """Why a thread stopped."""

    INTERRUPT = "interrupt"
    ERROR = "error"
    DIED = "died"
    PENDING = "pending"
    DAMAGED = "damaged"


def stalled(
    session: Session,
    out: Output,
    prefix: Annotated[str, Argument(help="How their ids begin.", complete=completion.threads)] = "",
    older_than: Annotated[
        str | None,
        Option(metavar="DURATION", help="Taken to have died if nothing was recorded for so long: 10m."),
    ] = None,
    why: Annotated[list[Reason], Option("--why", help="Only these, of several reasons any.")] = [],  # noqa: B006 (it is copied)
    count: Annotated[bool, Option("--count", help="Only tell how many there are.")] = False,
    exit_code: Annotated[bool, Option("--exit-code", help="End with 1 if there are any: for a monitor.")] = False,
    number: Annotated[int, Option("-n", min=0, help="How many at most; 0: all.")] = 100,
) -> None:
    """List threads that stopped in the middle, and why.

    A question, an error, or a run that died: of which something is due, and nothing was heard since.
    Without --older-than, a thread at which something is due is `pending`: its run may be at work.

    Examples:
      eventstore stalled
      eventstore stalled support- --older-than 10m --json
      eventstore stalled --why error --count --exit-code
    """
    found = session.stalled(prefix, None if older_than is None else times.duration(older_than))
    if why:
        found = (thread for thread in found if set(thread.why) & {reason.value for reason in why})
    if count:
        told = sum(1 for _ in found)
        if out.json:
            out.document({"stalled": told})
        else:
            out.say([Text(str(told))])
    else:
        told = _list(session, out, islice(found, number) if number else found, number)
    if exit_code and told:
        raise click.exceptions.Exit(Exit.FINDINGS)


def _list(session: Session, out: Output, listed: Iterator[StalledThread], number: int) -> int:
    """Show stalled threads, and return how many."""
    if out.json:
        told = 0
        for told, thread in enumerate(listed, 1):  # noqa: B007 (it is returned)
            out.document(documents.stalled(thread, _questions(session, thread)))
        return told
    rows = [_stalled_row(session, thread, out) for thread in listed]
    if not rows:
        out.note("no thread stopped in the middle")
    out.say(table(out, _STALLED, rows))
    if number and len(rows) == number:
        out.note(f"these are {number}; -n 0 shows all")
    return len(rows)


def verify(
    session: Session,
    out: Output,
    threads: Annotated[
        list[str] | None, Argument(help="These threads; none: all.", complete=completion.threads)
    ] = None,
    quick: Annotated[bool, Option("--quick", help="Only the hashes of the log.")] = False,
    upcasters: Upcasters = None,
    graph: Program = None,
) -> None:
    """Check that everything is as it was written.

    Every hash, and of every thread its rows and values. It ends with 1 if something is wrong, and else with 3 if one of
    the threads is not there.
    Values are read, but objects of your own types are not made, unless --upcasters or --graph say what your program is:
    then each is read as the program would, and an upcaster that fails is told.

    Examples:
      eventstore verify
      eventstore verify thread-1
      eventstore verify --quick && echo sound
    """
    serializer = serializer_of(upcasters, graph)
    with out.progress() as advance:
        log = None if threads else _log(session, advance)
        missing: list[str] = []
        reports = [] if quick and not threads else [*_reports(session, threads, serializer, missing, advance)]
    findings = sum(len(report.findings) for report in reports) + (log is not None and "damage" in log)
    if out.json:
        told = [documents.report(report) for report in reports]
        out.document({"ok": not (findings or missing), "log": log, "threads": told, "missing": missing})
    else:
        out.say([*_of_log(log), *(line for report in reports for line in _of_report(report, bool(threads)))])
        if not findings and reports and not threads:
            out.say([Text(f"✓ {counted(len(reports), 'thread')}: all is as it was written", "green")])
    for name in missing:
        complain(f"there is no thread {name!r} to check: see eventstore threads")
    if findings or missing:
        raise click.exceptions.Exit(Exit.FINDINGS if findings else Exit.NOT_FOUND)


def _questions(session: Session, thread: StalledThread) -> list[Any]:
    """Return what the thread's tasks ask, and nobody has answered."""
    if "interrupt" not in thread.why or thread.latest is None:
        return []
    saved = session.checkpoints.get(thread.thread, SERIALIZER, checkpoint=thread.latest.id)
    waiting = {task.id for task in (*thread.latest.tasks, *thread.latest.beside) if task.status == "interrupted"}
    pending = saved.pending if saved else ()
    asked = [value for task, channel, value in pending if task in waiting and channel == INTERRUPT]
    flat = [each for value in asked for each in (value if type(value) is list else [value])]
    return [(fields_of(each) or {}).get("value", each) for each in flat]


def _stalled_row(session: Session, thread: StalledThread, out: Output) -> Row:
    head = thread.latest
    why = Text()
    for number, reason in enumerate(thread.why):
        why.append(", " if number else "").append(reason, _STYLES[reason])
    tasks = (*head.tasks, *head.beside) if head else ()
    errors = [task.error for task in tasks if task.error and task.status == "failed"]
    said = [*(glance(question, _QUESTION) for question in _questions(session, thread)), *errors]
    return Row(
        (
            Text(thread.thread, "bold"),
            why,
            Text(out.time(thread.since), "dim"),
            Text(session.short(thread.thread)(head.id), "yellow") if head else "",
            str(head.step) if head else "",
            ", ".join(head.next) if head else "",
        ),
        [*map(Text, said)],
    )


def _log(session: Session, advance: Advance) -> dict[str, Any]:
    """Check all hash chains, and return the result in types that JSON has."""
    advance("the log's hashes", 0, 0)
    try:
        return documents.verification(session.store.verify())
    except ChainError as error:
        return documents.broken_chain(error)


def _reports(
    session: Session, threads: list[str] | None, serializer: Serializer, missing: list[str], advance: Advance
) -> Iterator[Report]:
    """Check the threads, and add those to `missing` that are not there."""
    names = dict.fromkeys(threads or _all_threads(session))
    for name in names:
        try:
            yield session.recovery.check(
                name,
                serializer,
                progress=lambda told, name=name: advance(  # type: ignore[misc]
                    f"{name}: {told.stage}", told.done, told.total
                ),
            )
        except NotFoundError:
            if threads:  # or else it was deleted meanwhile
                missing.append(name)
        if not threads:
            advance(name, 1, 1)


def _all_threads(session: Session) -> Iterator[str]:
    for page in all_pages(lambda cursor: session.store.streams(limit=_PAGE, cursor=cursor)):
        yield from (stream.name for stream in page.streams)


def _of_log(log: dict[str, Any] | None) -> Iterator[Text]:
    if log is None:
        return
    if "damage" in log:
        for each in (log, *log["others"]):
            yield Text(f"✗ {each['damage']}", "red")
    else:
        erased = f", {log['erased']:,} of them erased" if log["erased"] else ""
        yield Text(
            f"✓ the log: {counted(log['events'], 'event')} of {counted(log['streams'], 'stream')}{erased}", "green"
        )


def _of_report(report: Report, each: bool) -> Iterator[Text]:
    name = report.thread
    if report.ok:
        if each:
            found = ((report.events, "event"), (report.checkpoints, "checkpoint"), (report.values, "value"))
            yield Text(f"✓ {name}: {', '.join(counted(*each) for each in found)}: all is as it was written", "green")
        return
    yield Text(f"✗ {name}: {len(report.findings):,} found", "red bold")
    for finding in report.findings:
        channel = f", channel {finding.channel}" if finding.channel else ""
        yield Text(f"    {finding.kind}, event {finding.version}{channel}: {finding.message}", overflow="fold")
