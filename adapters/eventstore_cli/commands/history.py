"""`log` and `show`: what happened to a thread, and what it was at any point."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import islice
from typing import TYPE_CHECKING, Annotated, Any

from eventstore import NotFoundError
from eventstore_cli import completion
from eventstore_cli.declaring import Argument, Option
from eventstore_cli.graphs import reading
from eventstore_cli.options import Full, Graph, Namespace, Thread
from eventstore_cli.output import Cell, Output, Text
from eventstore_cli.tables import Column, Row, facts, table
from eventstore_cli.values import counted, described, folded_by, size, whole
from eventstore_views import documents, times
from eventstore_views.naming import Short
from eventstore_views.session import SERIALIZER, Session
from projections.diffing.glance import glance

if TYPE_CHECKING:
    from projections import ChannelChange, RecoveryPoint, SavedCheckpoint, TimelineEntry

# Sorts right behind an id.
_BEHIND = "\x01"
# What leads the graph on, and is not shown unless it is asked for.
_INTERNAL = ("branch:", "join:", "__")
_ONLY_WRITES = "only the writes are stored: --graph module:attribute makes a value of them"
_RUN = 8
_CHECKPOINTS = (
    Column("ID"),
    Column(""),
    Column("STEP", right=True),
    Column("SAVED", 1),
    Column("NODE"),
    Column("RUN", 3),
    Column("SIZE", 2, right=True),
    Column("NAMESPACE"),
    Column("CHANGES", point=True),
)


def log(
    session: Session,
    out: Output,
    thread: Thread,
    namespace: Namespace = None,
    all_: Annotated[bool, Option("--all", "-a", help="Of all branches and all namespaces: of subgraphs, too.")] = False,
    since: Annotated[str | None, Option(metavar="TIME", help="Only what was saved since.")] = None,
    number: Annotated[int, Option("-n", min=0, help="How many at most; 0: all.")] = 30,
    graph: Graph = None,
) -> None:
    """Show the checkpoints of a thread, the latest first, with what each changed.

    It follows the line that leads to HEAD; --all shows what is beside it, too. ● is HEAD, ○ a checkpoint that is not on
    its line, ⏸ a question, ✗ an error. What a rollback made unreachable is drawn by eventstore tree. SIZE is what the
    checkpoint and the writes at it take.

    Examples:
      eventstore log thread-1
      eventstore log thread-1 --all -n 0      everything: other branches and subgraphs, too
      eventstore log thread-1 --since 1h --json
    """
    short = session.short(thread)
    earliest = times.past_if_given(since)
    read = reading(graph, namespace or "")
    where = None if all_ else namespace or ""
    entries = session.timeline.entries(thread, read.serializer, namespace=where, fold=read.fold)
    line = _HeadsLine()
    listed = ((each, line.holds(each)) for each in entries)
    recent = (each for each in listed if earliest is None or each[0].saved_at >= earliest)
    wanted = ((each, on_it) for each, on_it in recent if all_ or on_it)
    shown = islice(wanted, number) if number else wanted
    if out.json:
        for entry, on_it in shown:
            out.document({**entry.to_json(), "on_heads_line": on_it})
        return
    found = [*shown]
    heads = {each: session.checkpoints.latest_id(thread, namespace=each) for each in {e.namespace for e, _ in found}}
    lines = table(out, _CHECKPOINTS, [_row(entry, on_it, short, heads, out) for entry, on_it in found])
    out.say([*lines, *folded_by((each.channel, each.folded) for entry, _ in found for each in entry.changes)])
    if number and len(found) == number:
        out.note(f"these are the last {number}; -n 0 shows all")
    if line.beside and not all_:
        out.note(f"{counted(line.beside, 'checkpoint')} on other branches; --all shows all, eventstore tree draws them")


def show(
    session: Session,
    out: Output,
    thread: Thread,
    checkpoint: Annotated[str, Argument(help="Which; see `eventstore help`.", complete=completion.checkpoints)] = "@",
    channel: Annotated[
        list[str], Option("--channel", "-c", help="Only this channel.", complete=completion.channels)
    ] = [],  # noqa: B006 (it is copied)
    at: Annotated[str | None, Option("--at", metavar="TIME", help="As it was then.")] = None,
    namespace: Namespace = None,
    graph: Graph = None,
    full: Full = False,
) -> None:
    """Show a checkpoint: its channels, what is pending at it, and what comes next.

    Examples:
      eventstore show thread-1                       its latest checkpoint
      eventstore show thread-1 ~1 -c messages        a channel, one checkpoint before
      eventstore show thread-1 --at '10m ago'
      eventstore show thread-1 --graph agents:graph  values by the graph's own reducers
    """
    saved = _saved(session, thread, checkpoint, at, namespace, graph, channel)
    point = _point(session, saved)
    values = _chosen(saved, channel)
    if out.json:
        out.document(documents.checkpoint(saved, point, values))
        return
    lines = [] if channel else [*_about(saved, point, session.short(thread), out, full), Text()]
    for name, value in values.items():
        if channel or full or not name.startswith(_INTERNAL):
            lines += described(name, value, full=full, rule=saved.folded.get(name))
    if not channel:
        lines += [Text(name, "bold").append(f"  {_ONLY_WRITES}", "dim not bold") for name in saved.replayed]
    out.say(lines + ([] if channel else _pending(saved, point, full)))


class _HeadsLine:
    """The line that leads to the head of each namespace, followed from the head on.

    Attributes:
        beside: How many checkpoints were met that are not on it.
    """

    def __init__(self) -> None:
        self.beside = 0
        self._next: dict[str, str | None] = {}

    def holds(self, entry: TimelineEntry) -> bool:
        """Return whether the next entry of the timeline is on the line."""
        # The latest is the head.
        on_it = self._next.setdefault(entry.namespace, entry.id) == entry.id
        if on_it:
            self._next[entry.namespace] = entry.parent
        else:
            self.beside += 1
        return on_it


def _change(change: ChannelChange) -> Text:
    return Text(change.channel, "cyan").append(f" {change.summary or 'as it was'}", "default")


def _row(entry: TimelineEntry, on_it: bool, short: Short, heads: dict[str, str | None], out: Output) -> Row:
    stands = heads.get(entry.namespace) == entry.id
    marks = Text("●" if stands else " " if on_it else "○", "green bold" if stands else "dim")
    marks.append("⏸" if entry.interrupted else "", "yellow")
    marks.append("✗" if entry.failed else "", "red bold")
    return Row(
        (
            Text(short(entry.id), "yellow"),
            marks if marks.plain.strip() else "",
            "" if entry.step is None else str(entry.step),
            Text(out.time(entry.saved_at), "dim"),
            _made_by(entry),
            Text((entry.run or "")[:_RUN], "dim"),
            size(entry.size + entry.writes_size),
            entry.namespace,
        ),
        [*map(_change, entry.changes)],
    )


def _made_by(entry: TimelineEntry) -> Text:
    if entry.nodes and entry.source not in ("input", "fork"):
        by = Text(", ".join(entry.nodes), "bold")
        return by.append(" (update)", "dim not bold") if entry.source == "update" else by
    return Text(f"({entry.source or '?'})", "dim")


def _saved(
    session: Session,
    thread: str,
    checkpoint: str,
    at: str | None,
    namespace: str | None,
    graph: str | None,
    channels: Sequence[str],
) -> SavedCheckpoint:
    if at is None:
        found = session.find(thread, checkpoint, namespace=namespace)
        read = reading(graph, found.namespace, channels)
        saved = session.timeline.state(
            thread, read.serializer, checkpoint=found.id, namespace=found.namespace, fold=read.fold
        )
    else:
        session.ids(thread)  # says if there is no such thread
        read = reading(graph, namespace or "", channels)
        saved = session.timeline.at(thread, times.end_of_past(at), read.serializer, namespace=namespace, fold=read.fold)
    if saved is None:
        raise NotFoundError(f"thread {thread!r} had no checkpoint {f'by {at}' if at else 'there'}: see eventstore log")
    return saved


def _point(session: Session, saved: SavedCheckpoint) -> RecoveryPoint | None:
    found = session.recovery.points(
        saved.thread, namespace=saved.namespace, before=saved.id + _BEHIND, limit=1, serializer=SERIALIZER
    )
    return found[0] if found and found[0].id == saved.id else None


def _chosen(saved: SavedCheckpoint, channels: list[str]) -> dict[str, Any]:
    for channel in channels:
        if channel in saved.replayed:
            raise NotFoundError(f"of channel {channel!r} {_ONLY_WRITES}")
        if channel not in saved.values:
            held = ", ".join(sorted(name for name in saved.values if not name.startswith(_INTERNAL))) or "none"
            raise NotFoundError(f"checkpoint {saved.id!r} has no channel {channel!r}: it has {held}")
    return {name: saved.values[name] for name in channels or sorted(saved.values)}


def _about(saved: SavedCheckpoint, point: RecoveryPoint | None, short: Short, out: Output, full: bool) -> list[Text]:
    before = saved.id.removesuffix(ending := short(saved.id))
    rows: list[tuple[str, Cell]] = [
        ("checkpoint", Text(before, "dim").append(ending, "yellow not dim")),
        ("thread", saved.thread),
        ("namespace", saved.namespace),
        ("parent", Text(short(saved.parent), "yellow") if saved.parent else ""),
        ("step", f"{saved.metadata.get('step', '')} ({saved.metadata.get('source', '?')})"),
        ("saved", out.time(saved.saved_at)),
        ("size", f"{size(saved.size)}, event {saved.version}"),
        ("run", (point and point.run) or ""),
        ("next", _next(point)),
        ("metadata", _metadata(saved, full)),
    ]
    return facts(out, rows)


def _next(point: RecoveryPoint | None) -> Cell:
    if point and point.next:
        return Text(", ".join(point.next), "bold")
    return "(nothing: it had ended)" if point is None or point.clean else "(nothing: all have results, to be applied)"


def _metadata(saved: SavedCheckpoint, full: bool) -> str:
    own = {key: value for key, value in saved.metadata.items() if key not in ("step", "source", "parents", "run_id")}
    return ", ".join(f"{key}={whole(value) if full else glance(value)}" for key, value in own.items())


def _pending(saved: SavedCheckpoint, point: RecoveryPoint | None, full: bool) -> list[Text]:
    if not saved.pending:
        return []
    nodes = {task.id: (task.node, task.status) for task in (*point.tasks, *point.beside)} if point else {}
    lines = [Text(), Text("pending writes", "bold")]
    for task, channel, value in saved.pending:
        node, status = nodes.get(task, (None, ""))
        line = Text(f"  {node or task} ", "cyan").append(f"{status} " if status else "", "dim")
        lines.append(line.append(f"{channel} = {whole(value) if full else glance(value, 120)}", "default"))
    return lines
