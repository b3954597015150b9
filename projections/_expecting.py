"""What a thread should show, by its log alone. A fold over the events, without a database."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field

from eventstore import Cause
from projections.records import (
    CHECKPOINT_SAVED,
    RUNS_DELETED,
    THREAD_PRUNED,
    WRITES_SAVED,
    CheckpointRecord,
    PruneRecord,
)

Key = tuple[str, str]
"""Namespace and checkpoint id."""


@dataclass(frozen=True, slots=True)
class Logged:
    """What the log says of one event that a row may lead to.

    Attributes:
        topic: `checkpoint.saved` or `writes.saved`.
        key: Of which checkpoint; `None` if its content was erased.
        parent: The parent that the checkpoint names.
        run: The run that saved it.
    """

    topic: str
    key: Key | None
    parent: str | None = None
    run: str | None = None


@dataclass(slots=True)
class Expected:
    """The rows that a thread's events give.

    Attributes:
        events: The events that rows may lead to, by version.
        shown: The version of each checkpoint that the thread shows.
        writes: The versions of what was written to checkpoints that it shows, or that are not saved yet.
    """

    events: dict[int, Logged] = field(default_factory=dict)
    shown: dict[Key, int] = field(default_factory=dict)
    writes: dict[Key, set[int]] = field(default_factory=dict)
    _saved: set[Key] = field(default_factory=set)

    def erased(self, version: int, topic: str) -> None:
        """Take note of an event of which only the digest is left: nothing needs it."""
        self.events[version] = Logged(topic, None)

    def apply(self, version: int, topic: str, cause: Cause, data: bytes) -> None:
        """Let an event do what it does to the rows.

        Raises:
            CorruptionError: Its data is not what its topic says.
        """
        key = (cause.namespace, cause.checkpoint or "")
        if topic == CHECKPOINT_SAVED:
            self.events[version] = Logged(topic, key, CheckpointRecord.unpack(data).parent, cause.run)
            self.shown[key] = version
            self._saved.add(key)
        elif topic == WRITES_SAVED:
            self.events[version] = Logged(topic, key)
            self.writes.setdefault(key, set()).add(version)
        elif topic in (THREAD_PRUNED, RUNS_DELETED):
            record = PruneRecord.unpack(data)
            self._hide(set(self.shown) - set(record.kept) if record.kept is not None else record.dropped)

    def hide_of_ancestor(self, data: bytes, after: int, upto: int) -> None:
        """Let the deletion of runs do what it does to forks that were made before.

        Args:
            data: What the ancestor's event says.
            after: The fork shares the ancestor's versions from behind this one,
            upto: and up to this one.
        """
        dropped = PruneRecord.unpack(data).dropped
        self._hide([key for key in dropped if after < self.shown.get(key, 0) <= upto])

    def _hide(self, keys: Collection[Key]) -> None:
        for key in keys:
            self.shown.pop(key, None)
        # What waits for a checkpoint that is not saved yet belongs to a run on its way.
        for key in [key for key in self.writes if key in self._saved and key not in self.shown]:
            del self.writes[key]
