"""The names of a thread's tasks, with the checkpoints that they follow from looked up where that is needed."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from eventstore import Cause, ErasedError
from projections._finding import Finder, Located
from projections._view import View
from projections.records import CheckpointRecord, WritesRecord
from projections.tasks import NOBODY, Packets, is_sent, node_of, packets_at


class Names:
    """Tells which nodes the tasks of one thread run, whenever their checkpoints were saved.

    Args:
        finder: Finds checkpoints.
        view: The thread.
        known: Checkpoints that were found already.
    """

    def __init__(self, finder: Finder, view: View, known: Iterable[Located] = ()) -> None:
        self.view = view
        self._finder = finder
        self._known: dict[tuple[str, str], CheckpointRecord | None] = {
            (located.namespace, located.id): located.record for located in known
        }

    def nodes(self, namespace: str, checkpoint: str, events: Sequence[tuple[Cause, WritesRecord]]) -> list[str | None]:
        """The node of each task that wrote something at a checkpoint, `None` where it is not known.

        Args:
            namespace: The checkpoint's namespace.
            checkpoint: Its id.
            events: All that was written at it, in the order of the log.
        """
        packets: Packets = ()
        if any(cause.node is None and is_sent(record.task_path) for cause, record in events):
            given = [record for cause, record in events if cause.task == NOBODY]
            packets = packets_at(self._record(namespace, checkpoint), given)
        return [cause.node or node_of(record.task_path, packets) for cause, record in events]

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
