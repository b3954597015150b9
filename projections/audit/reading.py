"""Reading the entries of positions that were found."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, TypeVar

from eventstore import CorruptionError
from eventstore.events import from_microseconds
from projections.audit.entries import AuditEntry
from projections.tables.audit import AuditRow, AuditTable

DAMAGED = "a row of the audit was damaged: rebuild the audit"

T = TypeVar("T", list[Any], dict[str, Any])


def entries_at(table: AuditTable, positions: Sequence[int]) -> list[AuditEntry]:
    """The entries at some positions, in their order."""
    found = {row.position: _entry(row) for row in table.at(positions)}
    return [found[position] for position in positions if position in found]


def _entry(row: AuditRow) -> AuditEntry:
    if row.thread is None:
        raise CorruptionError(DAMAGED)
    return AuditEntry(
        position=row.position,
        thread=row.thread,
        version=row.version,
        topic=row.topic,
        recorded_at=from_microseconds(row.recorded_at),
        size=row.size,
        erased=row.erased,
        namespace=row.namespace,
        checkpoint=row.checkpoint,
        run=row.run,
        node=row.node,
        task=row.task,
        channels=tuple(stored_json(list, row.channels)),
        metadata=stored_json(dict, row.metadata),
    )


def stored_json(kind: type[T], stored: str) -> T:
    """Return a list or a dict that a row of the audit holds as JSON.

    Raises:
        CorruptionError: It holds none.
    """
    try:
        found = json.loads(stored)
    except ValueError:
        found = None
    if not isinstance(found, kind):
        raise CorruptionError(DAMAGED)
    return found
