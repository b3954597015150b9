"""The rows of checkpoints, writes and branches, as a projection that lives in the append's transaction."""

from __future__ import annotations

import logging
from collections.abc import Sequence

from eventstore import CorruptionError, EventStore
from eventstore.codec.envelope import is_erased
from eventstore.erasing import OpenLog
from eventstore.reading import FeedRow, StreamRow
from eventstore.telling import tell
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
    shown_by_fork,
)
from projections.records.prunes import PruneRecord
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
    step = None

    def __init__(self, store: EventStore, tables: Tables) -> None:
        self._store = store
        self._tables = tables

    def prepare(self, events: Sequence[FeedRow]) -> Work:
        """See `Projection.prepare`."""

        def apply(log: OpenLog) -> None:
            tables = self._tables.within(log)
            for event in events:
                try:
                    self._apply(event, tables, log)
                except CorruptionError as error:
                    # A check names it. What can be read has its rows all the same.
                    tell(logging.WARNING, "rebuild", "an event gives no rows: %s", error, error=str(error))

        return apply

    def clear(self, log: OpenLog) -> None:
        """See `Projection.clear`."""
        tables = self._tables.within(log)
        tables.lock()
        tables.clear()

    def _apply(self, event: FeedRow, tables: Tables, log: OpenLog) -> None:
        stream_id, topic = event.stream_id, event.topic
        applying = Applying(tables, log)
        if topic in (FORKED, THREAD_DELETED):
            # Anybody may append events of these topics: what they say is held against what became of the stream.
            stream = log.stream(stream_id)
            if stream is not None and topic == FORKED:
                self._fork(event, stream, applying)
            elif stream is not None and stream.closed:
                applying.delete(stream_id, log.pinned_upto(stream_id))
            return
        if is_erased(event.payload):
            return  # its content was erased since
        self._change(event, tables, applying)

    def _change(self, event: FeedRow, tables: Tables, applying: Applying) -> None:
        stream_id, version, topic = event.stream_id, event.version, event.topic
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

    def _fork(self, event: FeedRow, stream: StreamRow, applying: Applying) -> None:
        if stream.parent_id is None or stream.parent_version != event.version - 1:
            return
        _, data = opened(self._store, f"#{event.stream_id}", event.version, event.payload, bytes, event.topic)
        if point := shown_by_fork(data, stream.parent_version):
            applying.fork(event.stream_id, stream.parent_id, event.version, point)
