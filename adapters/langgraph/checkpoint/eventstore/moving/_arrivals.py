"""Threads that come in one by one, each when it is first asked for."""

from __future__ import annotations

import threading
from collections import OrderedDict

from eventstore import BusyError, ConflictError, EventStore
from langgraph.checkpoint.eventstore.moving._contents import Source
from langgraph.checkpoint.eventstore.moving._move import Move
from langgraph.checkpoint.eventstore.moving._store_end import StoreEnd

# How many threads are remembered as settled. To look again costs a query.
_SETTLED = 100_000


class Arrivals:
    """Brings in threads of another saver's database: `Finder.arrivals`.

    Args:
        source: The database.
        target: The store.
        store: The same.
    """

    def __init__(self, source: Source, target: StoreEnd, store: EventStore) -> None:
        self._move = Move(source, target, "skip", lambda *_: None)
        self._source = source
        self._store = store
        self._settled: OrderedDict[str, None] = OrderedDict()
        # The source is one connection.
        self._lock = threading.Lock()

    def __call__(self, thread: str) -> bool:
        """Bring a thread in, if it is there and was never deleted here; return whether to look again.

        Raises:
            EventStoreError: It cannot be brought in; the next call tries again.
        """
        if thread in self._settled:
            return False
        with self._lock:
            if thread in self._settled:
                return True  # by another thread of control, meanwhile
            is_here = self._is_here(thread) or (not self._store.log.was_closed(thread) and self._bring(thread))
            self._settled[thread] = None
            while len(self._settled) > _SETTLED:
                self._settled.popitem(last=False)
            return is_here

    def _is_here(self, thread: str) -> bool:
        # A stream without events is one that is about to be written, perhaps by another process that brings it in.
        return self._store.head(thread) is not None

    def _bring(self, thread: str) -> bool:
        if not self._source.keys(thread):
            return False
        try:
            moved = self._move.one(thread)
        except ConflictError:
            if not self._is_here(thread):
                raise
            return True  # another process was faster
        if moved.outcome == "different":
            raise BusyError(
                f"thread {thread!r} is still written to by the application that it comes from: "
                "ask again when that has ended"
            )
        return True
