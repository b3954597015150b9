"""The newest shape of values that were read, if a serializer brings upcasters along.

What upcasters do is in `upcasting`, which is imported with them.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from projections.reading.located import Located
from projections.records import CheckpointRecord
from projections.values.serializer import Serializer

if TYPE_CHECKING:
    from projections.reading.upcasting import ChannelUpcasters

# How deep serializers may be wrapped in each other.
_WRAPPED = 8


def upcasters_of(serializer: Any) -> ChannelUpcasters | None:
    """Return the upcasters of channels that a serializer brings along, or one that it wraps."""
    for _ in range(_WRAPPED):
        found = getattr(serializer, "channel_upcasters", None)
        if found is not None:
            return found  # type: ignore[no-any-return]
        serializer = getattr(serializer, "serde", None)
        if serializer is None:
            break
    return None


def newest(channel: str, value: Any, serializer: Serializer) -> Any:
    """A value that was read of a channel, or of a write to it, in its newest shape."""
    upcasters = upcasters_of(serializer)
    return value if upcasters is None else upcasters.new(channel, value, serializer)


def newest_of(stored: str, channel: str, value: Any, serializer: Serializer) -> Any:
    """A channel's value, or a write to it, from what was read of it or of an old one; `ABSENT` if nothing is made."""
    upcasters = upcasters_of(serializer)
    return value if upcasters is None else upcasters.made(stored, channel, value, serializer)


def names_of(channel: str, serializer: Serializer) -> Sequence[str]:
    """The names that a channel has had, its own first."""
    upcasters = upcasters_of(serializer)
    return [channel] if upcasters is None else upcasters.names(channel)


def shaped_record(record: CheckpointRecord, serializer: Serializer) -> CheckpointRecord:
    """A checkpoint's record for readers: with the channels that are made of old ones."""
    upcasters = upcasters_of(serializer)
    return record if upcasters is None else upcasters.record(record)


def shaped(located: Located, serializer: Serializer) -> Located:
    """A checkpoint as it was found, for readers: see `shaped_record`."""
    record = shaped_record(located.record, serializer)
    return located if record is located.record else located._replace(record=record)
