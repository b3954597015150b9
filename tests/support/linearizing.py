"""Conditional appends, recorded with their times, and whether they can have happened one after the other."""

from __future__ import annotations

from time import monotonic
from typing import NamedTuple

from eventstore import ConflictError, EventStore, NewEvent


class Call(NamedTuple):
    """One call: when it began and ended, by the clock that all processes share.

    Attributes:
        kind: `"stored"`, `"refused"` or `"read"`.
        stream: The stream.
        version: The version that was stored; that it was conditional on, if it was refused; that was read as the head.
        began: When the call was made.
        ended: When it returned.
    """

    kind: str
    stream: str
    version: int
    began: float
    ended: float


def appended(store: EventStore, stream: str) -> list[Call]:
    """Append to a stream upon its head; the head as it was read, and what became of it."""
    began = monotonic()
    head = store.head(stream)
    version = head.version if head else 0
    calls = [Call("read", stream, version, began, monotonic())]
    began = monotonic()
    try:
        last = store.append(stream, [NewEvent("x")], expected_version=version).last
    except ConflictError:
        return [*calls, Call("refused", stream, version, began, monotonic())]
    return [*calls, Call("stored", stream, last, began, monotonic())]


def explained(calls: list[Call]) -> None:
    """Hold that the calls of one stream can have happened one after the other, each within its time."""
    stored = {call.version: call for call in calls if call.kind == "stored"}
    assert len(stored) == sum(call.kind == "stored" for call in calls)
    assert sorted(stored) == [*range(1, len(stored) + 1)]
    for version in range(2, len(stored) + 1):
        assert stored[version - 1].began < stored[version].ended
    for call in calls:
        following = stored.get(call.version + 1)
        if call.kind == "refused":
            assert following, f"{call} was refused, and nobody else came"
            assert following.began < call.ended, f"{call} was refused before {following} began"
        elif call.kind == "read":
            assert call.version == 0 or stored[call.version].began < call.ended, f"{call} is from the future"
            assert not following or following.ended > call.began, f"{call} is out of date: {following}"
