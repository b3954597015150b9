"""Reading the entries of positions that were found."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from eventstore.events import from_microseconds
from eventstore.recorders import Recorder
from projections.auditing.entries import AuditEntry


def entries_at(recorder: Recorder, queries: Mapping[str, str], positions: Sequence[int]) -> list[AuditEntry]:
    """The entries at some positions, in their order."""
    rows = recorder.read(queries["audit_rows"], {"positions": recorder.list_of(positions)})
    found = {row[0]: _entry(row) for row in rows}
    return [found[position] for position in positions if position in found]


def _entry(row: tuple[Any, ...]) -> AuditEntry:
    (
        position,
        thread,
        version,
        topic,
        recorded_at,
        size,
        erased,
        namespace,
        checkpoint,
        run,
        node,
        task,
        channels,
        metadata,
    ) = row
    return AuditEntry(
        position=position,
        thread=thread,
        version=version,
        topic=topic,
        recorded_at=from_microseconds(recorded_at),
        size=size,
        erased=bool(erased),
        namespace=namespace,
        checkpoint=checkpoint,
        run=run,
        node=node,
        task=task,
        channels=tuple(json.loads(channels)),
        metadata=json.loads(metadata),
    )
