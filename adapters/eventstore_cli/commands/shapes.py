"""`shapes`: which threads hold values of old shapes, and what of them cannot be made again."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from typing import TYPE_CHECKING, Annotated

import click

from eventstore_cli import completion
from eventstore_cli.declaring import Argument, Option
from eventstore_cli.exits import Exit
from eventstore_cli.graphs import serializer_of
from eventstore_cli.options import Program, Upcasters
from eventstore_cli.output import Advance, Output, Text
from eventstore_cli.tables import Column, Row, table
from eventstore_cli.values import counted
from eventstore_views import documents
from eventstore_views.session import Session

if TYPE_CHECKING:
    from langgraph.checkpoint.eventstore import EventStoreSaver
    from langgraph.checkpoint.eventstore.shapes import OldShape, ThreadShapes, Unmade

_HEAD = (
    Column("THREAD"),
    Column("CHANNEL"),
    Column("TYPE"),
    Column("VERSION", 1, right=True),
    Column("VALUES", right=True),
    Column("WHY", point=True),
)


def shapes(
    session: Session,
    out: Output,
    threads: Annotated[
        list[str] | None, Argument(help="These threads; none: all.", complete=completion.threads)
    ] = None,
    upcasters: Upcasters = None,
    graph: Program = None,
    prefix: Annotated[str, Option("--prefix", metavar="TEXT", help="Of all, those whose ids begin so.")] = "",
    exit_code: Annotated[bool, Option("--exit-code", help="End with 1 if anything is old.")] = False,
    number: Annotated[int, Option("-n", min=0, help="How many threads at most; 0: all.")] = 100,
) -> None:
    """List threads that hold values of old shapes, and what cannot be made again.

    The whole log of each thread is read, by the program's own upcasters: for as long as anything is listed, they are
    needed. It ends with 1 if something cannot be made again, by a type that is gone or an upcaster that fails.
    Types are made that the modules of --upcasters and --graph import.

    Examples:
      eventstore shapes --upcasters shop.shapes:upcasters
      eventstore shapes --graph shop.agent:graph --exit-code
      eventstore shapes thread-1 --upcasters shop.shapes:upcasters --json
    """
    if upcasters is None and graph is None:
        raise click.UsageError("Missing option '--upcasters MODULE:ATTR', or '--graph MODULE:ATTR'")
    if threads and prefix:
        raise click.UsageError("name threads, or --prefix")
    serializer = serializer_of(upcasters, graph)
    from langgraph.checkpoint.eventstore._saver import EventStoreSaver  # noqa: PLC0415 (it takes LangGraph)

    saver = EventStoreSaver(session.store, serde=serializer, migrate=False)
    old = unmade = 0
    rows: list[Row] = []
    listed = 0
    with out.progress() as advance:
        found = _found(saver, threads, prefix, advance)
        for each in islice(found, number) if number else found:
            listed += 1
            old += len(each.old)
            unmade += len(each.unmade) + each.more
            if out.json:
                out.document(documents.shapes(each))
            else:
                rows += _rows(each)
    if not out.json:
        if not rows:
            out.note("everything is in the newest shape")
        out.say(table(out, _HEAD, rows))
        if number and listed == number:
            out.note(f"these are {counted(number, 'thread')}; -n 0 shows all")
    if unmade or (exit_code and old):
        raise click.exceptions.Exit(Exit.FINDINGS)


def _found(saver: EventStoreSaver, threads: list[str] | None, prefix: str, advance: Advance) -> Iterator[ThreadShapes]:
    found = saver.history.shapes(threads or None, prefix=prefix, progress=advance)
    return (each for each in found if not each.is_new)


def _rows(found: ThreadShapes) -> Iterator[Row]:
    for old in found.old:
        version = "" if old.version is None else str(old.version)
        kind = old.type or Text("(the channel)", "dim")
        yield Row((Text(found.thread, "bold"), _place(old), kind, version, f"{old.values:,}"))
    for each in found.unmade:
        kind = each.type or ""
        why = [Text(f"cannot be made: {each.reason}", "red")]
        yield Row((Text(found.thread, "bold"), _place(each), kind, "", f"{each.values:,}"), why)
    if found.more:
        yield Row((Text(found.thread, "bold"), "", "", "", f"{found.more:,}"), [Text("more, of other types", "red")])


def _place(found: OldShape | Unmade) -> str:
    return found.channel or (f"({found.call})" if found.call else "(the checkpoint)")
