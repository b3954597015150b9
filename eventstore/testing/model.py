"""The reference model of the log: what a store does, with dictionaries."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from eventstore import ConflictError, IdempotencyError, NewEvent, NotFoundError
from eventstore.events import Cause
from eventstore.tuples import NamedTuple
from eventstore.writing.forks import FORKED


class ModelEvent(NamedTuple):
    """An event of the model: its version, topic, data and cause. Of the event that begins a fork, the data is empty."""

    version: int
    topic: str
    data: bytes
    cause: Cause


class _Append(NamedTuple):
    events: tuple[NewEvent, ...]
    first: int
    last: int


@dataclass
class _Stream:
    events: list[ModelEvent] = field(default_factory=list)
    keys: dict[str, _Append] = field(default_factory=dict)


class LogModel:
    """A log in memory that answers as an `EventStore` does, as far as it goes: it has no hashes, times or processes.

    It is what a store is held against: `LogMachine` does the same to both.
    """

    def __init__(self) -> None:
        self._streams: dict[str, _Stream] = {}
        self._feed: list[tuple[str, int]] = []

    @property
    def names(self) -> list[str]:
        """The names of the streams, in the order of names."""
        return sorted(self._streams)

    def append(
        self,
        stream: str,
        events: Sequence[NewEvent],
        *,
        expected_version: int | None = None,
        idempotency_key: str | None = None,
    ) -> tuple[int, int]:
        """Append events; return the versions of the first and the last one.

        Raises:
            ConflictError: The stream is not at `expected_version`.
            IdempotencyError: The key was used for other events.
        """
        known = self._streams.get(stream, _Stream())
        if idempotency_key is not None and (before := known.keys.get(idempotency_key)):
            if [*map(_content, before.events)] != [*map(_content, events)]:
                raise IdempotencyError(f"key {idempotency_key!r} was used for other events")
            return before.first, before.last
        version = len(known.events)
        if expected_version is not None and version != expected_version:
            raise ConflictError(stream, expected_version, version)
        if events:
            self._streams[stream] = known
            for event in events:
                self._add(stream, event)
        first, last = (version + 1, version + len(events)) if events else (version, version)
        if idempotency_key is not None and events:
            known.keys[idempotency_key] = _Append(tuple(events), first, last)
        return first, last

    def fork(self, source: str, target: str, *, at: int | None = None) -> tuple[int, int]:
        """Let a new stream begin with another one's past; return the version of its own first event, twice.

        Raises:
            NotFoundError: There is no such source, or no such version in it.
            ConflictError: The target exists already.
        """
        if source not in self._streams:
            raise NotFoundError(f"there is no stream {source!r}")
        past = self._streams[source].events
        point = len(past) if at is None else at
        if not 0 <= point <= len(past):
            raise NotFoundError(f"stream {source!r} has no version {at}")
        if target in self._streams:
            raise ConflictError(target, 0, "a stream of that name")
        self._streams[target] = _Stream(past[:point])
        self._add(target, NewEvent(FORKED))
        return point + 1, point + 1

    def read(
        self,
        stream: str,
        *,
        after: int = 0,
        before: int | None = None,
        backward: bool = False,
        limit: int | None = None,
    ) -> list[ModelEvent]:
        """Return the events `after < version < before` of a stream, in order or backward."""
        found = self._streams.get(stream, _Stream()).events
        wanted = [event for event in found if after < event.version and (before is None or event.version < before)]
        return (wanted[::-1] if backward else wanted)[:limit]

    def version(self, stream: str) -> int:
        """Return a stream's last version; 0 if there is no such stream."""
        return len(self._streams.get(stream, _Stream()).events)

    def feed(self, *, after: int = 0) -> list[tuple[str, int]]:
        """Return the stream and version of each event behind a position, in the order in which all were appended."""
        return self._feed[after:]

    def _add(self, stream: str, event: NewEvent) -> None:
        events = self._streams[stream].events
        events.append(ModelEvent(len(events) + 1, event.topic, event.data, event.cause))
        self._feed.append((stream, len(events)))


def _content(event: NewEvent) -> tuple[str, bytes, int]:
    return event.topic, event.data, event.schema
