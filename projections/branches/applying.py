"""The effect of events on the rows, both as they are appended and when the rows are rebuilt from the log."""

from __future__ import annotations

from collections.abc import Sequence

from eventstore.erasing import OpenLog
from projections.records import MoveRecord, Point, TakenOver
from projections.records.prunes import PruneRecord
from projections.tables import PlacedRow, ReflogRow, Source, Tables, WritesRow


class Applying:
    """Changes rows as events say, in an open transaction.

    Tables are changed in one order, so that nobody deadlocks: branches, sources, checkpoints, writes, reflog.

    Args:
        tables: The tables, within the transaction.
        log: The log, within the transaction.
    """

    def __init__(self, tables: Tables, log: OpenLog) -> None:
        self._tables = tables
        self._log = log

    def prune(self, stream_id: int, version: int, topic: str, record: PruneRecord) -> None:
        """Hide rows: retire those that something still needs, drop the others.

        Args:
            stream_id: The thread's stream.
            version: The version of the event.
            topic: Its topic.
            record: What it says.
        """
        current = self._tables.branches.at(stream_id)
        if record.taken_over is not None:
            self._tables.sources.cut(current, version)
            self._take_over(stream_id, current, version, record.taken_over)
        self._hide(current, version, record)
        for branch in self._tables.branches.of_stream(stream_id):
            if branch.branch_id == current:
                continue
            if record.kept is None:
                self._hide(branch.branch_id, version, record)
            else:  # what a rollback has made unreachable goes with the rest of the past
                self._drop_after(branch.branch_id, record.pinned)
        self._tables.reflog.note(stream_id, ReflogRow(version, topic))

    def delete(self, stream_id: int, pinned: int) -> None:
        """Drop a stream's rows, but for those up to the version that living forks show."""
        for branch in self._tables.branches.of_stream(stream_id):
            if not pinned:  # otherwise forks still read through them
                self._tables.sources.drop(branch.branch_id)
            self._drop_after(branch.branch_id, pinned)
        self._tables.segments.drop_after(stream_id, pinned)

    def move(self, stream_id: int, version: int, topic: str, record: MoveRecord) -> None:
        """Put a thread on another branch: on a new one, or on one that it was on before.

        Args:
            stream_id: The thread's stream.
            version: The version of the event.
            topic: Its topic.
            record: What it says.
        """
        left = self._tables.branches.leave(stream_id, version)
        if record.returns_to is None:
            assert record.point is not None
            since, branch_id = version, self._tables.branches.begin(stream_id, version)
            self._go_on(branch_id, stream_id, record.point)
            self._take_over(stream_id, branch_id, version, record.point.taken_over)
        else:
            since = record.returns_to
            self._tables.branches.return_to(stream_id, since)
        self._tables.reflog.note(stream_id, ReflogRow(version, topic, left, since, record.undoes))

    def fork(self, stream_id: int, parent_id: int, version: int, point: Point) -> None:
        """Let a fork show what its parent showed at a point.

        Args:
            stream_id: The fork's stream.
            parent_id: Its parent's.
            version: The version of the fork's first own event.
            point: The point.
        """
        branch_id = self._tables.branches.at(stream_id)
        self._go_on(branch_id, parent_id, point)
        self._take_over(stream_id, branch_id, version, point.taken_over)

    def note(self, stream_id: int, version: int, topic: str) -> None:
        """Note an event that makes stale what anybody remembers of the thread."""
        self._tables.reflog.note(stream_id, ReflogRow(version, topic))

    def _go_on(self, branch_id: int, stream_id: int, point: Point) -> None:
        """Let a branch show what a thread showed at a point, of its stream or an ancestor's."""
        holder = next(segment for segment in self._log.lineage(stream_id) if segment.holds(point.upto))
        source_id = self._tables.branches.at(holder.stream_id, point.upto)
        self._tables.sources.inherit(branch_id, source_id, point.upto, point.last_id)

    def _hide(self, branch_id: int, version: int, record: PruneRecord) -> None:
        """Hide rows of one branch."""
        table = self._tables.checkpoints
        rows = table.of_branch(Source(branch_id))
        kept, dropped, replayed_through = set(record.kept or ()), set(record.dropped), set(record.replayed_through)
        # What a run wrote is hidden from forks, too; what a thread prunes, they go on to show.
        everywhere = record.kept is None
        newest = {(row.namespace, row.id): row.shown_from for row in rows}
        hidden_at = 0 if everywhere else version
        hidden_from_forks: dict[str, list[str]] = {}
        for row in rows:
            key = (row.namespace, row.id)
            hidden = key in dropped if everywhere else key not in kept
            # Of a checkpoint that was saved again, a DeltaChannel replays through the later row.
            replayed = key in replayed_through and row.shown_from == newest[key]
            if hidden or (row.retired_at is not None and not everywhere):
                # Forks may still replay a DeltaChannel through what they do not show.
                if replayed or row.version <= record.pinned:
                    table.retire(branch_id, row, hidden_at)
                else:
                    table.drop(branch_id, row)
                if hidden and key not in replayed_through:
                    self._tables.writes.drop(branch_id, *key, record.pinned)
                if hidden and everywhere:
                    hidden_from_forks.setdefault(row.namespace, []).append(row.id)
            elif row.parent is not None:
                parent = (row.namespace, row.parent)
                if parent in dropped if everywhere else parent not in kept:
                    table.orphan(branch_id, row, hidden_at)
        for namespace, checkpoints in hidden_from_forks.items():
            table.orphan_in_forks(branch_id, namespace, checkpoints)

    def _drop_after(self, branch_id: int, after: int) -> None:
        self._tables.checkpoints.drop_after(branch_id, after)
        self._tables.writes.drop_after(branch_id, after)

    def _take_over(self, stream_id: int, branch_id: int, version: int, rows: Sequence[TakenOver]) -> None:
        """Take rows over from what a branch goes on from, of which other rows are shown no longer."""
        writes = [written for each in rows for written in each.writes]
        erased = {event.version for event in self._log.erased_among(stream_id, writes)} if writes else set()
        for each in rows:
            key = (each.namespace, each.checkpoint)
            if each.version is not None:
                retired_at = None if each.shown else version
                row = PlacedRow(*key, each.version, version, each.parent, each.run, retired_at)
                self._tables.checkpoints.take_over(branch_id, stream_id, row)
            for written in each.writes:
                if written not in erased:  # in a rebuild it may have been erased since
                    self._tables.writes.take_over(branch_id, WritesRow(*key, written))
