"""The table `aggregate_snapshots`: snapshots of the eventsourcing library's aggregates, beside the log."""

from __future__ import annotations

from eventstore.recorders.tables.table import Table
from eventstore.tuples import NamedTuple


class SnapshotRow(NamedTuple):
    """A snapshot of an aggregate: the version that it was taken at, its topic, and its state in a sealed envelope."""

    version: int
    topic: str
    payload: bytes


class SnapshotsTable(Table):
    """The statements of the table `aggregate_snapshots`."""

    def add(self, purpose: str, name: str, snapshot: SnapshotRow) -> bool:
        """Add a snapshot of an aggregate; `False`, with nothing added, if there is one of that version."""
        params = {
            "purpose": purpose,
            "name": name,
            "version": snapshot.version,
            "topic": snapshot.topic,
            "payload": snapshot.payload,
        }
        return bool(self._run("add_snapshot", params))

    def page(
        self, purpose: str, name: str, *, after: int, before: int, limit: int, backward: bool = False
    ) -> list[SnapshotRow]:
        """Return the snapshots `after < version < before` of an aggregate, in order or backward."""
        params = {"purpose": purpose, "name": name, "after": after, "before": before, "limit": limit}
        rows = self._run("snapshots_backward" if backward else "snapshots_forward", params)
        return [SnapshotRow(version, topic, bytes(payload)) for version, topic, payload in rows]
