"""A recorded value as it is kept while its thread is live, and the step from one to the next."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from operator import itemgetter
from typing import Any

from eventstore import CorruptionError, EventStoreError, TypeChangedError, TypeNotAllowedError, UnserializableError
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
    pack_trail,
    whole,
)
from projections.values.kinds import TAKEN_APART, join, kind_of, split
from projections.values.ladder import DEFAULT_POLICY, Ladder, SnapshotPolicy, climb, segments_due
from projections.values.marks import NO_MARKS, Marks, marks_of, marks_of_pairs, marks_of_text
from projections.values.molds import Mold, copied, mold_of
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
from projections.values.serializer import Serializer, dump, for_each

# Values that take no more are recorded whole: the frame of a change would be larger than what it saves.
_SMALL_BYTES = 128
# What a change may cost beyond the bytes that the policy allows: with small values, the frames count for more.
_SLACK_BYTES = 256
# What a part takes in memory besides its bytes, which it holds up to four times: as bytes, as a mark, as an object
# (roughly twice).
_PART_MEMORY = 1_200
_COPIES_IN_MEMORY = 4

_MSGPACK = encoding_number("msgpack")
# The first byte of msgpack's longest array.
_ARRAY = b"\xdd"


@dataclass(frozen=True, slots=True)
class Seen:
    """One serializer's knowledge of a value's parts. It is replaced, never changed: readers are on several threads.

    Attributes:
        serializer: The serializer that wrote the parts, and reads them.
        marks: The marks of the parts as they were recorded or read; empty if these are not known.
        molds: The molds that make the parts, anew for each reader; `None` for one that is not made yet.
    """

    serializer: Serializer | None = None
    marks: Marks = NO_MARKS
    molds: Sequence[Mold | None] = ()


@dataclass(slots=True)
class Value:
    """A value that was recorded.

    Attributes:
        kind: The operation that it is recorded by.
        parts: Its parts in bytes; of a value that is recorded whole, the one.
        version: The version of the event that holds it.
        ladder: Which changes it builds upon.
        read_bytes: How many bytes of changes are read to restore it from the log alone.
        size: How many bytes its parts take.
        seen: What is known of its parts besides.
    """

    kind: int
    parts: Parts
    version: int = 0
    ladder: Ladder = ()
    read_bytes: int = 0
    size: int = 0
    seen: Seen = Seen()

    @property
    def memory(self) -> int:
        """How many bytes it takes in memory, roughly, and rather too many."""
        return _COPIES_IN_MEMORY * self.size + _PART_MEMORY * (1 + len(self.parts.stored))

    def restore(self, serializer: Serializer) -> Any:
        """The value, made for one reader: whoever changes it changes nobody else's."""
        if self.kind == WHOLE:
            [(encoding, data)] = self.parts.stored
            return load(encoding, data, serializer)
        if self.seen.serializer is not serializer:
            return join(self.kind, self._read_once(serializer))
        return join(self.kind, self.made(serializer))

    def made(self, serializer: Serializer) -> list[Any]:
        """The parts as objects, made for one reader."""
        molds, _ = self.fill(serializer)
        return [mold() for mold in molds]

    def lend(self, molds: Mapping[Part, Mold], serializer: Serializer) -> None:
        """Use molds that others have made."""
        seen = self._seen_by(serializer)
        if not seen.molds:
            self.seen = replace(seen, molds=[*map(molds.get, self.parts.stored)])

    def lending(self, serializer: Serializer) -> dict[Part, Mold]:
        """The molds of the parts, as far as they are made."""
        molds = self._seen_by(serializer).molds
        return {part: mold for part, mold in zip(self.parts.stored, molds, strict=False) if mold}

    def fill(self, serializer: Serializer) -> tuple[Sequence[Mold], Mapping[Part, Mold]]:
        """The molds of all parts, and of those the ones that are made now, since there were none."""
        stored, seen = self.parts.stored, self._seen_by(serializer)
        molds = seen.molds or [None] * len(stored)
        parts = [part for part, mold in zip(stored, molds, strict=True) if mold is None]
        loaded = load_parts(self.kind, parts, serializer) if parts else []
        made = {part: _mold(self.kind, each, part, serializer) for part, each in zip(parts, loaded, strict=True)}
        filled = [mold or made[part] for part, mold in zip(stored, molds, strict=True)]
        if made:
            self.seen = replace(seen, molds=filled)
        return filled, made

    def marks_for(self, serializer: Serializer) -> Marks:
        """The marks of the parts as this serializer wrote and reads them; none if that would cost to read them."""
        seen = self._seen_by(serializer)
        molds = [mold for mold in seen.molds if mold]
        if seen.marks or not molds or len(molds) < len(seen.molds):
            return seen.marks
        marks = _marks(self.kind, [mold() for mold in molds])
        self.seen = replace(seen, marks=marks)
        return marks

    def _read_once(self, serializer: Serializer) -> list[Any]:
        """The parts as objects, for the first reader: most values have no second one, for whom molds would be made."""
        made = load_parts(self.kind, self.parts.stored, serializer)
        # What they are is noted before the reader can change them.
        self.seen = Seen(serializer, _marks(self.kind, made))
        return made

    def _seen_by(self, serializer: Serializer) -> Seen:
        seen = self.seen
        return seen if seen.serializer is serializer else Seen(serializer)


@dataclass(frozen=True, slots=True)
class Recorded:
    """A value that is about to be recorded.

    Attributes:
        value: What is kept of it; its version is that of the event to come.
        change: What the event holds.
        segments: The segments that end with it, as level and change.
        base: The version that the change builds upon, 0 for none.
    """

    value: Value
    change: Change
    segments: Sequence[tuple[int, Change]] = ()
    base: int = 0

    def standing_alone(self) -> Recorded:
        """The same value recorded so that it builds upon nothing."""
        return alone(self.value) if self.base else self


def recorded(
    value: Any,
    channel: str,
    serializer: Serializer,
    policy: SnapshotPolicy = DEFAULT_POLICY,
    base: Value | None = None,
) -> Recorded:
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
    known = base.marks_for(serializer) if base else NO_MARKS
    if known.begin(parts):
        alignment = Alignment(len(known), [INSERT] * (len(parts) - len(known)))
    elif known:
        alignment = align(known.each(), _marks(kind, parts).each())
    else:
        alignment = Alignment(0, [INSERT] * len(parts))
    behind, marks = _held_still(kind, parts, alignment, known)
    try:
        # Serializers may treat what stands alone in a way of their own, LangGraph's does so with bytes: an item of a
        # list is written as an item of a list.
        written = [[item] for item in behind] if kind == LIST else behind
        inserted, alignment = _serialized(written, alignment, old, channel, serializer)
    except (UnserializableError, TypeNotAllowedError, TypeChangedError):
        dump(serializer, channel, value)  # names the way to it from the channel, and the types of all parts
        raise
    recipe = recipe_of(alignment)
    new = parts_of(inserted)
    made = apply(old, recipe, new)
    appended = alignment.prefix == len(old.stored)
    size = base.size + length_of(inserted) if base and appended else length_of(made.stored)
    if size <= _SMALL_BYTES:
        return _whole(value, channel, serializer)
    molds = _inherited(base.seen, recipe, serializer) if base else ()
    kept = Value(kind, made, size=size, seen=Seen(serializer, marks, molds))
    if base is None:
        return alone(kept)
    encoding, data = pack(recipe, inserted)
    kept.read_bytes = base.read_bytes + len(data)
    if len(data) >= size or kept.read_bytes > policy.bytes * size + _SLACK_BYTES:
        return alone(kept)
    kept.ladder = climb(base.ladder, base.version, base.parts, policy.rows)
    change = Change(kind, pack_trail(kept.ladder[0].trail), made.checksum(data), encoding, data)
    return Recorded(kept, change, segments_of(kept, policy), base.version)


def alone(value: Value) -> Recorded:
    """Record a value so that it builds upon nothing."""
    if value.kind == WHOLE:
        [(encoding, data)] = value.parts.stored
        return Recorded(value, whole(encoding_name(encoding), data))
    change = _beginning(value)
    kept = replace(value, ladder=(), read_bytes=len(change.data))
    return Recorded(kept, change)


def as_read(change: Change, version: int) -> Value:
    """The value of a change that was recorded whole."""
    part = (change.encoding if change.encoding is not None else "", change.data)
    return Value(WHOLE, Parts([part], b""), version, read_bytes=len(change.data), size=len(change.data))


def load_parts(kind: int, stored: Sequence[Part], serializer: Serializer) -> list[Any]:
    """The objects of some parts of a value of a kind.

    Raises:
        CorruptionError: They are no parts of such a value.
    """
    try:
        return _load_parts(kind, stored, serializer)
    except (TypeError, ValueError, LookupError) as error:
        if isinstance(error, EventStoreError):
            raise
        raise CorruptionError("what a value was put together from are no parts of one: it was damaged") from error


def _load_parts(kind: int, stored: Sequence[Part], serializer: Serializer) -> list[Any]:
    if getattr(serializer, "reads_joined", False) and {encoding for encoding, _ in stored} == {_MSGPACK}:
        # One array of them all; an item comes without the array of one that it was written in.
        bare = map(itemgetter(slice(1, None) if kind == LIST else slice(None)), map(itemgetter(1), stored))
        joined = b"".join((_ARRAY, len(stored).to_bytes(4, "big"), *bare))
        loaded: list[Any] = load(_MSGPACK, joined, serializer)
        if len(loaded) != len(stored):
            raise ValueError
        return loaded
    return for_each(lambda part: _load_part(kind, part, serializer), stored)


def _load_part(kind: int, part: Part, serializer: Serializer) -> Any:
    loaded = load(*part, serializer)
    return loaded[0] if kind == LIST else loaded


def _whole(value: Any, channel: str, serializer: Serializer) -> Recorded:
    encoding, data = dump(serializer, channel, value)
    number = encoding_number(encoding)
    kept = Value(WHOLE, Parts([(number, data)], b""), read_bytes=len(data), size=len(data))
    return Recorded(kept, Change(WHOLE, 0, checksum(number, data), number, data))


def _serialized(
    behind: Sequence[Any], alignment: Alignment, old: Parts, channel: str, serializer: Serializer
) -> tuple[list[Part], Alignment]:
    """The parts behind the common prefix that no mark has found in the base, as bytes, unless these are in the base."""
    prefix, rest = alignment
    inserted: list[Part] = []
    places: dict[Part, int] | None = None
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
                if places is None:
                    places = {known: place for place, known in reversed([*enumerate(old.stored)])}
                found[index] = places.get(part, INSERT)
            expected = (expected if found[index] == INSERT else found[index]) + 1
        if found[index] == INSERT:
            inserted.append(part)
    return inserted, Alignment(prefix, found)


def _held_still(kind: int, parts: Sequence[Any], alignment: Alignment, known: Marks) -> tuple[list[Any], Marks]:
    """The parts behind the common prefix, and the marks of all.

    Those that no mark has found in the base are copies. A node may change a message while it is being saved: what is
    marked and what is serialized have to be the same, or a passing state would be taken for the lasting one.
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
    new = _marks(kind, [behind[index] for index in fresh])
    if loose:  # it cannot be held still, so nothing vouches for it: it is serialized again to be compared
        new = Marks(others=[object() if i in loose else mark for i, mark in zip(fresh, new.each(), strict=True)])
    if prefix == len(known) and len(fresh) == len(rest):
        return behind, known.followed_by(new) if known else new
    return behind, known.with_places([*range(prefix), *rest], new)


def _inherited(seen: Seen, recipe: Sequence[int], serializer: Serializer) -> Sequence[Mold | None]:
    """The molds of the parts that a recipe copies; those of inserted ones are not made yet."""
    if seen.serializer is not serializer or not seen.molds:
        return ()
    molds: list[Mold | None] = []
    for start, count in zip(recipe[::2], recipe[1::2], strict=True):
        molds += [None] * count if start == INSERT else seen.molds[start : start + count]
    return molds


def _mold(kind: int, made: Any, part: Part, serializer: Serializer) -> Mold:
    try:
        return mold_of(made)
    except TypeError:  # it cannot be copied: it is read again each time
        return partial(_load_part, kind, part, serializer)


def segments_of(value: Value, policy: SnapshotPolicy) -> list[tuple[int, Change]]:
    """The segments that end with a value, as level and change."""
    segments = []
    for due in segments_due(value.ladder, policy.rows):
        encoding, data = pack(*difference(due.anchor, value.parts))
        merged = Change(value.kind, pack_trail(due.trail), value.parts.checksum(data), encoding, data)
        segments.append((due.level, merged if len(data) < value.size else _beginning(value)))
    return segments


def _beginning(value: Value) -> Change:
    stored = value.parts.stored
    encoding, data = pack([INSERT, len(stored)], stored)
    return Change(value.kind, 0, value.parts.checksum(data), encoding, data)


def _marks(kind: int, parts: Sequence[Any]) -> Marks:
    if kind == TEXT:
        return marks_of_text(parts)
    return marks_of_pairs(parts) if kind == DICT else marks_of(parts)
