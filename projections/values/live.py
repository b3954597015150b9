"""The memory of live threads, within a budget of bytes: their last values, and what DeltaChannels are replayed from.

Losing one costs time, never correctness. It is never out of date: what an event holds does not change.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from typing import NamedTuple, Protocol

from eventstore.forking import ForkAware
from projections.values.value import Value


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


class LiveValues(ForkAware):
    """Keeps the last value of each recently used channel, and what a namespace's channels are replayed from.

    Args:
        budget: How many bytes of memory all of it may take together, as each estimates its `memory`.
    """

    def __init__(self, budget: int) -> None:
        self.budget = budget
        self._kept: OrderedDict[Slot | Space, tuple[Kept, int]] = OrderedDict()
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

    def replay(self, space: Space) -> Kept | None:
        """Return the replay of a namespace, if it is kept."""
        with self._lock:
            kept = self._kept.get(space)
            if kept is None:
                return None
            self._kept.move_to_end(space)
            return kept[0]

    def of_stream(self, stream_id: int) -> list[Value]:
        """The values of a thread."""
        with self._lock:
            return [
                kept
                for place, (kept, _) in self._kept.items()
                if place.stream_id == stream_id and isinstance(kept, Value)
            ]

    def put(self, place: Slot | Space, kept: Kept) -> None:
        """Keep something instead of what was there before, if it is not larger than the whole budget."""
        memory = kept.memory
        with self._lock:
            self._keep(place, kept, memory)

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
        self._kept, self._memory = OrderedDict(), 0
        self._lock = threading.Lock()

    def _keep(self, place: Slot | Space, kept: Kept, memory: int) -> None:
        self._drop(place)
        if memory > self.budget:
            return
        self._kept[place] = (kept, memory)
        self._memory += memory
        while self._memory > self.budget:
            self._drop(next(iter(self._kept)))

    def _drop(self, place: Slot | Space) -> None:
        self._memory -= self._kept.pop(place, _NOTHING)[1]


_NOTHING = (None, 0)
