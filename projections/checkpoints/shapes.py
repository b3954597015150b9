"""The shapes of what is saved, checked before anything of it is stored.

A record of another shape would be stored as it is, and taken for damage as soon as somebody reads it. What is right is
looked through at once, since each step of a run comes by here; what is not is looked at part by part, to be named.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import chain
from typing import Any

from eventstore.arguments import check_kind, check_mapping, check_text, refused
from projections.model import NewCheckpoint, NewWrites

_TEXT = frozenset({str})
_VERSIONS = frozenset({str, int, float})
_PARTS = frozenset({dict})
_OPTIONAL_TEXT = frozenset({str, type(None)})
_SEVERAL = frozenset({list, tuple, type(None)})


def check_checkpoint(new: NewCheckpoint) -> None:
    """Refuse a checkpoint that could be stored, and not be read again.

    Raises:
        BadInputError: A part of it is of another type; the error names it, also in LangGraph's words.
    """
    if type(new) is not NewCheckpoint:
        check_kind(NewCheckpoint)("checkpoint", new)
    if not (
        type(new.thread) is type(new.namespace) is type(new.id) is type(new.ts) is str
        and type(new.format) is int
        and type(new.parent) in _OPTIONAL_TEXT
        and type(new.run) in _OPTIONAL_TEXT
        and type(new.channel_versions) is type(new.versions_seen) is dict
        and type(new.values) is type(new.new_versions) is type(new.metadata) is dict
        and type(new.updated_channels) in _SEVERAL
        and _TEXT.issuperset(map(type, chain(new.channel_versions, new.values, new.versions_seen)))
        and _TEXT.issuperset(map(type, new.updated_channels or ()))
        and _VERSIONS.issuperset(map(type, new.channel_versions.values()))
        and _PARTS.issuperset(map(type, new.versions_seen.values()))
    ):
        _check_each_part(new)


def check_writes(new: NewWrites) -> None:
    """Refuse writes that could be stored, and not be read again.

    Raises:
        BadInputError: A part of them is of another type; the error names it.
    """
    if type(new) is not NewWrites:
        check_kind(NewWrites)("writes", new)
    if not (
        type(new.thread) is type(new.namespace) is type(new.checkpoint) is type(new.task) is type(new.task_path) is str
        and type(new.node) in _OPTIONAL_TEXT
        and type(new.run) in _OPTIONAL_TEXT
        and type(new.metadata) is dict
    ):
        _check_ids(new, ("thread", "namespace", "checkpoint", "task", "task_path"), ("node", "run"))
        check_mapping("metadata", new.metadata)
    writes: object = new.writes
    if type(writes) is not list and (isinstance(writes, str | bytes) or not isinstance(writes, Sequence)):
        raise refused("writes", writes, "use a list of (channel, slot, value)")
    for write in writes:
        if not isinstance(write, tuple) or len(write) != 3:
            raise refused("a write", write, "use (channel, slot, value)")
        if not isinstance(write[0], str):
            raise refused("the channel of a write", write[0], "use text")
        if type(write[1]) is not int:
            raise refused("the slot of a write", write[1], "use a whole number")


def _check_each_part(new: NewCheckpoint) -> None:
    _check_ids(new, ("thread", "namespace", "id"), ("parent", "run"))
    _hold("v, the format of a checkpoint,", new.format, int, "use a whole number, as LangGraph does")
    _hold("ts, the time of a checkpoint,", new.ts, str, "use a text in ISO 8601")
    _hold("new_versions", new.new_versions, Mapping, "use a dict of the channels that changed, with their versions")
    _hold("metadata", new.metadata, Mapping, "use a dict")
    _hold("channel_values", new.values, Mapping, "use a dict of the channels' values")
    _hold("channel_versions", new.channel_versions, Mapping, "use a dict of the channels' versions")
    _hold("versions_seen", new.versions_seen, dict, "use a dict of the versions that each node has seen")
    for name in chain(new.channel_versions, new.values, new.versions_seen):
        check_text("the name of a channel or node", name)
    if new.updated_channels is not None:
        _hold("updated_channels", new.updated_channels, list | tuple, "use a list of channels, or None")
        for channel in new.updated_channels:
            check_text("a channel in updated_channels", channel)
    for channel, version in new.channel_versions.items():
        what = f"the version of channel {channel!r} in channel_versions"
        _hold(what, version, str | int | float, "use a number or text")
    for node, seen in new.versions_seen.items():
        _hold(f"versions_seen[{node!r}]", seen, dict, "use a dict of channels with their versions")


def _check_ids(new: Any, required: Sequence[str], optional: Sequence[str]) -> None:
    for name in (*required, *(name for name in optional if getattr(new, name) is not None)):
        check_text(name, getattr(new, name))


def _hold(name: str, value: object, kind: Any, advice: str) -> None:
    if not isinstance(value, kind) or isinstance(value, bool):
        raise refused(name, value, advice)
