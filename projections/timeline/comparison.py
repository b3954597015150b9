"""How two checkpoints differ, of one thread or of two: channel by channel, reading only what was written in between."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from operator import attrgetter
from typing import Any, Literal

from eventstore import BadInputError, EventStore, NotFoundError
from eventstore.by_fields import OnOneLine
from eventstore.events import from_microseconds
from eventstore.tuples import NamedTuple
from projections.diffing.content import ABSENT
from projections.diffing.difference import Difference, diff
from projections.diffing.glance import glance
from projections.diffing.plain import iso, plain
from projections.diffing.rendering import Line, render
from projections.diffing.visible import printable
from projections.reading.channels import Values, Written, places_of, steers, written_between
from projections.reading.due import Steps
from projections.reading.finding import Finder
from projections.reading.located import Located
from projections.reading.naming import Names
from projections.reading.shaping import shaped
from projections.reading.steps import Writes, nodes_between, source_of, step_of
from projections.reading.view import View, stream_of
from projections.tables import Tables
from projections.timeline.replayed import Replayed, difference_of
from projections.timeline.rules import EMPTY, Fold, Folded
from projections.values.serializer import Serializer


class Named(NamedTuple):
    """A checkpoint by its name.

    Attributes:
        thread: The thread.
        namespace: The namespace; `None`: the one that the id is of, or else that of the checkpoint it is compared with.
        id: The checkpoint's id; `None`: the latest.
    """

    thread: str
    namespace: str | None
    id: str | None


@dataclass(frozen=True, slots=True, repr=False)
class ComparedCheckpoint(OnOneLine):
    """One of two checkpoints that are compared.

    Attributes:
        thread: The thread's id.
        namespace: The subgraph's path.
        id: The checkpoint's id.
        parent: Its parent's id, if that is still shown.
        version: The version of its event in the thread's stream.
        saved_at: When it was recorded, UTC.
        step: LangGraph's number of the step, if it has one.
        source: What made it: `"input"`, `"loop"`, `"update"` or `"fork"`, if it says so.
        run: The id of the run that saved it, if known.
        due: The nodes that are due, as `RecoveryPoint.next` tells them.
        metadata: The caller's metadata.
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
    due: tuple[str, ...]
    metadata: Mapping[str, Any]

    def to_json(self) -> dict[str, Any]:
        """The same in types that JSON has."""
        return {
            "thread": self.thread,
            "namespace": self.namespace,
            "id": self.id,
            "parent": self.parent,
            "version": self.version,
            "saved_at": iso(self.saved_at),
            "step": self.step,
            "source": self.source,
            "run": self.run,
            "due": [*self.due],
            "metadata": plain(dict(self.metadata)),
        }


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class ChannelDiff(OnOneLine):
    """The difference of one channel between two checkpoints.

    Attributes:
        channel: The channel.
        kind: `"added"`, `"removed"`, `"changed"`; `"rewritten"` if it was written and holds the same.
        before: Its value before, `ABSENT` if it was added.
        after: Its value afterwards, `ABSENT` if it was removed.
        difference: The difference of the two values; `None` if there is only one.
        folded: If only the writes of the channel are stored: by which rule its values were made of them.
    """

    channel: str
    kind: Literal["added", "removed", "changed", "rewritten"]
    before: Any = ABSENT
    after: Any = ABSENT
    difference: Difference | None = None
    folded: str | None = None

    def to_json(self) -> dict[str, Any]:
        """The same in types that JSON has."""
        found: dict[str, Any] = {"channel": self.channel, "kind": self.kind}
        found |= {"folded": self.folded} if self.folded else {}
        if self.difference is not None:
            return found | self.difference.to_json() | {"kind": self.kind, "of": self.difference.kind}
        side = "before" if self.kind == "removed" else "after"
        return {**found, side: plain(getattr(self, side))}

    def lines(self, *, limit: int = 100) -> list[Line]:
        """The same to read: see `render`."""
        if self.difference is not None:
            return render(self.difference, self.channel, limit=limit)
        sign: Literal["+", "-"] = "-" if self.kind == "removed" else "+"
        value = self.before if self.kind == "removed" else self.after
        return [Line(sign, 0, f"{printable(self.channel)}: {glance(value, limit)}")]

    def _repr_html_(self) -> str:
        from projections.diffing.html import signed  # noqa: PLC0415 (only notebooks ask)

        return signed(self.kind, ((line.sign, str(line)) for line in self.lines()))


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class CheckpointDiff(OnOneLine):
    """How two checkpoints differ. It is true if a channel holds something else.

    Attributes:
        before: The earlier checkpoint; `None` if the later one follows none, or its parent was pruned.
        after: The later one.
        channels: The channels that were written in between, by name.
        replayed: Channels that were written in between, of which only the writes are stored, and no rule is known that
            makes values of them: see `Checkpoints.history`.
        nodes: The nodes that have run at one of them since it and the other were the same.
        metadata: How their metadata differs.
    """

    before: ComparedCheckpoint | None
    after: ComparedCheckpoint
    channels: tuple[ChannelDiff, ...]
    replayed: tuple[str, ...]
    nodes: tuple[str, ...]
    metadata: Difference

    def __bool__(self) -> bool:
        return bool(self.replayed) or any(channel.kind != "rewritten" for channel in self.channels)

    def to_json(self) -> dict[str, Any]:
        """The same in types that JSON has."""
        return {
            "before": self.before and self.before.to_json(),
            "after": self.after.to_json(),
            "channels": [channel.to_json() for channel in self.channels],
            "replayed": [*self.replayed],
            "nodes": [*self.nodes],
            "metadata": self.metadata.to_json(),
        }

    def lines(self, *, limit: int = 100) -> list[Line]:
        """The channels to read, each line with a sign.

        Args:
            limit: How many characters of one value are shown at most.
        """
        found = [line for channel in self.channels for line in channel.lines(limit=limit)]
        names = map(printable, self.replayed)
        return found + [Line("~", 0, f"{name}: written (only its writes are stored)") for name in names]

    def _repr_html_(self) -> str:
        from projections.diffing.html import signed  # noqa: PLC0415 (only notebooks ask)

        sides = " → ".join(f"step {side.step} ({side.thread})" for side in (self.before, self.after) if side)
        return signed(sides, ((line.sign, str(line)) for line in self.lines()))


class Comparison:
    """Compares checkpoints of one store.

    Args:
        store: The store.
        tables: The tables.
        finder: Finds the checkpoints.
    """

    def __init__(self, store: EventStore, tables: Tables, finder: Finder) -> None:
        self._store = store
        self._tables = tables
        self._finder = finder

    def of(
        self,
        a: Named,
        b: Named,
        serializer: Serializer,
        *,
        channels: Collection[str] | None,
        fold: Fold | None,
    ) -> CheckpointDiff:
        """How `a` became `b`: see `Timeline.diff`."""
        if isinstance(channels, str):
            raise BadInputError(f"channels must be several names, not one text: use [{channels!r}]")
        a, b = self._with_namespaces(a, b)
        view, after = self._located(b)
        values = Values(self._store, self._tables, view, serializer)
        if a.thread == b.thread:
            before = self._parent(view, after) if a.id is None else self._located(a)[1]
            view_a, values_a = view, values
        else:
            view_a, before = self._located(a)
            values_a = Values(self._store, self._tables, view_a, serializer)
        return self._between(values_a, view_a, before, values, view, after, channels, fold)

    def within(
        self, view: View, before: Located, after: Located, serializer: Serializer, fold: Fold | None
    ) -> CheckpointDiff:
        """Return how one checkpoint of a thread became another one."""
        values = Values(self._store, self._tables, view, serializer)
        return self._between(values, view, before, values, view, after, None, fold)

    def _between(
        self,
        values_a: Values,
        view_a: View,
        before: Located | None,
        values: Values,
        view: View,
        after: Located,
        channels: Collection[str] | None,
        fold: Fold | None,
    ) -> CheckpointDiff:
        before = before and shaped(before, values_a.serializer)
        after = shaped(after, values.serializer)
        known = after.record.manifest.keys() | (before.record.manifest.keys() if before else set())
        if unknown := [channel for channel in channels or () if channel not in known]:
            there = ", ".join(sorted(channel for channel in known if not steers(channel)))
            raise NotFoundError(f"there is no channel {unknown[0]!r}; there are {there or 'none'}")
        values.know([after])
        values_a.know([before] if before else [])

        def is_same(left: int, right: int) -> bool:
            # Threads that share a past know an event of it by the same version.
            return left == right and (
                view is view_a or stream_of(self._store, view_a, left) == stream_of(self._store, view, right)
            )

        written = written_between(
            places_of(before.record, before.version) if before else {},
            places_of(after.record, after.version),
            is_same,
        )
        made = Replayed(self._store, self._tables, self._finder, view, values, fold)
        made_a = made if view is view_a else Replayed(self._store, self._tables, self._finder, view_a, values_a, fold)
        folded = _folded((before, made_a) if before else None, (after, made), channels)
        known = {each.channel for each in folded}
        wanted = [each for each in written if each.channel not in known and _is_wanted(each.channel, channels)]
        values_a.fetch(each.before for each in wanted if each.before is not None)
        values.fetch(each.after for each in wanted if each.after is not None)
        # Of a channel that is replayed there may be a snapshot at one of them only.
        uneven = {each.channel for each in wanted if _is_uneven(each, values_a, values)}
        replayed = uneven | {channel for channel in _replayed(before, after) if _is_wanted(channel, channels)}
        found = [_of_channel(each, values_a, values) for each in wanted if each.channel not in uneven]
        return CheckpointDiff(
            before=self._compared(view_a, before, values_a) if before else None,
            after=self._compared(view, after, values),
            channels=tuple(sorted((*found, *folded), key=attrgetter("channel"))),
            replayed=tuple(sorted(replayed - known)),
            nodes=tuple(nodes_between(before, after)),
            metadata=diff(dict(before.cause.metadata) if before else {}, dict(after.cause.metadata)),
        )

    def _with_namespaces(self, a: Named, b: Named) -> tuple[Named, Named]:
        """Both, each with the namespace that its id is of; one that is not named by an id is of the other's."""
        spaces = [
            self._finder.namespace_of(each.thread, each.id) if each.namespace is None and each.id else each.namespace
            for each in (a, b)
        ]
        either = next((space for space in spaces if space is not None), "")
        of_a, of_b = (either if space is None else space for space in spaces)
        return a._replace(namespace=of_a), b._replace(namespace=of_b)

    def _located(self, named: Named) -> tuple[View, Located]:
        thread, namespace, checkpoint = named.thread, named.namespace or "", named.id
        found = self._finder.find(thread, namespace, checkpoint)
        if found is None:
            raise NotFoundError(missing(thread, namespace, checkpoint))
        return found

    def _parent(self, view: View, located: Located) -> Located | None:
        return self._finder.locate(view, located.namespace, located.parent) if located.parent else None

    def _compared(self, view: View, located: Located, values: Values) -> ComparedCheckpoint:
        writes = Writes(self._store, self._tables, Names(self._finder, view), [(located.namespace, located.id)])
        steps = Steps(self._finder, view, [located], writes.written, values)
        return ComparedCheckpoint(
            thread=view.thread,
            namespace=located.namespace,
            id=located.id,
            parent=located.parent,
            version=located.version,
            saved_at=from_microseconds(located.recorded_at),
            step=step_of(located),
            source=source_of(located),
            run=located.cause.run,
            due=steps.of(located).next,
            metadata=located.cause.metadata,
        )


def missing(thread: str, namespace: str, checkpoint: str | None) -> str:
    """Return the error message for a checkpoint that does not exist."""
    place = f"thread {thread!r}" + (f", namespace {namespace!r}," if namespace else "")
    what = "no checkpoint" if checkpoint is None else f"no checkpoint {checkpoint!r}"
    return f"{place} has {what}: list what there is with Timeline.page"


def _is_wanted(channel: str, channels: Collection[str] | None) -> bool:
    return not steers(channel) if channels is None else channel in channels


def _is_uneven(written: Written, before: Values, after: Values) -> bool:
    """Return whether one of two checkpoints has a snapshot of a channel, and the other has no value."""
    if written.before is None or written.after is None:
        sides = ((written.before, before), (written.after, after))
        return any(values.is_snapshot(place, written.channel) for place, values in sides if place is not None)
    return False


def _folded(
    before: tuple[Located, Replayed] | None, after: tuple[Located, Replayed], channels: Collection[str] | None
) -> list[ChannelDiff]:
    """Return what became of the channels that are replayed, where both values are known."""
    names = {channel for side in (before, after) if side for channel in side[1].shown_channels(side[0])}
    found = []
    for channel in names:
        if not _is_wanted(channel, channels):
            continue
        old, new = (_shown(side, channel) for side in (before, after))
        if not (old.known and new.known):
            continue
        rule = new.rule or old.rule
        if old.value is ABSENT or new.value is ABSENT:
            kind: Literal["added", "removed"] = "added" if old.value is ABSENT else "removed"
            found.append(ChannelDiff(channel, kind, old.value, new.value, folded=rule))
        elif difference := difference_of(old.value, new.value):
            found.append(ChannelDiff(channel, "changed", old.value, new.value, difference, rule))
        elif before and before[0].record.manifest.get(channel) != after[0].record.manifest.get(channel):
            found.append(ChannelDiff(channel, "rewritten", old.value, new.value, difference, rule))
    return found


def _shown(side: tuple[Located, Replayed] | None, channel: str) -> Folded:
    """The value of a channel at one of two checkpoints."""
    return EMPTY if side is None else side[1].shown(side[0], channel)


def _of_channel(written: Written, before: Values, after: Values) -> ChannelDiff:
    channel = written.channel
    old = ABSENT if written.before is None else before.get(written.before, channel)
    new = ABSENT if written.after is None else after.get(written.after, channel)
    if written.kind != "changed":
        return ChannelDiff(channel, written.kind, old, new)
    difference = diff(old, new)
    return ChannelDiff(channel, "changed" if difference else "rewritten", old, new, difference)


def _replayed(before: Located | None, after: Located) -> list[str]:
    """The channels that have no stored value in either, and another version."""
    old = before.record.manifest if before else {}
    return [
        channel
        for channel, entry in after.record.manifest.items()
        if entry.written_at is None
        and not channel.startswith("__")  # an input that was taken
        and (channel not in old or (old[channel].written_at is None and old[channel] != entry))
    ]
