"""Two readers' objects: whether they are alike in everything that can be seen, and have nothing in common."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from pydantic import BaseModel


def everything(value: Any) -> Any:
    """All that can be seen of a value, models as their class, fields, extras and the names of what was set."""
    if isinstance(value, BaseModel):
        slots = [vars(value), value.__pydantic_extra__, value.__pydantic_private__]
        return [type(value), *map(everything, slots), set(value.__pydantic_fields_set__)]
    if isinstance(value, dict):
        return [dict, [(everything(key), everything(item)) for key, item in value.items()]]
    if isinstance(value, list | tuple):
        return [type(value), [everything(item) for item in value]]
    return [type(value), value]


def changeable(value: Any) -> Iterator[object]:
    """All objects in a value that can be changed in place."""
    if isinstance(value, BaseModel):
        yield value
        yield value.__pydantic_fields_set__
        for held in (vars(value), value.__pydantic_extra__, value.__pydantic_private__):
            yield from changeable(held)
    elif isinstance(value, dict):
        yield value
        for item in value.values():
            yield from changeable(item)
    elif isinstance(value, list | tuple):
        yield value
        for item in value:
            yield from changeable(item)
    elif isinstance(value, set | bytearray):
        yield value


def share_nothing(one: Any, other: Any) -> bool:
    """Return whether two values have no object in common that can be changed."""
    return {*map(id, changeable(one))}.isdisjoint(map(id, changeable(other)))
