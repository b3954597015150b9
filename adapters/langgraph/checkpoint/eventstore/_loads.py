"""The checkpoints that were loaded lately: what tasks of these, or runs that died behind them, have been answered."""

from __future__ import annotations

import threading

from eventstore.forking import ForkAware
from eventstore.recent import Recent
from eventstore.tuples import NamedTuple

_REMEMBERED = 10_000


class Load(NamedTuple):
    """The load of a thread's latest checkpoint, as a run begins.

    Attributes:
        number: Its number among all loads; 0: there was none.
        checkpoint: The checkpoint's id, empty if the thread had none.
    """

    number: int
    checkpoint: str


_NEVER = Load(0, "")


class Loads(ForkAware):
    """Numbers the loads of checkpoints. Shared by all runs of one saver."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._numbers: Recent[tuple[str, str, str], int] = Recent(_REMEMBERED)
        self._latest: Recent[str, Load] = Recent(_REMEMBERED)
        self._last = 0
        self.follow_forks()

    def note(self, thread: str, namespace: str, checkpoint: str) -> None:
        """Note that a checkpoint was loaded."""
        key = (thread, namespace, checkpoint)
        with self._lock:
            self._last += 1
            self._numbers.keep(key, self._last)

    def note_latest(self, thread: str, checkpoint: str) -> None:
        """Note that a thread was loaded where it stands: at a checkpoint of the outermost graph, or empty."""
        with self._lock:
            self._last += 1
            self._latest.keep(thread, Load(self._last, checkpoint))

    def latest(self, thread: str) -> Load:
        """Return the last load of a thread where it stood."""
        return self._latest.get(thread, _NEVER)

    def number(self, thread: str, namespace: str, checkpoint: str) -> int:
        """Return the number of a checkpoint's last load; 0: it was not loaded, so it has been saved since."""
        return self._numbers.get((thread, namespace, checkpoint), 0)

    def after_fork_in_child(self) -> None:
        """See `ForkAware`."""
        self._lock = threading.Lock()
