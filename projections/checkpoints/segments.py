"""The segments that changes are merged into, made anew from the log."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from functools import partial

from eventstore import CorruptionError, EventStore
from eventstore.codec.envelope import is_erased
from eventstore.recorders import Session, Statement
from projections.reading.chains import Chains
from projections.reading.located import record_of
from projections.reading.view import View
from projections.records import CHECKPOINT_SAVED, CheckpointRecord
from projections.tables import Tables
from projections.values.change import Change
from projections.values.merging import SnapshotPolicy
from projections.values.value import segments_of

_PAGE = 200


def rebuild_segments(store: EventStore, tables: Tables, policy: SnapshotPolicy) -> None:
    """Make the segments of all streams. Readers use each as soon as it is there."""
    for event in store.log.events_of_all([CHECKPOINT_SAVED], page=_PAGE):
        if is_erased(event.payload):
            continue
        record = record_of(store, f"#{event.stream_id}", event.version, event.payload)
        if statements := _statements(store, tables, policy, event.stream_id, event.version, record):
            # Before the next ones, which are put together from these.
            store.recorder.write(partial(_carry_out, tables, statements), repeatable=True)


def _statements(
    store: EventStore,
    tables: Tables,
    policy: SnapshotPolicy,
    stream_id: int,
    version: int,
    record: CheckpointRecord,
) -> list[Statement]:
    due = [(version, channel) for channel, change in record.changes.items() if _ends_one(change, policy)]
    if not due:
        return []
    # What stands in the stream's own past, whatever is shown of it now.
    chains = Chains(store, tables, View("", stream_id, [], forked=True))
    statements: list[Statement] = []
    for each in due:
        # An event may be kept for one of its values, and what another builds upon be erased. And what was damaged is
        # for those to hear of who read it.
        with suppress(CorruptionError):
            value = chains.restore_events([each])[each]
            statements += [
                tables.segments.saving(stream_id, version, each[1], level, change)
                for level, change in segments_of(value, policy)
            ]
    return statements


def _carry_out(tables: Tables, statements: Sequence[Statement], session: Session) -> None:
    tables.within(session).carry_out(*statements)


def _ends_one(change: Change, policy: SnapshotPolicy) -> bool:
    return len(change.path) >= policy.rows
