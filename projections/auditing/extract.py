"""From an event of the log to what the audit keeps of it. Pure functions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from eventstore import Cause, CorruptionError
from eventstore._appender import searchable, storable
from eventstore.codec import unpack
from eventstore.envelope import MAX_VALUE_BYTES, is_erased
from projections._saving import OF_A_CHECKPOINT
from projections.auditing.terms import content_terms, thread_term, topic_term
from projections.records import CHECKPOINT_SAVED, WRITES_SAVED, CheckpointRecord, WritesRecord


@dataclass(frozen=True, slots=True)
class Extract:
    """An event's row.

    Attributes:
        columns: The row's columns, by name.
        terms: By what it is found, each once.
    """

    columns: Mapping[str, Any]
    terms: Sequence[int]


def extract(row: tuple[Any, ...], limit: int = MAX_VALUE_BYTES) -> Extract:
    """What the audit keeps of an event.

    Args:
        row: Position, stream, version, topic, time in microseconds, and payload.
        limit: How many bytes it may take when it is unpacked.

    Raises:
        CorruptionError: The payload is none, or was written by a newer version of this package.
    """
    position, stream_id, version, topic, recorded_at, stored = row
    payload = bytes(stored)
    try:
        erased = is_erased(payload)
        schema, cause, data = (0, Cause(), b"") if erased else unpack(payload, limit)
    except CorruptionError as error:
        error.found_at(f"#{stream_id}", version)
        raise
    channels = _channels(topic, data) if schema == 1 else ()
    run, node = _optional(cause.run), _optional(cause.node)
    metadata = _callers(topic, cause.metadata)
    terms = (thread_term(stream_id), topic_term(topic), *content_terms(run, node, channels, metadata))
    columns = {
        "position": position,
        "stream_id": stream_id,
        "version": version,
        "topic": topic,
        "recorded_at": recorded_at,
        "size": len(payload),
        "erased": erased,
        "namespace": storable(cause.namespace),
        "checkpoint_id": _optional(cause.checkpoint),
        "run_id": run,
        "node": node,
        "task_id": _optional(cause.task),
        "channels": channels,
        "metadata": metadata,
    }
    return Extract(columns, [*dict.fromkeys(terms)])


def _channels(topic: str, data: bytes) -> Sequence[str]:
    """The channels whose values an event holds, each once."""
    channels: Sequence[str] = ()
    # Anybody may append events of these topics with other data: they have no channels, and are entered all the same.
    with suppress(CorruptionError):
        if topic == CHECKPOINT_SAVED:
            channels = [*CheckpointRecord.unpack(data).changes]
        elif topic == WRITES_SAVED:
            channels = [write.channel for write in WritesRecord.unpack(data).writes]
    return [*dict.fromkeys(map(storable, channels))]


def _optional(text: str | None) -> str | None:
    return None if text is None else storable(text)


def _callers(topic: str, metadata: Mapping[str, Any]) -> dict[str, Any]:
    """The caller's metadata, without what LangGraph says of the single checkpoint."""
    found = searchable(metadata)
    if topic in (CHECKPOINT_SAVED, WRITES_SAVED):
        return {key: value for key, value in found.items() if key not in OF_A_CHECKPOINT}
    return found
