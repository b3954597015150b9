"""The sameness of two values to the last bit, and the parts that they share. No `__eq__` of a value is asked."""

from __future__ import annotations

import struct
from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import fields, is_dataclass
from typing import Any

from pydantic import BaseModel


def same(left: Any, right: Any) -> bool:
    """Return whether both have the same types, the same parts in the same order, and the same numbers bit by bit."""
    return difference(left, right) is None


def difference(left: Any, right: Any, path: str = "value") -> str | None:
    """Where two values differ, if they do."""
    if type(left) is not type(right):
        return f"{path}: {_short(left)} is a {type(left).__name__}, {_short(right)} a {type(right).__name__}"
    match left:
        case float():
            # Any NaN is NaN; 0.0 and -0.0 are not the same.
            equal = struct.pack("d", left) == struct.pack("d", right) or (left != left and right != right)  # noqa: PLR0124
            return None if equal else f"{path}: {left!r}, {right!r}"
        case None | bool() | int() | str() | bytes() | bytearray():
            return None if left == right else f"{path}: {_first_difference(left, right)}"
        case list() | tuple() | deque():
            return _in_order(left, right, path)
        case dict():
            return _in_order(left, right, f"{path} keys") or _first(
                difference(a, b, f"{path}[{key!r}]")
                for (key, a), (_, b) in zip(left.items(), right.items(), strict=True)
            )
        case set() | frozenset():
            return _in_order(sorted(left, key=_sortable), sorted(right, key=_sortable), path)
        case BaseModel():
            return difference(_model_parts(left), _model_parts(right), f"{path}.{type(left).__name__}")
    if is_dataclass(left):
        return _first(
            difference(getattr(left, field.name), getattr(right, field.name), f"{path}.{field.name}")
            for field in fields(left)
        )
    # Times, UUIDs, decimals: all that they are is in how they are written.
    return None if repr(left) == repr(right) else f"{path}: {left!r}, {right!r}"


def mutable_parts(value: Any) -> Iterator[Any]:
    """The value and all that it consists of, as far as it can be changed in place; what stands twice comes twice."""
    match value:
        case dict():
            inner: Iterable[Any] = value.values()
        case list() | deque() | tuple():
            inner = value
        case BaseModel():
            inner = _model_parts(value).values()
        case set() | bytearray():
            inner = ()
        case _ if is_dataclass(value):
            inner = [getattr(value, field.name) for field in fields(value)]
        case _:
            return
    if not isinstance(value, tuple):
        yield value
    for part in inner:
        yield from mutable_parts(part)


def _model_parts(model: BaseModel) -> dict[str, Any]:
    return {
        **model.__dict__,
        "fields set": model.__pydantic_fields_set__,
        **(model.__pydantic_extra__ or {}),
        **(model.__pydantic_private__ or {}),
    }


def _in_order(left: Any, right: Any, path: str) -> str | None:
    if len(left) != len(right):
        return f"{path}: {len(left)} parts, {len(right)} parts"
    return _first(difference(a, b, f"{path}[{index}]") for index, (a, b) in enumerate(zip(left, right, strict=True)))


def _first(found: Iterator[str | None]) -> str | None:
    return next((each for each in found if each), None)


def _sortable(part: Any) -> tuple[str, str]:
    return type(part).__name__, repr(part)


def _first_difference(left: Any, right: Any) -> str:
    if not isinstance(left, str | bytes | bytearray):
        return f"{left!r}, {right!r}"
    at = next(
        (index for index, (a, b) in enumerate(zip(left, right, strict=False)) if a != b), min(len(left), len(right))
    )
    return f"of {len(left)} and {len(right)}, from {at}: {left[at : at + 40]!r}, {right[at : at + 40]!r}"


def _short(value: Any) -> str:
    return repr(value)[:80]
