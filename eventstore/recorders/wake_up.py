"""How a waiting thread of this process learns of an append, without missing one and without asking all the time."""

from __future__ import annotations

import threading

from eventstore.forking import ForkAware


class WakeUp(ForkAware):
    """Counts wake-ups, so that one which comes between looking and waiting is not missed."""

    def __init__(self) -> None:
        self._count = 0
        self._condition = threading.Condition()
        self.follow_forks()

    @property
    def count(self) -> int:
        """The number of wake-ups so far."""
        return self._count

    def wake(self) -> None:
        """Wake all waiting threads."""
        with self._condition:
            self._count += 1
            self._condition.notify_all()

    def wait(self, heard: int, timeout: float) -> bool:
        """Wait for a wake-up after the first `heard` ones; whether there was one within `timeout` seconds."""
        with self._condition:
            return self._condition.wait_for(lambda: self._count > heard, timeout)

    def after_fork_in_child(self) -> None:
        """See `ForkAware`."""
        self._condition = threading.Condition()
