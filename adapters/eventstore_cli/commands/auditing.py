"""`audit` and `export`: who did what, when."""

from __future__ import annotations

import sys
from enum import StrEnum
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import click

from eventstore import BadInputError
from eventstore_cli import completion
from eventstore_cli.commands.langgraph import Existing, export_to
from eventstore_cli.declaring import Argument, Option
from eventstore_cli.filtering import Where, where
from eventstore_cli.metadata import told
from eventstore_cli.options import Yes
from eventstore_cli.output import Output, Text
from eventstore_cli.tables import Column, Row, table
from eventstore_cli.values import counted, size
from eventstore_views import times
from eventstore_views.session import Session
from projections.audit.exporting import plain
from projections.audit.wanted import Filters

if TYPE_CHECKING:
    from projections import AuditEntry

_WHICH = "Which events"

ThreadFilter = Annotated[
    str | None,
    Option("--thread", "-t", help="Of this thread.", panel=_WHICH, complete=completion.threads),
]
Prefix = Annotated[str | None, Option(help="Of threads whose ids begin so.", panel=_WHICH)]
Run = Annotated[str | None, Option(help="Of this run.", panel=_WHICH)]
Node = Annotated[str | None, Option(help="Written by tasks of this node.", panel=_WHICH)]
Channel = Annotated[str | None, Option("--channel", "-c", help="That wrote this channel.", panel=_WHICH)]
Topics = Annotated[
    list[str],
    Option("--topic", help="Of this kind: thread.rolled_back; several: of any.", panel=_WHICH),
]
Since = Annotated[str | None, Option(metavar="TIME", help="Not older: 1d, 2026-11-21.", panel=_WHICH)]
Until = Annotated[str | None, Option(metavar="TIME", help="Older.", panel=_WHICH)]
OldestFirst = Annotated[bool, Option("--oldest-first", help="The first first.")]


class Format(StrEnum):
    """How an export is written."""

    JSONL = "jsonl"
    PARQUET = "parquet"


_ENDINGS = {
    ".jsonl": Format.JSONL,
    ".ndjson": Format.JSONL,
    ".parquet": Format.PARQUET,
    ".pq": Format.PARQUET,
}


def audit(
    session: Session,
    out: Output,
    thread: ThreadFilter = None,
    prefix: Prefix = None,
    run: Run = None,
    node: Node = None,
    channel: Channel = None,
    topic: Topics = [],  # noqa: B006 (it is copied)
    metadata: Where = [],  # noqa: B006
    since: Since = None,
    until: Until = None,
    oldest_first: OldestFirst = False,
    number: Annotated[int, Option("-n", min=0, help="How many at most; 0: all.")] = 50,
) -> None:
    """Show who did what, when: the events of all threads, the last first.

    All that is given has to hold; of several topics, one.

    Examples:
      eventstore audit --thread thread-1
      eventstore audit --node tools --since 1d
      eventstore audit --topic thread.rolled_back --topic thread.deleted
      eventstore audit --where user=ann --json -n 0
    """
    wanted = _filters(thread, prefix, run, node, channel, topic, metadata, since, until, oldest_first)
    _catch_up(session, out)
    entries = session.audit.entries(**wanted)
    listed = islice(entries, number) if number else entries
    if out.json:
        for entry in listed:
            out.document(plain(entry))
        return
    rows = [_row(entry, out) for entry in listed]
    if not rows:
        out.note("there are no such events")
    out.say(table(out, _EVENTS, rows))
    if number and len(rows) == number:
        out.note(f"these are {number}; -n 0 shows all")


def export(
    session: Session,
    out: Output,
    file: Annotated[str | None, Argument(help="The file; -: standard output, as JSON lines.")] = None,
    to_langgraph: Annotated[
        str | None,
        Option(metavar="URL", help="Instead: threads, into a database of SqliteSaver or PostgresSaver."),
    ] = None,
    existing: Annotated[
        Existing, Option(help="With --to-langgraph: what becomes of other threads that have the ids there.")
    ] = Existing.REFUSE,
    format_: Annotated[Format | None, Option("--format", "-f", help="By default as the file's name ends.")] = None,
    thread: ThreadFilter = None,
    prefix: Prefix = None,
    run: Run = None,
    node: Node = None,
    channel: Channel = None,
    topic: Topics = [],  # noqa: B006 (it is copied)
    metadata: Where = [],  # noqa: B006
    since: Since = None,
    until: Until = None,
    newest_first: Annotated[bool, Option("--newest-first", help="The last first.")] = False,
    yes: Yes = False,
) -> None:
    """Write events into a file, or threads into a database of LangGraph's own savers.

    A file is JSON lines or Parquet; if it is there, it asks. A database is made if it is not there; LangGraph's own
    savers go on in it. Each thread is written at once, and then compared; a call that was cut off is made again.
    --thread and --prefix say which threads. It takes constant memory.

    Examples:
      eventstore export audit.jsonl --since 30d
      eventstore export audit.parquet --where tenant=acme
      eventstore export - --thread thread-1 | jq .topic
      eventstore export --to-langgraph sqlite:///thread-1.db --thread thread-1
    """
    if to_langgraph is not None:
        others = (file, format_, run, node, channel, topic, metadata, since, until, newest_first)
        if any(others):
            raise BadInputError("--to-langgraph writes threads: say which by --thread or --prefix, and nothing else")
        export_to(session, out, to_langgraph, thread, prefix, existing, yes=yes)
        return
    if file is None:
        raise click.UsageError("Missing argument 'FILE', or option '--to-langgraph URL'")
    wanted = _filters(thread, prefix, run, node, channel, topic, metadata, since, until, not newest_first)
    form = _format(file, format_)
    if file != "-" and Path(file).exists():
        out.confirm(f"Write over {file}?", yes=yes)
    _catch_up(session, out)
    if file == "-":
        session.audit.export_jsonl(sys.stdout, **wanted)  # escaped, as a file is
        return
    write = session.audit.export_parquet if form is Format.PARQUET else session.audit.export_jsonl
    count = write(file, **wanted)
    if out.json:
        out.document({"file": file, "format": form.value, "entries": count})
    else:
        out.say([Text(f"{counted(count, 'event')} written to {file}")])


def _filters(
    thread: str | None,
    prefix: str | None,
    run: str | None,
    node: str | None,
    channel: str | None,
    topics: list[str],
    metadata: list[str],
    since: str | None,
    until: str | None,
    oldest_first: bool,
) -> Filters:
    return {
        "thread": thread,
        "thread_prefix": prefix,
        "run": run,
        "node": node,
        "channel": channel,
        "topics": topics,
        "metadata": where(metadata) or None,
        "since": times.past_if_given(since),
        "until": times.past_if_given(until),
        "newest_first": not oldest_first,
    }


def _catch_up(session: Session, out: Output) -> None:
    with out.progress() as advance:
        session.audit.catch_up(progress=lambda done, total: advance("reading the log", done, total))


def _format(file: str, given: Format | None) -> Format:
    if given is None:
        ending = Path(file).suffix.lower() if file != "-" else ".jsonl"
        if ending not in _ENDINGS:
            known = ", ".join(_ENDINGS)
            raise BadInputError(
                f"{file} does not say in which format: it ends with none of {known}. Say --format jsonl or parquet"
            )
        given = _ENDINGS[ending]
    if file == "-" and given is Format.PARQUET:
        raise BadInputError("Parquet needs a file, and not standard output")
    return given


def _row(entry: AuditEntry, out: Output) -> Row:
    about = entry.metadata
    reason = [f"reason={about['reason']}"] if "reason" in about else []
    rest = told(about, without=("by", "reason"))
    return Row(
        (
            Text(f"{entry.position:,}", "dim"),
            Text(out.time(entry.recorded_at), "dim"),
            entry.thread,
            f"{entry.version:,}",
            Text(entry.topic, _STYLES.get(entry.topic, "bold yellow")).append(" erased" if entry.erased else "", "dim"),
            Text(str(entry.node or about.get("by") or ""), "bold"),
            Text((entry.run or "")[:8], "dim"),
            size(entry.size),
            Text(", ".join(channel for channel in entry.channels if ":" not in channel), "cyan"),
            Text(", ".join([*reason, *([rest] if rest else [])]), "dim"),
        )
    )


# What every run records, beside what somebody did on purpose.
_STYLES = {"checkpoint.saved": "", "writes.saved": ""}

_EVENTS = (
    Column("POSITION", 4, right=True),
    Column("RECORDED", 1),
    Column("THREAD"),
    Column("VERSION", 6, right=True),
    Column("WHAT"),
    Column("BY"),
    Column("RUN", 3),
    Column("SIZE", 7, right=True),
    Column("CHANNELS", 2),
    Column("METADATA", 5),
)
