"""Which node a task runs, as far as LangGraph tells.

The path that comes with a task's writes names the node where an edge led to it, or the function that called it. Of a
`Send` it holds the number only; the node's name stands in the checkpoint, among the packets to be sent.
"""

from __future__ import annotations

import re
import threading
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from typing import Any

from langgraph.checkpoint.serde.types import TASKS

from eventstore.forking import Follower

_PULLED = re.compile(r"~__pregel_pull, (.+)", re.DOTALL)
_CALLED = re.compile(r"~__pregel_push, ~__pregel_pull, (.+?)(?:, \d{10})+", re.DOTALL)
_SENT = re.compile(r"~__pregel_push, (\d{10})(?:, .*)?", re.DOTALL)
_REMEMBERED_CHECKPOINTS = 4096

Key = tuple[str, str, str]
"""Thread, namespace, checkpoint."""


class Nodes(Follower):
    """Tells the nodes of tasks; remembers the packets of the checkpoints that were saved or loaded lately."""

    def __init__(self) -> None:
        self._sent: OrderedDict[Key, Sequence[str | None]] = OrderedDict()
        self._lock = threading.Lock()
        self.follow_forks()

    def remember(self, key: Key, values: Mapping[str, Any]) -> None:
        """Note whom a checkpoint sends packets to."""
        packets = values.get(TASKS)
        if not packets or not isinstance(packets, list):
            return
        with self._lock:
            self._sent[key] = [getattr(packet, "node", None) for packet in packets]
            self._sent.move_to_end(key)
            if len(self._sent) > _REMEMBERED_CHECKPOINTS:
                self._sent.popitem(last=False)

    def after_fork_in_child(self) -> None:
        """See `Follower`."""
        self._lock = threading.Lock()

    def node_of(self, key: Key, task_path: str) -> str | None:
        """The node of a task of a checkpoint; of a function's call, the function."""
        if named := _PULLED.fullmatch(task_path) or _CALLED.fullmatch(task_path):
            return named[1]
        sent = _SENT.fullmatch(task_path)
        packets = self._sent.get(key, ()) if sent else ()
        return packets[int(sent[1])] if sent and int(sent[1]) < len(packets) else None
