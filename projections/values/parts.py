"""Sequences of serialized parts, and how one is made of another: by copying runs of it and inserting what is new.

Lists, dicts and texts are all recorded this way, so that an appended message, a changed key and a removed item are the
same thing. A recipe is a flat list of numbers in pairs: `start, count` copies `count` parts of the base from `start`
on; `-1, count` takes the next `count` of the inserted parts.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Sequence
from hashlib import sha256
from itertools import repeat
from zlib import crc32

import ormsgpack

from eventstore import CorruptionError, TooLargeError
from eventstore.codec.envelope import MAX_VALUE_BYTES
from eventstore.tuples import NamedTuple
from projections.values.change import Encoding, checksum

INSERT = -1

Part = tuple[Encoding, bytes]
"""A serialized part: its encoding, and the serializer's bytes."""
Recipe = list[int]

# What a part takes besides its bytes, in a packed change; and in memory, where it is a tuple in a list.
FRAME_BYTES, PART_BYTES = 3, 64


class Parts(NamedTuple):
    """Serialized parts, and their CRC-32s of four bytes each, one after the other."""

    stored: list[Part]
    sums: bytes

    def checksum(self, data: bytes) -> int:
        """Of a change's data, and of the CRC-32s of all parts that result: of what was copied, too.

        Four bytes of a SHA-256. A CRC-32 of CRC-32s would not do: what differs cancels out.
        """
        return int.from_bytes(sha256(crc32(data).to_bytes(4, "little") + self.sums).digest()[:4], "little")


NOTHING = Parts([], b"")


def parts_of(stored: list[Part]) -> Parts:
    """Parts with their checksums."""
    return Parts(stored, b"".join(map(_sum, stored)))


def apply(base: Parts, recipe: Sequence[int], inserted: Parts, limit: int | None = None) -> Parts:
    """The parts that a recipe makes of its base.

    Args:
        base: The base.
        recipe: The recipe.
        inserted: What it inserts.
        limit: How many bytes the parts may take in memory besides their own; `None`: the recipe is known to be sound.

    Raises:
        CorruptionError: It takes what is not there.
        TooLargeError: It makes too many parts: a recipe can copy its base again and again.
    """
    if not recipe:
        return NOTHING
    stored: list[Part] = []
    sums = bytearray()
    taken = 0
    if len(recipe) % 2:
        raise CorruptionError("a change is cut off: it was damaged")
    if limit is not None:
        check_count(sum(map(abs, recipe[1::2])), limit)
    for start, count in zip(recipe[::2], recipe[1::2], strict=True):
        source, first = (inserted, taken) if start == INSERT else (base, start)
        if first < 0 or count < 0 or first + count > len(source.stored):
            raise CorruptionError("a change takes parts that its base has not: it was damaged")
        stored += source.stored[first : first + count]
        sums += source.sums[4 * first : 4 * (first + count)]
        taken += count if start == INSERT else 0
    return Parts(stored, bytes(sums))


def is_append(recipe: Sequence[int], length: int) -> bool:
    """Return whether a recipe keeps all of a base of that length, and adds after it."""
    return len(recipe) == 4 and recipe[0] == 0 and recipe[1] == length and recipe[2] == INSERT


class Alignment(NamedTuple):
    """The indexes of new elements among the old ones that equal them.

    Attributes:
        prefix: The number of elements at the beginning that are where they were.
        rest: The old index of each of the others, or `INSERT`.
    """

    prefix: int
    rest: list[int]


def align(old: Sequence[Hashable], new: Sequence[Hashable]) -> Alignment:
    """Find each of the new ones among the old. Runs are kept together where possible."""
    prefix = _common_prefix(old, new)
    if prefix in (len(old), len(new)):
        return Alignment(prefix, [INSERT] * (len(new) - prefix))
    indexes: dict[Hashable, int] = {}
    for index in range(len(old) - 1, -1, -1):
        indexes[old[index]] = index
    expected = prefix
    rest = []
    for each in new[prefix:]:
        found = expected if expected < len(old) and old[expected] == each else indexes.get(each, INSERT)
        rest.append(found)
        # What stands after something that was replaced is likely to have stayed.
        expected = (expected if found == INSERT else found) + 1
    return Alignment(prefix, rest)


def recipe_of(alignment: Alignment) -> Recipe:
    """The recipe of a sequence that is aligned with its base."""
    recipe: Recipe = [0, alignment.prefix] if alignment.prefix else []
    expected: int | None = alignment.prefix or None
    for origin in alignment.rest:
        if origin == expected:
            recipe[-1] += 1
        else:
            recipe += (origin, 1)
        expected = INSERT if origin == INSERT else origin + 1
    return recipe


def difference(old: Parts, new: Parts) -> tuple[Recipe, list[Part]]:
    """The recipe that makes `new` of `old`, and the parts to insert."""
    alignment = align(old.stored, new.stored)
    behind = zip(new.stored[alignment.prefix :], alignment.rest, strict=True)
    return recipe_of(alignment), [part for part, origin in behind if origin == INSERT]


def pack(recipe: Recipe, inserted: Sequence[Part]) -> tuple[Encoding | None, bytes]:
    """A change's encoding (`None` if the parts differ in theirs) and data."""
    encodings = {encoding for encoding, _ in inserted}
    if len(encodings) == 1:
        return encodings.pop(), ormsgpack.packb([recipe, [data for _, data in inserted]])
    return None, ormsgpack.packb([recipe, inserted])


def unpack(encoding: Encoding | None, data: bytes, limit: int = MAX_VALUE_BYTES) -> tuple[Recipe, Parts]:
    """The recipe and the inserted parts that `pack` packed.

    Raises:
        CorruptionError: The bytes are not what `pack` gave.
        TooLargeError: The parts take more than `limit` bytes.
    """
    try:
        recipe, packed = ormsgpack.unpackb(data)
        _check_recipe(recipe)
        check_count(len(packed), limit)
        if encoding is None:
            return recipe, parts_of([(each, content) for each, content in packed])
        return recipe, parts_of([*zip(repeat(encoding), packed)])
    except (ormsgpack.MsgpackDecodeError, TypeError, ValueError) as error:
        raise CorruptionError("a value's change cannot be decoded: it was damaged") from error


def check_count(count: int, limit: int) -> None:
    """Check that a number of parts may be in memory.

    Raises:
        TooLargeError: They would take more than `limit` bytes, whatever they are.
    """
    if count * PART_BYTES > limit:
        raise TooLargeError(f"a value of {count:,} parts", count * PART_BYTES, limit)


def _check_recipe(recipe: object) -> None:
    if type(recipe) is not list or not set(map(type, recipe)) <= {int}:
        raise TypeError


def length_of(stored: Iterable[Part]) -> int:
    """The bytes that parts take, packed."""
    sizes = [len(data) for _, data in stored]
    return sum(sizes) + FRAME_BYTES * len(sizes)


def _sum(part: Part) -> bytes:
    return checksum(*part).to_bytes(4, "little")


def _common_prefix(old: Sequence[Hashable], new: Sequence[Hashable]) -> int:
    shorter = min(len(old), len(new))
    if old[:shorter] == new[:shorter]:  # the usual case, at the speed of C
        return shorter
    return next(index for index in range(shorter) if old[index] != new[index])
