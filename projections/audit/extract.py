"""From an event of the log to what the audit keeps of it. Pure functions."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any

from eventstore import Cause, CorruptionError
from eventstore.metadata import searchable, storable
from eventstore.reading import FeedRow, LogReader
from projections.audit.terms import content_terms, node_term, thread_term, topic_term
from projections.pregel import NOBODY, is_sent, of_the_caller
from projections.records import (
    CHECKPOINT_SAVED,
    CONTENT,
    THREAD_PROMOTED,
    WRITES_SAVED,
    CheckpointRecord,
    WritesRecord,
)
from projections.records.promotions import name_before

Record = CheckpointRecord | WritesRecord


@dataclass(frozen=True, slots=True)
class Part:
    """An event that has a part in what the tasks of a checkpoint are called: it is a task's, or tells its name.

    Attributes:
        position: Its place in the feed.
        stream_id: Its stream.
        version: Its place in that.
        namespace: The namespace of the checkpoint, and `checkpoint`, its id.
        task: The task, if one wrote it.
        record: What it holds, without values.
    """

    position: int
    stream_id: int
    version: int
    namespace: str
    checkpoint: str
    task: str | None
    record: Record

    @property
    def is_unnamed(self) -> bool:
        """Tell whether it is what a packet's task wrote whose node nobody knew then."""
        return isinstance(self.record, WritesRecord) and is_sent(self.record.task_path)


@dataclass(frozen=True, slots=True)
class Extract:
    """An event's row.

    Attributes:
        columns: The row's columns, by name.
        terms: By what it is found, each once.
        part: What it does for the names of tasks, if anything.
        was: The name that its thread had up to it, if it is renamed by a promotion.
    """

    columns: Mapping[str, Any]
    terms: Sequence[int]
    part: Part | None = None
    was: str | None = None

    def with_terms(self, terms: Iterable[int]) -> Extract:
        """The same, found by some more."""
        return replace(self, terms=[*dict.fromkeys((*self.terms, *terms))])

    def of_node(self, node: str) -> Extract:
        """The same, of a task whose node has become known."""
        node = storable(node)
        return replace(self, columns={**self.columns, "node": node}).with_terms([node_term(node)])


def extract(row: FeedRow, log: LogReader) -> Extract:
    """Return the part of an event that the audit keeps.

    Args:
        row: The event.
        log: Opens its payload.

    Raises:
        CorruptionError: The payload cannot be read, or was written by a newer version of this package.
    """
    position, stream_id, version, topic, recorded_at, payload = row
    content = log.content(row)
    schema, cause, data = content or (0, Cause(), b"")
    record = _record(topic, data) if schema == 1 else None
    channels = _channels(record)
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
        "erased": content is None,
        "namespace": storable(cause.namespace),
        "checkpoint_id": _optional(cause.checkpoint),
        "run_id": run,
        "node": node,
        "task_id": _optional(cause.task),
        "channels": channels,
        "metadata": metadata,
    }
    part = None
    if cause.checkpoint is not None and record and (kept := _without_values(record, cause)):
        part = Part(position, stream_id, version, cause.namespace, cause.checkpoint, cause.task, kept)
    return Extract(columns, [*dict.fromkeys(terms)], part, name_before(data) if topic == THREAD_PROMOTED else None)


def _record(topic: str, data: bytes) -> Record | None:
    # Anybody may append events of these topics with other data: they have no channels, and are entered all the same.
    with suppress(CorruptionError):
        if topic == CHECKPOINT_SAVED:
            return CheckpointRecord.unpack(data)
        if topic == WRITES_SAVED:
            return WritesRecord.unpack(data)
    return None


def _channels(record: Record | None) -> Sequence[str]:
    """The channels whose values an event holds, each once."""
    channels: Iterable[str] = ()
    if isinstance(record, CheckpointRecord):
        channels = record.changes
    elif record:
        channels = (write.channel for write in record.writes)
    return [*dict.fromkeys(map(storable, channels))]


def _without_values(record: Record, cause: Cause) -> Record | None:
    """Return what names of tasks follow from; `None` if none does."""
    if isinstance(record, CheckpointRecord):
        return record._replace(manifest={}, changes={}, versions_seen={}, extras=None) if record.packets else None
    if (cause.node is None and is_sent(record.task_path)) or (cause.task == NOBODY and record.packets):
        return record._replace(writes=[write._replace(data=b"") for write in record.writes])
    return None


def _optional(text: str | None) -> str | None:
    return None if text is None else storable(text)


def _callers(topic: str, metadata: Mapping[str, Any]) -> dict[str, Any]:
    """The caller's metadata, without what LangGraph says of the single checkpoint."""
    found = searchable(metadata)
    if topic in CONTENT:
        return of_the_caller(found)
    return found
