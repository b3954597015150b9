"""The names of a thread's tasks, with the checkpoints that they follow from looked up where that is needed."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from eventstore import Cause, ErasedError
from projections.pregel import Wrote, is_sent, nodes_at
from projections.reading.finding import Finder
from projections.reading.located import Located
from projections.reading.view import View
from projections.records import CheckpointRecord, WritesRecord

Key = tuple[str, str]
"""Namespace and checkpoint id."""


class Names:
    """Tells which nodes the tasks of one thread run, whenever their checkpoints were saved.

    Args:
        finder: Finds checkpoints.
        view: The thread.
    """

    def __init__(self, finder: Finder, view: View) -> None:
        self.view = view
        self._finder = finder
        self._known: dict[Key, CheckpointRecord | None] = {}

    def know(self, located: Iterable[Located]) -> None:
        """Take note of checkpoints that were read."""
        self._known.update({(each.namespace, each.id): each.record for each in located})

    def nodes(self, namespace: str, checkpoint: str, events: Sequence[tuple[Cause, WritesRecord]]) -> list[str | None]:
        """The node of each task that wrote something at a checkpoint, `None` where it is not known.

        Args:
            namespace: The checkpoint's namespace.
            checkpoint: Its id.
            events: All that was written at it, in the order of the log.
        """
        wrote = [Wrote(cause.task, cause.node, record) for cause, record in events]
        unnamed = any(cause.node is None and is_sent(record.task_path) for cause, record in events)
        return nodes_at(wrote, self._record(namespace, checkpoint) if unnamed else None)

    def _record(self, namespace: str, checkpoint: str) -> CheckpointRecord | None:
        key = (namespace, checkpoint)
        if key not in self._known:
            try:
                # One that is shown no longer may still be gone through, since something is replayed from its writes.
                located = self._finder.locate(self.view, namespace, checkpoint, retired=True)
            except ErasedError:
                located = None
            self._known[key] = located.record if located else None
        return self._known[key]
