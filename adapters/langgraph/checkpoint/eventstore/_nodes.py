"""The node that a task runs, as far as that is known when it writes.

Where it is not, because the checkpoint that it belongs to is saved a moment later, it is found when it is read:
`projections.pregel.tasks` has the rule for both.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping
from typing import Any

from eventstore.forking import ForkAware
from eventstore.recent import Recent
from projections.pregel import SENDS, Packets, node_of, sent_to

_REMEMBERED_CHECKPOINTS = 4096

Key = tuple[str, str, str]
"""Thread, namespace, checkpoint."""


class Nodes(ForkAware):
    """Tells the nodes of tasks; remembers the packets of the checkpoints that were saved or loaded lately."""

    def __init__(self) -> None:
        self._sent: Recent[Key, Packets] = Recent(_REMEMBERED_CHECKPOINTS)
        self._lock = threading.Lock()
        self.follow_forks()

    def remember(self, key: Key, values: Mapping[str, Any]) -> None:
        """Note whom a checkpoint sends packets to."""
        packets = sent_to(values.get(SENDS))
        if not packets:
            return
        with self._lock:
            self._sent.keep(key, packets)

    def after_fork_in_child(self) -> None:
        """See `ForkAware`."""
        self._lock = threading.Lock()

    def node_of(self, key: Key, task_path: str) -> str | None:
        """The node of a task of a checkpoint; of a function's call, the function that called it."""
        return node_of(task_path, self._sent.get(key, ()))
