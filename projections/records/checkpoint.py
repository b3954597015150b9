"""The data of `checkpoint.saved`: a step's results, as changes of the channels that got a new version."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import chain
from typing import Any

import ormsgpack

from eventstore.arguments import check_text
from eventstore.codec import pack_id
from eventstore.tuples import NamedTuple
from projections.records.changes import changes_of
from projections.records.layout import (
    ENCODINGS,
    NONE,
    hold,
    hold_types,
    id_of,
    layout,
    packed_fields,
    unpacked_fields,
)
from projections.records.writes import packets_of
from projections.values.change import LAST_VERSION, Change

# The types of what is stored in an entry of a manifest, a change and a write.
_ENTRY: tuple[frozenset[type], ...] = (frozenset({str, int, float, NONE}), frozenset({int, NONE}))
HERE = 0
"""In a manifest: the value stands in this very event."""


class Entry(NamedTuple):
    """A checkpoint's entry for one channel.

    Attributes:
        channel_version: LangGraph's version of the channel; `None` for a value that came without one.
        written_at: The version of the thread's event that holds the value, `HERE` for this one, `None` for no value.
    """

    channel_version: str | int | float | None
    written_at: int | None


Manifest = Mapping[str, Entry]
_NO_CHANGES: Mapping[str, Change] = {}


class CheckpointRecord(NamedTuple):
    """The data of a `checkpoint.saved` event.

    Attributes:
        parent: The parent checkpoint's id.
        format: LangGraph's version of the checkpoint's layout, its `v`.
        ts: The checkpoint's own time, as LangGraph wrote it.
        versions_seen: Which channel versions each node has seen.
        updated_channels: The channels that the step updated, if known.
        manifest: Every channel of the checkpoint, and where its value is.
        changes: The values that this event holds.
        extras: What else the checkpoint held, as an encoding and bytes of the serializer.
        packets: The node of each packet that the checkpoint sends, `None` where that is not known: so that tasks have
            names also for readers without the serializer.
    """

    parent: str | None
    format: int
    ts: str
    versions_seen: Mapping[str, Any]
    updated_channels: Sequence[str] | None
    manifest: Manifest
    changes: Mapping[str, Change] = _NO_CHANGES
    extras: tuple[str | int, bytes] | None = None
    packets: Sequence[str | None] = ()

    def holds(self, channel: str) -> bool:
        """Return whether the checkpoint has a stored value for a channel."""
        entry = self.manifest.get(channel)
        return entry is not None and entry.written_at is not None

    def pack(self) -> bytes:
        """The event's data.

        Raises:
            BadInputError: The name of a channel, or of a node, is not text.
            UnserializableError: Another part cannot be packed.
        """
        fields = [
            pack_id(self.parent),
            self.format,
            self.ts,
            self.versions_seen,
            self.updated_channels,
            # The packer knows tuples, and not named ones. (A function that it could call for them would not do: it
            # takes Ctrl-C in there for a refusal.)
            dict(zip(self.manifest, map(tuple, self.manifest.values()), strict=True)),
            dict(zip(self.changes, map(tuple, self.changes.values()), strict=True)),
            self.extras,
            *([[*self.packets]] if self.packets else []),
        ]
        try:
            return ormsgpack.packb(fields)
        except ormsgpack.MsgpackEncodeError:
            # It takes no names but plain text. Those of a `StrEnum` are text, too.
            for name in chain(self.manifest, self.versions_seen, *self.versions_seen.values()):
                check_text("the name of a channel or node", name)
            return packed_fields(fields)

    @classmethod
    def unpack(cls, data: bytes) -> CheckpointRecord:
        """The record of an event's data."""
        with layout():
            parent, format_, ts, seen, updated, manifest, changes, extras, packets = unpacked_fields(data, 8, [()])
            names = set(map(type, (ts, *manifest, *changes, *(updated or ()))))
            hold(names == {str}, type(format_) is int, type(seen) is dict, type(updated) in (list, NONE))
            return cls(
                parent=id_of(parent),
                format=format_,
                ts=ts,
                versions_seen=seen,
                updated_channels=updated,
                manifest=_manifest(manifest),
                changes=changes_of(changes),
                extras=_extras(extras) if extras else None,
                packets=packets_of(packets),
            )


def _manifest(packed: Mapping[str, Sequence[Any]]) -> Manifest:
    manifest = {channel: Entry(*entry) for channel, entry in packed.items()}
    if manifest:  # all at once: a checkpoint has many channels, and is read often
        versions, places = zip(*manifest.values(), strict=True)
        hold_types(_ENTRY, (versions, places))
        known = [place for place in places if place]
        if known and not (min(known) > 0 and max(known) <= LAST_VERSION):
            raise TypeError
    return manifest


def _extras(packed: Sequence[Any]) -> tuple[str | int, bytes]:
    encoding, data = packed
    hold(type(encoding) in ENCODINGS, type(data) is bytes)
    return encoding, data
