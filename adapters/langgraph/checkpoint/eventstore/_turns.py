"""Runs that take turns on a thread: how the one that comes late is refused, to its last write.

LangGraph saves in the background, so a task's writes can arrive before the checkpoint they belong to. They wait here,
and are stored with it in one transaction; if the checkpoint is refused, so are they.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager

from eventstore import ConflictError
from projections import Checkpoints, NewCheckpoint, NewWrites, Serializer

Key = tuple[str, str, str]
"""Thread, namespace, checkpoint."""

_STRIPES = 64
_REMEMBERED_REFUSALS = 1024


class Turns:
    """Saves for one run at a time on each thread. Shared by all runs of one saver."""

    def __init__(self, checkpoints: Checkpoints) -> None:
        self._checkpoints = checkpoints
        self._locks = [threading.Lock() for _ in range(_STRIPES)]
        self._waiting: dict[Key, list[NewWrites]] = {}
        self._refused: OrderedDict[Key, ConflictError] = OrderedDict()

    def save(self, checkpoint: NewCheckpoint, serializer: Serializer, seen_head: str | None) -> None:
        """Save a checkpoint, unless another run has moved the thread on since this one was loaded.

        Raises:
            ConflictError: It has; nothing is stored.
        """
        key = (checkpoint.thread, checkpoint.namespace, checkpoint.id)
        with self._turn(checkpoint.thread):
            writes = self._waiting.get(key, [])
            try:
                self._checkpoints.save(checkpoint, serializer, writes=writes, expected=seen_head)
            except ConflictError as conflict:
                self._refuse(key, conflict)
                raise
            self._waiting.pop(key, None)

    def save_writes(self, writes: NewWrites, serializer: Serializer, seen_head: str | None) -> None:
        """Save a task's writes, or keep them until their checkpoint is saved.

        Raises:
            ConflictError: Another run has moved the thread on; nothing is stored.
        """
        key = (writes.thread, writes.namespace, writes.checkpoint)
        with self._turn(writes.thread):
            if refused := self._refused.get(key):
                raise ConflictError(refused.stream, refused.expected, refused.actual)
            if not self._checkpoints.exists(writes.thread, writes.checkpoint, namespace=writes.namespace):
                self._waiting.setdefault(key, []).append(writes)
                return
            head = self._checkpoints.latest_id(writes.thread, namespace=writes.namespace)
            if head not in (writes.checkpoint, seen_head):
                raise ConflictError(writes.thread, writes.checkpoint, head)
            self._checkpoints.save_writes(writes, serializer)

    def _refuse(self, key: Key, conflict: ConflictError) -> None:
        self._waiting.pop(key, None)
        self._refused[key] = conflict
        if len(self._refused) > _REMEMBERED_REFUSALS:
            self._refused.popitem(last=False)

    @contextmanager
    def _turn(self, thread: str) -> Iterator[None]:
        with self._locks[hash(thread) % _STRIPES]:
            yield
