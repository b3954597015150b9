"""Following the feed: an iteration that waits for new events."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Iterator, Sequence
from types import TracebackType
from typing import Self

from eventstore.events import FeedEvent
from eventstore.forking import ForkAware
from eventstore.reading.reader import Reader
from eventstore.recorders import Recorder

# A subscriber that nobody wakes looks by itself, after this time: a process may die between its commit and its word.
_LOOK_AGAIN_SECONDS = 1.0
# One that was woken may look too early: in PostgreSQL an event comes into the feed when all older transactions have
# ended, and nobody tells when they have. So it looks again soon, and then, each time, after twice as long.
_LOOK_AGAIN_SOON_SECONDS = 0.01


class Subscription(ForkAware, Iterator[FeedEvent]):
    """The feed, without an end. One thread iterates; any thread may `stop` or `close` it, which ends the iteration.

    It sleeps until an append wakes it: of this process at once, of another one within milliseconds.
    """

    def __init__(self, reader: Reader, recorder: Recorder, *, after: int, topics: Sequence[str]) -> None:
        self._reader = reader
        self._after = after
        self._topics = tuple(topics)
        self._recorder = recorder
        self._ready: deque[FeedEvent] = deque()
        self._pause = _LOOK_AGAIN_SECONDS
        self._stopped = threading.Event()
        # Held while the iteration waits: its listener is not taken away from it by a thread that closes.
        self._iterating = threading.Lock()
        # Listening before looking: what is appended in between is not missed.
        self._listener = recorder.listen()
        self.follow_forks()

    def __repr__(self) -> str:
        return f"Subscription({self._recorder}, after={self._after})"

    def stop(self) -> None:
        """End the iteration, now or at its next step."""
        self._stopped.set()
        self._listener.wake()

    def close(self) -> None:
        """End the iteration, wait until it has ended, and let go of what it held. Closing twice is allowed."""
        self.stop()
        with self._iterating:
            self._listener.close()

    def after_fork_in_child(self) -> None:
        """See `ForkAware`: parent and child go on from the same position, each by itself."""
        self._iterating = threading.Lock()
        stopped, self._stopped = self._stopped.is_set(), threading.Event()
        if stopped:
            self._stopped.set()

    def __next__(self) -> FeedEvent:
        with self._iterating:
            while not self._stopped.is_set():
                if self._ready:
                    return self._ready.popleft()
                end = self._recorder.sequence()
                page = next(self._reader.feed(after=self._after, limit=None, topics=self._topics, upto=end), [])
                if page:
                    self._ready.extend(page)
                    self._after = page[-1].position
                else:
                    self._after = max(self._after, end)  # other topics up to there are not looked at again
                    woken = self._listener.wait(self._pause)
                    self._pause = _LOOK_AGAIN_SOON_SECONDS if woken else min(2 * self._pause, _LOOK_AGAIN_SECONDS)
            self._listener.close()  # whoever stops a subscription need not close it, too
        raise StopIteration

    def __iter__(self) -> Self:
        return self

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
