"""The steps between checkpoints: the tasks whose writes the later one applied."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from typing import Any

from eventstore import ErasedError, EventStore
from eventstore.by_fields import OnOneLine
from eventstore.events import Cause, from_microseconds
from projections.diffing.plain import iso
from projections.pregel import CONTROL, ERROR, INPUT, SENDS
from projections.pregel.due import Written, is_of_caller, is_of_the_step, read_by
from projections.pregel.paths import is_by_hand
from projections.reading.located import Located, opened
from projections.reading.naming import Names
from projections.reading.view import writes_of
from projections.records import Write, WritesRecord
from projections.tables import Tables, WrittenRow

Key = tuple[str, str]
"""Namespace and checkpoint id."""

# LangGraph's name for what a task writes that wrote nothing.
_NOTHING = "__no_writes__"
# Checkpoints of these sources apply no node's writes, not even those that are there: an input discards them.
_NO_STEPS = ("input", "fork")


@dataclass(frozen=True, slots=True, repr=False)
class Writer(OnOneLine):
    """A task that wrote what a checkpoint applied.

    Attributes:
        node: The node, if known. Of an update by hand, the one in whose name it was made, if that had not run before.
        task: The id of the task, if what it wrote is still there.
        run: The id of the run, if known.
        version: The version of the event that holds what it wrote.
        saved_at: When that was recorded, UTC.
        channels: The channels that it wrote.
    """

    node: str | None
    task: str | None = None
    run: str | None = None
    version: int | None = None
    saved_at: datetime | None = None
    channels: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """The same in types that JSON has."""
        saved_at = None if self.saved_at is None else iso(self.saved_at)
        return {**asdict(self), "saved_at": saved_at, "channels": [*self.channels]}


@dataclass(frozen=True, slots=True)
class WritesEvent:
    """A `writes.saved` event."""

    version: int
    recorded_at: int
    cause: Cause
    record: WritesRecord
    size: int

    @property
    def results(self) -> list[Write]:
        """The writes that the next step applies: not errors, interrupts and the like."""
        return [write for write in self.record.writes if write.channel not in CONTROL]

    @property
    def by_hand(self) -> bool:
        """`True` if it is an update of the state, and not from a task."""
        return is_by_hand(self.record.task_path)

    @property
    def by_caller(self) -> bool:
        """`True` if it is from the caller of the graph, and not from a task."""
        return is_of_caller(self.cause.task or "")

    @property
    def written(self) -> Written:
        """The same, as the rule takes it that tells what is due."""
        return Written(self.version, self.cause.task or "", self.cause.node, self.record)

    def writer(self) -> Writer:
        """Return the task that wrote it."""
        cause = self.cause
        channels = tuple(dict.fromkeys(write.channel for write in self.results if write.channel != _NOTHING))
        saved_at = from_microseconds(self.recorded_at)
        return Writer(cause.node, cause.task, cause.run, self.version, saved_at, channels)


class Writes:
    """The writes of tasks at some checkpoints of one thread, fetched at once.

    Args:
        store: The store.
        tables: The tables.
        names: Tells what the tasks of the thread are called.
        keys: The checkpoints.
    """

    def __init__(self, store: EventStore, tables: Tables, names: Names, keys: Collection[Key]) -> None:
        view = names.view
        by_namespace: dict[str, list[str]] = defaultdict(list)
        for namespace, checkpoint in keys:
            by_namespace[namespace].append(checkpoint)
        found = {
            (namespace, checkpoint): rows.values()
            for namespace, ids in by_namespace.items()
            for checkpoint, rows in writes_of(tables, view, namespace, ids).items()
        }
        self._at = {
            key: _named(names, key, [event for row in rows if (event := _writes_event(store, view.thread, row))])
            for key, rows in found.items()
        }

    def at(self, namespace: str, checkpoint: str) -> Sequence[WritesEvent]:
        """Return the writes at a checkpoint, in the order of the log."""
        return self._at.get((namespace, checkpoint), ())

    def written(self, located: Located) -> list[Written]:
        """The same, as the rule takes it that tells what is due."""
        return [event.written for event in self.at(located.namespace, located.id)]

    def applied(self, located: Located, parent: Located | None, ran: Collection[str]) -> list[WritesEvent]:
        """Return the writes that a checkpoint applied, in its order: one event per task with a result at its parent.

        If runs raced and a task ran twice, its event is the one of the checkpoint's own run, if that run is known.

        Args:
            located: The checkpoint.
            parent: Its parent, if the checkpoint may be that of a run that is saved at its end.
            ran: The nodes that have run since its parent; only needed of an update by hand.
        """
        source, above = source_of(located), located.record.parent
        if above is None or source in _NO_STEPS:
            return []
        discards = parent is not None and has_taken_input(parent, located)
        by_task: dict[str | None, WritesEvent] = {}
        for event in self.at(located.namespace, above):
            if not event.results or not _may_be_of(event, source, ran):
                continue
            if discards and parent is not None and is_of_the_step(event.written, parent.id, step_of(parent)):
                continue
            known = by_task.get(event.cause.task)
            own = located.cause.run is not None and event.cause.run == located.cause.run
            if known is None or (own and known.cause.run != located.cause.run):
                by_task[event.cause.task] = event
        return sorted(by_task.values(), key=lambda event: (event.record.task_path, event.cause.task or ""))


def writers_of(events: Sequence[WritesEvent], ran: Sequence[str], run: str | None) -> list[Writer]:
    """Return who wrote some events that a checkpoint applied; nodes that have run besides come without a task.

    An update by hand is of the one node that the checkpoint tells of and nobody else wrote for: LangGraph notes nowhere
    else in whose name it was made.
    """
    writers = [event.writer() for event in events]
    named = {writer.node for writer in writers}
    missing = [node for node in dict.fromkeys(ran) if node not in named]
    by_hand = [number for number, event in enumerate(events) if event.by_hand and event.cause.node is None]
    if len(by_hand) == len(missing) == 1:
        writers[by_hand[0]] = replace(writers[by_hand[0]], node=missing.pop())
    return [*writers, *(Writer(node, run=run) for node in missing)]


def source_of(located: Located) -> str | None:
    """Return LangGraph's source of a checkpoint: `input`, `loop`, `update` or `fork`; `None` if it does not say."""
    source = located.cause.metadata.get("source")
    return source if isinstance(source, str) else None


def step_of(located: Located) -> int | None:
    """LangGraph's number of the step, if the checkpoint has one."""
    step = located.cause.metadata.get("step")
    return step if type(step) is int else None


def nodes_between(parent: Located | None, located: Located) -> list[str]:
    """The nodes that have run since a checkpoint's parent, or that an input discarded: they have read something else.

    Of a node that was sent a packet it is only noted that it has run at all.
    """
    if parent is None or source_of(located) in _NO_STEPS:
        return []
    before = read_by(parent.record)
    seen = located.record.versions_seen
    return [
        node for node, read in read_by(located.record).items() if read != before.get(node) and (read or not seen[node])
    ]


def nodes_maybe_between(parent: Located | None, located: Located) -> list[str]:
    """The nodes that may have run since a checkpoint's parent: nobody else has.

    A run that is saved at its end leaves one checkpoint of many steps, and which nodes were sent packets in between is
    noted nowhere. Then any of those may have been that have ever run.
    """
    ran = nodes_between(parent, located)
    if not is_of_many_steps(parent, located):
        return ran
    if parent is not None and _version(parent, SENDS) == _version(located, SENDS):
        return ran  # no packet was sent, or came
    return [*dict.fromkeys((*ran, *read_by(located.record)))]


def is_of_many_steps(parent: Located | None, located: Located) -> bool:
    """Tell whether a checkpoint may be of several steps since its parent: that of a run that is saved at its end."""
    if source_of(located) != "loop":
        return False
    if parent is None:
        return located.record.parent is None
    step, before = step_of(located), step_of(parent)
    return step is not None and before is not None and step > before + 1


def has_taken_input(parent: Located, located: Located) -> bool:
    """Tell whether an input came after a checkpoint's parent, of a run that is saved at its end.

    LangGraph then discards what tasks had finished at the parent.
    """
    before, given = read_by(parent.record), _version(parent, INPUT)
    return any(
        INPUT in read and read[INPUT] not in (given, before.get(node, {}).get(INPUT))
        for node, read in read_by(located.record).items()
    )


def _version(located: Located | None, channel: str) -> Any:
    entry = located.record.manifest.get(channel) if located else None
    return entry.channel_version if entry else None


def failed(events: Iterable[WritesEvent]) -> bool:
    """Return whether one of a checkpoint's tasks raised."""
    return any(write.channel == ERROR for event in events for write in event.record.writes)


def _named(names: Names, key: Key, events: Sequence[WritesEvent]) -> list[WritesEvent]:
    """Return what tasks wrote at a checkpoint, with the names of their nodes."""
    nodes = names.nodes(*key, [(event.cause, event.record) for event in events])
    return [replace(event, cause=replace(event.cause, node=node)) for event, node in zip(events, nodes, strict=True)]


def _may_be_of(event: WritesEvent, source: str | None, ran: Collection[str]) -> bool:
    """Return whether a checkpoint may have applied an event, rather than another child of its parent."""
    if source == "update":
        # An update also applies what tasks had finished before it.
        return event.by_hand or event.cause.node in ran
    return not event.by_hand


def _writes_event(store: EventStore, thread: str, row: WrittenRow) -> WritesEvent | None:
    """The event, or nothing if a prune has erased it meanwhile."""
    if row.payload is None:
        return None
    try:
        cause, record = opened(store, thread, row.version, row.payload, WritesRecord.unpack)
    except ErasedError:
        return None
    return WritesEvent(row.version, row.recorded_at, cause, record, len(row.payload))
