"""The effect of events on the rows, both as they are appended and when the rows are rebuilt from the log."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from eventstore.recorders import Recorder, Session
from projections._view import END, Source, line_at, lines_of
from projections.records import Adopted, MoveRecord, Point, PruneRecord

Queries = Mapping[str, str]


def apply_prune(
    session: Session,
    queries: Queries,
    recorder: Recorder,
    stream_id: int,
    version: int,
    topic: str,
    record: PruneRecord,
) -> None:
    """Hide rows: retire those that something still needs, drop the others.

    Args:
        session: The open transaction.
        queries: The blocks of this package.
        recorder: Knows how lists are bound.
        stream_id: The thread's stream.
        version: The version of the event.
        topic: Its topic.
        record: What it says.
    """
    line_id = line_at(session.execute, queries, stream_id, END)
    others = [line.line_id for line in lines_of(session.execute, queries, stream_id) if line.line_id != line_id]
    if record.adopted is not None:
        _adopt(session, queries, stream_id, line_id, version, record.adopted)
        session.execute(queries["cut_sources"], {"line_id": line_id, "cut_at": version})
    _hide(session, queries, recorder, line_id, version, record)
    for line in others:
        if record.kept is None:
            _hide(session, queries, recorder, line, version, record)
        else:  # what a rollback has set aside is forgotten with the rest of the past
            _drop_after(session, queries, line, record.pinned)
    note_move(session, queries, stream_id, version, topic)


def _hide(
    session: Session, queries: Queries, recorder: Recorder, line_id: int, version: int, record: PruneRecord
) -> None:
    """Hide rows of one line."""
    rows = session.execute(queries["rows_of_line"], Source(line_id).bounds)
    kept, dropped, walked = set(record.kept or ()), set(record.dropped), set(record.walked)
    # What a run wrote is hidden from forks, too; what a thread forgets, they go on to show.
    everywhere = record.kept is None
    newest = {(row[0], row[1]): row[3] for row in rows}
    hidden_at = 0 if everywhere else version
    hidden_from_forks: dict[str, list[str]] = {}
    for namespace, checkpoint, event, shown_from, parent, _, retired_at in rows:
        params = {"line_id": line_id, "namespace": namespace, "checkpoint_id": checkpoint}
        row = {**params, "shown_from": shown_from}
        hidden = _is_hidden(namespace, checkpoint, record, kept, dropped)
        # Of a checkpoint that was saved again, a DeltaChannel replays through the later row.
        replayed = (namespace, checkpoint) in walked and shown_from == newest[namespace, checkpoint]
        if hidden or (retired_at is not None and not everywhere):
            # Forks may still replay a DeltaChannel through what they do not show.
            if replayed or event <= record.pinned:
                session.execute(queries["retire_checkpoint"], {**row, "retired_at": hidden_at})
            else:
                session.execute(queries["drop_checkpoint"], row)
            if hidden and (namespace, checkpoint) not in walked:
                session.execute(queries["drop_writes"], {**params, "pinned": record.pinned})
            if hidden and everywhere:
                hidden_from_forks.setdefault(namespace, []).append(checkpoint)
        elif parent is not None and _is_hidden(namespace, parent, record, kept, dropped):
            session.execute(queries["orphan_checkpoint"], {**row, "orphaned_at": hidden_at})
    for namespace, checkpoints in hidden_from_forks.items():
        ids = recorder.list_of(checkpoints)
        session.execute(queries["orphan_in_forks"], {"line_id": line_id, "namespace": namespace, "checkpoint_ids": ids})


def _is_hidden(
    namespace: str, checkpoint: str, record: PruneRecord, kept: set[tuple[str, str]], dropped: set[tuple[str, str]]
) -> bool:
    key = (namespace, checkpoint)
    return key in dropped if record.kept is None else key not in kept


def apply_delete(session: Session, queries: Queries, stream_id: int, pinned: int) -> None:
    """Drop a stream's rows, but for those up to the version that living forks show."""
    for line in lines_of(session.execute, queries, stream_id):
        _drop_after(session, queries, line.line_id, pinned)
        if not pinned:  # or what forks show of it goes on from there
            session.execute(queries["drop_sources"], {"line_id": line.line_id})
    session.execute(queries["drop_segments_after"], {"stream_id": stream_id, "after": pinned})


def apply_move(
    session: Session,
    queries: Queries,
    log_queries: Queries,
    stream_id: int,
    version: int,
    topic: str,
    record: MoveRecord,
) -> None:
    """Put a thread on another line: on a new one, or on one that it was on before.

    Args:
        session: The open transaction.
        queries: The blocks of this package.
        log_queries: Those of the log.
        stream_id: The thread's stream.
        version: The version of the event.
        topic: Its topic.
        record: What it says.
    """
    place = {"stream_id": stream_id, "event_version": version}
    session.execute(queries["note_first_line"], {"stream_id": stream_id})
    [(left,)] = session.execute(queries["leave_line"], place)
    if record.returns_to is None:
        assert record.point is not None
        [(line_id,)] = session.execute(queries["begin_line"], place)
        go_on(session, queries, log_queries, line_id, stream_id, record.point)
        _adopt(session, queries, stream_id, line_id, version, record.point.adopted)
        since = version
    else:
        since = record.returns_to
        session.execute(queries["return_to_line"], {"stream_id": stream_id, "since": since})
    note_move(session, queries, stream_id, version, topic, left, since, record.undoes)


def apply_fork(
    session: Session,
    queries: Queries,
    log_queries: Queries,
    stream_id: int,
    parent_id: int,
    version: int,
    point: Point,
) -> None:
    """Let a fork show what its parent showed at a point.

    Args:
        session: The open transaction.
        queries: The blocks of this package.
        log_queries: Those of the log.
        stream_id: The fork's stream.
        parent_id: Its parent's.
        version: The version of the fork's first own event.
        point: The point.
    """
    go_on(session, queries, log_queries, stream_id, parent_id, point)
    _adopt(session, queries, stream_id, stream_id, version, point.adopted)


def go_on(session: Session, queries: Queries, log_queries: Queries, line_id: int, stream_id: int, point: Point) -> None:
    """Let a line, such as a fork's first, show what a thread showed at a point, of its stream or an ancestor's.

    Args:
        session: The open transaction.
        queries: The blocks of this package.
        log_queries: Those of the log.
        line_id: The line; the first one of a fork has its stream's number.
        stream_id: The stream of the thread that it goes on from.
        point: The point.
    """
    ancestors = sorted(session.execute(log_queries["lineage"], {"stream_id": stream_id}), key=lambda row: row[1])
    holder = next((ancestor for ancestor, upto in ancestors if upto >= point.upto), stream_id)
    source = line_at(session.execute, queries, holder, point.upto)
    params = {"line_id": line_id, "source_id": source, "upto": point.upto, "last_id": point.last_id}
    session.execute(queries["inherit_sources"], params)


def note_move(
    session: Session,
    queries: Queries,
    stream_id: int,
    version: int,
    topic: str,
    left: int | None = None,
    line: int | None = None,
    undoes: int | None = None,
) -> None:
    """Note an event that changed what a thread shows: see the table `moves`."""
    params = {"stream_id": stream_id, "event_version": version, "topic": topic}
    session.execute(queries["note_move"], {**params, "left_since": left, "line_since": line, "undoes": undoes})


def _drop_after(session: Session, queries: Queries, line_id: int, after: int) -> None:
    session.execute(queries["drop_checkpoints_after"], {"line_id": line_id, "after": after})
    session.execute(queries["drop_writes_after"], {"line_id": line_id, "after": after})


def erase(session: Session, queries: Queries, recorder: Recorder, stream_id: int, versions: list[int]) -> None:
    """Erase the content of some events of a stream; drop its segments, and the rows of writes that lead to it."""
    params = {"stream_id": stream_id, "versions": recorder.list_of(versions)}
    session.execute(queries["erase_events"], params)
    session.execute(queries["drop_segments"], params)
    session.execute(queries["drop_writes_at"], params)


def _adopt(
    session: Session, queries: Queries, stream_id: int, line_id: int, version: int, rows: Sequence[Adopted]
) -> None:
    """Take rows over from what a line goes on from, of which other rows are shown no longer."""
    for adopted in rows:
        row = {"line_id": line_id, "namespace": adopted.namespace, "checkpoint_id": adopted.checkpoint}
        if adopted.version is not None:
            session.execute(
                queries["adopt_checkpoint"],
                {
                    **row,
                    "stream_id": stream_id,
                    "event_version": adopted.version,
                    "shown_from": version,
                    "parent_id": adopted.parent,
                    "run_id": adopted.run,
                    "retired_at": None if adopted.shown else version,
                },
            )
        for written in adopted.writes:
            session.execute(queries["adopt_writes"], {**row, "event_version": written})
