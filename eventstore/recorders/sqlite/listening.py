"""Processes that share an SQLite file notice each other's appends."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable
from contextlib import AbstractContextManager

from eventstore.recorders.wake_up import WakeUp

# How often a waiting subscriber looks whether another process has committed: reading one number of shared memory.
_GLANCE_SECONDS = 0.05


class SQLiteListener:
    """Woken at once by this process's own appends; a commit of another process shows at a glance.

    Args:
        wake_up: Woken at this process's appends.
        listeners: All that are open, of one recorder.
        connect: Opens a connection; `None`: there is no other process.
        permitted: What holds while it glances. Nobody does while the process forks.
    """

    def __init__(
        self,
        wake_up: WakeUp,
        listeners: set[SQLiteListener],
        connect: Callable[[], sqlite3.Connection] | None,
        permitted: Callable[[], AbstractContextManager[None]],
    ) -> None:
        self._wake_up = wake_up
        self._heard = wake_up.count
        self._listeners = listeners
        self._connect = connect
        self._permitted = permitted
        self._connection: sqlite3.Connection | None = None
        self._seen = -1
        self._has_changed()
        listeners.add(self)

    def wait(self, timeout: float) -> bool:
        """See `Listener.wait`."""
        deadline = time.monotonic() + timeout
        woken = False
        while not woken and (left := deadline - time.monotonic()) > 0:
            woken = self._wake_up.wait(self._heard, min(left, _GLANCE_SECONDS) if self._connect else left)
            woken = woken or self._has_changed()
        self._heard = self._wake_up.count
        return woken

    def wake(self) -> None:
        """See `Listener.wake`."""
        self._wake_up.wake()

    def close(self) -> None:
        """See `Listener.close`."""
        self._listeners.discard(self)
        self.hang_up()

    def hang_up(self) -> None:
        """Close the connection. The next glance opens another one, and finds that something may have changed."""
        if self._connection:
            self._connection.close()
            self._connection = None
            self._seen = -1

    def _has_changed(self) -> bool:
        """Look at a number that changes when another connection has committed."""
        if self._connect is None:
            return False
        with self._permitted():
            if self._connection is None:
                self._connection = self._connect()
            now = int(self._connection.execute("PRAGMA data_version").fetchone()[0])
        changed, self._seen = now != self._seen, now
        return changed
