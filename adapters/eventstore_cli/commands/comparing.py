"""`diff`, `compare` and `blame`: how checkpoints and branches differ, and where each part of a value comes from."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import click

from eventstore import NotFoundError
from eventstore_cli import completion
from eventstore_cli.declaring import Argument, Option
from eventstore_cli.exits import Exit
from eventstore_cli.graphs import Reading, reading
from eventstore_cli.options import Full, Graph, Namespace, Thread
from eventstore_cli.output import Output, Text
from eventstore_cli.tables import Column, Row, table
from eventstore_cli.values import counted, folded_by, whole
from eventstore_views import documents
from eventstore_views.naming import Short
from eventstore_views.session import Session
from projections import ABSENT
from projections.diffing.glance import glance

if TYPE_CHECKING:
    from projections import BranchSide, CheckpointId, ComparedCheckpoint, Line, Origin

_SIGNS = {"+": "green", "-": "red", "~": "yellow", " ": "dim"}
_SHORT, _FULL = 100, 100_000
_ORIGINS = (
    Column("ID"),
    Column("STEP", right=True),
    Column("SAVED", 1),
    Column("NODE"),
    Column("RUN", 2),
    Column("ITEM"),
    Column("VALUE", point=True, least=36),
)
_ORIGINS_FULL = (*_ORIGINS[:-1], Column("VALUE", point=True))

Checkpoint = Annotated[str | None, Argument(help="See `eventstore help`.", complete=completion.checkpoints)]


def diff(
    session: Session,
    out: Output,
    thread: Thread,
    a: Checkpoint = None,
    b: Checkpoint = None,
    channel: Annotated[
        list[str], Option("--channel", "-c", help="Only this channel.", complete=completion.channels)
    ] = [],  # noqa: B006 (it is copied)
    other: Annotated[
        str | None,
        Option("--with", metavar="THREAD", help="B is of this thread.", complete=completion.threads),
    ] = None,
    exit_code: Annotated[bool, Option("--exit-code", help="End with 1 if they differ.")] = False,
    namespace: Namespace = None,
    graph: Graph = None,
    full: Full = False,
) -> None:
    """Show how checkpoint A became checkpoint B.

    Without A: what the last step changed. Without B: how A became what the thread is now.

    Examples:
      eventstore diff thread-1                        the last step
      eventstore diff thread-1 ~3                     the last three
      eventstore diff thread-1 step:2 step:5 -c messages
      eventstore diff thread-1 @ @ --with what-if     two threads
      eventstore diff thread-1 --graph agents:graph   values by the graph's own reducers
    """
    first = None if a is None else session.find(thread, a, namespace=namespace)
    space = first.namespace if first else namespace
    second = session.find(other or thread, "@" if b is None else b, namespace=space if b is None else namespace)
    read = reading(graph, second.namespace, channel)
    found = session.timeline.diff(
        thread,
        first.id if first else None,
        second.id,
        read.serializer,
        namespace=first.namespace if first else second.namespace,
        namespace_b=second.namespace,
        thread_b=other,
        channels=channel or None,
        fold=read.fold,
    )
    if out.json:
        out.document(found.to_json())
    else:
        lines = [_side("---", "red", found.before, session, out), _side("+++", "green", found.after, session, out)]
        if found.nodes:
            lines.append(Text(f"    {', '.join(found.nodes)} ran in between", "dim"))
        changed = found.lines(limit=_FULL if full else _SHORT)
        lines += [*map(_coloured, changed)] or [Text("no channel differs", "dim")]
        out.say([*lines, *folded_by((each.channel, each.folded) for each in found.channels)])
    if exit_code and found:
        raise click.exceptions.Exit(Exit.FINDINGS)


def compare(
    session: Session,
    out: Output,
    thread: Thread,
    other: Annotated[str, Argument(help="Another thread, or a checkpoint of the same.", complete=completion.threads)],
    at: Annotated[
        str | None,
        Option("--at", metavar="CHECKPOINT", help="Where the first ends.", complete=completion.checkpoints),
    ] = None,
    other_at: Annotated[str | None, Option(metavar="CHECKPOINT", help="Where the other ends.")] = None,
    namespace: Namespace = None,
    graph: Graph = None,
    full: Full = False,
) -> None:
    """Show what each of two branches changed since they parted.

    The channels that both have changed are conflicts.

    Examples:
      eventstore compare thread-1 what-if
      eventstore compare thread-1 a3f9c1              two branches of a thread
      eventstore compare thread-1 what-if --at step:5
    """
    of = other if session.store.head(other) else thread
    end = other_at if of == other else other
    if of == thread != other and other_at is not None:
        raise NotFoundError(f"there is no thread {other!r}: see eventstore threads")
    one = None if at is None else session.find(thread, at, namespace=namespace)
    two = None if end is None else session.find(of, end, namespace=one.namespace if one else namespace)
    space = one.namespace if one else two.namespace if two else namespace or ""
    read = reading(graph, space)
    found = session.branches.compare(
        thread,
        of,
        read.serializer,
        at=one.id if one else None,
        other_at=two.id if two else None,
        namespace=space,
        fold=read.fold,
    )
    if out.json:
        out.document(documents.comparison(found))
        return
    if found.ancestor is None:
        lines = [Text("nothing in common", "dim")]
    else:
        lines = [Text("in common up to ", "dim").append(session.short(thread)(found.ancestor), "yellow not dim")]
    for sign, style, side in (("---", "red", found.one), ("+++", "green", found.other)):
        lines += [Text(), *_branch(sign, style, side, session, full)]
    if found.conflicts:
        lines += [Text(), Text(f"both changed {', '.join(found.conflicts)}", "yellow")]
    out.say(lines)


def blame(
    session: Session,
    out: Output,
    thread: Thread,
    channel: Annotated[str, Argument(help="The channel.", complete=completion.channels)],
    item: Annotated[
        list[str] | None, Argument(help="An index, a message's id, or a key; several lead further inside.")
    ] = None,
    at: Annotated[
        str,
        Option("--at", metavar="CHECKPOINT", help="As it was there.", complete=completion.checkpoints),
    ] = "@",
    namespace: Namespace = None,
    graph: Graph = None,
    full: Full = False,
) -> None:
    """Show where what a channel holds comes from: which checkpoint, node and run put it there.

    Examples:
      eventstore blame thread-1 messages           every message
      eventstore blame thread-1 messages -1        the last one, and what stood there before
      eventstore blame thread-1 files /a.txt
    """
    checkpoint = session.find(thread, at, namespace=namespace)
    read = reading(graph, checkpoint.namespace, [channel])
    found = _origins(session, thread, channel, item or [], checkpoint, read)
    if out.json:
        for origin in found:
            out.document(origin.to_json())
        return
    short = session.short(thread)
    lines = table(out, _ORIGINS_FULL if full else _ORIGINS, [_row(origin, short, out, full) for origin in found])
    if item:
        lines += [_before(origin, full) for origin in found]
    out.say([*lines, *folded_by((channel, origin.folded) for origin in found)])
    for origin in found[:1]:
        if origin.known_since:
            out.note(f"^ may be older: what came before {short(origin.known_since)} is not there any more")


def _origins(
    session: Session, thread: str, channel: str, item: list[str], checkpoint: CheckpointId, read: Reading
) -> list[Origin]:
    def ask(steps: list[Any]) -> list[Origin]:
        wanted = None if not steps else steps[0] if len(steps) == 1 else tuple(steps)
        return session.timeline.blame(
            thread,
            channel,
            read.serializer,
            item=wanted,
            checkpoint=checkpoint.id,
            namespace=checkpoint.namespace,
            fold=read.fold,
        )

    try:
        return ask([_step(part) for part in item])
    except NotFoundError:
        if not any(isinstance(_step(part), int) for part in item):
            raise
        return ask([*item])  # a key that looks like a number


def _step(part: str) -> str | int:
    return int(part) if part.removeprefix("-").isdecimal() else part


def _side(sign: str, style: str, side: ComparedCheckpoint | None, session: Session, out: Output) -> Text:
    if side is None:
        return Text(f"{sign} nothing", style)
    short = session.short(side.thread)(side.id)
    step = "" if side.step is None else f"  step {side.step}"
    return (
        Text(f"{sign} {side.thread} ", style)
        .append(short, "yellow")
        .append(f"{step}  {out.time(side.saved_at)}", "dim")
    )


def _branch(sign: str, style: str, side: BranchSide, session: Session, full: bool) -> list[Text]:
    """The lines of one of two branches."""
    tip = session.short(side.thread)(side.tip)
    first = Text(f"{sign} {side.thread} ", style).append(tip, "yellow")
    first.append(f"  {counted(side.ahead, 'checkpoint')} since", "dim")
    if side.changes is None:
        return [first]
    changed = side.changes.lines(limit=_FULL if full else _SHORT)
    folded = folded_by((each.channel, each.folded) for each in side.changes.channels)
    return [first, *(map(_coloured, changed) if changed else [Text("no channel differs", "dim")]), *folded]


def _coloured(line: Line) -> Text:
    return Text(str(line), _SIGNS[line.sign], overflow="fold")


def _row(origin: Origin, short: Short, out: Output, full: bool) -> Row:
    by = ", ".join(origin.nodes) or f"({origin.source or '?'})"
    run = next((writer.run for writer in origin.writers if writer.run), origin.run) or ""
    value = "(removed)" if origin.value is ABSENT else whole(origin.value) if full else glance(origin.value, 80)
    return Row(
        (
            Text(("^" if origin.known_since else "") + short(origin.checkpoint), "yellow"),
            "" if origin.step is None else str(origin.step),
            Text(out.time(origin.saved_at), "dim"),
            Text(by, "bold" if origin.nodes else "dim"),
            Text(run[:8], "dim"),
            Text(origin.name, "cyan"),
        ),
        [Text(value)],
    )


def _before(origin: Origin, full: bool) -> Text:
    if origin.before is ABSENT:
        return Text("nothing stood there before", "dim")
    return Text(f"before: {glance(origin.before, _FULL if full else _SHORT)}", "red")
