"""How two checkpoints differ, to the bit: what LangGraph's savers give of one, against what they give of the other."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from itertools import zip_longest
from typing import Any

import ormsgpack

from langgraph.checkpoint.eventstore.moving._as_stored import AsStored, without_versions
from langgraph.checkpoint.eventstore.moving._contents import Content
from projections.pregel import SENDS

_SERIALIZER = AsStored()
# Of metadata and versions PostgreSQL gives the keys in an order of its own.
_PLAIN = ormsgpack.OPT_SORT_KEYS
_PACKETS_IN_A_CHANNEL = 4
WRITES = "pending writes"
"""The word for them, where they differ."""
PENDING_SENDS = "pending_sends"
"""The key under which checkpoints of before format 4 hold the packets that wait."""
_BESIDE = frozenset({"channel_values", "updated_channels"})


def bits(value: Any) -> int:
    """A number that tells a value from any other, within this process."""
    return hash(_SERIALIZER.dumps_typed(value))


def differences(one: Content, other: Content) -> Iterator[str]:
    """The names of what differs, in words for people."""
    if one.place.parent != other.place.parent:
        yield "parent"
    if _plain(one.metadata) != _plain(other.metadata):
        yield "metadata"
    one, other = _migrated(one), _migrated(other)
    first, second = _beside(one.checkpoint), _beside(other.checkpoint)
    yield from (key for key in sorted(first.keys() | second.keys()) if first.get(key) != second.get(key))
    first_values, second_values = one.values, other.values
    for channel in sorted(first_values.keys() | second_values.keys()):
        there = channel in first_values and channel in second_values
        if not (there and same(first_values[channel], second_values[channel])):
            yield f"channel {channel!r}"
    if differ_in_writes(one, other):
        yield WRITES


def differ_in_writes(one: Content, other: Content) -> bool:
    """Return whether the pending writes differ, for all that LangGraph sees of them."""
    return any(
        a is None or b is None or (a.task, a.channel) != (b.task, b.channel) or not same(a.value, b.value)
        for a, b in zip_longest(one.writes, other.writes)
    )


def has_all(one: Content, other: Content) -> bool:
    """Return whether the other has all pending writes of the one, and more: then the run has gone on there."""
    if len(other.writes) <= len(one.writes):
        return False
    written = {(write.task, write.channel, bits(write.value)) for write in other.writes}
    return all((write.task, write.channel, bits(write.value)) in written for write in one.writes)


def same(one: Any, other: Any) -> bool:
    """Return whether two values are stored with the same bytes, or as sets of the same."""
    if _SERIALIZER.dumps_typed(one) == _SERIALIZER.dumps_typed(other):
        return True
    # An object that a serializer of the user's has made says no version of its type; what is stored of it may.
    if without_versions(one) == without_versions(other):
        return True
    # Of equal sets the members may come in different orders.
    return type(one) is type(other) and isinstance(one, set | frozenset) and bool(one == other)


def _migrated(content: Content) -> Content:
    """A checkpoint as LangGraph reads it: before format 4, packets waited beside the channels, or at the parent.

    SqliteSaver stores them in the checkpoint, PostgresSaver finds them at the parent (`Pregel._migrate_checkpoint`).
    """
    checkpoint = dict(content.checkpoint)
    if checkpoint["v"] < _PACKETS_IN_A_CHANNEL and (packets := checkpoint.pop(PENDING_SENDS, None)):
        versions = checkpoint["channel_versions"]
        checkpoint["channel_values"] = {**content.values, SENDS: packets}
        checkpoint["channel_versions"] = {**versions, SENDS: max(versions.values())}
    return replace(content, checkpoint=checkpoint)


def _beside(checkpoint: Mapping[str, Any]) -> dict[str, bytes]:
    """Return what a checkpoint holds besides its values. Where it is not known what was updated, some say `None`."""
    found = {key: _plain(value) for key, value in checkpoint.items() if key not in _BESIDE}
    return found | {"updated_channels": _plain(checkpoint.get("updated_channels"))}


def _plain(value: Any) -> bytes:
    try:
        return ormsgpack.packb(value, option=_PLAIN)
    except TypeError:  # packets that wait in a checkpoint of before format 4, for one
        return _SERIALIZER.dumps_typed(value)[1]
