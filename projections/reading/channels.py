"""Channels of two checkpoints side by side: which were written in between, and the values of those."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Literal

from eventstore import EventStore
from eventstore.tuples import NamedTuple
from projections.pregel import INPUT, is_snapshot
from projections.reading.chains import Chains, Wanted
from projections.reading.located import Located
from projections.reading.shaping import upcasters_of
from projections.reading.view import View
from projections.records import CheckpointRecord
from projections.tables import Tables
from projections.values.change import WHOLE, Change, Location, restore
from projections.values.serializer import Serializer

Kind = Literal["added", "removed", "changed"]

# By these a graph leads itself from step to step; they say nothing of what it knows.
_STEERING = ("branch:", "join:", "__")
# How many values are at hand: most are asked for twice in a row, as the later and as the earlier of two.
_KEPT = 32


class Written(NamedTuple):
    """A channel that was written between two checkpoints, or came, or went.

    Attributes:
        channel: The channel.
        kind: Whether it has a value in the later one only, in the earlier one only, or in both.
        before: The version of the event that holds the earlier value.
        after: The version of the event that holds the later value.
    """

    channel: str
    kind: Kind
    before: int | None
    after: int | None


def places_of(record: CheckpointRecord, version: int) -> dict[str, int]:
    """The version of the event that holds the value of each channel that has one."""
    return {
        channel: entry.written_at or version
        for channel, entry in record.manifest.items()
        if entry.written_at is not None
    }


def written_between(
    before: Mapping[str, int], after: Mapping[str, int], is_same: Callable[[int, int], bool] = int.__eq__
) -> list[Written]:
    """The channels whose values stand in different places, by name. No value is read."""
    found = [Written(channel, "removed", at, None) for channel, at in before.items() if channel not in after]
    for channel, at in after.items():
        was = before.get(channel)
        if was is None:
            found.append(Written(channel, "added", None, at))
        elif not is_same(was, at):
            found.append(Written(channel, "changed", was, at))
    return sorted(found)


def steers(channel: str) -> bool:
    """Return whether a graph uses a channel only to steer its own steps, so that nobody else needs to see it."""
    return channel.startswith(_STEERING) and channel != INPUT


class Values:
    """The values of one thread's channels, for one serializer. What values have in common is one object in all.

    Args:
        store: The store.
        tables: The tables.
        view: The thread.
        serializer: Turns bytes into values.
    """

    def __init__(self, store: EventStore, tables: Tables, view: View, serializer: Serializer) -> None:
        self.serializer = serializer
        self._upcasters = upcasters_of(serializer)
        self._thread = view.thread
        self._chains = Chains(store, tables, view)
        self._known: dict[Wanted, Any] = {}

    def know(self, located: Iterable[Located]) -> None:
        """Take note of checkpoints that were read."""
        if self._upcasters:
            return  # what they say of their channels is for readers: it is not what values are made of
        for each in located:
            self._chains.know(each.version, each.record, each.size)

    def fetch(self, versions: Iterable[int]) -> None:
        """Read events at once, those that are not known.

        Raises:
            ErasedError: The content of one was erased.
        """
        self._chains.fetch(versions)

    def change(self, wanted: Wanted) -> Change:
        """How a value that was fetched is recorded, or the one that it is made of."""
        return self._chains.change(self._origin(wanted))

    def get(self, version: int, channel: str) -> Any:
        """The value that an event holds; of a snapshot, what it is one of.

        Raises:
            ChecksumError: It is not what was stored.
            ErasedError: The content of an event was erased that it builds upon.
        """
        value = self._stored((version, channel))
        return value.value if is_snapshot(value) else value

    def are_parts(self, channel: str) -> bool:
        """Return whether what is stored of a channel are parts of its value, and not of an older one."""
        return self._upcasters is None or not self._upcasters.touches(channel)

    def is_snapshot(self, version: int, channel: str) -> bool:
        """Return whether an event's value is a snapshot: it only shortens the replay of a channel from its writes."""
        self.fetch([version])
        # No snapshot is taken apart. So no other value is read to find out.
        return self.change((version, channel)).operation == WHOLE and is_snapshot(self._stored((version, channel)))

    def _stored(self, wanted: Wanted) -> Any:
        if wanted not in self._known:
            self.fetch([wanted[0]])
            if len(self._known) >= _KEPT:
                del self._known[next(iter(self._known))]
            self._known[wanted] = self._read(wanted)
        return self._known[wanted]

    def _read(self, wanted: Wanted) -> Any:
        origin = self._origin(wanted)
        value = self._read_stored(origin)
        if self._upcasters is None:
            return value
        return self._upcasters.made(origin[1], wanted[1], value, self.serializer)

    def _read_stored(self, wanted: Wanted) -> Any:
        change = self._chains.change(wanted)
        if change.operation == WHOLE:
            return restore(change, self.serializer, Location(self._thread, wanted[1], wanted[0]))
        value = self._chains.restore([wanted])[wanted]
        return self._chains.shared(wanted[1], value, self.serializer)

    def _origin(self, wanted: Wanted) -> Wanted:
        """Return the channel that an event holds a value of: this one, or an old one that it is made of."""
        if self._upcasters:
            for name in self._upcasters.names(wanted[1]):
                if self._chains.holds((wanted[0], name)):
                    return wanted[0], name
        return wanted
