"""The rows of checkpoints, writes and branches, made anew from the log."""

from __future__ import annotations

from collections import defaultdict
from itertools import chain

from eventstore import EventStore
from eventstore.codec.envelope import is_erased
from eventstore.reading import FeedRow
from eventstore.recorders import Session
from eventstore.writing import FORKED
from projections.projecting.applying import Applying
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


def rebuild(store: EventStore, tables: Tables) -> None:
    """Drop the rows and make them again, in one transaction: readers see the old ones until the new are there."""
    store.recorder.sequence()

    def work(session: Session) -> None:
        rows, log = tables.within(session), store.log.within(session)
        rows.lock()
        rows.clear()
        erased: defaultdict[int, list[int]] = defaultdict(list)
        # An open transaction, of anybody, keeps what is younger than it out of the feed; not out of the rows.
        for event in chain(log.feed(), log.feed_rest()):
            _Event(store, rows, session, event).apply()
            if event.topic == WRITES_SAVED and is_erased(event.payload):
                erased[event.stream_id].append(event.version)
        for stream_id, versions in erased.items():  # what was taken over before it was erased
            rows.writes.drop_at(stream_id, versions)
        rows.drop_branches_never_begun()

    store.recorder.write(work, repeatable=True)


class _Event:
    """An event of the log, and what it does to the rows."""

    def __init__(self, store: EventStore, tables: Tables, session: Session, row: FeedRow) -> None:
        self._store = store
        self._tables = tables
        self._log = store.log.within(session)
        self._applying = Applying(tables, self._log)
        self._row = row

    def apply(self) -> None:
        stream_id, version, topic = self._row.stream_id, self._row.version, self._row.topic
        if topic == FORKED:
            self._fork()
            return
        if topic == THREAD_DELETED:
            self._applying.delete(stream_id, self._log.pinned_upto(stream_id))
            return
        if is_erased(self._row.payload):
            return  # its content was erased since
        cause, data = opened(self._store, f"#{stream_id}", version, self._row.payload, bytes, topic)
        if topic == CHECKPOINT_SAVED:
            parent = CheckpointRecord.unpack(data).parent
            self._tables.carry_out(*self._tables.checkpoints.saving(stream_id, version, cause, parent))
        elif topic == WRITES_SAVED:
            self._tables.carry_out(self._tables.writes.saving(stream_id, version, cause))
        elif topic in (THREAD_PRUNED, RUNS_DELETED, BRANCH_DELETED):
            self._applying.prune(stream_id, version, topic, PruneRecord.unpack(data))
        elif topic == THREAD_PROMOTED:
            self._applying.note(stream_id, version, topic)
        elif topic in MOVES:
            self._applying.move(stream_id, version, topic, MoveRecord.unpack(data))

    def _fork(self) -> None:
        stream_id, version = self._row.stream_id, self._row.version
        stream = self._log.stream(stream_id)
        assert stream is not None
        assert stream.parent_id is not None
        assert stream.parent_version is not None
        _, point = opened(self._store, f"#{stream_id}", version, self._row.payload, shown_by_fork)
        self._applying.fork(stream_id, stream.parent_id, version, point or Point(stream.parent_version))
