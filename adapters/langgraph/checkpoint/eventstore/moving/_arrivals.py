"""Threads that come in one by one from an old database, each before it is first used."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence

from eventstore import BusyError, ConflictError, EventStoreError
from eventstore.forking import ForkAware
from eventstore.recent import Recent
from langgraph.checkpoint.eventstore._arguments import cause_of
from langgraph.checkpoint.eventstore._parts import SaverParts
from langgraph.checkpoint.eventstore.moving._move import Move
from langgraph.checkpoint.eventstore.moving._old_end import OldEnd
from langgraph.checkpoint.eventstore.moving._store_end import StoreEnd
from langgraph.checkpoint.eventstore.moving.moving_from import MovingFrom
from projections.tables import LAST

# How many threads are remembered that need not come in any more. To look again costs a query or two.
_SETTLED = 100_000
# How many threads can come in at once, as long as their ids fall apart.
_LOCKS = 64
# How many checkpoints of the old database a listing of all threads begins with. No index of theirs has the order of all
# threads, so each window reads the whole table: each is twice as long as the last, and a whole listing takes few.
_WINDOW = 50


class Arrivals(ForkAware):
    """Brings in threads when somebody names them: the saver calls it first, before it reads, locks or begins anything.

    A thread is *settled* once its id was used here: whether it came in, began here, was deleted or got another id, it
    never comes in any more. That is what the log says, and so it holds for all processes, and after a restart. Nothing
    is remembered of threads that are not settled: the old application may begin them at any time.

    Args:
        saver: The saver.
        said: The option.

    Raises:
        EventStoreError: The old database cannot be read: see `OldEnd`.
    """

    def __init__(self, saver: SaverParts, said: MovingFrom) -> None:
        self._saver = saver
        self._cause = cause_of(said.by)
        self._source = OldEnd(said)
        self._settled: Recent[str, None] = Recent(_SETTLED)
        # Of two that ask for the same thread at once, the second waits.
        self._locks = [threading.Lock() for _ in range(_LOCKS)]
        self.follow_forks()
        saver.store.workers.at_close(self._source.close)

    def bring_in(self, thread: str) -> None:
        """Bring a thread in, unless it is settled, or not in the old database.

        Raises:
            BusyError: It came in, and may differ from what is there: runs keep writing to it. Who asks again finds it.
            EventStoreError: It cannot be brought in. A note says whether anything was stored; if not, the next call
                tries again.
        """
        if thread in self._settled:
            return
        with self._locks[hash(thread) % _LOCKS]:
            if self._is_settled(thread) or not self._source.keys(thread):
                return
            try:
                self._move(thread)
            except ConflictError:
                if not self._is_settled(thread):
                    raise
                # Another process was faster.

    def is_waiting(self, thread: str) -> bool:
        """Return whether a thread is in the old database and would come in."""
        return not self._is_settled(thread) and bool(self._source.keys(thread))

    def bring_in_runs(self, runs: Sequence[str]) -> None:
        """Bring in the threads in which some runs have saved checkpoints."""
        for thread in sorted(self._source.of_runs([*runs])):
            self.bring_in(thread)

    def windows(self, before: str | None) -> Iterator[str]:
        """Bring in all threads little by little, those with the latest checkpoints first.

        Args:
            before: The checkpoint that a listing begins behind; `None`: at the latest.

        Yields:
            An id: of the checkpoints that are not older, all are here. The last one is empty.
        """
        bound, count = LAST if before is None else before, _WINDOW
        while bound:
            bound, threads = self._source.latest(bound, count)
            count *= 2
            for thread in sorted(threads):
                self.bring_in(thread)
            yield bound

    def after_fork_in_child(self) -> None:
        """See `ForkAware`."""
        self._locks = [threading.Lock() for _ in range(_LOCKS)]

    def _is_settled(self, thread: str) -> bool:
        if thread in self._settled:
            return True
        store = self._saver.store
        # (A stream without events is one that somebody is about to write.)
        if store.head(thread) is None and not store.log.was_given_up(thread):
            return False
        self._settled.keep(thread, None)
        return True

    def _move(self, thread: str) -> None:
        # With the saver's serializer as it is now.
        target = StoreEnd(self._saver, self._cause)
        try:
            moved = Move(self._source, target, "refuse", lambda *_: None).one(thread)
        except EventStoreError as error:
            # It is written first, and then compared.
            came = "it is here whole, but was not compared" if self._is_settled(thread) else "nothing of it was stored"
            error.add_note(f"thread {thread!r} was to come in from {self._source.name}; {came}")
            raise
        if moved.outcome == "different":
            raise BusyError(
                f"thread {thread!r} came in from {self._source.name}, where a run keeps writing to it, or it reads "
                f"differently here ({'; '.join(moved.differences[:3])}). Let the run end there and look at the thread "
                "before it goes on here; to bring it in anew, import it with existing='replace'"
            )
