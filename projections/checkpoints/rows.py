"""The rows of checkpoints, writes and branches, as a projection that lives in the append's transaction."""

from __future__ import annotations

from collections.abc import Sequence

from eventstore import EventStore
from eventstore.codec.envelope import is_erased
from eventstore.erasing import OpenLog
from eventstore.reading import FeedRow
from eventstore.writing import FORKED
from projections.branches.applying import Applying
from projections.projection import Work
from projections.reading.located import opened
from projections.records import (
    BRANCH_DELETED,
    CHECKPOINT_SAVED,
    MOVES,
    RUNS_DELETED,
    THREAD_DELETED,
    THREAD_PROMOTED,
    THREAD_PRUNED,
    WRITES_SAVED,
    CheckpointRecord,
    MoveRecord,
    Point,
    PruneRecord,
    shown_by_fork,
)
from projections.tables import Tables


class CheckpointRows:
    """Checkpoints as a projection: see `projections.projection.Projection`.

    An append of one of these events changes the rows by the same statements and methods.

    Args:
        store: The store.
        tables: The tables.
    """

    name = "checkpoints"
    tables = ("checkpoints", "writes", "branches", "sources", "reflog")
    inline = True
    at_once = True

    def __init__(self, store: EventStore, tables: Tables) -> None:
        self._store = store
        self._tables = tables

    def prepare(self, events: Sequence[FeedRow]) -> Work:
        """See `Projection.prepare`."""

        def apply(log: OpenLog) -> None:
            tables = self._tables.within(log)
            for event in events:
                self._apply(event, tables, log)

        return apply

    def clear(self, log: OpenLog) -> None:
        """See `Projection.clear`."""
        tables = self._tables.within(log)
        tables.lock()
        tables.clear()

    def _apply(self, event: FeedRow, tables: Tables, log: OpenLog) -> None:
        stream_id, version, topic = event.stream_id, event.version, event.topic
        applying = Applying(tables, log)
        if topic == FORKED:
            stream = log.stream(stream_id)
            assert stream is not None
            assert stream.parent_id is not None
            assert stream.parent_version is not None
            _, point = opened(self._store, f"#{stream_id}", version, event.payload, shown_by_fork)
            applying.fork(stream_id, stream.parent_id, version, point or Point(stream.parent_version))
            return
        if topic == THREAD_DELETED:
            applying.delete(stream_id, log.pinned_upto(stream_id))
            return
        if is_erased(event.payload):
            return  # its content was erased since
        cause, data = opened(self._store, f"#{stream_id}", version, event.payload, bytes, topic)
        if topic == CHECKPOINT_SAVED:
            parent = CheckpointRecord.unpack(data).parent
            tables.carry_out(*tables.checkpoints.saving(stream_id, version, cause, parent))
        elif topic == WRITES_SAVED:
            tables.carry_out(tables.writes.saving(stream_id, version, cause))
        elif topic in (THREAD_PRUNED, RUNS_DELETED, BRANCH_DELETED):
            applying.prune(stream_id, version, topic, PruneRecord.unpack(data))
        elif topic == THREAD_PROMOTED:
            applying.note(stream_id, version, topic)
        elif topic in MOVES:
            applying.move(stream_id, version, topic, MoveRecord.unpack(data))
