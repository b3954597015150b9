"""The values that threads had last, within a budget of bytes: what changes build upon, and what reads give.

Losing one costs time, never correctness. It is never out of date: what an event holds does not change.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from typing import NamedTuple

from eventstore.forking import ForkAware
from projections.values.value import Value


class Slot(NamedTuple):
    """A channel of a thread: the number of its stream, the namespace, and the channel's name."""

    stream_id: int
    namespace: str
    channel: str


class LiveValues(ForkAware):
    """Keeps the last value of each recently used channel.

    Args:
        budget: How many bytes of memory the values may take together, as `Value.memory` estimates them.
    """

    def __init__(self, budget: int) -> None:
        self.budget = budget
        self._values: OrderedDict[Slot, tuple[Value, int]] = OrderedDict()
        self._memory = 0
        self._lock = threading.Lock()
        self.follow_forks()

    @property
    def memory(self) -> int:
        """The bytes that the values take that are kept now."""
        return self._memory

    def get(self, slot: Slot, version: int) -> Value | None:
        """The value that the event at `version` holds, if it is the one that is kept."""
        with self._lock:
            kept = self._values.get(slot)
            if kept is None or kept[0].version != version:
                return None
            self._values.move_to_end(slot)
            return kept[0]

    def of_stream(self, stream_id: int) -> list[Value]:
        """The values of a thread."""
        with self._lock:
            return [value for slot, (value, _) in self._values.items() if slot.stream_id == stream_id]

    def put(self, slot: Slot, value: Value) -> None:
        """Keep a value instead of the one before, if it is not larger than the whole budget."""
        memory = value.memory
        with self._lock:
            self._drop(slot)
            if memory > self.budget:
                return
            self._values[slot] = (value, memory)
            self._memory += memory
            while self._memory > self.budget:
                self._drop(next(iter(self._values)))

    def discard(self, stream_id: int | None = None) -> None:
        """Discard the values of one stream, or all."""
        with self._lock:
            for slot in [slot for slot in self._values if stream_id in (None, slot.stream_id)]:
                self._drop(slot)

    def after_fork_in_child(self) -> None:
        """See `ForkAware`. Another thread may have been at work here, and left it half done."""
        self._values, self._memory = OrderedDict(), 0
        self._lock = threading.Lock()

    def _drop(self, slot: Slot) -> None:
        kept = self._values.pop(slot, None)
        if kept:
            self._memory -= kept[1]
