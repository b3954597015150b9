"""The values that are appended and read: plain and frozen."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from datetime import UTC, datetime
from typing import Any

from eventstore.by_fields import ByFields, Immutable, OnOneLine, frozen
from eventstore.errors import CorruptionError


@frozen
class Cause(Immutable):
    """Why an event happened, as far as the writer knew.

    Attributes:
        namespace: `checkpoint_ns`, a subgraph's path; empty for the outermost graph.
        checkpoint: The id of the checkpoint that the event saves or belongs to.
        run: The id of the run.
        node: The graph's node.
        task: The id of the task.
        metadata: The caller's metadata: plain values only.
    """

    namespace: str = ""
    checkpoint: str | None = None
    run: str | None = None
    node: str | None = None
    task: str | None = None
    metadata: Mapping[str, Any] = field(default_factory=dict)


@frozen
class NewEvent(Immutable):
    """An event to be appended.

    Attributes:
        topic: What kind of event it is, at most 255 bytes of UTF-8.
        data: Its content, any bytes.
        cause: Why it happened.
        schema: The version of the layout of `data`, which upcasters go by.
    """

    topic: str
    data: bytes = b""
    cause: Cause = Cause()
    schema: int = 1


@frozen
class Event(OnOneLine, Immutable):
    """A recorded event.

    Attributes:
        stream: The stream it was read from. (A fork shares its parent's events: it is the name that was asked for.)
        version: Its place in the stream, from 1.
        topic: What kind of event it is.
        data: Its content, upcast to the newest schema; empty if it was erased.
        cause: Why it happened; empty if it was erased.
        schema: The version of the layout of `data`.
        recorded_at: When it was recorded, in UTC, to the microsecond.
        hash: Its link in the stream's hash chain, 32 bytes.
        size: The bytes of its payload as stored.
        erased: Whether its content was erased, by a prune or a delete.
    """

    stream: str
    version: int
    topic: str
    data: bytes
    cause: Cause
    schema: int
    recorded_at: datetime
    hash: bytes
    size: int
    erased: bool = False


@frozen
class FeedEvent(OnOneLine, Immutable):
    """An event in the order of the whole store.

    Attributes:
        position: Its place in the feed: 1, 2, 3, … without gaps.
        event: The event itself.
    """

    position: int
    event: Event


@frozen
class Head(ByFields):
    """The end of a stream.

    Attributes:
        version: Its last version, 0 of an empty stream.
        hash: That event's hash, of an empty stream its genesis.
        epoch: While it is the same, nobody but this process has appended to the stream; 0 if that is not known.
    """

    version: int
    hash: bytes
    epoch: int = field(default=0, compare=False)


@frozen
class Appended(ByFields):
    """The result of an append.

    Attributes:
        first: The version of its first event.
        last: The version of its last event.
        hash: The stream's new head hash.
        result: The `Decision.result` of the decision that was stored.
    """

    first: int
    last: int
    hash: bytes
    result: Any = field(default=None, compare=False, repr=False)


@frozen
class StreamInfo(OnOneLine, Immutable):
    """A stream in a listing.

    Attributes:
        name: The stream's name (of an agent's stream: the thread id).
        version: Its last version.
        created_at: When it was created, UTC.
        active_at: When its last event was recorded, UTC.
        metadata: The caller's metadata of its first event.
        parent: The stream it was forked from, if any, and `parent_version`, where.
    """

    name: str
    version: int
    created_at: datetime
    active_at: datetime
    metadata: Mapping[str, Any]
    parent: str | None = None
    parent_version: int | None = None


@frozen
class StreamPage(OnOneLine, Immutable):
    """One page of a listing; pass `next_cursor` to get the one after it (`None`: this is the last)."""

    streams: list[StreamInfo]
    next_cursor: str | None


def to_microseconds(moment: datetime) -> int:
    """Microseconds since 1970-01-01T00:00Z. A naive time is taken as UTC."""
    aware = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    delta = aware - _EPOCH
    return (delta.days * 86_400 + delta.seconds) * 1_000_000 + delta.microseconds


def from_microseconds(moment: int) -> datetime:
    """The UTC time of a number of microseconds since 1970-01-01T00:00Z.

    Raises:
        CorruptionError: It is beyond the years that a `datetime` has.
    """
    seconds, micros = divmod(moment, 1_000_000)
    try:
        return datetime.fromtimestamp(seconds, UTC).replace(microsecond=micros)
    except (ValueError, OverflowError, OSError) as error:
        raise CorruptionError(f"the time of an event is {moment}, which no calendar has: it was damaged") from error


_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
