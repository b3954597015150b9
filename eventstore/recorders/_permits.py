"""So many may enter at once; the others enter in the order in which they came."""

from __future__ import annotations

import threading
from collections import deque
from contextlib import suppress


class Permits:
    """Permits that are handed from who leaves to who waits longest.

    One that is only put back would be taken by whoever is running just then, who is most often the one that put it
    back: with many threads, the others would starve.
    """

    def __init__(self, count: int) -> None:
        self._free = count
        self._waiting: deque[threading.Lock] = deque()
        self._lock = threading.Lock()

    def take(self, timeout: float) -> bool:
        """Wait for a permit, for so many seconds; whether there was one."""
        with self._lock:
            if self._free:
                self._free -= 1
                return True
            place = threading.Lock()
            place.acquire()
            self._waiting.append(place)
        entered = False
        try:
            entered = place.acquire(timeout=timeout)
        finally:
            if not entered:  # also after Ctrl-C, whenever that comes
                self._leave(place)
        return entered

    def give(self) -> None:
        """Hand a permit on."""
        with self._lock:
            if self._waiting:
                self._waiting.popleft().release()
            else:
                self._free += 1

    def _leave(self, place: threading.Lock) -> None:
        with self._lock, suppress(ValueError):
            self._waiting.remove(place)
            return
        self.give()  # it was handed over in this very moment
