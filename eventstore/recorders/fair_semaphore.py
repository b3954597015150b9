"""A semaphore that admits those who wait in the order in which they came."""

from __future__ import annotations

import threading
from collections import deque
from weakref import ref


class FairSemaphore:
    """A semaphore that hands each permit on to the thread that has waited longest.

    If a permit were only put back, whichever thread is running just then would take it, most often the one that put it
    back: with many threads, the others would starve. (With 64 threads on 8 connections, the slowest of 100 waited
    400 ms that way, and waits 100 ms now.)

    Attributes:
        waiting: The visits that wait for a permit, in the order in which they came.
    """

    def __init__(self, count: int) -> None:
        self._count = count
        # Who is in, or may enter; and who waits. They are known one by one, and not counted: a visit which Ctrl-C has
        # ended is forgotten with its last reference, wherever that was. (Not a `WeakSet`, which takes longer than all
        # the rest.)
        self._inside: set[ref[Visit]] = set()
        self.waiting: deque[Visit] = deque()
        self._lock = threading.Lock()

    def __len__(self) -> int:
        """The visits that are in, or may enter."""
        return len(self._inside)

    def visit(self) -> Visit:
        """Return a new visit, which has not entered yet."""
        return Visit(self)

    def raise_count(self) -> None:
        """Add one permit."""
        with self._lock:
            self._count += 1
            self._admit()

    def _enter_at_once(self, visit: Visit) -> bool:
        with self._lock:
            if self.waiting or len(self._inside) >= self._count:
                return False
            self._inside.add(ref(visit, self._inside.discard))
            return True

    def _queue(self, visit: Visit) -> None:
        with self._lock:
            self.waiting.append(visit)
            self._admit()

    def _leave(self, visit: Visit) -> None:
        with self._lock:
            self._inside.discard(ref(visit))
            if self.waiting:
                if visit in self.waiting:
                    self.waiting.remove(visit)
                self._admit()

    def _admit(self) -> None:
        while self.waiting and len(self._inside) < self._count:
            visit = self.waiting[0]
            self._inside.add(ref(visit, self._inside.discard))
            visit.open()
            self.waiting.popleft()


class Visit:
    """One use of a permit: it enters once, and leaves.

        visit = permits.visit()
        try:
            if visit.enter(timeout): …
        finally:
            visit.leave()

    A visit also ends when its last reference is gone.
    """

    __slots__ = ("__weakref__", "_door", "_permits")

    def __init__(self, permits: FairSemaphore) -> None:
        self._permits = permits

    def is_of(self, permits: FairSemaphore) -> bool:
        """Return whether it is a visit to these permits, and not to those of this process's parent."""
        return self._permits is permits

    def enter_at_once(self) -> bool:
        """Enter if there is a permit that nobody waits for; return whether there was."""
        return self._permits._enter_at_once(self)

    def enter(self, timeout: float) -> bool:
        """Wait for a permit, for at most `timeout` seconds; return whether there was one."""
        self._door = threading.Lock()
        self._door.acquire()
        self._permits._queue(self)
        return self._door.acquire(timeout=timeout)

    def leave(self) -> None:
        """Hand on the permit, if the visit has one; otherwise stop waiting."""
        self._permits._leave(self)

    def open(self) -> None:
        """Let the visit enter."""
        if self._door.locked():
            self._door.release()
