"""The rows of this projection, made anew from the log."""

from __future__ import annotations

from typing import Any

from eventstore import EventStore
from eventstore.codec.envelope import is_erased
from eventstore.recorders import Session
from eventstore.writing import FORKED
from projections._applying import Queries, apply_delete, apply_fork, apply_move, apply_prune, note_move
from projections._located import opened
from projections._view import line_at
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

_PAGE = 500
_BEGINNING = (
    "lock_rows",
    "forget_checkpoints",
    "forget_writes",
    "forget_sources",
    "forget_lines",
    "forget_moves",
)


def rebuild(store: EventStore, queries: Queries) -> None:
    """Drop the rows and make them again, in one transaction: readers see the old ones until the new are there."""
    store.recorder.sequence()

    def work(session: Session) -> None:
        for name in _BEGINNING:
            session.execute(queries[name], {})
        position = 0
        while page := session.execute(queries["feed_of_threads"], {"after": position, "limit": _PAGE}):
            for row in page:
                _apply(store, session, queries, row)
            position = page[-1][0]
        # An open transaction, of anybody, keeps what is younger than it out of the feed; not out of the rows.
        for row in session.execute(queries["rest_of_threads"], {}):
            _apply(store, session, queries, row)
        session.execute(queries["drop_erased_writes"], {})

    store.recorder.write(work, repeatable=True)


def _apply(store: EventStore, session: Session, queries: Queries, row: tuple[Any, ...]) -> None:
    _, stream_id, version, topic, payload, parent_id, parent_version = row
    if topic == FORKED:
        _, point = opened(store, f"#{stream_id}", version, bytes(payload), shown_by_fork)
        point = point or Point(parent_version)
        apply_fork(session, queries, store.queries, stream_id, parent_id, version, point)
        return
    if topic == THREAD_DELETED:
        [(pinned,)] = session.execute(store.queries["pinned_upto"], {"stream_id": stream_id})
        apply_delete(session, queries, stream_id, pinned)
        return
    if is_erased(bytes(payload)):
        return  # what it said was forgotten since
    cause, data = opened(store, f"#{stream_id}", version, bytes(payload), bytes, topic)
    params: dict[str, Any] = {
        "line_id": line_at(session.execute, queries, stream_id, version),
        "event_version": version,
        "namespace": cause.namespace,
        "checkpoint_id": cause.checkpoint,
    }
    if topic == CHECKPOINT_SAVED:
        parent = CheckpointRecord.unpack(data).parent
        session.execute(queries["restore_replaced"], params)
        saved = {**params, "stream_id": stream_id, "parent_id": parent, "run_id": cause.run}
        session.execute(queries["restore_checkpoint"], saved)
    elif topic == WRITES_SAVED:
        session.execute(queries["adopt_writes"], params)
    elif topic in (THREAD_PRUNED, RUNS_DELETED, BRANCH_DELETED):
        apply_prune(session, queries, store.recorder, stream_id, version, topic, PruneRecord.unpack(data))
    elif topic == THREAD_PROMOTED:
        note_move(session, queries, stream_id, version, topic)
    elif topic in MOVES:
        apply_move(session, queries, store.queries, stream_id, version, topic, MoveRecord.unpack(data))
