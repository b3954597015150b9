"""Objects that readers were given: they are given again as soon as nobody else holds them.

Ten thousand messages that are made anew for each reader are looked through by Python's garbage collector, again and
again, while other work waits. Those of the last reader are not new to it.

An object is given again only if nobody could tell: nobody holds it, or anything in it that can be changed, and its
fingerprint says that it is what was stored. Who holds it is known where CPython counts references. Elsewhere, nothing
is given again.
"""

from __future__ import annotations

import gc
import sys
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import chain
from operator import attrgetter, call, eq, itemgetter
from typing import Any
from weakref import getweakrefcount

from projections.values.copiers import FIXED, Copier, slots_of
from projections.values.fingerprints import Fingerprints, fingerprints_of
from projections.values.parts import INSERT

# How many objects are looked at together: if one of them is not as it was, all of these are made anew.
_PIECE = 256
# A caller may hold the state that a run ended with until the next one ends: then two sets take turns.
_SETS = 2
_CHANGEABLE = frozenset({list, dict, set})

_fields = attrgetter("__dict__")
_fields_set = attrgetter("__pydantic_fields_set__")
_extra = attrgetter("__pydantic_extra__")
_private = attrgetter("__pydantic_private__")
_expected = attrgetter("fields_set")
_extra_type = attrgetter("extra")
_containers = attrgetter("containers")


@dataclass(frozen=True, slots=True, eq=False)
class Shape:
    """What many models have alike.

    Attributes:
        containers: Gives the lists and dicts among a model's fields, as a tuple.
        fields_set: The names of the fields that were set.
        extra: The type of what holds extra fields, of which there are none.
    """

    containers: Callable[[dict[str, Any]], tuple[Any, ...]]
    fields_set: frozenset[str]
    extra: type


@dataclass(frozen=True, slots=True)
class Given:
    """What one reader was given, part by part.

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
        # In this order: who has only a weak reference could otherwise get the object after it was counted.
        if not _ALONE or any(map(getweakrefcount, self.items)):
            return [*range(len(self.items))]
        counts = _counts(self.items)
        ends = fingerprints.ends
        found: list[int] = []
        for start in range(0, len(counts), _PIECE):
            piece = range(start, min(start + _PIECE, len(counts)))
            alone: Sequence[int] = piece
            if counts[start : piece.stop].count(_ALONE) < len(piece):
                alone = [index for index in piece if counts[index] == _ALONE]
                found += [index for index in piece if counts[index] != _ALONE]
            if alone and not self._are_untouched(alone, fingerprints.at(alone, ends)):
                found += alone
        return found

    def moved(self, recipe: Sequence[int]) -> Given:
        """What was given of the parts that a recipe copies; nothing of those that it inserts."""
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
        try:
            return (
                _are_alone_with_slots(parts, shapes)
                and _are_alone_with_fields(parts, shapes)
                and fingerprints.begin(parts)
            )
        except (AttributeError, KeyError):  # a slot or a field is gone
            return False


class Lent:
    """What the last readers of a value were given, for one who takes it.

    Args:
        given: What each of them was given, the earliest first.
    """

    __slots__ = ("_given",)

    def __init__(self, *given: Given) -> None:
        self._given = [given] if given else []

    @property
    def memory(self) -> int:
        """The bytes that it takes in memory."""
        return sum(sum(given.sizes) for taken in self._given[-1:] for given in taken)

    def take(self) -> tuple[Given, ...]:
        """Return what they were given, to one caller only, whatever threads ask."""
        try:
            return self._given.pop()  # in one step, which no other thread can come in between
        except IndexError:
            return ()

    def moved(self, recipe: Sequence[int]) -> Lent:
        """What is lent of the parts that a recipe copies. Taken from here: no two have the same objects."""
        return Lent(*(given.moved(recipe) for given in self.take()))


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
        if made and _ALONE:
            self._note(made, copiers)
        return parts, Lent(*[*self._others, self._given][-_SETS:])

    def _note(self, made: Sequence[Any], copiers: Sequence[Copier]) -> None:
        """Lend those that have the fingerprint of what was stored: a serializer may write what it did not get."""
        stored = self._fingerprints.at(self.missing, self._fingerprints.ends).each()
        found = fingerprints_of(made).each()
        size = _memory_of(made) // len(made)
        for index, each, copier, own, expected in zip(self.missing, made, copiers, found, stored, strict=True):
            shape = _shape_of(copier) if own == expected else None
            if shape:
                self._given.note(index, each, shape, size)


def _are_alone_with_slots(models: Sequence[Any], shapes: Sequence[Shape | None]) -> bool:
    """Return whether nobody holds what stands in the slots of models that nobody holds, and it is of the same shape."""
    sets = [*map(_fields_set, models)]
    if any(map(getweakrefcount, sets)) or not _are_owned(sets):  # in this order: see `Given.held`
        return False
    fields, extras = [*map(_fields, models)], [*map(_extra, models)]
    kind = shapes[0].extra if shapes[0] else None
    return (
        _are_all(set, map(type, sets))
        and all(map(eq, sets, map(_expected, shapes)))
        and _are_all(None, map(_private, models))
        and _are_all(kind, map(type, extras))
        and _are_all(kind, map(_extra_type, shapes))
        and (kind is not dict or _are_owned(extras))
        and _are_all(dict, map(type, fields))
        and _are_owned(fields)
    )


def _are_alone_with_fields(models: Sequence[Any], shapes: Sequence[Shape | None]) -> bool:
    """Return whether nobody holds what is nested in models that are alone with their slots."""
    held = [*chain.from_iterable(map(call, map(_containers, shapes), map(_fields, models)))]
    while held:
        if not _are_owned(held):
            return False
        # In one expression: another list of them would be another owner. (The collector goes by `get_referents`, too.)
        held = [each for each in gc.get_referents(*held) if type(each) not in FIXED]
    return True


def _are_owned(held: list[Any]) -> bool:
    """Return whether each of these has one owner besides this list."""
    return _are_all(_ALONE + 1, map(sys.getrefcount, held))


def _are_all(expected: object, found: Iterable[object]) -> bool:
    """Return whether all are equal to what is expected."""
    several = [*found]
    return several.count(expected) == len(several)


def _memory_of(models: Sequence[Any]) -> int:
    """The bytes that models take with all that can be changed in them."""
    memory = 0
    held = models
    while held:
        memory += sum(map(sys.getsizeof, held))
        held = [each for each in gc.get_referents(*held) if type(each) in _CHANGEABLE]
    return memory


def _counts(held: Iterable[Any]) -> list[int]:
    return [*map(sys.getrefcount, held)]


def _count_of_one_owner() -> int:
    """What is counted for an object that a list holds and nobody else; 0 where that cannot be known."""
    if sys.implementation.name != "cpython" or "free-threading" in sys.version:
        return 0
    return _counts([[]])[0]


_ALONE = _count_of_one_owner()


def _shape_of(copier: Copier) -> Shape | None:
    found = slots_of(copier)
    return found and _shape(*found)


@lru_cache(1024)
def _shape(names: tuple[str, ...], fields_set: frozenset[str], extra: type) -> Shape:
    if len(names) > 1:
        return Shape(itemgetter(*names), fields_set, extra)
    return Shape(lambda fields: tuple([fields[name] for name in names]), fields_set, extra)
