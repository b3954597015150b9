"""The values that a channel had, from one back to those that it was made of: jumping from event to event."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from enum import Enum
from typing import Final

from eventstore import CycleError, ErasedError, EventStore
from projections.diffing.content import content
from projections.diffing.tracing import Path
from projections.reading.channels import places_of
from projections.reading.finding import Finder
from projections.reading.located import Located, opened
from projections.reading.shaping import shaped_record
from projections.reading.view import View, stored
from projections.records import CheckpointRecord
from projections.values.change import DICT, LIST
from projections.values.loading import load_parts
from projections.values.parts import is_append, unpack
from projections.values.serializer import Serializer


class _Unknown(Enum):
    UNKNOWN = "unknown"


UNKNOWN: Final = _Unknown.UNKNOWN
"""There may have been a value before: the checkpoint that would tell was pruned."""

# How many events are read at once where a merge path names the next ones.
_AHEAD = 200


class Generations:
    """The values of one channel, each known by the version of the event that holds it.

    Args:
        store: The store.
        finder: Finds parents.
        view: The thread.
        latest: The checkpoint that the search begins with.
        channel: The channel.
        serializer: Turns bytes into values.
    """

    def __init__(
        self, store: EventStore, finder: Finder, view: View, latest: Located, channel: str, serializer: Serializer
    ) -> None:
        self._serializer = serializer
        self._store = store
        self._finder = finder
        self._view = view
        self._latest = latest
        self._channel = channel
        self._events = {latest.version: latest}
        self._oldest: str | None = None
        self._left: set[int] = set()

    def located(self, version: int) -> Located:
        """The event that holds a value, also if its checkpoint is shown no longer.

        Raises:
            ErasedError: Its content was erased meanwhile.
        """
        if version not in self._events:
            self._read([version])
        return self._events[version]

    def before(self, version: int) -> int | _Unknown | None:
        """The version of the event that holds the value before; `None` if there was none.

        Raises:
            CycleError: It is a value that was gone back from already.
        """
        older = self._before(version)
        self._left.add(version)
        if older in self._left:
            event = self.located(version)
            raise CycleError(self._view.thread, event.namespace, event.id)
        return older

    def _before(self, version: int) -> int | _Unknown | None:
        event = self.located(version)
        change = event.record.changes[self._channel]
        if path := change.path:
            # What a change builds upon is the value at the parent. Its merge path names the ones before that, too.
            self._read([each for each in path[-_AHEAD:] if each not in self._events])
            return path[-1]
        if event.record.parent is None:
            return None
        parent = self._finder.locate(self._view, event.namespace, event.record.parent)
        if parent is None:
            return UNKNOWN
        return places_of(shaped_record(parent.record, self._serializer), parent.version).get(self._channel)

    def added(self, version: int, older: int, serializer: Serializer) -> Callable[[Path], bool] | None:
        """Return a test for the places that a value adds to the one before; `None` if it does not only append."""
        after = self.located(version).record.changes[self._channel]
        before = self.located(older).record.changes[self._channel]
        if after.operation not in (LIST, DICT) or after.operation != before.operation or after.path[-1:] != (older,):
            return None
        recipe, inserted = unpack(after.encoding, after.data)
        length = sum(unpack(before.encoding, before.data)[0][1::2])
        if not is_append(recipe, length):
            return None
        if after.operation == LIST:
            return lambda place: bool(place) and place[0].name >= length
        keys = {content(key) for key, _ in load_parts(DICT, inserted.stored, serializer)}
        return lambda place: bool(place) and content(place[0].name) in keys

    def oldest_left(self) -> str:
        """The oldest ancestor of the checkpoint that the search began with which the thread still shows."""
        if self._oldest is None:
            *_, at = self._finder.way(self._view, self._latest)
            self._oldest = at.id
        return self._oldest

    def _read(self, versions: Iterable[int]) -> None:
        wanted = {*versions}
        found = stored(self._store, self._view, wanted)
        if lost := wanted - found.keys():
            raise ErasedError(f"thread {self._view.thread!r} has no event {min(lost)}, which a checkpoint refers to")
        for version, (recorded_at, payload) in found.items():
            cause, record = opened(self._store, self._view.thread, version, payload, CheckpointRecord.unpack)
            self._events[version] = Located(
                cause.namespace,
                cause.checkpoint or "",
                version,
                record.parent,
                cause,
                shaped_record(record, self._serializer),
                recorded_at,
                len(payload),
            )
