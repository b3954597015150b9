"""`threads` and `stats`: what there is."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from itertools import islice
from typing import Annotated

from eventstore import StreamInfo
from eventstore.paging import all_pages
from eventstore_cli import completion
from eventstore_cli.declaring import Argument, Option
from eventstore_cli.filtering import Where, where
from eventstore_cli.metadata import told
from eventstore_cli.output import Cell, Output, Text
from eventstore_cli.tables import Column, Row, facts, table
from eventstore_cli.values import size
from eventstore_views import documents, times
from eventstore_views.session import Session
from projections import statistics_of

_PAGE = 100
_KINDS = (Column("KIND OF EVENT"), Column("EVENTS", right=True), Column("CONTENT", right=True))
_THREADS = (
    Column("THREAD"),
    Column("EVENTS", 2, right=True),
    Column("LAST ACTIVE", 1),
    Column("BEGUN", 3),
    Column("FORKED FROM"),
    Column("METADATA", point=True),
)


def threads(
    session: Session,
    out: Output,
    prefix: Annotated[str, Argument(help="How their ids begin.", complete=completion.threads)] = "",
    metadata: Where = (),  # type: ignore[assignment]
    shown: Annotated[
        list[str] | None,
        Option("--metadata", "-m", metavar="KEY", help="Show this metadata; by default all but LangGraph's own."),
    ] = None,
    since: Annotated[str | None, Option(metavar="TIME", help="Active since then.")] = None,
    until: Annotated[str | None, Option(metavar="TIME", help="Not active since then.")] = None,
    by_name: Annotated[bool, Option("--by-name", help="By name, not the last active first.")] = False,
    number: Annotated[int, Option("-n", min=0, help="How many at most; 0: all.")] = 50,
) -> None:
    """List threads, the last active first.

    Every stream of the log is one, also one with events that a program has appended itself.

    Examples:
      eventstore threads                            the last 50
      eventstore threads support- --since 1d        those whose ids begin so
      eventstore threads --where user=ann --json    one line of JSON each
      eventstore threads -m user -m graph_id        with that metadata
    """
    found = _streams(session, prefix, metadata, since, until, by_name)
    listed = islice(found, number) if number else found
    if out.json:
        for stream in listed:
            out.document(documents.thread(stream))
        return
    rows = [_row(stream, shown or (), out) for stream in listed]
    if not rows:
        out.note("there are no such threads")
    out.say(table(out, _THREADS, rows))
    if number and len(rows) == number:
        out.note(f"these are {number}; -n 0 shows all")


def stats(
    session: Session,
    out: Output,
    thread: Annotated[str | None, Argument(help="Only this thread.", complete=completion.threads)] = None,
) -> None:
    """Count what the store holds, or a thread.

    It looks at every event.

    Examples:
      eventstore stats
      eventstore stats thread-1 --json
    """
    found = statistics_of(session.store, thread)
    shown = None if thread is None else sum(each.shown for each in session.ids(thread))
    if out.json:
        out.document(documents.statistics(found, thread, shown))
        return
    rows: list[tuple[str, Cell]] = [("thread", thread or "")]
    if thread is None:
        rows += [("threads", f"{found.threads:,}"), ("forks among them", f"{found.forks:,}")]
        rows += [("deleted", f"{found.deleted:,}")] if found.deleted else []
    else:
        rows += [("checkpoints", f"{shown:,}")]
    rows += [("events", f"{found.events:,}"), ("first", out.time(found.first)), ("last", out.time(found.last))]
    rows += [("content", size(found.bytes))]
    rows += [] if found.disk is None else [("on disk", size(found.disk))]
    kinds = [(topic.topic, f"{topic.events:,}", size(topic.bytes)) for topic in found.topics]
    out.say([*facts(out, rows), Text(), *table(out, _KINDS, [Row(kind) for kind in kinds])])


def _streams(
    session: Session, prefix: str, metadata: Where, since: str | None, until: str | None, by_name: bool
) -> Iterator[StreamInfo]:
    wanted = where(metadata)
    since_when, until_when = times.past_if_given(since), times.past_if_given(until)
    read = partial(
        session.store.streams,
        prefix=prefix,
        metadata=wanted,
        active_since=since_when,
        active_until=until_when,
        newest_first=not by_name,
        limit=_PAGE,
    )
    for page in all_pages(lambda cursor: read(cursor=cursor)):
        yield from page.streams


def _row(stream: StreamInfo, shown: Sequence[str], out: Output) -> Row:
    forked = f"{stream.parent} at {stream.parent_version}" if stream.parent else ""
    begun, active = out.time(stream.created_at), out.time(stream.active_at)
    described = told(stream.metadata, shown, without=() if shown else ("forked_from",))
    return Row(
        (Text(stream.name, "bold"), f"{stream.version:,}", Text(active, "dim"), Text(begun, "dim"), forked),
        [Text(described)] if described else [],
    )
