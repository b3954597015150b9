"""The events of a thread, and the layout of their data. Pure functions.

Namespace, checkpoint, run, node, task and metadata stand in each event's cause; the data holds the rest, as msgpack.
Every channel write is in one event: a task's writes in `writes.saved` as the task made them, a step's results in
`checkpoint.saved` as changes of the channels that got a new version.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import product
from typing import Any, NamedTuple

import ormsgpack

from eventstore.codec import pack_id
from eventstore.codec.envelope import MAX_VALUE_BYTES, seal, unseal
from eventstore.writing import SHOWS
from projections._layout import (
    LAST_VERSION,
    are,
    hold,
    id_of,
    is_version,
    layout,
    packed_fields,
    unpacked_fields,
)
from projections.values.change import Change

CHECKPOINT_SAVED = "checkpoint.saved"
WRITES_SAVED = "writes.saved"
THREAD_PRUNED = "thread.pruned"
THREAD_DELETED = "thread.deleted"
RUNS_DELETED = "runs.deleted"
BRANCH_DELETED = "branch.deleted"
THREAD_PROMOTED = "thread.promoted"
THREAD_ROLLED_BACK = "thread.rolled_back"
HEAD_SWITCHED = "head.switched"
ROLLBACK_UNDONE = "rollback.undone"
MOVES = frozenset({THREAD_ROLLED_BACK, HEAD_SWITCHED, ROLLBACK_UNDONE})
"""What puts a thread on another line."""

_NONE = type(None)
_ENCODINGS = (str, int)
# The types of what is stored in an entry of a manifest, a change and a write.
_ENTRY: tuple[frozenset[type], ...] = (frozenset({str, int, float, _NONE}), frozenset({int, _NONE}))
_CHANGE: tuple[frozenset[type], ...] = (
    frozenset({int}),
    frozenset({int, list}),
    frozenset({int}),
    frozenset({int, str, _NONE}),
    frozenset({bytes}),
)
_WRITES = frozenset(product((str,), (int,), _ENCODINGS, (bytes,), (int,)))

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


@dataclass(frozen=True, slots=True)
class CheckpointRecord:
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
        packets: The node that each packet is for which the checkpoint sends, `None` where that is not known: so that
            tasks have names whoever reads, also without the serializer.
    """

    parent: str | None
    format: int
    ts: str
    versions_seen: Mapping[str, Any]
    updated_channels: Sequence[str] | None
    manifest: Manifest
    changes: Mapping[str, Change] = field(default_factory=dict)
    extras: tuple[str | int, bytes] | None = None
    packets: Sequence[str | None] = ()

    def holds(self, channel: str) -> bool:
        """Return whether the checkpoint has a stored value for a channel."""
        entry = self.manifest.get(channel)
        return entry is not None and entry.written_at is not None

    def pack(self) -> bytes:
        """The event's data."""
        return packed_fields(
            [
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
        )

    @classmethod
    def unpack(cls, data: bytes) -> CheckpointRecord:
        """The record of an event's data."""
        with layout():
            parent, format_, ts, seen, updated, manifest, changes, extras, packets = unpacked_fields(data, 8, [()])
            names = set(map(type, (ts, *manifest, *changes, *(updated or ()))))
            hold(names == {str}, type(format_) is int, type(seen) is dict, type(updated) in (list, _NONE))
            return cls(
                parent=id_of(parent),
                format=format_,
                ts=ts,
                versions_seen=seen,
                updated_channels=updated,
                manifest=_manifest(manifest),
                changes=_changes(changes),
                extras=_extras(extras) if extras else None,
                packets=_packets(packets),
            )


class Write(NamedTuple):
    """One write of a task.

    Attributes:
        channel: The channel.
        slot: Its place among the task's writes, negative for special ones.
        encoding: The serializer's name for the bytes, or the number under which it is stored.
        data: The serializer's bytes.
        checksum: Their `values.change.checksum`.
    """

    channel: str
    slot: int
    encoding: str | int
    data: bytes
    checksum: int


@dataclass(frozen=True, slots=True)
class WritesRecord:
    """The data of a `writes.saved` event.

    Attributes:
        task_path: The path of the task.
        writes: What it wrote.
        packets: Of what the graph's caller wrote: the node that each packet among it is for.
    """

    task_path: str
    writes: Sequence[Write]
    packets: Sequence[str | None] = ()

    def pack(self) -> bytes:
        """The event's data."""
        return packed_fields([self.task_path, [*map(tuple, self.writes)], *([[*self.packets]] if self.packets else [])])

    @classmethod
    def unpack(cls, data: bytes) -> WritesRecord:
        """The record of an event's data."""
        with layout():
            task_path, writes, packets = unpacked_fields(data, 2, [()])
            hold(type(task_path) is str)
            return cls(task_path, [_write(write) for write in writes], _packets(packets))


class Adopted(NamedTuple):
    """A checkpoint that a pruned fork took over from an ancestor.

    Attributes:
        namespace: Its namespace.
        checkpoint: Its id.
        version: The version of its event; `None`: it has saved the checkpoint again, and takes over writes only.
        run: Its run.
        shown: Whether the fork shows it; if not, a DeltaChannel replays through it.
        writes: The versions of the events that hold its pending writes.
        parent: Its parent, if that is shown.
    """

    namespace: str
    checkpoint: str
    version: int | None
    run: str | None
    shown: bool
    writes: Sequence[int]
    parent: str | None = None


class Point(NamedTuple):
    """A point of a thread's past that a line goes on from: its version, and, at a checkpoint, what stays of that.

    Attributes:
        upto: The version.
        last_id: The checkpoint: of what was shown, only ids up to this one are. `None`: all that was shown.
        adopted: What stays of the checkpoint's step, and what led to it and arrived later.
    """

    upto: int
    last_id: str | None = None
    adopted: Sequence[Adopted] = ()

    @property
    def version(self) -> int:
        """The version of the last event that the line needs of those that were there before."""
        return max(self.upto, *self.events, 0)

    @property
    def events(self) -> set[int]:
        """The versions of the events that stay, of the checkpoint's step and of what arrived later."""
        return {version for each in self.adopted for version in (each.version, *each.writes) if version is not None}

    def pack(self) -> bytes:
        """The point, as a fork's event holds it."""
        return packed_fields(self.plain())

    def plain(self) -> list[Any]:
        """The point as a list."""
        return [self.upto, pack_id(self.last_id), [*map(tuple, self.adopted)]]

    @classmethod
    def ofplain_entries(cls, fields: Sequence[Any]) -> Point:
        """The point of a list."""
        upto, last_id, adopted = fields
        hold(is_version(upto))
        return cls(upto, id_of(last_id), [_adopted(each) for each in adopted])

    @classmethod
    def unpack(cls, data: bytes) -> Point:
        """The point of a fork's event."""
        with layout():
            return cls.ofplain_entries(unpacked_fields(data, 3))


@dataclass(frozen=True, slots=True)
class PruneRecord:
    """The data of a `thread.pruned`, `runs.deleted` or `branch.deleted` event: enough to do it again from the log.

    Attributes:
        kept: The checkpoints that the thread goes on to show, as (namespace, id); `None`: all but `dropped`.
        dropped: Those that it no longer shows, where `kept` is `None`.
        walked: Hidden ones that DeltaChannels of shown ones replay through.
        pinned: The version up to which living forks need what is hidden.
        adopted: What a fork takes over, as it ceases to show its ancestors' checkpoints; `None` if it goes on to.
        runs: The runs that were deleted.
    """

    kept: Sequence[tuple[str, str]] | None = None
    dropped: Sequence[tuple[str, str]] = ()
    walked: Sequence[tuple[str, str]] = ()
    pinned: int = 0
    adopted: Sequence[Adopted] | None = None
    runs: Sequence[str] = ()

    def pack(self) -> bytes:
        """The event's data."""
        adopted = None if self.adopted is None else [*map(tuple, self.adopted)]
        return packed_fields([self.kept, self.dropped, self.walked, self.pinned, adopted, self.runs])

    @classmethod
    def unpack(cls, data: bytes) -> PruneRecord:
        """The record of an event's data."""
        with layout():
            kept, dropped, walked, pinned, adopted, runs = unpacked_fields(data, 6)
            hold(is_version(pinned), are(runs, str))
            return cls(
                kept=None if kept is None else _keys(kept),
                dropped=_keys(dropped),
                walked=_keys(walked),
                pinned=pinned,
                adopted=None if adopted is None else [_adopted(each) for each in adopted],
                runs=runs,
            )


@dataclass(frozen=True, slots=True)
class MoveRecord:
    """The data of an event that moves a thread to another line: of its checkpoints it then shows others.

    Attributes:
        point: What the new line goes on from; `None`: it is no new one.
        returns_to: The version since which the line has been that the thread returns to; `None`: it is a new one.
        undoes: The version of the move that this one undoes, if it does.
        namespace: The namespace of the checkpoint that was asked for, and `checkpoint`, its id.
    """

    point: Point | None = None
    returns_to: int | None = None
    undoes: int | None = None
    namespace: str = ""
    checkpoint: str | None = None

    def pack(self) -> bytes:
        """The event's data."""
        point = None if self.point is None else self.point.plain()
        return packed_fields([point, self.returns_to, self.undoes, self.namespace, pack_id(self.checkpoint)])

    @classmethod
    def unpack(cls, data: bytes) -> MoveRecord:
        """The record of an event's data."""
        with layout():
            point, returns_to, undoes, namespace, checkpoint = unpacked_fields(data, 5)
            hold(*(each is None or is_version(each) for each in (returns_to, undoes)), type(namespace) is str)
            to = None if point is None else Point.ofplain_entries(point)
            return cls(to, returns_to, undoes, namespace, id_of(checkpoint))


def shown_by_fork(data: bytes) -> Point | None:
    """Return what a fork shows of its past, by the data of its first own event; `None`: all of it."""
    with layout():
        shows = ormsgpack.unpackb(data).get(SHOWS)
        return None if shows is None else Point.unpack(shows)


def pack_segment(change: Change) -> bytes:
    """A segment's row: the change that several are merged into, compressed."""
    return seal(packed_fields([*change]))


def unpack_segment(data: bytes, limit: int = MAX_VALUE_BYTES) -> Change:
    """The change that `pack_segment` packed; it may take `limit` bytes."""
    with layout():
        return _changes({"": unpacked_fields(unseal(data, limit), 5)})[""]


def pack_channel(channel: str) -> bytes:
    """A channel's name as a key of any database: also with characters that no text there can hold."""
    return channel.encode(errors="surrogatepass")


def unpack_channel(key: bytes) -> str:
    """The name that `pack_channel` packed."""
    with layout():
        return key.decode(errors="surrogatepass")


def _keys(packed: Sequence[Sequence[str]]) -> list[tuple[str, str]]:
    found = [(namespace, checkpoint) for namespace, checkpoint in packed]
    hold(are([each for key in found for each in key], str))
    return found


def _manifest(packed: Mapping[str, Sequence[Any]]) -> Manifest:
    manifest = {channel: Entry(*entry) for channel, entry in packed.items()}
    if manifest:  # all at once: a checkpoint has many channels, and is read often
        versions, places = zip(*manifest.values(), strict=True)
        _hold_types(_ENTRY, (versions, places))
        known = [place for place in places if place]
        if known and not (min(known) > 0 and max(known) <= LAST_VERSION):
            raise TypeError
    return manifest


def _changes(packed: Mapping[str, Sequence[Any]]) -> dict[str, Change]:
    changes = {channel: Change(*change) for channel, change in packed.items()}
    if changes:
        _hold_types(_CHANGE, zip(*changes.values(), strict=True))
    return changes


def _hold_types(allowed: Sequence[frozenset[type]], columns: Iterable[Iterable[object]]) -> None:
    for types, column in zip(allowed, columns, strict=True):
        if not types.issuperset(map(type, column)):
            raise TypeError


def _write(packed: Sequence[Any]) -> Write:
    write = Write(*packed)
    if tuple(map(type, write)) not in _WRITES:
        raise TypeError
    return write


def _packets(packed: Sequence[Any]) -> tuple[str | None, ...]:
    hold(all(each is None or type(each) is str for each in packed))
    return tuple(packed)


def _extras(packed: Sequence[Any]) -> tuple[str | int, bytes]:
    encoding, data = packed
    hold(type(encoding) in _ENCODINGS, type(data) is bytes)
    return encoding, data


def _adopted(packed: Sequence[Any]) -> Adopted:
    adopted = Adopted(*packed)
    hold(
        type(adopted.namespace) is str,
        type(adopted.checkpoint) is str,
        adopted.version is None or is_version(adopted.version),
        adopted.run is None or type(adopted.run) is str,
        adopted.parent is None or type(adopted.parent) is str,
        type(adopted.shown) is bool,
        are(adopted.writes, int) and all(map(is_version, adopted.writes)),
    )
    return adopted
