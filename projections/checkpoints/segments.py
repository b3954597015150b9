"""The segments that changes are merged into, made anew from the log."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from functools import partial
from typing import Any

from eventstore import CorruptionError, EventStore
from eventstore.codec.envelope import is_erased
from eventstore.recorders import Session
from projections.checkpoints.saving import segment_row
from projections.reading.chains import Chains
from projections.reading.located import record_of
from projections.reading.view import View
from projections.records import CheckpointRecord
from projections.values.change import Change
from projections.values.ladder import SnapshotPolicy
from projections.values.value import segments_of

_PAGE = 200


def rebuild_segments(store: EventStore, queries: Mapping[str, str], policy: SnapshotPolicy) -> None:
    """Make the segments of all streams. Readers use each as soon as it is there."""
    place = {"stream_id": 0, "version": -1}
    while page := store.recorder.read(queries["checkpoints_of_streams"], {**place, "limit": _PAGE}):
        for row in page:
            stream_id, version, payload = row
            if is_erased(bytes(payload)):
                continue
            if rows := _rows(store, queries, policy, stream_id, version, _record(store, row)):
                # Before the next ones, which are put together from these.
                store.recorder.write(partial(_insert, queries, rows), repeatable=True)
        place = {"stream_id": page[-1][0], "version": page[-1][1]}


def _rows(
    store: EventStore,
    queries: Mapping[str, str],
    policy: SnapshotPolicy,
    stream_id: int,
    version: int,
    record: CheckpointRecord,
) -> list[dict[str, Any]]:
    due = [(version, channel) for channel, change in record.changes.items() if _ends_one(change, policy)]
    if not due:
        return []
    # What stands in the stream's own past, whatever is shown of it now.
    chains = Chains(store, queries, View("", stream_id, [], forked=True))
    rows = []
    for each in due:
        # An event may be kept for one of its values, and what another builds upon be erased. And what was damaged is
        # for those to hear of who read it.
        with suppress(CorruptionError):
            value = chains.restore_events([each])[each]
            rows += [
                segment_row(stream_id, version, each[1], level, change) for level, change in segments_of(value, policy)
            ]
    return rows


def _record(store: EventStore, row: tuple[Any, ...]) -> CheckpointRecord:
    stream_id, version, payload = row
    return record_of(store, f"#{stream_id}", version, bytes(payload))


def _ends_one(change: Change, policy: SnapshotPolicy) -> bool:
    return len(change.trail) >= policy.rows


def _insert(queries: Mapping[str, str], rows: list[dict[str, Any]], session: Session) -> None:
    for row in rows:
        session.execute(queries["restore_segment"], row)
