"""The table `checkpoints`: where each checkpoint of a thread is in the log."""

from __future__ import annotations

from collections.abc import Sequence
from operator import itemgetter
from typing import Any

from eventstore.events import Cause
from eventstore.recorders import Statement
from eventstore.recorders.tables import END, Table
from eventstore.tuples import NamedTuple
from projections.tables.branches import ViewRow, view_row
from projections.tables.rows import LAST, Source


class CheckpointRow(NamedTuple):
    """A checkpoint with its event.

    Attributes:
        namespace: Its namespace.
        id: Its id.
        version: The version of its event.
        parent: Its parent, as far as that is shown.
        payload: The event's sealed envelope.
        recorded_at: When it was recorded, in microseconds since 1970-01-01T00:00Z.
    """

    namespace: str
    id: str
    version: int
    parent: str | None
    payload: bytes
    recorded_at: int


class PlacedRow(NamedTuple):
    """A checkpoint's row on a branch, shown or not.

    Attributes:
        namespace: Its namespace.
        id: Its id.
        version: The version of its event.
        shown_from: The version since which the branch has the row.
        parent: Its parent.
        run: The run that saved it.
        retired_at: The version since which the branch shows it no longer; `None`: it does.
        origin_id: The stream whose own event it is; `None` for a row that is yet to be stored, which looks for it.
    """

    namespace: str
    id: str
    version: int
    shown_from: int
    parent: str | None
    run: str | None
    retired_at: int | None
    origin_id: int | None = None


class OrphanRow(NamedTuple):
    """A checkpoint's row whose parent is shown no longer."""

    namespace: str
    id: str
    version: int
    parent: str | None


class UnreachableRow(NamedTuple):
    """A checkpoint's row on a branch that its thread has left.

    Attributes:
        left_at: The version at which the thread left the branch.
        shown_from: The version since which it has the row.
        branch_id: The branch.
        since: The version since which that has been.
    """

    left_at: int
    shown_from: int
    branch_id: int
    since: int


class RunStream(NamedTuple):
    """A stream that a run has saved to: its number, its name, and whether it is closed."""

    stream_id: int
    name: str
    closed: bool


class ListedKey(NamedTuple):
    """A place in the listing of all threads: what is listed behind it is smaller."""

    checkpoint: str = LAST
    namespace: str = ""
    # Before every row of a checkpoint's id, whatever its branch's number.
    branch_id: int = -END
    shown_from: int = 0


# How many columns tell what a thread shows.
_OF_VIEW = len(ViewRow._fields)


class ListedRow(NamedTuple):
    """A checkpoint's row in the listing of all threads.

    Attributes:
        thread: The thread that saved it, or took it over from an ancestor.
        stream_id: Its stream.
        branch_id: The branch that the row is on.
        branched: Whether the thread is a fork, or was moved: then it shows rows of other branches, too.
        shown: Whether it shows the checkpoint.
        inherited: Whether other branches go on from this one, and may show it.
        shown_from: Since which version it has the row.
        retired_at: Since which version it shows it no longer.
        orphaned_at: Since which version it shows its parent no longer.
        row: The checkpoint with its event, as if its parent were shown.
    """

    thread: str
    stream_id: int
    branch_id: int
    branched: bool
    shown: bool
    inherited: bool
    shown_from: int
    retired_at: int | None
    orphaned_at: int | None
    row: CheckpointRow

    @property
    def key(self) -> ListedKey:
        """Its place in the listing."""
        return ListedKey(self.row.id, self.row.namespace, self.branch_id, self.shown_from)

    def parent(self, upto: int) -> str | None:
        """The checkpoint's parent, as it is shown by who shows the rows up to a version."""
        return self.row.parent if self.orphaned_at is None or self.orphaned_at > upto else None


class CheckpointsTable(Table):
    """The statements of the table `checkpoints`. What they return of a branch is what the source shows of it."""

    # --- one checkpoint ----------------------------------------------------------------------------------------------

    def latest(self, source: Source, namespace: str) -> CheckpointRow | None:
        """Return the checkpoint of a namespace with the greatest id."""
        return self._one("latest_checkpoint", {**source.bounds, "namespace": namespace})

    def of_thread(
        self, thread: str, namespace: str, checkpoint: str | None
    ) -> tuple[ViewRow, CheckpointRow | None] | None:
        """Return which rows a thread shows, and one checkpoint of the branch that it is on, in one query.

        Args:
            thread: The thread.
            namespace: The namespace.
            checkpoint: The id; `None`: the greatest of the branch.
        """
        rows = self._run("thread_at", {"name": thread, "namespace": namespace, "checkpoint_id": checkpoint})
        if not rows:
            return None
        view, found = rows[0][:_OF_VIEW], rows[0][_OF_VIEW:]
        return view_row(*view), _row(*found) if found[-1] is not None else None

    def latest_id(self, source: Source, namespace: str) -> str | None:
        """Return the greatest id of a namespace."""
        rows = self._run("latest_id", {**source.bounds, "namespace": namespace})
        return str(rows[0][0]) if rows else None

    def one(self, source: Source, namespace: str, checkpoint: str, *, retired: bool = False) -> CheckpointRow | None:
        """Return one checkpoint.

        Args:
            source: The branch.
            namespace: The namespace.
            checkpoint: The id.
            retired: Whether it may be shown no longer, as what a DeltaChannel replays through.
        """
        block = "one_checkpoint_or_retired" if retired else "one_checkpoint"
        return self._one(block, {**source.bounds, "namespace": namespace, "checkpoint_id": checkpoint})

    def shown_from(self, source: Source, namespace: str, checkpoint: str) -> int | None:
        """Return since when a branch shows a checkpoint, or `None` if it does not."""
        rows = self._run("shown_from", {**source.bounds, "namespace": namespace, "checkpoint_id": checkpoint})
        return int(rows[0][0]) if rows else None

    def is_saved(self, namespace: str, checkpoint: str) -> bool:
        """Tell whether any thread has saved a checkpoint: ids are made to be unique."""
        return bool(self._run("is_saved", {"namespace": namespace, "checkpoint_id": checkpoint}))

    def namespaces_of(self, checkpoint: str) -> list[str]:
        """Return the namespaces in which any thread has saved a checkpoint of an id; the outermost one is the first."""
        return [row[0] for row in self._run("namespaces_of", {"checkpoint_id": checkpoint})]

    def unreachable(self, stream_id: int, namespace: str, checkpoint: str) -> list[UnreachableRow]:
        """Return the rows of a checkpoint on branches that its thread has left, the one left last first."""
        params = {"stream_id": stream_id, "namespace": namespace, "checkpoint_id": checkpoint}
        return sorted((UnreachableRow(*row) for row in self._run("unreachable", params)), reverse=True)

    # --- several -----------------------------------------------------------------------------------------------------

    def page(self, source: Source, namespace: str, before: str, limit: int) -> list[CheckpointRow]:
        """Return checkpoints of a namespace whose ids are smaller, the greatest first."""
        params = {**source.bounds, "namespace": namespace, "before": before, "limit": limit}
        return [_row(*row) for row in self._run("page_of_namespace", params)]

    def way(
        self, source: Source, namespace: str, checkpoint: str, limit: int, *, retired: bool = False
    ) -> list[CheckpointRow]:
        """Return a checkpoint, its parent, and so on, as far as one branch has them.

        Args:
            source: The branch.
            namespace: The namespace.
            checkpoint: The id.
            limit: How many at most.
            retired: Whether the way goes through what is shown no longer.
        """
        params = {**source.bounds, "namespace": namespace, "checkpoint_id": checkpoint, "limit": limit}
        rows = sorted(self._run("way", {**params, "retired": int(retired)}), key=itemgetter(0))
        return [_row(namespace, *row) for _, *row in rows]

    def saved_among(
        self, source: Source, namespace: str, checkpoints: Sequence[str], *, retired: bool = False
    ) -> set[str]:
        """Return which of some checkpoints a branch has; with `retired`, also those that it shows no longer."""
        params = {**source.bounds, "namespace": namespace, "checkpoint_ids": self._list_of(checkpoints)}
        return {row[0] for row in self._run("saved_among", {**params, "retired": int(retired)})}

    def page_of_store(self, key: ListedKey, limit: int) -> list[ListedRow]:
        """Return the checkpoints behind a place in the listing of all threads, the newest first."""
        params = {
            "before": key.checkpoint,
            "before_namespace": key.namespace,
            "before_branch": key.branch_id,
            "before_shown_from": key.shown_from,
            "limit": limit,
        }
        return [_listed_row(row) for row in self._run("page_of_store", params)]

    def namespaces(self, source: Source, before: str = LAST) -> list[tuple[str, str]]:
        """Return the greatest id that is smaller than `before` in each namespace, with the namespace."""
        return [(row[0], row[1]) for row in self._run("namespaces_of_thread", {**source.bounds, "before": before})]

    def of_namespaces(self, source: Source, first: str, past: str, after: str) -> list[CheckpointRow]:
        """Return the checkpoints of the namespaces in a range, `first <= namespace < past`, whose ids are greater."""
        params = {**source.bounds, "first_namespace": first, "past_namespace": past, "after": after}
        return [_row(*row) for row in self._run("rows_of_subgraphs", params)]

    def of_branch(self, source: Source) -> list[PlacedRow]:
        """Return all rows of a branch, also those that are retired; of one checkpoint the latest is the last."""
        return [PlacedRow(*row) for row in self._run("checkpoints_of_branch", source.bounds)]

    def taken_over(self, source: Source, namespace: str, checkpoints: Sequence[str]) -> set[str]:
        """Return which checkpoints a branch has taken over from those that it goes on from, with what stays of them."""
        params = {**source.bounds, "namespace": namespace, "checkpoint_ids": self._list_of(checkpoints)}
        return {row[1] for row in self._run("taken_over", params)}

    def streams_of_runs(self, runs: Sequence[str]) -> list[RunStream]:
        """Return the streams that some runs have saved to."""
        rows = self._run("streams_of_runs", {"run_ids": self._list_of(runs)})
        return [RunStream(row[0], row[1], bool(row[2])) for row in rows]

    def orphans(self, source: Source) -> list[OrphanRow]:
        """Return the rows of a branch whose parents are shown no longer."""
        return [OrphanRow(*row) for row in self._run("orphans_of_branch", source.bounds)]

    def past(self, branch_id: int, after: int) -> set[int]:
        """Return where the rows of a branch lead, also those of `writes`, that say they were made after a version."""
        return {int(row[0]) for row in self._run("rows_past", {"branch_id": branch_id, "after": after})}

    # --- changes -----------------------------------------------------------------------------------------------------

    def saving(self, stream_id: int, version: int, cause: Cause, parent: str | None) -> tuple[Statement, Statement]:
        """Return the statements by which a `checkpoint.saved` event changes the rows of the branch its thread is on."""
        place = {
            "stream_id": stream_id,
            "event_version": version,
            "namespace": cause.namespace,
            "checkpoint_id": cause.checkpoint,
        }
        return (
            Statement(self._blocks["replace_checkpoint"], place),
            Statement(self._blocks["save_checkpoint"], {**place, "parent_id": parent, "run_id": cause.run}),
        )

    def take_over(self, branch_id: int, stream_id: int, row: PlacedRow) -> None:
        """Take a checkpoint over from what a branch of a stream goes on from. The event stays where it is."""
        params = {
            **_key(branch_id, row),
            "stream_id": stream_id,
            "event_version": row.version,
            "parent_id": row.parent,
            "run_id": row.run,
            "retired_at": row.retired_at,
        }
        self._run("take_over_checkpoint", params)

    def retire(self, branch_id: int, row: PlacedRow, version: int) -> None:
        """Keep a row that is shown no longer from a version on."""
        self._run("retire_checkpoint", {**_key(branch_id, row), "retired_at": version})

    def drop(self, branch_id: int, row: PlacedRow) -> None:
        """Drop a row."""
        self._run("drop_checkpoint", _key(branch_id, row))

    def orphan(self, branch_id: int, row: PlacedRow, version: int) -> None:
        """Note that the parent of a row is shown no longer from a version on."""
        self._run("orphan_checkpoint", {**_key(branch_id, row), "orphaned_at": version})

    def orphan_in_forks(self, branch_id: int, namespace: str, parents: Sequence[str]) -> None:
        """Note of what forks of a branch have saved that these parents are shown by no thread any longer."""
        params = {"branch_id": branch_id, "namespace": namespace, "checkpoint_ids": self._list_of(parents)}
        self._run("orphan_in_forks", params)

    def drop_after(self, branch_id: int, after: int) -> None:
        """Drop the rows that a branch got after a version."""
        self._run("drop_checkpoints_after", {"branch_id": branch_id, "after": after})

    def _one(self, block: str, params: dict[str, Any]) -> CheckpointRow | None:
        rows = self._run(block, params)
        return _row(*rows[0]) if rows else None


def _row(
    namespace: str, checkpoint: str, version: int, parent: str | None, payload: bytes, recorded_at: int
) -> CheckpointRow:
    return CheckpointRow(namespace, checkpoint, version, parent, bytes(payload), recorded_at)


def _listed_row(columns: Sequence[Any]) -> ListedRow:
    thread, stream_id, branch_id, branched, shown, inherited, shown_from, retired_at, orphaned_at, *row = columns
    showing = (bool(branched), bool(shown), bool(inherited))
    return ListedRow(thread, stream_id, branch_id, *showing, shown_from, retired_at, orphaned_at, _row(*row))


def _key(branch_id: int, row: PlacedRow) -> dict[str, int | str]:
    return {
        "branch_id": branch_id,
        "namespace": row.namespace,
        "checkpoint_id": row.id,
        "shown_from": row.shown_from,
    }
