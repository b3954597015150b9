"""Objects that nobody else holds, nor anything in them that can be changed: as CPython counts references.

Where references are not counted so, no object is ever known to be alone.
"""

from __future__ import annotations

import gc
import sys
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import chain
from operator import attrgetter, call, eq, itemgetter
from types import NoneType
from typing import Any
from weakref import getweakrefcount

from projections.values.copiers import FIXED, Copier, slots_of

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
    """The shape that many models have alike.

    Attributes:
        containers: Gives the lists and dicts among a model's fields, as a tuple.
        fields_set: The names of the fields that were set.
        extra: The type of what holds extra fields, of which there are none.
    """

    containers: Callable[[dict[str, Any]], tuple[Any, ...]]
    fields_set: frozenset[str]
    extra: type


def counted() -> bool:
    """Return whether anything can be known to be alone."""
    return _ALONE > 0


def alone_in(held: list[Any]) -> list[bool]:
    """Return which of these nobody holds but this list."""
    # In this order: who has only a weak reference could otherwise get the object after it was counted.
    watched = [*map(getweakrefcount, held)]
    alone = [*map(_ALONE.__eq__, map(sys.getrefcount, held))]
    if any(watched):
        return [is_alone and not weak for is_alone, weak in zip(alone, watched, strict=True)]
    return alone


def is_nothing_shared(models: Sequence[Any], shapes: Sequence[Shape | None]) -> bool:
    """Return whether nobody holds anything in models that are alone, and they are still of their shapes."""
    try:
        return _are_alone_with_slots(models, shapes) and _are_alone_with_fields(models, shapes)
    except (AttributeError, KeyError):  # a slot or a field is gone
        return False


def _are_alone_with_slots(models: Sequence[Any], shapes: Sequence[Shape | None]) -> bool:
    """Return whether nobody holds what stands in the slots of models that nobody holds, and it is of the same shape."""
    sets = [*map(_fields_set, models)]
    if any(map(getweakrefcount, sets)) or not _are_owned(sets):  # in this order: see `alone_in`
        return False
    fields, extras = [*map(_fields, models)], [*map(_extra, models)]
    kind = shapes[0].extra if shapes[0] else None
    return (
        _are_all(set, map(type, sets))
        and all(map(eq, sets, map(_expected, shapes)))
        and _are_all(NoneType, map(type, map(_private, models)))
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


def memory_of(models: Sequence[Any]) -> int:
    """The bytes that models take with all that can be changed in them."""
    memory = 0
    held = models
    while held:
        memory += sum(map(sys.getsizeof, held))
        held = [each for each in gc.get_referents(*held) if type(each) in _CHANGEABLE]
    return memory


def _count_of_one_owner() -> int:
    """Return the count for an object that a list holds and nobody else; 0 where that cannot be known."""
    if sys.implementation.name != "cpython" or "free-threading" in sys.version:
        return 0
    [count] = map(sys.getrefcount, [[]])
    return count


_ALONE = _count_of_one_owner()


def shape_of(copier: Copier) -> Shape | None:
    """Return the shape of the models that a copier makes, if it makes any."""
    found = slots_of(copier)
    return found and _shape(*found)


@lru_cache(1024)
def _shape(names: tuple[str, ...], fields_set: frozenset[str], extra: type) -> Shape:
    if len(names) > 1:
        return Shape(itemgetter(*names), fields_set, extra)
    return Shape(lambda fields: tuple([fields[name] for name in names]), fields_set, extra)
