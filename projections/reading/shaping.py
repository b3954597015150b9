"""The newest shape of values that were read, if a serializer brings upcasters along.

What upcasters do is in `upcasting`, which is imported with them.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
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


def newest_of(stored: str, channel: str, value: Any, serializer: Serializer) -> Any:
    """A channel's value, or a write to it, from what was read of it or of an old one; `ABSENT` if nothing is made."""
    upcasters = upcasters_of(serializer)
    return value if upcasters is None else upcasters.made(stored, channel, value, serializer)


def names_of(channel: str, serializer: Serializer) -> Sequence[str]:
    """The names that a channel has had, its own first."""
    upcasters = upcasters_of(serializer)
    return [channel] if upcasters is None else upcasters.names(channel)


def names_now(channel: str, serializer: Serializer) -> Collection[str]:
    """A stored channel's name, and those of the channels that are made of it now."""
    upcasters = upcasters_of(serializer)
    return [channel] if upcasters is None else upcasters.made_of(channel)


def newest_writes(channel: str, value: Any, serializer: Serializer) -> Mapping[str, Any]:
    """A write in its newest shape, by channel: to its own, and to those that are made of it now."""
    upcasters = upcasters_of(serializer)
    return {channel: value} if upcasters is None else upcasters.writes(channel, value, serializer)


def newest_values(record: CheckpointRecord, values: Mapping[str, Any], serializer: Serializer) -> Mapping[str, Any]:
    """Values of a checkpoint's channels in their newest shape, with those of the channels that are made of them now."""
    upcasters = upcasters_of(serializer)
    return values if upcasters is None else upcasters.values(record, values, serializer)


def newest_update(given: Any, serializer: Serializer) -> Any:
    """An input or an update, which holds values by the names of channels, in its newest shape."""
    upcasters = upcasters_of(serializer)
    return given if upcasters is None else upcasters.update(given, serializer)


def shaped_record(record: CheckpointRecord, serializer: Serializer) -> CheckpointRecord:
    """A checkpoint's record for readers: with the channels that are made of old ones."""
    upcasters = upcasters_of(serializer)
    return record if upcasters is None else upcasters.record(record)


def shaped(located: Located, serializer: Serializer) -> Located:
    """A checkpoint as it was found, for readers: see `shaped_record`."""
    record = shaped_record(located.record, serializer)
    return located if record is located.record else located._replace(record=record)
