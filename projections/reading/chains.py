"""Values that are recorded as changes, read from the log and from the segments that its changes are merged into."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from eventstore import ChecksumError, CorruptionError, ErasedError, EventStore, TooLargeError
from projections.reading.located import record_of
from projections.reading.view import SegmentAt, View, payloads, payloads_and_segments, segments
from projections.records import CheckpointRecord
from projections.tables import Tables
from projections.values.change import Change
from projections.values.copiers import Copier
from projections.values.kinds import PARTED, join, unknown
from projections.values.merging import Level, Levels
from projections.values.parts import NOTHING, Part, Parts, apply, check_count, is_append, length_of, unpack
from projections.values.serializer import Serializer
from projections.values.value import Value

Wanted = tuple[int, str]
"""The version of the event that holds a value, and its channel."""


class _Walk:
    """The way back from a value to one that is known, or to where it begins.

    Attributes:
        channel: The channel.
        at: The version that is to be restored before those found so far can be applied.
        found: The changes and segments that have been found, the last first, each with the version where it ends.
        done: Whether the beginning was reached.
    """

    __slots__ = ("at", "channel", "done", "found")

    def __init__(self, channel: str, at: int) -> None:
        self.channel = channel
        self.at = at
        self.found: list[tuple[int, Change]] = []
        self.done = False


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
        # By part, since values share them.
        self._copiers: dict[Part, Copier] = {}
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
        self._take(wanted, payloads(self._store, self._view, wanted))

    def _take(self, wanted: set[int], stored: Mapping[int, bytes]) -> None:
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

    def holds(self, wanted: Wanted) -> bool:
        """Return whether an event that was read holds a value of a channel."""
        return wanted[1] in self._records[wanted[0]].changes

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
            self._go_on(events, merged)
        for walk in walks:
            self._build(walk)
        return {each: self._values[each] for each in asked}

    def reuse_copiers(self, values: Iterable[Value], serializer: Serializer) -> None:
        """Use the copiers that these values have: parts that they share need not be read from bytes again."""
        for value in values:
            self._copiers.update(value.copiers(serializer))

    def shared(self, channel: str, value: Value, serializer: Serializer) -> Any:
        """A value whose parts are the same objects as those of the channel's other values that were asked for here."""
        value.use_copiers(self._copiers, serializer)
        copiers, new = value.fill(serializer)
        self._copiers.update(new)
        known = self._made.setdefault(channel, {})
        taken: set[int] = set()
        parts = []
        for stored, copier in zip(value.parts.stored, copiers, strict=True):
            made = known.get(stored)
            if made is None or id(made) in taken:  # no value has the same object in two places
                made = known[stored] = copier()
            taken.add(id(made))
            parts.append(made)
        return join(value.kind, parts)

    def _advance(self, walk: _Walk, starting: set[Wanted], events: set[int], merged: set[int]) -> None:
        """Go back as far as what was read allows; tell which events and segments are needed to go on."""
        while not walk.done:
            here = (walk.at, walk.channel)
            if walk.found and (here in self._values or here in starting):
                walk.done = True
                return
            change = self._next(walk, events)
            if change is None:
                return
            if walk.found and change.operation != walk.found[0][1].operation:
                raise ChecksumError(self._view.thread, walk.channel, walk.found[-1][0])  # nothing builds upon that
            if change.operation not in PARTED:
                raise unknown(change.operation)
            walk.found.append((walk.at, change))
            path = self._path(walk, change)
            if not path:
                walk.done = True
                return
            self._foresee(walk.channel, path, change is not self._recorded(here), events, merged)
            walk.at = path[-1]
            if events or merged:
                return

    def _path(self, walk: _Walk, change: Change) -> tuple[int, ...]:
        try:
            path = change.path
            if not path or path[-1] < walk.at:
                return path
        except CorruptionError:
            pass
        raise ChecksumError(self._view.thread, walk.channel, walk.at)  # it leads nowhere, or in circles

    def _next(self, walk: _Walk, events: set[int]) -> Change | None:
        """The largest step back from where the walk is: a segment, or else the event's own change."""
        here = (walk.at, walk.channel)
        if walk.found and (known := self._segments.get(here)):
            return known[max(known)]
        if walk.at not in self._records:
            events.add(walk.at)
            return None
        return self.change(here)

    def _recorded(self, here: Wanted) -> Change | None:
        record = self._records.get(here[0])
        return record.changes.get(here[1]) if record else None

    def _foresee(
        self, channel: str, path: tuple[int, ...], of_segment: bool, events: set[int], merged: set[int]
    ) -> None:
        """Add the rows that a merge path leads to: the events of changes, or, of segments, others of the same level."""
        known = max((version for version in path if (version, channel) in self._values), default=0)
        ahead = [version for version in path if version > known]
        if of_segment:
            merged.update(version for version in ahead if version not in self._looked_for)
            events.update(version for version in ahead[:1] if not known and version not in self._records)
        else:
            events.update(version for version in ahead if version not in self._records)
            merged.update(version for version in ahead[:1] if not known and version not in self._looked_for)

    def _go_on(self, events: set[int], merged: set[int]) -> None:
        """Read events, and look for segments."""
        self._looked_for |= merged
        if not self._by_segments:
            self.fetch(events)
            return
        found: Iterable[SegmentAt]
        events = events - self._records.keys()
        if events and merged:
            stored, found = payloads_and_segments(self._store, self._tables, self._view, events, merged)
            self._take(events, stored)
        else:
            self.fetch(events)
            found = segments(self._store, self._tables, self._view, merged)
        for version, channel, level, change in found:
            self._segments.setdefault((version, channel), {})[level] = change
            self.bytes += len(change.data)

    def _build(self, walk: _Walk) -> None:
        base = self._values.get((walk.at, walk.channel)) if walk.found and walk.found[-1][1].path else None
        version, last = walk.found[0]
        paths = self._paths(walk.channel, last.path)
        building = _Building(base.parts if base else NOTHING, self._store.max_value_bytes)
        anchors = {base.version: base.parts} if base else {}
        read = base.read_bytes if base else 0
        for at, change in reversed(walk.found):
            building.apply(change, self._view.thread, walk.channel, at)
            read += len(change.data)
            if any(path[0] == at for path in paths):
                anchors[at] = building.parts()
        levels: list[Level] = []
        for path in paths:
            if path[0] not in anchors:
                break
            levels.append(Level(path, anchors[path[0]]))
        parts = building.parts()
        size = length_of(parts.stored)
        if size > self._store.max_value_bytes:
            error = TooLargeError(f"the value of channel {walk.channel!r}", size, self._store.max_value_bytes)
            error.found_at(self._view.thread, version)
            raise error
        self._values[version, walk.channel] = Value(last.operation, parts, version, _whole(levels, paths), read, size)

    def _paths(self, channel: str, path: tuple[int, ...]) -> list[tuple[int, ...]]:
        """The merge paths of a value, as far as its segments were read: of the first level, then of those above."""
        paths: list[tuple[int, ...]] = []
        while path:
            paths.append(path)
            merged = self._segments.get((path[0], channel), {}).get(len(paths))
            path = merged.path if merged else ()
        return paths


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


def _whole(levels: list[Level], paths: list[tuple[int, ...]]) -> Levels:
    # Without the first level nothing leads to the base; without the upper ones, segments begin anew.
    return tuple(levels) if levels or not paths else ()
