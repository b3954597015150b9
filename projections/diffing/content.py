"""The content of values, by which they are compared without running their code.

An `__eq__` may lie, `1 == True == 1.0`, and NaN does not equal itself. So values are compared by their content: exact
built-in types by what they hold, models and dataclasses field by field, and what is unknown by its attributes and its
`repr`, which is all of its code that is ever run. If that does not tell, a value is the same as itself only.
"""

from __future__ import annotations

import struct
from collections import deque
from collections.abc import Hashable
from dataclasses import fields, is_dataclass
from enum import Enum
from types import NoneType
from typing import Any, Final

ITEMS = "items"
"""A list, a tuple or a deque."""
KEYS = "keys"
"""A dict."""
FIELDS = "fields"
"""A model, a dataclass, or another object that is what its attributes are."""
MEMBERS = "members"
"""A set or a frozenset."""
TEXT = "text"
LEAF = "leaf"
"""Anything that is not taken apart."""

DEEPEST = 64
"""The levels of nesting that are taken apart; what is deeper is not."""

_SEQUENCES = (list, tuple, deque)
_SETS = (set, frozenset)
_SCALARS = frozenset((str, int, bool, bytes, NoneType))


class Absent:
    """The type of `ABSENT`."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "ABSENT"

    def __bool__(self) -> bool:
        return False


ABSENT: Final = Absent()
"""Where there is no value: not even `None`."""


def shape_of(value: object) -> str:
    """How a value is taken apart: `ITEMS`, `KEYS`, `FIELDS`, `MEMBERS`, `TEXT`, or not at all: `LEAF`."""
    kind = type(value)
    if kind is str:
        return TEXT
    if kind in _SEQUENCES:
        return ITEMS
    if kind is dict:
        return KEYS
    if kind in _SETS:
        return MEMBERS
    return LEAF if fields_of(value) is None else FIELDS


def fields_of(value: object) -> dict[str, Any] | None:
    """The fields of an object that is nothing but its fields, `None` of any other. None of its properties is run."""
    kind = type(value)
    if kind in _SCALARS or issubclass(kind, type | Enum):
        return None
    own = _attributes(value)
    if isinstance(getattr(kind, "__pydantic_fields__", None), dict):
        slots = (_slot(value, "__pydantic_extra__"), _slot(value, "__pydantic_private__"))
        return {**(own or {}), **{name: part for slot in slots if type(slot) is dict for name, part in slot.items()}}
    if is_dataclass(kind):
        found = {field.name: _slot(value, field.name) for field in fields(kind)}
        return {name: part for name, part in found.items() if part is not ABSENT} | (own or {})
    return None if _describes_itself(kind) else own


def same(left: object, right: object) -> bool:
    """Return whether two values have the same content."""
    return left is right or content(left) == content(right)


def content(value: Any, depth: int = 0) -> Hashable:  # noqa: PLR0911 (one for each kind)
    """Return a value's content as plain parts that distinguish it from any other; valid as long as the value lives."""
    kind = type(value)
    # A class may have a lying `__eq__`, too: that of its metaclass.
    number = id(kind)
    if kind in _SCALARS:
        return number, value
    if kind is float:
        return number, "nan" if value != value else struct.pack("d", value)  # noqa: PLR0124 (only NaN differs from itself)
    if depth == DEEPEST:
        return number, id(value)
    shape, below = shape_of(value), depth + 1
    if shape == ITEMS:
        return number, *(content(item, below) for item in value)
    if shape == MEMBERS:
        return number, frozenset(content(member, below) for member in value)
    if shape == LEAF:
        return number, _of_unknown(value, below)
    pairs = value.items() if shape == KEYS else (fields_of(value) or {}).items()
    return number, *((content(key, below), content(item, below)) for key, item in pairs)


def identity(value: object) -> str | None:
    """The `id` of a message, or of another model or dict that has one: what it is called while its content changes."""
    parts: Any = value if type(value) is dict else fields_of(value)
    found = parts.get("id") if parts else None
    return found if type(found) is str and found else None


def safe_repr(value: object) -> str:
    """The `repr` of a value, or what can be said of it where that fails."""
    try:
        found = repr(value)
    except Exception as error:  # noqa: BLE001 (whatever a stranger's code raises)
        found = f"<{type(value).__name__}, whose repr raises {type(error).__name__}>"
    return found


def weight(value: object, depth: int = 0) -> int:
    """How much there is to a value: roughly the number of characters that it takes to write it down."""
    shape, below = shape_of(value), depth + 1
    held: Any = fields_of(value) if shape == FIELDS else value
    if shape == TEXT:
        return len(held) + 2
    if depth == DEEPEST:
        return 1
    if shape == LEAF:
        return len(safe_repr(value))
    if shape in (ITEMS, MEMBERS):
        return 2 + sum(weight(part, below) for part in held)
    return 2 + sum(weight(key, below) + weight(part, below) for key, part in held.items())


def _of_unknown(value: Any, depth: int) -> Hashable:
    own = _attributes(value)
    try:
        # The repr of a large array leaves most of it out, that of a secret all of it.
        held: Hashable = memoryview(value).tobytes()
    except (TypeError, ValueError, BufferError):
        held = content(own, depth) if own else None
    if not _describes_itself(type(value)):
        return id(value)
    try:
        return held, repr(value)
    except Exception:  # noqa: BLE001 (whatever a stranger's code raises)
        return id(value)


def _describes_itself(kind: Any) -> bool:
    # The `repr` that every object has tells nothing but its address.
    return kind.__repr__ is not object.__repr__


def _attributes(value: object) -> dict[str, Any] | None:
    found = _slot(value, "__dict__")
    return found if type(found) is dict else None


def _slot(value: object, name: str) -> Any:
    try:
        # Past a `__getattr__` and a `__getattribute__` of the value's own.
        return object.__getattribute__(value, name)
    except AttributeError:
        return ABSENT
