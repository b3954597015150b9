"""What a checkpoint says of what comes next, without the graph that saved it. Pure functions.

LangGraph runs a node when a channel that triggers it was updated, has a value, and is newer than what the node has seen
of it. A checkpoint names the channels that its step updated and that have a value; and what each node has seen. Which
channels trigger a node that never ran is known by their names alone: `branch:to:node`, `join:one+two:node`, and the
input's. That is all of them in a graph of LangGraph's `StateGraph`. In one that was put together by hand from Pregel's
parts, with channels of other names, a node that never ran is not known to be due.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple

from projections.records import CheckpointRecord, Write, WritesRecord

SENDS = "__pregel_tasks"
"""The channel of packets that are to be sent to nodes."""
NOBODY = "00000000-0000-0000-0000-000000000000"
"""The task of what no task wrote, but who called the graph."""

_INPUT = "__start__"
_BRANCH, _JOIN = "branch:to:", "join:"
_ERROR, _INTERRUPT, _RESUME = "__error__", "__interrupt__", "__resume__"
# They say what became of a task, and not what it did.
_CONTROL = {_ERROR, _INTERRUPT, _RESUME, "__scheduled__", "__error_source_node__"}
_RESERVED = "__"

Status = Literal["finished", "interrupted", "resumed", "failed"]


class Written(NamedTuple):
    """One event of what a task wrote.

    Attributes:
        version: Its version in the thread's log.
        task: The task.
        node: The node that it runs, if the writer knew.
        record: What it wrote.
    """

    version: int
    task: str
    node: str | None
    record: WritesRecord


@dataclass(frozen=True, slots=True)
class Recorded:
    """What is recorded of a task: its latest event counts.

    Attributes:
        id: Its id.
        node: The node that it runs, if the writer knew.
        status: Whether it finished; waits for an answer; got one, and has not been heard of since; or failed.
        said: The question or the error.
    """

    id: str
    node: str | None
    status: Status
    said: Write | None = field(repr=False)


def due(record: CheckpointRecord) -> list[str]:
    """The nodes that edges have led to, sorted: without those that packets wait for."""
    if record.updated_channels is None:
        # An older LangGraph did not say. What leads to one node has a value until then; a join has one always.
        updated = [channel for channel in record.manifest if record.holds(channel) and not channel.startswith(_JOIN)]
    else:
        updated = [channel for channel in record.updated_channels if channel in record.manifest]
    return sorted({node for channel in updated for node in _triggered(record, channel)})


def sends(record: CheckpointRecord) -> bool:
    """Whether packets may wait to be sent. An older LangGraph did not say, where there were some before."""
    return record.holds(SENDS) and (record.updated_channels is None or SENDS in record.updated_channels)


def statuses(events: Iterable[Written]) -> list[Recorded]:
    """What became of the tasks that wrote something, in the order in which they did first.

    Args:
        events: What was written to one checkpoint, in the order of the log.
    """
    latest: dict[str, Written] = {}
    answered = 0
    for event in events:
        if event.task != NOBODY:
            latest[event.task] = event
        elif any(write.channel == _RESUME for write in event.record.writes):
            answered = event.version
    return [recorded for event in latest.values() if (recorded := _status(event, answered))]


def _triggered(record: CheckpointRecord, channel: str) -> Iterator[str]:
    version = record.manifest[channel].channel_version
    if named := _named(channel):
        if _newer(version, _seen(record.versions_seen, named).get(channel)):
            yield named
        return
    for node, seen in record.versions_seen.items():
        known = isinstance(seen, Mapping) and channel in seen and not node.startswith(_RESERVED)
        if known and _newer(version, seen[channel]):
            yield node


def _named(channel: str) -> str | None:
    """The node that a channel is named for."""
    if channel == _INPUT:
        return _INPUT
    if channel.startswith(_BRANCH):
        return channel.removeprefix(_BRANCH)
    # No node's name has a colon in it.
    return channel.rpartition(":")[2] if channel.startswith(_JOIN) else None


def _seen(versions_seen: Mapping[str, Any], node: str) -> Mapping[str, Any]:
    seen = versions_seen.get(node)
    return seen if isinstance(seen, Mapping) else {}


def _newer(version: Any, seen: Any) -> bool:
    if seen is None or type(version) is not type(seen):
        return version is not None and version != seen
    return bool(version > seen)


def _status(event: Written, answered: int) -> Recorded | None:
    writes: Sequence[Write] = event.record.writes
    by_channel = {write.channel: write for write in writes}
    if _ERROR in by_channel:
        return Recorded(event.task, event.node, "failed", by_channel[_ERROR])
    if any(write.channel not in _CONTROL for write in writes):
        return Recorded(event.task, event.node, "finished", None)
    if _INTERRUPT in by_channel:
        status: Status = "resumed" if answered > event.version else "interrupted"
        return Recorded(event.task, event.node, status, by_channel[_INTERRUPT])
    return None
