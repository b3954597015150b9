"""The memory of live threads, within a budget of bytes: their last values, and what DeltaChannels are replayed from.

Losing one costs time, never correctness. It is never out of date: what an event holds does not change.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Protocol, cast

from eventstore.forking import ForkAware
from eventstore.tuples import NamedTuple
from projections.values.value import Value

if TYPE_CHECKING:
    from eventstore.events import Cause, NewEvent
    from projections.records import CheckpointRecord, WritesRecord


class Slot(NamedTuple):
    """A channel of a thread: the number of its stream, the namespace, and the channel's name."""

    stream_id: int
    namespace: str
    channel: str


class Space(NamedTuple):
    """A namespace of a thread: the number of its stream, and the namespace."""

    stream_id: int
    namespace: str


class Kept(Protocol):
    """Anything that is kept."""

    @property
    def memory(self) -> int:
        """The bytes that it takes in memory."""
        ...


class Recorded(NamedTuple):
    """An event of a checkpoint, or of writes: opened, or just stored.

    Attributes:
        version: Its version.
        cause: Its cause.
        record: What its data holds.
        size: About how many bytes it takes.
    """

    version: int
    cause: Cause
    record: CheckpointRecord | WritesRecord
    size: int


class Following(Kept, Protocol):
    """Anything kept that follows a stream."""

    def tell(self, recorded: Sequence[Recorded]) -> None:
        """Take note of events that this process has stored."""
        ...


class LiveValues(ForkAware):
    """Keeps the last value of each recently used channel, and what a namespace's channels are replayed from.

    Args:
        budget: How many bytes of memory all of it may take together, as each estimates its `memory`.
    """

    def __init__(self, budget: int) -> None:
        self.budget = budget
        self._kept: OrderedDict[Slot | Space, tuple[Kept, int]] = OrderedDict()
        # By the number of a stream, the places of what follows it.
        self._following: dict[int, set[Space]] = {}
        self._memory = 0
        self._lock = threading.Lock()
        self.follow_forks()

    @property
    def memory(self) -> int:
        """The bytes that all takes that is kept now."""
        return self._memory

    def get(self, slot: Slot, version: int) -> Value | None:
        """The value that the event at `version` holds, if it is the one that is kept."""
        with self._lock:
            value = self._kept.get(slot, _NOTHING)[0]
            if not isinstance(value, Value) or value.version != version:
                return None
            self._kept.move_to_end(slot)
            return value

    def replay(self, space: Space) -> Following | None:
        """Return the replay of a namespace, if it is kept."""
        with self._lock:
            if space not in self._kept:
                return None
            self._kept.move_to_end(space)
            return self._follower(space)

    def tell(self, stream_id: int, stored: Iterable[tuple[int, NewEvent, CheckpointRecord | WritesRecord]]) -> None:
        """Tell those that follow a stream of events that this process has stored.

        Args:
            stream_id: The stream's number.
            stored: The version of each event, the event, and what its data holds.
        """
        if stream_id not in self._following:  # most threads
            return
        with self._lock:
            following = [(space, self._follower(space)) for space in self._following.get(stream_id, ())]
        recorded = [Recorded(version, event.cause, record, len(event.data)) for version, event, record in stored]
        for space, each in following:
            each.tell(recorded)
            self.weigh(space, each)

    def of_stream(self, stream_id: int) -> list[Value]:
        """The values of a thread."""
        with self._lock:
            return [
                kept
                for place, (kept, _) in self._kept.items()
                if place.stream_id == stream_id and isinstance(kept, Value)
            ]

    def put(self, slot: Slot, value: Value) -> None:
        """Keep a value instead of what was there before, if it is not larger than the whole budget."""
        self.put_all({slot: value})

    def put_all(self, values: Mapping[Slot, Value]) -> None:
        """`put` for each of some values."""
        memories = [value.memory for value in values.values()]
        with self._lock:
            for (slot, value), memory in zip(values.items(), memories, strict=True):
                self._keep(slot, value, memory)

    def put_replay(self, space: Space, replay: Following) -> None:
        """Keep a replay instead of what was there before, if it is not larger than the whole budget."""
        memory = replay.memory
        with self._lock:
            self._keep(space, replay, memory)

    def weigh(self, place: Slot | Space, kept: Kept) -> None:
        """Take note of what it takes by now, if it is still what is kept in that place."""
        memory = kept.memory
        with self._lock:
            known, before = self._kept.get(place, _NOTHING)
            if known is kept and memory != before:
                self._keep(place, kept, memory)

    def drop(self, place: Slot | Space) -> None:
        """Discard what is kept in one place."""
        with self._lock:
            self._drop(place)

    def discard(self, stream_id: int | None = None) -> None:
        """Discard what is kept of one stream, or all."""
        with self._lock:
            for place in [place for place in self._kept if stream_id in (None, place.stream_id)]:
                self._drop(place)

    def after_fork_in_child(self) -> None:
        """See `ForkAware`. Another thread may have been at work here, and left it half done."""
        self._kept, self._following, self._memory = OrderedDict(), {}, 0
        self._lock = threading.Lock()

    def _keep(self, place: Slot | Space, kept: Kept, memory: int) -> None:
        self._drop(place)
        if memory > self.budget:
            return
        self._kept[place] = (kept, memory)
        if isinstance(place, Space):
            self._following.setdefault(place.stream_id, set()).add(place)
        self._memory += memory
        while self._memory > self.budget:
            self._drop(next(iter(self._kept)))

    def _drop(self, place: Slot | Space) -> None:
        self._memory -= self._kept.pop(place, _NOTHING)[1]
        if isinstance(place, Space) and (following := self._following.get(place.stream_id)):
            following.discard(place)
            if not following:
                del self._following[place.stream_id]

    def _follower(self, space: Space) -> Following:
        return cast("Following", self._kept[space][0])  # all that is kept in such a place follows its stream


_NOTHING = (None, 0)
