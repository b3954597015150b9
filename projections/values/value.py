"""A recorded value as it is kept while its thread is live, and the step from one to the next."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, cast

from eventstore import TypeChangedError, TypeNotAllowedError, UnserializableError
from eventstore.by_fields import ByFields, frozen
from eventstore.tuples import NamedTuple
from projections.values.alone import counted
from projections.values.change import (
    DICT,
    LIST,
    TEXT,
    WHOLE,
    Change,
    checksum,
    encoding_name,
    encoding_number,
    load,
    pack_path,
    whole,
)
from projections.values.copiers import Copier, copied
from projections.values.fingerprints import (
    NO_FINGERPRINTS,
    Fingerprints,
    fingerprints_of,
    fingerprints_of_pairs,
    fingerprints_of_text,
)
from projections.values.kinds import TAKEN_APART, join, kind_of, split
from projections.values.lent import NOTHING_LENT, Lending, Lent
from projections.values.loading import copier_of_part, load_parts
from projections.values.merging import DEFAULT_POLICY, Levels, SnapshotPolicy, levels_after, merges_at
from projections.values.parts import (
    INSERT,
    NOTHING,
    Alignment,
    Part,
    Parts,
    align,
    apply,
    difference,
    length_of,
    pack,
    parts_of,
    recipe_of,
)
from projections.values.serializer import Serializer, dump

# Values that take no more are recorded whole: the frame of a change would be larger than what it saves.
_SMALL_BYTES = 128
# What a change may cost beyond the bytes that the policy allows: with small values, the frames count for more.
_SLACK_BYTES = 256
# What a part takes in memory besides its bytes, which it holds up to four times: as bytes, as a fingerprint, as an
# object (roughly twice).
_PART_MEMORY = 1_200
_COPIES_IN_MEMORY = 4


@frozen
class Seen(ByFields):
    """One serializer's knowledge of a value's parts. It is replaced, never changed: readers are on several threads.

    Attributes:
        serializer: The serializer that wrote the parts, and reads them.
        fingerprints: The fingerprints of the parts as they were recorded or read; empty if these are not known.
        copiers: The copiers that make the parts, anew for each reader; `None` for one that is not made yet.
        lent: What the last readers were given, of a list of models.
    """

    serializer: Serializer | None = None
    fingerprints: Fingerprints = NO_FINGERPRINTS
    copiers: Sequence[Copier | None] = ()
    lent: Lent = NOTHING_LENT


_UNSEEN = Seen()


@dataclass(slots=True)
class Value:
    """A value that was recorded.

    Attributes:
        kind: The operation that it is recorded by.
        parts: Its parts in bytes; of a value that is recorded whole, the one.
        version: The version of the event that holds it.
        levels: The changes and segments that it builds upon, by level.
        read_bytes: How many bytes of changes are read to restore it from the log alone.
        size: How many bytes its parts take.
        seen: What is known of its parts besides.
    """

    kind: int
    parts: Parts
    version: int = 0
    levels: Levels = ()
    read_bytes: int = 0
    size: int = 0
    seen: Seen = _UNSEEN

    @property
    def memory(self) -> int:
        """The bytes that it takes in memory, estimated rather too high."""
        estimate = _COPIES_IN_MEMORY * self.size + _PART_MEMORY * (1 + len(self.parts.stored))
        return estimate + self.seen.lent.memory

    def restore(self, serializer: Serializer) -> Any:
        """The value, made for one reader, who may change it: nobody else has the same objects."""
        if self.kind == WHOLE:
            return self._restore_whole(serializer)
        if self.seen.serializer is not serializer:
            return join(self.kind, self._read_once(serializer))
        return join(self.kind, self.made(serializer))

    def made(self, serializer: Serializer) -> list[Any]:
        """The parts as objects, for one reader: made, or given again if no reader before has them any more."""
        seen = self._seen_by(serializer)
        if self.kind != LIST or not seen.fingerprints.lengths or not counted():
            copiers, _ = self.fill(serializer)
            return [copier() for copier in copiers]
        lending = Lending(seen.lent, seen.fingerprints, len(self.parts.stored))
        filled, missing = self._filled(serializer, lending.missing)
        parts, lent = lending.give(missing)
        self.seen = Seen(serializer, seen.fingerprints, filled, lent)
        return parts

    def use_copiers(self, copiers: Mapping[Part, Copier], serializer: Serializer) -> None:
        """Use copiers that were made for other values, if this one has none."""
        seen = self._seen_by(serializer)
        if not seen.copiers:
            self.seen = replace(seen, copiers=[*map(copiers.get, self.parts.stored)])

    def copiers(self, serializer: Serializer) -> dict[Part, Copier]:
        """The copiers of the parts, as far as they are made; none of a whole value, which is no part of another."""
        if self.kind == WHOLE:
            return {}
        copiers = self._seen_by(serializer).copiers
        return {part: copier for part, copier in zip(self.parts.stored, copiers, strict=False) if copier}

    def fill(self, serializer: Serializer) -> tuple[Sequence[Copier], Mapping[Part, Copier]]:
        """The copiers of all parts, and of those the ones that are made now, since there were none."""
        stored = self.parts.stored
        before = self._seen_by(serializer).copiers or [None] * len(stored)
        _, copiers = self._filled(serializer, range(len(stored)))
        made = {part: copier for part, copier, old in zip(stored, copiers, before, strict=True) if old is None}
        return copiers, made

    def _filled(
        self, serializer: Serializer, wanted: Sequence[int]
    ) -> tuple[Sequence[Copier | None], Sequence[Copier]]:
        """The copiers of the parts, with those at these indexes; and these."""
        stored, seen = self.parts.stored, self._seen_by(serializer)
        copiers = [*seen.copiers] or [None] * len(stored)
        lacking = [index for index in wanted if copiers[index] is None]
        if lacking:
            loaded = load_parts(self.kind, [stored[index] for index in lacking], serializer)
            for index, made in zip(lacking, loaded, strict=True):
                copiers[index] = copier_of_part(self.kind, made, stored[index], serializer)
            self.seen = replace(seen, copiers=copiers)
        return copiers, cast("list[Copier]", [copiers[index] for index in wanted])

    def fingerprints_for(self, serializer: Serializer) -> Fingerprints:
        """The fingerprints of the parts as this serializer reads them; none if it would have to read them first."""
        seen = self._seen_by(serializer)
        if seen.fingerprints:
            return seen.fingerprints
        copiers = [copier for copier in seen.copiers if copier]
        if not copiers or len(copiers) < len(seen.copiers):
            return seen.fingerprints
        fingerprints = _fingerprints(self.kind, [copier() for copier in copiers])
        self.seen = replace(seen, fingerprints=fingerprints)
        return fingerprints

    def _restore_whole(self, serializer: Serializer) -> Any:
        [part] = self.parts.stored
        seen = self.seen  # of which a reader by another serializer may make another in between
        if seen.serializer is not serializer:
            self.seen = Seen(serializer)  # most values have no second reader, who would need a copier
            return load(*part, serializer)
        if not seen.copiers:
            copier = copier_of_part(WHOLE, load(*part, serializer), part, serializer)
            self.seen = Seen(serializer, copiers=(copier,))
            return copier()
        known = seen.copiers[0]
        return known() if known else load(*part, serializer)

    def _read_once(self, serializer: Serializer) -> list[Any]:
        """The parts as objects, without copiers, for the first reader: most values have no second one."""
        made = load_parts(self.kind, self.parts.stored, serializer)
        # What they are is noted before the reader can change them.
        self.seen = Seen(serializer, _fingerprints(self.kind, made))
        return made

    def _seen_by(self, serializer: Serializer) -> Seen:
        seen = self.seen
        return seen if seen.serializer is serializer else Seen(serializer)


class NewValue(NamedTuple):
    """A value that is about to be recorded.

    Attributes:
        value: The value as it is kept; its version is that of the event to come.
        change: The change that the event holds.
        segments: The segments that end with it, as level and change.
        base: The version that the change builds upon, 0 for none.
    """

    value: Value
    change: Change
    segments: Sequence[tuple[int, Change]] = ()
    base: int = 0


def new_value(
    value: Any,
    channel: str,
    serializer: Serializer,
    policy: SnapshotPolicy = DEFAULT_POLICY,
    base: Value | None = None,
) -> NewValue:
    """Record a value: as a change of its base, if there is one of its kind and that takes less.

    Args:
        value: Any value.
        channel: Its channel's name, for errors.
        serializer: Turns parts into bytes.
        policy: How far changes may build upon each other.
        base: The value of the channel at the parent checkpoint, if it is to be built upon.

    Raises:
        UnserializableError: The serializer refuses a part of the value.
    """
    kind = kind_of(value) if type(value) in TAKEN_APART else WHOLE
    if kind == WHOLE:
        return _whole(value, channel, serializer)
    base = base if base and base.kind == kind else None
    parts = split(kind, value, base.made(serializer) if base and kind == TEXT else ())
    old = base.parts if base else NOTHING
    known = base.fingerprints_for(serializer) if base else NO_FINGERPRINTS
    found = NO_FINGERPRINTS
    if not known or known.begin(parts):
        alignment = Alignment(len(known), [INSERT] * (len(parts) - len(known)))
    else:
        found = _fingerprints(kind, parts)
        alignment = align(known.each(), found.each())
    behind, fingerprints = _held_still(kind, parts, alignment, known, found)
    try:
        # Serializers may treat what stands alone in a way of their own, LangGraph's does so with bytes: an item of a
        # list is written as an item of a list.
        written = [[item] for item in behind] if kind == LIST else behind
        inserted, alignment = _serialized(written, alignment, old, channel, serializer)
    except (UnserializableError, TypeNotAllowedError, TypeChangedError):
        dump(serializer, channel, value)  # names the way to it from the channel, and the types of all parts
        raise
    recipe = recipe_of(alignment)
    made = apply(old, recipe, parts_of(inserted))
    appended = alignment.prefix == len(old.stored)
    size = base.size + length_of(inserted) if base and appended else length_of(made.stored)
    if size <= _SMALL_BYTES:
        return _whole(value, channel, serializer)
    seen = base.seen if base else _UNSEEN  # once: a reader by another serializer may replace it
    seen = seen if seen.serializer is serializer else _UNSEEN
    kept = Value(kind, made, size=size)
    # Taken in any case: nobody is to get again what was of another value.
    lent = seen.lent.moved(recipe)
    lent = lent if fingerprints.lengths else NOTHING_LENT
    kept.seen = Seen(serializer, fingerprints, _copiers_kept(seen, recipe), lent)
    if base is None:
        return alone(kept)
    encoding, data = pack(recipe, inserted)
    kept.read_bytes = base.read_bytes + len(data)
    if len(data) >= size or kept.read_bytes > policy.bytes * size + _SLACK_BYTES:
        return alone(kept)
    kept.levels = levels_after(base.levels, base.version, base.parts, policy.rows)
    change = Change(kind, pack_path(kept.levels[0].path), made.checksum(data), encoding, data)
    return NewValue(kept, change, segments_of(kept, policy), base.version)


def alone(value: Value) -> NewValue:
    """Record a value so that it builds upon nothing."""
    if value.kind == WHOLE:
        [(encoding, data)] = value.parts.stored
        return NewValue(value, whole(encoding_name(encoding), data))
    change = _beginning(value)
    kept = replace(value, levels=(), read_bytes=len(change.data))
    return NewValue(kept, change)


def as_read(change: Change, version: int) -> Value:
    """The value of a change that was recorded whole."""
    return written_value(change.encoding if change.encoding is not None else "", change.data, version)


def written_value(encoding: str | int, data: bytes, version: int = 0) -> Value:
    """The value of bytes that a serializer gave."""
    return Value(WHOLE, Parts([(encoding, data)], b""), version, read_bytes=len(data), size=len(data))


def _whole(value: Any, channel: str, serializer: Serializer) -> NewValue:
    encoding, data = dump(serializer, channel, value)
    number = encoding_number(encoding)
    kept = Value(WHOLE, Parts([(number, data)], b""), read_bytes=len(data), size=len(data))
    return NewValue(kept, Change(WHOLE, 0, checksum(number, data), number, data))


def _serialized(
    behind: Sequence[Any], alignment: Alignment, old: Parts, channel: str, serializer: Serializer
) -> tuple[list[Part], Alignment]:
    """The parts behind the common prefix that are new by their fingerprints, as bytes, unless the base has these."""
    prefix, rest = alignment
    inserted: list[Part] = []
    indexes: dict[Part, int] | None = None
    lost_from = prefix < len(old.stored)  # otherwise all of the base is where it was
    expected = prefix
    found = list(rest)
    for index, origin in enumerate(rest):
        if origin != INSERT:
            expected = origin + 1
            continue
        encoding, data = dump(serializer, channel, behind[index])
        part = (encoding_number(encoding), data)
        if lost_from:
            if expected < len(old.stored) and old.stored[expected] == part:
                found[index] = expected
            else:
                if indexes is None:
                    indexes = {known: i for i, known in reversed([*enumerate(old.stored)])}
                found[index] = indexes.get(part, INSERT)
            expected = (expected if found[index] == INSERT else found[index]) + 1
        if found[index] == INSERT:
            inserted.append(part)
    return inserted, Alignment(prefix, found)


def _held_still(
    kind: int, parts: Sequence[Any], alignment: Alignment, known: Fingerprints, found: Fingerprints
) -> tuple[list[Any], Fingerprints]:
    """The parts behind the common prefix, and the fingerprints of all.

    Those that no fingerprint has found in the base are copies. A node may change a message while it is being saved: the
    fingerprint and the bytes have to be of the same content, or a passing state would be taken for the lasting one.
    `found`: the fingerprints of all parts as they were a moment ago, if they had to be taken.
    """
    prefix, rest = alignment
    behind = [*parts[prefix:]]
    loose: set[int] = set()
    for index, origin in enumerate(rest):
        if origin == INSERT:
            try:
                behind[index] = copied(behind[index])
            except (TypeError, RuntimeError, AttributeError):
                loose.add(index)
    fresh = [index for index, origin in enumerate(rest) if origin == INSERT]
    new = _fingerprints(kind, [behind[index] for index in fresh])
    if loose:  # it cannot be held still, so nothing vouches for it: it is serialized again to be compared
        new = Fingerprints(
            others=[object() if i in loose else fingerprint for i, fingerprint in zip(fresh, new.each(), strict=True)]
        )
    if prefix == len(known) and len(fresh) == len(rest):
        return behind, known.followed_by(new) if known else new
    at_the_end = rest[len(rest) - len(fresh) :] == [INSERT] * len(fresh) and found.end_with(new)
    return behind, found if at_the_end else known.rearranged([*range(prefix), *rest], new)


def _copiers_kept(seen: Seen, recipe: Sequence[int]) -> Sequence[Copier | None]:
    """The copiers of the parts that a recipe copies; those of inserted ones are not made yet."""
    if not seen.copiers:
        return ()
    copiers: list[Copier | None] = []
    for start, count in zip(recipe[::2], recipe[1::2], strict=True):
        copiers += [None] * count if start == INSERT else seen.copiers[start : start + count]
    return copiers


def segments_of(value: Value, policy: SnapshotPolicy) -> list[tuple[int, Change]]:
    """The segments that end with a value, as level and change."""
    segments = []
    for merge in merges_at(value.levels, policy.rows):
        encoding, data = pack(*difference(merge.anchor, value.parts))
        merged = Change(value.kind, pack_path(merge.path), value.parts.checksum(data), encoding, data)
        segments.append((merge.level, merged if len(data) < value.size else _beginning(value)))
    return segments


def _beginning(value: Value) -> Change:
    stored = value.parts.stored
    encoding, data = pack([INSERT, len(stored)], stored)
    return Change(value.kind, 0, value.parts.checksum(data), encoding, data)


def _fingerprints(kind: int, parts: Sequence[Any]) -> Fingerprints:
    if kind == TEXT:
        return fingerprints_of_text(parts)
    return fingerprints_of_pairs(parts) if kind == DICT else fingerprints_of(parts)
