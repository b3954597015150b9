"""The changes of values, in events and in rows of segments."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from eventstore.codec.envelope import MAX_VALUE_BYTES, seal, unseal
from projections.records.layout import NONE, hold_types, layout, packed_fields, unpacked_fields
from projections.values.change import Change

_CHANGE: tuple[frozenset[type], ...] = (
    frozenset({int}),
    frozenset({int, list}),
    frozenset({int}),
    frozenset({int, str, NONE}),
    frozenset({bytes}),
)


def pack_segment(change: Change) -> bytes:
    """A segment's row: the change that several are merged into, compressed."""
    return seal(packed_fields([*change]))


def unpack_segment(data: bytes, limit: int = MAX_VALUE_BYTES) -> Change:
    """The change that `pack_segment` packed; it may take `limit` bytes."""
    with layout():
        return changes_of({"": unpacked_fields(unseal(data, limit), 5)})[""]


def pack_channel(channel: str) -> bytes:
    """A channel's name as a key of any database: also with characters that no text there can hold."""
    return channel.encode(errors="surrogatepass")


def unpack_channel(key: bytes) -> str:
    """The name that `pack_channel` packed."""
    with layout():
        return key.decode(errors="surrogatepass")


def changes_of(packed: Mapping[str, Sequence[Any]]) -> dict[str, Change]:
    """Return the changes of a record, by channel; raise if they are not what was stored."""
    changes = {channel: Change(*change) for channel, change in packed.items()}
    if changes:
        hold_types(_CHANGE, zip(*changes.values(), strict=True))
    return changes
