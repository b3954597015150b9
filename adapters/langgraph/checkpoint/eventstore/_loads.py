"""The checkpoints that were loaded lately: only tasks of these can have got answers before."""

from __future__ import annotations

import threading
from collections import OrderedDict

from eventstore.forking import ForkAware

_REMEMBERED = 10_000


class Loads(ForkAware):
    """Numbers the loads of checkpoints. Shared by all runs of one saver."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._numbers: OrderedDict[tuple[str, str, str], int] = OrderedDict()
        self._last = 0
        self.follow_forks()

    def note(self, thread: str, namespace: str, checkpoint: str) -> None:
        """Note that a checkpoint was loaded."""
        key = (thread, namespace, checkpoint)
        with self._lock:
            self._last += 1
            self._numbers[key] = self._last
            self._numbers.move_to_end(key)
            if len(self._numbers) > _REMEMBERED:
                self._numbers.popitem(last=False)

    def number(self, thread: str, namespace: str, checkpoint: str) -> int:
        """Return the number of a checkpoint's last load; 0: it was not loaded, so it has been saved since."""
        return self._numbers.get((thread, namespace, checkpoint), 0)

    def after_fork_in_child(self) -> None:
        """See `ForkAware`."""
        self._lock = threading.Lock()
