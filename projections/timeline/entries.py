"""From checkpoints to what a timeline says of them: a few queries for many, and no values where the record tells."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from eventstore import EventStore, TypeNotAllowedError, UnreadableError
from eventstore.by_fields import OnOneLine
from eventstore.events import from_microseconds
from projections.diffing.content import ABSENT, ITEMS, KEYS, TEXT
from projections.diffing.difference import Difference, Part, diff
from projections.diffing.glance import glance
from projections.diffing.plain import iso
from projections.diffing.summary import in_short
from projections.diffing.texts import Piece
from projections.diffing.visible import printable
from projections.reading.channels import Values, Written, places_of, steers, written_between
from projections.reading.due import Steps
from projections.reading.finding import Finder
from projections.reading.located import Located
from projections.reading.naming import Names
from projections.reading.shaping import names_of, newest_writes, shaped
from projections.reading.steps import (
    Writer,
    Writes,
    WritesEvent,
    failed,
    nodes_between,
    source_of,
    step_of,
    writers_of,
)
from projections.reading.view import View
from projections.records import Write
from projections.tables import Tables
from projections.timeline.replayed import Replayed, difference_of
from projections.timeline.rules import EMPTY, UNKNOWN_VALUE, Fold, Folded
from projections.values.change import DICT, LIST, Change, load
from projections.values.loading import load_parts
from projections.values.parts import is_append, unpack
from projections.values.serializer import Serializer

_LIMIT = 60
# What is said of a value whose type the serializer does not allow, or whose key it has not: the others are shown.
_UNREADABLE = "cannot be read by this serializer"


@dataclass(frozen=True, slots=True)
class ChannelChange:
    """The change of a channel in one step.

    Attributes:
        channel: The channel.
        kind: `"added"`, `"changed"`, `"removed"`; `"written"` if its value is not stored and only the writes are.
        summary: The change in a few words; empty if it was written and is as it was.
        folded: If only its writes are stored: by which rule its value was made of them.
    """

    channel: str
    kind: str
    summary: str
    folded: str | None = None

    def __str__(self) -> str:
        return f"{printable(self.channel)}: {self.summary or 'as it was'}"


@dataclass(frozen=True, slots=True, repr=False)
class TimelineEntry(OnOneLine):
    """One checkpoint of a timeline.

    Attributes:
        thread: The thread's id.
        namespace: The subgraph's path, empty for the outermost graph.
        id: The checkpoint's id.
        parent: Its parent's id, if that is still shown.
        version: The version of its event in the thread's stream.
        saved_at: When it was recorded, UTC.
        step: LangGraph's number of the step, if the checkpoint has one.
        source: What made it: `"input"`, `"loop"`, `"update"` or `"fork"`, if it says so.
        run: The id of the run that saved it, if known.
        writers: The tasks whose writes it applied.
        due: The nodes that are due, as `RecoveryPoint.next` tells them.
        changes: The channels that changed since its parent, by name.
        size: The bytes of its event as stored.
        writes_size: The bytes of what tasks wrote at it, as stored.
        pending: How many tasks have results at it. Of a checkpoint that was followed by another, these are what that
            one applied.
        interrupted: Whether a task stopped at it to ask; at the latest checkpoint, whether one waits for an answer.
        failed: Whether a task raised at it.
    """

    thread: str
    namespace: str
    id: str
    parent: str | None
    version: int
    saved_at: datetime
    step: int | None
    source: str | None
    run: str | None
    writers: tuple[Writer, ...]
    due: tuple[str, ...]
    changes: tuple[ChannelChange, ...]
    size: int
    writes_size: int
    pending: int
    interrupted: bool
    failed: bool

    @property
    def nodes(self) -> tuple[str, ...]:
        """The nodes that ran to produce it, each once."""
        return tuple(dict.fromkeys(writer.node for writer in self.writers if writer.node is not None))

    def cells(self) -> tuple[str, ...]:
        """The same as texts for a table: its step, its time, its nodes or source, what changed, and its bytes."""
        marks = [mark for mark, is_so in (("asks", self.interrupted), ("failed", self.failed)) if is_so]
        return (
            "" if self.step is None else str(self.step),
            f"{self.saved_at:%Y-%m-%d %H:%M:%S}",
            ", ".join([*(self.nodes or (self.source or "",)), *marks]),
            "\n".join(map(str, self.changes)),
            f"{self.size + self.writes_size:,}",
        )

    def to_json(self) -> dict[str, Any]:
        """The same in types that JSON has."""
        return {
            **asdict(self),
            "saved_at": iso(self.saved_at),
            "writers": [writer.to_json() for writer in self.writers],
            "due": [*self.due],
            "changes": [asdict(change) for change in self.changes],
        }


@dataclass(frozen=True, slots=True, repr=False)
class TimelinePage(OnOneLine):
    """One page of a timeline; pass `next_cursor` as `before` to get the next one (`None`: this is the last)."""

    entries: list[TimelineEntry]
    next_cursor: str | None

    def _repr_html_(self) -> str:
        from projections.diffing.html import table  # noqa: PLC0415 (only notebooks ask)

        return table(("step", "saved (UTC)", "nodes", "changes", "bytes"), (entry.cells() for entry in self.entries))


class Entries:
    """Makes the entries of some checkpoints of one thread.

    Args:
        store: The store.
        tables: The tables.
        finder: Finds parents that are not among the checkpoints.
        view: The thread.
        batch: The checkpoints.
        serializer: Turns bytes into values.
        fold: The rules of the graph, if there is one.
    """

    def __init__(
        self,
        store: EventStore,
        tables: Tables,
        finder: Finder,
        view: View,
        batch: Sequence[Located],
        serializer: Serializer,
        fold: Fold | None = None,
    ) -> None:
        self._view = view
        batch = [shaped(each, serializer) for each in batch]
        self._located = {(each.namespace, each.id): each for each in batch}
        for key in {(each.namespace, each.parent) for each in batch if each.parent} - self._located.keys():
            if parent := finder.locate(view, *key):
                self._located[parent.namespace, parent.id] = shaped(parent, serializer)
        names = Names(finder, view)
        names.know(self._located.values())
        self._writes = Writes(store, tables, names, self._located.keys())
        self._values = Values(store, tables, view, serializer)
        self._values.know(self._located.values())
        self._steps = Steps(finder, view, batch, self._writes.written, self._values)
        self._made = Replayed(store, tables, finder, view, self._values, fold)
        self._made.know(self._located.values())
        self._written = {(each.namespace, each.id): self._written_by(each) for each in batch}
        self._values.fetch(
            place
            for written in self._written.values()
            for each in written
            for place in (each.before, each.after)
            if place is not None
        )
        # The oldest first: each goes on from the value before.
        self._folded = {(each.namespace, each.id): self._folded_by(each) for each in reversed(batch)}

    def of(self, located: Located) -> TimelineEntry:
        """The entry of one of the checkpoints."""
        located = self._located[located.namespace, located.id]
        parent = self._parent(located)
        own = self._writes.at(located.namespace, located.id)
        ran = nodes_between(parent, located)
        applied = self._writes.applied(located, parent, ran)
        step = self._steps.of(located)
        return TimelineEntry(
            thread=self._view.thread,
            namespace=located.namespace,
            id=located.id,
            parent=located.parent,
            version=located.version,
            saved_at=from_microseconds(located.recorded_at),
            step=step_of(located),
            source=source_of(located),
            run=located.cause.run,
            writers=tuple(writers_of(applied, ran, located.cause.run)),
            due=step.next,
            changes=tuple(self._changes(located, parent, applied)),
            size=located.size,
            writes_size=sum(event.size for event in own),
            pending=sum(task.done for task in (*step.tasks, *step.beside)),
            interrupted=any(step.asked(task) for task in (*step.tasks, *step.beside)),
            failed=failed(own),
        )

    def _parent(self, located: Located) -> Located | None:
        return self._located.get((located.namespace, located.parent)) if located.parent else None

    def _written_by(self, located: Located) -> list[Written]:
        parent = self._parent(located)
        after = places_of(located.record, located.version)
        if parent is None and located.record.parent is not None:
            # Its parent is gone: all that is known is what it wrote itself.
            found = [Written(channel, "changed", None, located.version) for channel in located.record.changes]
        else:
            found = written_between(places_of(parent.record, parent.version) if parent else {}, after)
        return [each for each in found if not _is_consumed(each)]

    def _changes(self, located: Located, parent: Located | None, applied: Sequence[WritesEvent]) -> list[ChannelChange]:
        folded = self._folded[located.namespace, located.id]
        replayed = {
            channel: said for channel, said in self._replayed(located, parent, applied).items() if channel not in folded
        }
        written = self._written[located.namespace, located.id]
        found = [
            ChannelChange(each.channel, each.kind, self._summary(each))
            for each in written
            if each.channel not in replayed and each.channel not in folded
        ]
        found += [change for change in folded.values() if change]
        found += [ChannelChange(channel, "written", summary) for channel, summary in replayed.items()]
        return sorted(found, key=lambda change: change.channel)

    def _folded_by(self, located: Located) -> dict[str, ChannelChange | None]:
        """Of each channel that is replayed and whose value is known: what became of it; `None` if nothing did."""
        parent = self._parent(located)
        if parent is None and located.record.parent is not None:
            return {}  # its parent is gone: what was written is all that is known
        found: dict[str, ChannelChange | None] = {}
        for channel in self._made.channels(located):
            is_new = parent is None or channel not in parent.record.manifest
            before = EMPTY if parent is None or is_new else self._value_at(parent, channel)
            after = self._value_at(located, channel)
            if before.known and after.known:
                found[channel] = self._change_to(located, parent, channel, before, after)
        return found

    def _change_to(
        self, located: Located, parent: Located | None, channel: str, before: Folded, after: Folded
    ) -> ChannelChange | None:
        rule = after.rule or before.rule
        if before.value is ABSENT:
            return ChannelChange(channel, "added", _of_new(after.value), rule)
        if difference := difference_of(before.value, after.value):
            return ChannelChange(channel, "changed", in_short(difference), rule)
        # A snapshot gives it another version, too, and is no change.
        called = {*names_of(channel, self._values.serializer)}
        is_written = any(called & {*event.writer().channels} for event in self._writes.applied(located, parent, ()))
        return ChannelChange(channel, "changed", "", rule) if parent and is_written else None

    def _value_at(self, located: Located, channel: str) -> Folded:
        try:
            return self._made.at(located, channel)
        except (TypeNotAllowedError, UnreadableError):
            return UNKNOWN_VALUE

    def _summary(self, written: Written) -> str:
        channel, _, before, after = written
        if after is None:
            return "removed"
        try:
            return _of_new(self._values.get(after, channel)) if before is None else self._change(channel, before, after)
        except (TypeNotAllowedError, UnreadableError):
            return _UNREADABLE

    def _change(self, channel: str, before: int, after: int) -> str:
        values = self._values
        changes = values.change((before, channel)), values.change((after, channel))
        told = _told(before, *changes, values.serializer) if values.are_parts(channel) else None
        return in_short(told or diff(values.get(before, channel), values.get(after, channel)))

    def _replayed(self, located: Located, parent: Located | None, applied: Sequence[WritesEvent]) -> dict[str, str]:
        """The channels that are replayed from their writes: what was written to them."""
        stored = {channel for each in (located, parent) if each for channel in places_of(each.record, each.version)}
        found = {each.channel: "" for each in self._written[located.namespace, located.id] if self._is_snapshot(each)}
        for event in applied:
            for channel, value in (each for write in event.results for each in self._written_values(write)):
                if channel in found or (
                    channel in located.record.manifest and channel not in stored and not steers(channel)
                ):
                    said = found.get(channel)
                    found[channel] = (f"{said}, " if said else "") + value
        # A run that is saved at its end may leave snapshots without the writes that led there.
        return {channel: said for channel, said in found.items() if said}

    def _is_snapshot(self, written: Written) -> bool:
        places = (place for place in (written.before, written.after) if place is not None)
        try:
            return any(self._values.is_snapshot(place, written.channel) for place in places)
        except (TypeNotAllowedError, UnreadableError):
            return False

    def _written_values(self, write: Write) -> list[tuple[str, str]]:
        """Values that were written, in short, by channel: also to those that are made of the channel now."""
        try:
            value = load(write.encoding, write.data, self._values.serializer)
            made = newest_writes(write.channel, value, self._values.serializer)
            return [(channel, glance(each, _LIMIT)) for channel, each in made.items()]
        except (TypeNotAllowedError, UnreadableError):
            return [(write.channel, _UNREADABLE)]


def _is_consumed(written: Written) -> bool:
    """Return whether a channel only steers the graph's steps, or is an input that was consumed."""
    return steers(written.channel) or (written.after is None and written.channel.startswith("__"))


def _told(base: int, before: Change, after: Change, serializer: Serializer) -> Difference | None:
    """The difference that a recorded change tells by itself: it adds parts to all that its base has, at its end.

    The base is not read. So what was added is not held against a checksum, which covers the whole value.
    """
    if after.operation != before.operation or after.path[-1:] != (base,):
        return None
    recipe, inserted = unpack(after.encoding, after.data)
    length = sum(unpack(before.encoding, before.data)[0][1::2])
    if not is_append(recipe, length):
        return None
    parts = load_parts(after.operation, inserted.stored, serializer)
    if after.operation == LIST:
        return Difference(ITEMS, ABSENT, ABSENT, [Part("+", length + at, after=part) for at, part in enumerate(parts)])
    if after.operation == DICT:
        return Difference(KEYS, ABSENT, ABSENT, [Part("+", key, after=item) for key, item in parts])
    return Difference(TEXT, ABSENT, ABSENT, pieces=[Piece("+", part) for part in parts])


def _of_new(value: Any) -> str:
    """Summarize a value that was not there before."""
    if type(value) in (list, dict) and value:
        return in_short(diff(type(value)(), value))
    return glance(value, _LIMIT)
