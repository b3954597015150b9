"""How a waiting thread of this process learns of an append, without missing one and without asking all the time."""

from __future__ import annotations

import threading

from eventstore.forking import Follower


class Bell(Follower):
    """Counts its rings, so that one which comes between looking and waiting is not missed."""

    def __init__(self) -> None:
        self._rings = 0
        self._condition = threading.Condition()
        self.follow_forks()

    @property
    def rings(self) -> int:
        """How often it was rung."""
        return self._rings

    def ring(self) -> None:
        """Wake all who wait."""
        with self._condition:
            self._rings += 1
            self._condition.notify_all()

    def wait(self, heard: int, timeout: float) -> bool:
        """Wait for a ring after the first `heard` ones; whether there was one within `timeout` seconds."""
        with self._condition:
            return self._condition.wait_for(lambda: self._rings > heard, timeout)

    def after_fork_in_child(self) -> None:
        """See `Follower`."""
        self._condition = threading.Condition()
