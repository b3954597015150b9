"""Objects that readers were given: they are given again as soon as nobody else holds them.

Ten thousand messages that are made anew for each reader are looked through by Python's garbage collector, again and
again, while other work waits. Those of the last reader are not new to it.

An object is given again only if nobody could tell: nobody holds it, or anything in it that can be changed, and its
fingerprint says that it is what was stored. Who holds it is known where CPython counts references. Elsewhere, nothing
is given again.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from projections.values.alone import Shape, alone_in, is_nothing_shared, memory_of, shape_of
from projections.values.copiers import Copier
from projections.values.fingerprints import Fingerprints, fingerprints_of
from projections.values.parts import INSERT

# How many objects are looked at together: if one of them is not as it was, all of these are made anew.
_PIECE = 256
# A caller may hold the state that a run ended with until the next one ends: then two sets take turns.
_SETS = 2


@dataclass(frozen=True, slots=True)
class Given:
    """The objects that one reader was given, part by part.

    Attributes:
        items: The objects; `None` for what cannot be given again.
        shapes: Their shapes.
        sizes: The bytes that they take in memory, without texts and numbers: others hold these, too.
    """

    items: list[Any]
    shapes: list[Shape | None]
    sizes: list[int]

    @classmethod
    def nothing(cls, count: int) -> Given:
        """Nothing that can be given again, of so many parts."""
        return cls([None] * count, [None] * count, [0] * count)

    def note(self, index: int, item: Any, shape: Shape | None, size: int) -> None:
        """Note what was given of a part, or that it cannot be given again."""
        self.items[index], self.shapes[index], self.sizes[index] = item, shape, size

    def held(self, fingerprints: Fingerprints) -> list[int]:
        """The indexes of those that somebody else may hold, or that are not what was stored, by its fingerprints."""
        alone = alone_in(self.items)
        ends = fingerprints.ends
        found: list[int] = []
        for start in range(0, len(alone), _PIECE):
            some = alone[start : start + _PIECE]
            piece: Sequence[int] = range(start, start + len(some))
            if not all(some):
                found += [index for index, is_alone in zip(piece, some, strict=True) if not is_alone]
                piece = [index for index, is_alone in zip(piece, some, strict=True) if is_alone]
            if piece and not self._are_untouched(piece, fingerprints.at(piece, ends)):
                found += piece
        return found

    def moved(self, recipe: Sequence[int]) -> Given:
        """Return what was given of the parts that a recipe copies; nothing of those that it inserts."""
        moved = Given([], [], [])
        for start, count in zip(recipe[::2], recipe[1::2], strict=True):
            run = Given.nothing(count) if start == INSERT else self
            first = max(start, 0)
            moved.items.extend(run.items[first : first + count])
            moved.shapes.extend(run.shapes[first : first + count])
            moved.sizes.extend(run.sizes[first : first + count])
        return moved

    def _are_untouched(self, indexes: Sequence[int], fingerprints: Fingerprints) -> bool:
        """Return whether nobody holds anything within these objects, which nobody holds, and they are what was stored.

        What they are is looked at last, when nobody can change it any more.
        """
        parts = [*map(self.items.__getitem__, indexes)]
        shapes = [*map(self.shapes.__getitem__, indexes)]
        return is_nothing_shared(parts, shapes) and fingerprints.begin(parts)


class Lent:
    """The objects that the last readers of a value were given, for one who takes them.

    Args:
        given: What each of them was given, the earliest first.
    """

    __slots__ = ("_given",)

    def __init__(self, *given: Given) -> None:
        self._given = [given] if given else []

    @property
    def memory(self) -> int:
        """The bytes that it takes in memory."""
        return sum(sum(given.sizes) for taken in self._given[-1:] for given in taken) if self._given else 0

    def take(self) -> tuple[Given, ...]:
        """Return what they were given, to one caller only, whatever threads ask."""
        try:
            return self._given.pop()  # in one step, which no other thread can come in between
        except IndexError:
            return ()

    def moved(self, recipe: Sequence[int]) -> Lent:
        """Return what is lent of the parts that a recipe copies. Taken from here: no two have the same objects."""
        taken = self.take()
        return Lent(*[given.moved(recipe) for given in taken]) if taken else NOTHING_LENT


NOTHING_LENT = Lent()
"""Stays so: what is lent is another object each time."""


class Lending:
    """One reader's turn: what was given before is given again, and what has to be made is lent for the next time.

    Args:
        lent: What the readers before were given; it is taken.
        fingerprints: The fingerprints of the value's parts.
        count: The number of its parts.

    Attributes:
        missing: The indexes of the parts that have to be made.
    """

    def __init__(self, lent: Lent, fingerprints: Fingerprints, count: int) -> None:
        self._fingerprints = fingerprints
        sets = lent.take()
        self._given, self.missing = Given.nothing(count), [*range(count)]
        for given in sets:
            if len(held := given.held(fingerprints)) < len(self.missing):
                self._given, self.missing = given, held
            if not held:
                break
        self._others = [given for given in sets if given is not self._given]
        self.missing.sort()
        for index in self.missing:
            self._given.note(index, None, None, 0)

    def give(self, copiers: Sequence[Copier]) -> tuple[list[Any], Lent]:
        """Return the parts for the reader, and what is lent from now on.

        Args:
            copiers: Those that make what is missing.
        """
        made = [copier() for copier in copiers]
        parts = [*self._given.items]
        for index, each in zip(self.missing, made, strict=True):
            parts[index] = each
        if made:
            self._note(made, copiers)
        return parts, Lent(*[*self._others, self._given][-_SETS:])

    def _note(self, made: Sequence[Any], copiers: Sequence[Copier]) -> None:
        """Lend those that have the fingerprint of what was stored: a serializer may write what it did not get."""
        stored = self._fingerprints.at(self.missing, self._fingerprints.ends).each()
        found = fingerprints_of(made).each()
        size = memory_of(made) // len(made)
        for index, each, copier, own, expected in zip(self.missing, made, copiers, found, stored, strict=True):
            shape = shape_of(copier) if own == expected else None
            if shape:
                self._given.note(index, each, shape, size)
