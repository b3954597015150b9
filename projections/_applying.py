"""What events do to the rows: once as they are appended, and again when the rows are rebuilt from the log."""

from __future__ import annotations

from collections.abc import Mapping

from eventstore.recorders import Recorder, Session
from projections._view import END
from projections.records import PruneRecord

Queries = Mapping[str, str]


def apply_prune(
    session: Session, queries: Queries, recorder: Recorder, stream_id: int, version: int, record: PruneRecord
) -> None:
    """Hide rows: retire those that something still needs, drop the others.

    Args:
        session: The open transaction.
        queries: The blocks of this package.
        recorder: Knows how lists are bound.
        stream_id: The thread's stream.
        version: The version of the event.
        record: What the event says.
    """
    if record.adopted is not None:
        _adopt(session, queries, stream_id, version, record)
    rows = session.execute(queries["rows_of_stream"], {"stream_id": stream_id, "upto": END})
    kept, dropped, walked = set(record.kept or ()), set(record.dropped), set(record.walked)
    # What a run wrote is hidden from forks, too; what a thread forgets, they go on to show.
    everywhere = record.kept is None
    newest = {(row[0], row[1]): row[3] for row in rows}
    hidden_at = 0 if everywhere else version
    hidden_from_forks: dict[str, list[str]] = {}
    for namespace, checkpoint, _, shown_from, parent, _, retired_at in rows:
        params = {"stream_id": stream_id, "namespace": namespace, "checkpoint_id": checkpoint}
        row = {**params, "shown_from": shown_from}
        hidden = _is_hidden(namespace, checkpoint, record, kept, dropped)
        # Of a checkpoint that was saved again, a DeltaChannel replays through the later row.
        replayed = (namespace, checkpoint) in walked and shown_from == newest[namespace, checkpoint]
        if hidden or (retired_at is not None and not everywhere):
            # Forks may still replay a DeltaChannel through what they do not show.
            if replayed or shown_from <= record.pinned:
                session.execute(queries["retire_checkpoint"], {**row, "retired_at": hidden_at})
            else:
                session.execute(queries["drop_checkpoint"], row)
            if hidden and (namespace, checkpoint) not in walked:
                session.execute(queries["drop_writes"], {**params, "pinned": record.pinned})
            if hidden and everywhere:
                hidden_from_forks.setdefault(namespace, []).append(checkpoint)
        elif parent is not None and _is_hidden(namespace, parent, record, kept, dropped):
            session.execute(queries["orphan_checkpoint"], {**params, "orphaned_at": hidden_at})
    for namespace, checkpoints in hidden_from_forks.items():
        ids = recorder.list_of(checkpoints)
        session.execute(
            queries["orphan_in_forks"], {"stream_id": stream_id, "namespace": namespace, "checkpoint_ids": ids}
        )


def _is_hidden(
    namespace: str, checkpoint: str, record: PruneRecord, kept: set[tuple[str, str]], dropped: set[tuple[str, str]]
) -> bool:
    key = (namespace, checkpoint)
    return key in dropped if record.kept is None else key not in kept


def apply_delete(session: Session, queries: Queries, stream_id: int, pinned: int) -> None:
    """Drop a stream's rows, but for those up to the version that living forks show."""
    session.execute(queries["drop_checkpoints_after"], {"stream_id": stream_id, "after": pinned})
    session.execute(queries["drop_writes_after"], {"stream_id": stream_id, "after": pinned})
    session.execute(queries["drop_segments_after"], {"stream_id": stream_id, "after": pinned})
    session.execute(queries["cut_sources"], {"stream_id": stream_id})


def apply_fork(session: Session, queries: Queries, stream_id: int, parent_id: int, version: int) -> None:
    """Let a fork show what its parent showed."""
    params = {"stream_id": stream_id, "parent_id": parent_id, "upto": version}
    session.execute(queries["inherit_sources"], params)


def erase(session: Session, queries: Queries, recorder: Recorder, stream_id: int, versions: list[int]) -> None:
    """Erase the content of some events of a stream."""
    params = {"stream_id": stream_id, "versions": recorder.list_of(versions)}
    session.execute(queries["erase_events"], params)
    session.execute(queries["drop_segments"], params)


def _adopt(session: Session, queries: Queries, stream_id: int, version: int, record: PruneRecord) -> None:
    """Take rows over from ancestors, whose other rows are shown no longer."""
    assert record.adopted is not None
    for adopted in record.adopted:
        row = {"stream_id": stream_id, "namespace": adopted.namespace, "checkpoint_id": adopted.checkpoint}
        session.execute(
            queries["adopt_checkpoint"],
            {
                **row,
                "event_version": adopted.version,
                "shown_from": version,
                "run_id": adopted.run,
                "retired_at": None if adopted.shown else version,
            },
        )
        for written in adopted.writes:
            session.execute(queries["adopt_writes"], {**row, "event_version": written})
    session.execute(queries["cut_sources"], {"stream_id": stream_id})
