"""Channels whose values change shape: old ones are made new as they are read, and what is stored stays as it is.

A value is stored part by part, as changes of what is stored before it, under checksums; what tasks write is stored
beside. So nothing of this is known below: it happens where a value has been made of its bytes, and before anybody sees
it. What is saved next is compared with what is stored, and not with what was made of that.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from eventstore import UpcastError
from eventstore.arguments import named_kind
from eventstore.tuples import NamedTuple
from projections.diffing.content import ABSENT
from projections.pregel import INPUT, is_snapshot
from projections.records import CheckpointRecord, Entry
from projections.values.change import Change
from projections.values.serializer import Serializer


class Step(NamedTuple):
    """A function that makes a channel's old values new.

    Attributes:
        is_old: Tells an old value from a new one.
        upcast: Makes it new.
    """

    is_old: Callable[[Any], bool]
    upcast: Callable[[Any], Any]


class Split(NamedTuple):
    """A function that makes the values of new channels of an old channel's.

    Attributes:
        source: The old channel.
        into: The new ones.
        upcast: Returns their values, by their names.
    """

    source: str
    into: tuple[str, ...]
    upcast: Callable[[Any], Any]


class ChannelUpcasters:
    """Upcasters of channels, as they were when a saver was opened.

    Args:
        steps: By channel, in order.
        splits: In order: one may go on from what another has made.
    """

    def __init__(self, steps: Mapping[str, Sequence[Step]], splits: Sequence[Split]) -> None:
        self._steps = steps
        self._splits = splits

    def touches(self, channel: str) -> bool:
        """Tell whether what is stored of a channel, part by part, may be something else than its value."""
        return channel == INPUT or channel in self._steps or any(channel in split.into for split in self._splits)

    def judges(self, channel: str) -> bool:
        """Tell whether a channel's own values may be old."""
        return channel == INPUT or channel in self._steps or channel in self.gone()

    def is_old(self, channel: str, value: Any) -> bool:
        """Tell whether a stored value of a channel, or a write to it, is made new when it is read.

        Raises:
            UpcastError: What tells it raised.
        """
        if is_snapshot(value):
            return self.is_old(channel, value.value)
        if channel == INPUT:
            given = value if isinstance(value, Mapping) else {}
            return any(self.is_old(name, each) for name, each in given.items() if name != INPUT)
        if channel in self.gone():
            return True
        return value is not None and any(_is_old(step, channel, value) for step in self._steps.get(channel, ()))

    def names(self, channel: str) -> list[str]:
        """The names that a channel has had: its own, and those of what it was made from."""
        found = [channel]
        for split in reversed(self._splits):
            if any(name in split.into for name in found) and split.source not in found:
                found.append(split.source)
        return found

    def made_of(self, channel: str) -> set[str]:
        """A channel's name, and those of the channels that are made of it now."""
        found = {channel}
        for split in self._splits:
            if split.source in found:
                found.update(split.into)
        return found

    def gone(self) -> frozenset[str]:
        """The names of the channels that have become others."""
        return frozenset(split.source for split in self._splits)

    def new(self, channel: str, value: Any, serializer: Serializer) -> Any:
        """A channel's value, or a write to it, in the newest shape. The value itself is not changed.

        Raises:
            UpcastError: An upcaster raised, or returned what is still old, or cannot be stored.
        """
        if channel == INPUT:
            return self.update(value, serializer)
        if channel not in self._steps or value is None:
            return value
        if is_snapshot(value):
            return type(value)(self.new(channel, value.value, serializer))
        for step in self._steps[channel]:
            if _is_old(step, channel, value):
                value = _called(step.upcast, channel, value, serializer)
                if _is_old(step, channel, value):
                    raise UpcastError(
                        "channel", channel, f"its upcaster returned {named_kind(value)}, which is still old"
                    )
        return value

    def update(self, given: Any, serializer: Serializer) -> Any:
        """An input or an update, which holds values by the names of channels, in the newest shape.

        What it holds by an old name stands besides, as in a state; what it says of a new channel itself counts.

        Raises:
            UpcastError: See `new`.
        """
        if not isinstance(given, Mapping):
            return given
        own: dict[Any, Any] = {}
        made: dict[Any, Any] = {}
        for channel, value in given.items():
            if not isinstance(channel, str) or channel == INPUT:
                own[channel] = value
                continue
            for name, each in self.writes(channel, value, serializer).items():
                (own if name == channel else made)[name] = each
        return {**made, **own}

    def made(self, stored: str, channel: str, value: Any, serializer: Serializer) -> Any:
        """The value of a channel, from the value of the one that is stored; `ABSENT` if none is made of it.

        Raises:
            UpcastError: See `new`.
        """
        value = self.new(stored, value, serializer)
        if stored == channel:
            return value
        for split in self._splits:
            if split.source == stored and channel in split.into:
                found = self._parted(split, value, serializer)
                return found.get(channel, ABSENT)
        for split in self._splits:
            if split.source == stored:
                for name, part in self._parted(split, value, serializer).items():
                    if channel in self.made_of(name):
                        return self.made(name, channel, part, serializer)
        return ABSENT

    def writes(self, channel: str, value: Any, serializer: Serializer) -> dict[str, Any]:
        """A write in the newest shape, by channel: to its own, which may be an old one, and to those made of that."""
        found = {channel: self.new(channel, value, serializer)}
        for split in self._splits:
            if split.source in found:
                found.update(self._parted(split, found[split.source], serializer))
        return found

    def values(self, record: CheckpointRecord, values: Mapping[str, Any], serializer: Serializer) -> dict[str, Any]:
        """The values of a checkpoint's channels, in the newest shape; those of old channels stand besides."""
        found = {channel: self.new(channel, value, serializer) for channel, value in values.items()}
        manifest = dict(record.manifest)
        for split in self._splits:
            if self._renews(split, manifest):
                self._enter(split, manifest)
                if split.source in found:
                    parts = self._parted(split, found[split.source], serializer)
                    for channel in split.into:
                        found.pop(channel, None)
                    found.update(parts)
        return found

    def record(self, record: CheckpointRecord) -> CheckpointRecord:
        """A checkpoint's record with the new channels: their values are where the old ones' are.

        What it says is for readers: it is not what another checkpoint may build upon.
        """
        manifest = dict(record.manifest)
        changes: dict[str, Change] = dict(record.changes)
        sources: dict[str, str] = {}
        for split in self._splits:
            if self._renews(split, manifest):
                self._enter(split, manifest)
                if split.source in changes:
                    changes.update(dict.fromkeys(split.into, changes[split.source]))
                sources.update(dict.fromkeys(split.into, split.source))
        if not sources:
            return record
        seen = {node: _seen(versions, sources) for node, versions in record.versions_seen.items()}
        updated = record.updated_channels
        if updated is not None:
            updated = [*updated, *(new for new, old in sources.items() if old in updated and new not in updated)]
        return record._replace(manifest=manifest, changes=changes, versions_seen=seen, updated_channels=updated)

    @staticmethod
    def _renews(split: Split, manifest: Mapping[str, Entry]) -> bool:
        """Tell whether the old channel was written, and none of the new ones later, or with the same version."""
        old = manifest.get(split.source)
        if old is None:
            return False
        return all(channel not in manifest or _is_later(old, manifest[channel]) for channel in split.into)

    @staticmethod
    def _enter(split: Split, manifest: dict[str, Entry]) -> None:
        manifest.update(dict.fromkeys(split.into, manifest[split.source]))

    def _parted(self, split: Split, value: Any, serializer: Serializer) -> dict[str, Any]:
        if is_snapshot(value):
            return {name: type(value)(part) for name, part in self._parted(split, value.value, serializer).items()}
        found = _called(split.upcast, split.source, value, serializer)
        if not isinstance(found, Mapping) or not found.keys() <= {*split.into}:
            raise UpcastError(
                "channel",
                split.source,
                f"its upcaster returned {named_kind(found)}, and not a dict with values of {', '.join(split.into)}",
            )
        return {name: self.new(name, part, serializer) for name, part in found.items()}


def _is_later(old: Entry, new: Entry) -> bool:
    one, other = old.channel_version, new.channel_version
    if isinstance(one, str) and isinstance(other, str):
        return one > other
    if isinstance(one, int | float) and isinstance(other, int | float):
        return one > other
    return False


def _seen(versions: Any, sources: Mapping[str, str]) -> Any:
    if not isinstance(versions, Mapping):
        return versions
    return {**{new: versions[old] for new, old in sources.items() if old in versions}, **versions}


def _is_old(step: Step, channel: str, value: Any) -> bool:
    try:
        return bool(step.is_old(value))
    except Exception as error:
        raise UpcastError("channel", channel, f"what tells its old values {_raised(error)}") from error


def _called(upcast: Callable[[Any], Any], channel: str, value: Any, serializer: Serializer) -> Any:
    """Return what an upcaster returns. It may change what it is given, and keep it: neither is anybody else's."""
    own = serializer.loads_typed(serializer.dumps_typed(value))
    try:
        made = upcast(own)
    except Exception as error:
        raise UpcastError("channel", channel, f"its upcaster {_raised(error)}") from error
    try:
        return serializer.loads_typed(serializer.dumps_typed(made))
    except Exception as error:
        raise UpcastError("channel", channel, f"its upcaster returned what cannot be stored: {error}") from error


def _raised(error: Exception) -> str:
    return f"raised {type(error).__name__}: {error}"
