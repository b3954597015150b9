"""The table `writes`: which events hold the pending writes of a checkpoint."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from eventstore.events import Cause
from eventstore.recorders import Statement
from eventstore.recorders.tables import Table
from projections.tables.rows import Source


class WritesRow(NamedTuple):
    """An event of writes to a checkpoint: the checkpoint's namespace and id, and the event's version."""

    namespace: str
    checkpoint: str
    version: int


class WritesTable(Table):
    """The statements of the table `writes`."""

    def of(self, source: Source, namespace: str, checkpoints: Sequence[str]) -> list[tuple[str, int]]:
        """Return what a branch shows of the writes to some checkpoints: their ids, and the events' versions."""
        params = {**source.bounds, "namespace": namespace, "checkpoint_ids": self._list_of(checkpoints)}
        return [(row[0], row[1]) for row in self._run("writes_of", params)]

    def of_branch(self, source: Source) -> list[WritesRow]:
        """Return all that a branch shows, by namespace, checkpoint and version."""
        return [WritesRow(*row) for row in self._run("writes_of_branch", source.bounds)]

    def waiting(self, source: Source, latest: str, after: int) -> list[tuple[str, int]]:
        """Return the writes to checkpoints of the outermost graph that are not saved yet.

        Args:
            source: The branch.
            latest: The id of its latest checkpoint: those behind it are not saved.
            after: The version that the writes follow.

        Returns:
            The checkpoints' ids, and the events' versions.
        """
        params = {"branch_id": source.branch_id, "upto": source.upto, "latest": latest, "after": after}
        return [(row[0], row[1]) for row in self._run("waiting_writes", params)]

    def saving(self, stream_id: int, version: int, cause: Cause) -> Statement:
        """Return the statement by which a `writes.saved` event adds its row, on the branch that its thread is on."""
        params = {
            "stream_id": stream_id,
            "event_version": version,
            "namespace": cause.namespace,
            "checkpoint_id": cause.checkpoint,
        }
        return Statement(self._blocks["save_writes"], params)

    def take_over(self, branch_id: int, row: WritesRow) -> None:
        """Take an event over from what a branch goes on from."""
        self._run("take_over_writes", {**_key(branch_id, row.namespace, row.checkpoint), "event_version": row.version})

    def drop(self, branch_id: int, namespace: str, checkpoint: str, pinned: int) -> None:
        """Drop the writes to a checkpoint, but for those up to the version that forks show."""
        self._run("drop_writes", {**_key(branch_id, namespace, checkpoint), "pinned": pinned})

    def drop_at(self, stream_id: int, versions: Iterable[int]) -> None:
        """Drop what leads to some of a stream's events, whose content is erased, on all of its branches."""
        self._run("drop_writes_at", {"stream_id": stream_id, "versions": self._list_of([*versions])})

    def drop_after(self, branch_id: int, after: int) -> None:
        """Drop what was written after a version."""
        self._run("drop_writes_after", {"branch_id": branch_id, "after": after})


def _key(branch_id: int, namespace: str, checkpoint: str) -> dict[str, int | str]:
    return {"branch_id": branch_id, "namespace": namespace, "checkpoint_id": checkpoint}
