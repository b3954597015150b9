"""The terms that an event is found by: a number for each of its properties. Pure functions.

A term is the beginning of a hash, so that no table of words is needed, which would have to be looked up at each event,
and which would go on to hold what was erased. Two properties may have the same number, by a chance of one to 2^63 for
each pair: a search for a term looks at what was found once more.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from hashlib import blake2b
from typing import Any


@lru_cache(maxsize=65_536)
def term(kind: str, value: str) -> int:
    """The number of a property, of 63 bits."""
    digest = blake2b(f"{kind}\0{value}".encode(), digest_size=8).digest()
    return int.from_bytes(digest) >> 1  # positive in a signed integer of any database


def thread_term(stream_id: int) -> int:
    """The term of a thread's events; by the number of its stream, since names are given anew."""
    return term("thread", str(stream_id))


def topic_term(topic: str) -> int:
    """The term of a kind of event."""
    return term("topic", topic)


def run_term(run: str) -> int:
    """The term of a run's events."""
    return term("run", run)


def node_term(node: str) -> int:
    """The term of a node's events."""
    return term("node", node)


def channel_term(channel: str) -> int:
    """The term of the events that hold a channel's values."""
    return term("channel", channel)


def tasks_term(stream_id: int, namespace: str, checkpoint: str) -> int:
    """The term of the events of a stream that have a part in what the tasks of a checkpoint are called."""
    return term("tasks", f"{stream_id}\0{namespace}\0{checkpoint}")


def metadata_term(key: str, value: Any) -> int:
    """The term of the events whose metadata holds a value under a key."""
    return term("metadata", f"{key}\0{spelled(value)}")


def content_terms(
    run: str | None, node: str | None, channels: Sequence[str], metadata: Mapping[str, Any]
) -> Iterator[int]:
    """The terms of what an event loses when its content is erased."""
    if run is not None:
        yield run_term(run)
    if node is not None:
        yield node_term(node)
    yield from map(channel_term, channels)
    for key, value in metadata.items():
        yield metadata_term(key, value)


def spelled(value: Any) -> str:
    """A scalar as text, the same for the same value: `True` is not `1`, but `1.0` is."""
    if value is None or isinstance(value, bool):
        return str(value)
    if isinstance(value, str):
        return f"text {value}"
    if isinstance(value, float) and not value.is_integer():
        return f"number {value!r}"
    return f"number {int(value)}"
