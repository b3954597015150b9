"""The events of a thread, and the layout of their data. Pure functions.

Namespace, checkpoint, run, node, task and metadata stand in each event's cause; the data holds the rest, as msgpack.
Every channel write is in one event: a task's writes in `writes.saved` as the task made them, a step's results in
`checkpoint.saved` as changes of the channels that got a new version.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import ormsgpack

from eventstore import CorruptionError, UnserializableError
from eventstore.codec import UNPACK, pack_id, unpack_id
from eventstore.codec.envelope import MAX_VALUE_BYTES, seal, unseal
from eventstore.writing import SHOWS
from projections.values.change import Change, is_trail

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

_LAST_VERSION = 2**63 - 1
_CHANNEL_VERSIONS = frozenset({str, int, float, type(None)})
_ENCODINGS = frozenset({str, int})

HERE = 0
"""In a manifest: the value stands in this very event."""


class Entry(NamedTuple):
    """What a checkpoint says of one channel.

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
        """Whether the checkpoint has a stored value for a channel."""
        entry = self.manifest.get(channel)
        return entry is not None and entry.written_at is not None

    def pack(self) -> bytes:
        """The event's data."""
        return _packed(
            [
                pack_id(self.parent),
                self.format,
                self.ts,
                self.versions_seen,
                self.updated_channels,
                _plain(self.manifest),
                _plain(self.changes),
                self.extras,
                *_if_any(self.packets),
            ]
        )

    @classmethod
    def unpack(cls, data: bytes) -> CheckpointRecord:
        """The record of an event's data."""
        with _layout():
            parent, format_, ts, seen, updated, manifest, changes, extras, packets = _unpacked(data, 8, [()])
            _hold(type(format_) is int, type(ts) is str, type(seen) is dict)
            _hold(updated is None or _are(updated, str), _are([*manifest], str), _are([*changes], str))
            return cls(
                parent=_id(parent),
                format=format_,
                ts=ts,
                versions_seen=seen,
                updated_channels=updated,
                manifest={channel: _entry(entry) for channel, entry in manifest.items()},
                changes={channel: _change(change) for channel, change in changes.items()},
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
        return _packed([self.task_path, [*map(tuple, self.writes)], *_if_any(self.packets)])

    @classmethod
    def unpack(cls, data: bytes) -> WritesRecord:
        """The record of an event's data."""
        with _layout():
            task_path, writes, packets = _unpacked(data, 2, [()])
            _hold(type(task_path) is str)
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
        return _packed(self.plain())

    def plain(self) -> list[Any]:
        """The point as a list."""
        return [self.upto, pack_id(self.last_id), [*map(tuple, self.adopted)]]

    @classmethod
    def of_plain(cls, fields: Sequence[Any]) -> Point:
        """The point of a list."""
        upto, last_id, adopted = fields
        _hold(_is_version(upto))
        return cls(upto, _id(last_id), [_adopted(each) for each in adopted])

    @classmethod
    def unpack(cls, data: bytes) -> Point:
        """The point of a fork's event."""
        with _layout():
            return cls.of_plain(_unpacked(data, 3))


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
        return _packed([self.kept, self.dropped, self.walked, self.pinned, adopted, self.runs])

    @classmethod
    def unpack(cls, data: bytes) -> PruneRecord:
        """The record of an event's data."""
        with _layout():
            kept, dropped, walked, pinned, adopted, runs = _unpacked(data, 6)
            _hold(_is_version(pinned), _are(runs, str))
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
        return _packed([point, self.returns_to, self.undoes, self.namespace, pack_id(self.checkpoint)])

    @classmethod
    def unpack(cls, data: bytes) -> MoveRecord:
        """The record of an event's data."""
        with _layout():
            point, returns_to, undoes, namespace, checkpoint = _unpacked(data, 5)
            _hold(*(each is None or _is_version(each) for each in (returns_to, undoes)), type(namespace) is str)
            return cls(None if point is None else Point.of_plain(point), returns_to, undoes, namespace, _id(checkpoint))


def shown_by_fork(data: bytes) -> Point | None:
    """What a fork shows of its past, by the data of its first own event; `None`: all of it."""
    with _layout():
        shows = ormsgpack.unpackb(data).get(SHOWS)
        return None if shows is None else Point.unpack(shows)


def pack_segment(change: Change) -> bytes:
    """A segment's row: the change that several are merged into, compressed."""
    return seal(_packed([*change]))


def unpack_segment(data: bytes, limit: int = MAX_VALUE_BYTES) -> Change:
    """The change that `pack_segment` packed; it may take `limit` bytes."""
    with _layout():
        return _change(_unpacked(unseal(data, limit), 5))


def pack_channel(channel: str) -> bytes:
    """A channel's name as a key of any database: also with characters that no text there can hold."""
    return channel.encode(errors="surrogatepass")


def unpack_channel(key: bytes) -> str:
    """The name that `pack_channel` packed."""
    with _layout():
        return key.decode(errors="surrogatepass")


def _keys(packed: Sequence[Sequence[str]]) -> list[tuple[str, str]]:
    found = [(namespace, checkpoint) for namespace, checkpoint in packed]
    _hold(_are([each for key in found for each in key], str))
    return found


# What is stored is held against what is stored there, once: whoever uses a record relies on its types.


def _hold(*hold: bool) -> None:
    if not all(hold):
        raise TypeError


def _are(found: Any, kind: type) -> bool:
    return type(found) is list and set(map(type, found)) <= {kind}


def _is_version(found: Any) -> bool:
    return type(found) is int and 0 <= found <= _LAST_VERSION


def _id(packed: Any) -> str | None:
    found = unpack_id(packed)
    _hold(found is None or type(found) is str)
    return found


def _entry(packed: Sequence[Any]) -> Entry:
    entry = Entry(*packed)
    _hold(type(entry.channel_version) in _CHANNEL_VERSIONS, entry.written_at is None or _is_version(entry.written_at))
    return entry


def _change(packed: Sequence[Any]) -> Change:
    change = Change(*packed)
    _hold(
        type(change.operation) is int,
        type(change.checksum) is int,
        type(change.encoding) in _ENCODINGS or change.encoding is None,
        type(change.data) is bytes,
        _is_version(change.base) or (_are(change.base, int) and is_trail(change.base)),  # type: ignore[arg-type]
    )
    return change


def _write(packed: Sequence[Any]) -> Write:
    write = Write(*packed)
    _hold(
        type(write.channel) is str,
        type(write.slot) is int,
        type(write.encoding) in _ENCODINGS,
        type(write.data) is bytes,
        type(write.checksum) is int,
    )
    return write


def _packets(packed: Sequence[Any]) -> tuple[str | None, ...]:
    _hold(all(each is None or type(each) is str for each in packed))
    return tuple(packed)


def _extras(packed: Sequence[Any]) -> tuple[str | int, bytes]:
    encoding, data = packed
    _hold(type(encoding) in _ENCODINGS, type(data) is bytes)
    return encoding, data


def _adopted(packed: Sequence[Any]) -> Adopted:
    adopted = Adopted(*packed)
    _hold(
        type(adopted.namespace) is str,
        type(adopted.checkpoint) is str,
        adopted.version is None or _is_version(adopted.version),
        adopted.run is None or type(adopted.run) is str,
        type(adopted.shown) is bool,
        _are(adopted.writes, int) and all(map(_is_version, adopted.writes)),
    )
    return adopted


def _packed(fields: list[Any]) -> bytes:
    try:
        # Lone surrogates are not replaced here: two channels would become one.
        return ormsgpack.packb(fields, option=ormsgpack.OPT_NON_STR_KEYS)
    except ormsgpack.MsgpackEncodeError as error:
        raise UnserializableError("checkpoint", "checkpoint", "a name or a version", str(error)) from error


def _plain(named: Mapping[str, tuple[Any, ...]]) -> dict[str, tuple[Any, ...]]:
    # The packer knows tuples, and not the named ones of this module. (A function that it could call for them would not
    # do: it takes Ctrl-C in there for a refusal.)
    return {channel: tuple(each) for channel, each in named.items()}


@contextmanager
def _layout() -> Iterator[None]:
    """Bytes that are no record, or one of another shape, are named as what they are."""
    try:
        yield
    except (ormsgpack.MsgpackDecodeError, TypeError, ValueError, AttributeError) as error:
        raise CorruptionError("an event's data is not of its topic's layout: it was damaged") from error


def _if_any(packets: Sequence[str | None]) -> list[list[str | None]]:
    """A last field, which few records have."""
    return [[*packets]] if packets else []


def _unpacked(data: bytes, length: int, more: Sequence[Any] = ()) -> list[Any]:
    """So many fields, and those behind them that may be missing; `more` has what stands for these."""
    fields = ormsgpack.unpackb(data, option=UNPACK)
    if not isinstance(fields, list) or len(fields) < length:
        raise TypeError
    return [*fields, *more[len(fields) - length :]][: length + len(more)]
