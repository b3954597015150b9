"""Values that are recorded as changes, read from the log and from the segments that its changes are merged into."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from eventstore import ChecksumError, CorruptionError, ErasedError, EventStore, TooLargeError
from projections.reading.located import record_of
from projections.reading.view import View, payloads, segments
from projections.records import CheckpointRecord
from projections.tables import Tables
from projections.values.change import Change
from projections.values.kinds import PARTED, join, unknown
from projections.values.ladder import Ladder, Rung
from projections.values.molds import Mold
from projections.values.parts import NOTHING, Part, Parts, apply, check_count, is_append, length_of, unpack
from projections.values.serializer import Serializer
from projections.values.value import Value

Wanted = tuple[int, str]
"""The version of the event that holds a value, and its channel."""


@dataclass(slots=True)
class _Walk:
    """The way back from a value to one that is known, or to where it begins.

    Attributes:
        channel: The channel.
        at: The version that is to be restored before what has been found so far can be applied.
        path: The changes and segments that have been found, the last first, each with the version where it ends.
        done: Whether the beginning was reached.
    """

    channel: str
    at: int
    path: list[tuple[int, Change]] = field(default_factory=list)
    done: bool = False


class Chains:
    """Restores values of one thread. A round of queries fetches what all of them need next.

    It remembers what it has read: values that build upon each other cost little more than one. Drop it when `bytes`,
    the size of what it has read, has grown too large.

    Args:
        store: The store.
        tables: The tables.
        view: The thread.
        by_segments: Whether segments are used; if not, values are made of what the log alone gives.
    """

    def __init__(self, store: EventStore, tables: Tables, view: View, *, by_segments: bool = True) -> None:
        self.bytes = 0
        self._store = store
        self._tables = tables
        self._view = view
        self._by_segments = by_segments
        self._records: dict[int, CheckpointRecord] = {}
        # Values share parts.
        self._molds: dict[Part, Mold] = {}
        self._made: dict[str, dict[Part, Any]] = {}
        self._segments: dict[Wanted, dict[int, Change]] = {}
        self._looked_for: set[int] = set()
        self._values: dict[Wanted, Value] = {}

    def know(self, version: int, record: CheckpointRecord, size: int) -> None:
        """Take note of an event that somebody else has read, and of the bytes that it takes."""
        self._records[version] = record
        self.bytes += size

    def fetch(self, versions: Iterable[int]) -> None:
        """Read events.

        Raises:
            ErasedError: The content of one was erased.
        """
        wanted = set(versions) - self._records.keys()
        stored = payloads(self._store, self._view, wanted)
        if missing := wanted - stored.keys():
            raise ErasedError(f"thread {self._view.thread!r} has no event {min(missing)}, which a checkpoint refers to")
        self._records.update(
            (version, record_of(self._store, self._view.thread, version, payload))
            for version, payload in stored.items()
        )
        self.bytes += sum(map(len, stored.values()))

    def change(self, wanted: Wanted) -> Change:
        """Return the change of a channel in an event that was read."""
        version, channel = wanted
        changes = self._records[version].changes
        if channel not in changes:
            raise CorruptionError(
                f"thread {self._view.thread!r} takes {channel!r} from version {version}, which does not hold it: "
                "verify the thread"
            )
        return changes[channel]

    def restore_events(self, wanted: Sequence[Wanted]) -> dict[Wanted, Value]:
        """`restore`, of events that need not have been read."""
        self.fetch(version for version, _ in wanted)
        return self.restore(wanted)

    def restore(self, wanted: Iterable[Wanted]) -> dict[Wanted, Value]:
        """The values of events that were read, in parts.

        Raises:
            ChecksumError: A value is not what was recorded.
            ErasedError: The content of an event was erased that one of them builds upon.
        """
        asked = sorted(set(wanted))
        # In ascending order: what a later value builds upon is restored before it.
        walks = [_Walk(channel, version) for version, channel in asked if (version, channel) not in self._values]
        starting = set(asked)
        while not all(walk.done for walk in walks):
            events: set[int] = set()
            merged: set[int] = set()
            for walk in walks:
                self._advance(walk, starting, events, merged)
            self.fetch(events)
            self._look_for_segments(merged)
        for walk in walks:
            self._build(walk)
        return {each: self._values[each] for each in asked}

    def borrow(self, values: Iterable[Value], serializer: Serializer) -> None:
        """Use what others know of parts: they need not be read from bytes again."""
        for value in values:
            self._molds.update(value.lending(serializer))

    def shared(self, channel: str, value: Value, serializer: Serializer) -> Any:
        """A value whose parts are the same objects as those of the channel's other values that were asked for here."""
        value.lend(self._molds, serializer)
        molds, new = value.fill(serializer)
        self._molds.update(new)
        known = self._made.setdefault(channel, {})
        taken: set[int] = set()
        parts = []
        for stored, mold in zip(value.parts.stored, molds, strict=True):
            made = known.get(stored)
            if made is None or id(made) in taken:  # no value has the same object in two places
                made = known[stored] = mold()
            taken.add(id(made))
            parts.append(made)
        return join(value.kind, parts)

    def _advance(self, walk: _Walk, starting: set[Wanted], events: set[int], merged: set[int]) -> None:
        """Go back as far as what was read allows; tell which events and segments are needed to go on."""
        while not walk.done:
            here = (walk.at, walk.channel)
            if walk.path and (here in self._values or here in starting):
                walk.done = True
                return
            change = self._next(walk, events)
            if change is None:
                return
            if walk.path and change.operation != walk.path[0][1].operation:
                raise ChecksumError(self._view.thread, walk.channel, walk.path[-1][0])  # nothing builds upon that
            if change.operation not in PARTED:
                raise unknown(change.operation)
            walk.path.append((walk.at, change))
            trail = self._trail(walk, change)
            if not trail:
                walk.done = True
                return
            self._foresee(walk.channel, trail, change is not self._recorded(here), events, merged)
            walk.at = trail[-1]
            if events or merged:
                return

    def _trail(self, walk: _Walk, change: Change) -> tuple[int, ...]:
        try:
            trail = change.trail
            if not trail or trail[-1] < walk.at:
                return trail
        except CorruptionError:
            pass
        raise ChecksumError(self._view.thread, walk.channel, walk.at)  # it leads nowhere, or in circles

    def _next(self, walk: _Walk, events: set[int]) -> Change | None:
        """The largest step back from where the walk is: a segment, or else the event's own change."""
        here = (walk.at, walk.channel)
        if walk.path and (known := self._segments.get(here)):
            return known[max(known)]
        if walk.at not in self._records:
            events.add(walk.at)
            return None
        return self.change(here)

    def _recorded(self, here: Wanted) -> Change | None:
        record = self._records.get(here[0])
        return record.changes.get(here[1]) if record else None

    def _foresee(
        self, channel: str, trail: tuple[int, ...], of_segment: bool, events: set[int], merged: set[int]
    ) -> None:
        """Add what the walk along a trail will need: the events of changes, or, of segments, others of their size."""
        known = max((version for version in trail if (version, channel) in self._values), default=0)
        ahead = [version for version in trail if version > known]
        if of_segment:
            merged.update(version for version in ahead if version not in self._looked_for)
            events.update(version for version in ahead[:1] if not known and version not in self._records)
        else:
            events.update(version for version in ahead if version not in self._records)
            merged.update(version for version in ahead[:1] if not known and version not in self._looked_for)

    def _look_for_segments(self, versions: set[int]) -> None:
        self._looked_for |= versions
        if not self._by_segments:
            return
        for version, channel, level, change in segments(self._store, self._tables, self._view, versions):
            self._segments.setdefault((version, channel), {})[level] = change
            self.bytes += len(change.data)

    def _build(self, walk: _Walk) -> None:
        base = self._values.get((walk.at, walk.channel)) if walk.path and walk.path[-1][1].trail else None
        version, last = walk.path[0]
        ladder = self._trails(walk.channel, last.trail)
        building = _Building(base.parts if base else NOTHING, self._store.max_value_bytes)
        anchors = {base.version: base.parts} if base else {}
        read = base.read_bytes if base else 0
        for at, change in reversed(walk.path):
            building.apply(change, self._view.thread, walk.channel, at)
            read += len(change.data)
            if any(trail[0] == at for trail in ladder):
                anchors[at] = building.parts()
        rungs: list[Rung] = []
        for trail in ladder:
            if trail[0] not in anchors:
                break
            rungs.append(Rung(trail, anchors[trail[0]]))
        parts = building.parts()
        size = length_of(parts.stored)
        if size > self._store.max_value_bytes:
            error = TooLargeError(f"the value of channel {walk.channel!r}", size, self._store.max_value_bytes)
            error.found_at(self._view.thread, version)
            raise error
        self._values[version, walk.channel] = Value(last.operation, parts, version, _whole(rungs, ladder), read, size)

    def _trails(self, channel: str, trail: tuple[int, ...]) -> list[tuple[int, ...]]:
        """The trails of a value's ladder, as far as they were come upon."""
        trails: list[tuple[int, ...]] = []
        while trail:
            trails.append(trail)
            merged = self._segments.get((trail[0], channel), {}).get(len(trails))
            trail = merged.trail if merged else ()
        return trails


class _Building:
    """Parts that changes are applied to, in place where they only add."""

    def __init__(self, base: Parts, limit: int) -> None:
        self._limit = limit
        self._stored = [*base.stored]
        self._sums = bytearray(base.sums)

    def apply(self, change: Change, thread: str, channel: str, version: int) -> None:
        try:
            recipe, inserted = unpack(change.encoding, change.data, self._limit)
            if is_append(recipe, len(self._stored)) and recipe[3] == len(inserted.stored):
                check_count(len(self._stored) + len(inserted.stored), self._limit)
                self._stored += inserted.stored
                self._sums += inserted.sums
            else:
                made = apply(self.parts(), recipe, inserted, self._limit)
                self._stored, self._sums = made.stored, bytearray(made.sums)
        except TooLargeError as error:
            error.found_at(thread, version)
            raise
        except (CorruptionError, TypeError) as error:
            raise ChecksumError(thread, channel, version) from error
        if Parts([], bytes(self._sums)).checksum(change.data) != change.checksum:
            raise ChecksumError(thread, channel, version)

    def parts(self) -> Parts:
        return Parts([*self._stored], bytes(self._sums))


def _whole(rungs: list[Rung], trails: list[tuple[int, ...]]) -> Ladder:
    # Without its first rung a ladder leads nowhere; without its upper ones, segments begin anew.
    return tuple(rungs) if rungs or not trails else ()
