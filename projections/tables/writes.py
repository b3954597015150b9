"""The table `writes`: which events hold the pending writes of a checkpoint."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from eventstore.events import Cause
from eventstore.recorders import Statement
from eventstore.recorders.tables import Table
from eventstore.tuples import NamedTuple
from projections.tables.rows import Source


class WritesRow(NamedTuple):
    """An event of writes to a checkpoint: the checkpoint's namespace and id, and the event's version."""

    namespace: str
    checkpoint: str
    version: int


class WrittenRow(NamedTuple):
    """An event of writes to a checkpoint.

    Attributes:
        checkpoint: The checkpoint's id.
        version: The event's version.
        payload: Its sealed envelope; `None`: the log has no such event.
        recorded_at: When it was recorded, in microseconds since 1970-01-01T00:00Z.
    """

    checkpoint: str
    version: int
    payload: bytes | None
    recorded_at: int


class WritesTable(Table):
    """The statements of the table `writes`."""

    def of(self, source: Source, stream_id: int, namespace: str, checkpoints: Sequence[str]) -> list[WrittenRow]:
        """Return what a branch shows of the writes to some checkpoints, with their events, in no order.

        Args:
            source: The branch.
            stream_id: The stream whose log has the events: that of the thread which shows the branch.
            namespace: The namespace of the checkpoints, and
            checkpoints: their ids.
        """
        ids = self._list_of(checkpoints)
        params = {**source.bounds, "stream_id": stream_id, "namespace": namespace, "checkpoint_ids": ids}
        return [_written_row(*row) for row in self._run("writes_of", params)]

    def newest(self, source: Source, namespace: str) -> str:
        """Return the greatest id of a checkpoint of a namespace that a branch has writes to; "" if it has none."""
        [[found]] = self._run("newest_written", {"branch_id": source.branch_id, "namespace": namespace})
        return found or ""

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


def _written_row(checkpoint: str, version: int, payload: bytes | None, recorded_at: int | None) -> WrittenRow:
    return WrittenRow(checkpoint, version, None if payload is None else bytes(payload), recorded_at or 0)


def _key(branch_id: int, namespace: str, checkpoint: str) -> dict[str, int | str]:
    return {"branch_id": branch_id, "namespace": namespace, "checkpoint_id": checkpoint}
