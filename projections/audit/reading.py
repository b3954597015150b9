"""Reading the entries of positions that were found."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

from eventstore import CorruptionError
from eventstore.events import from_microseconds
from eventstore.recorders import Recorder
from projections.audit.entries import AuditEntry

T = TypeVar("T", list[Any], dict[str, Any])


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
        channels=tuple(stored_json(list, channels)),
        metadata=stored_json(dict, metadata),
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
        raise CorruptionError("a row of the audit was damaged: rebuild the audit")
    return found
