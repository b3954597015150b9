"""Values as JSON can hold them: for people and programs that look at them, not to be read back."""

from __future__ import annotations

import math
from base64 import b64encode
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from projections.diffing.content import DEEPEST, FIELDS, ITEMS, KEYS, MEMBERS, TEXT, fields_of, safe_repr, shape_of

# How much is shown of the repr of a value of an unknown type.
_LONGEST_REPR = 500

_TYPE = "$type"


def plain(value: Any, depth: int = 0) -> Any:
    """A value in types that JSON has.

    What JSON has no type for is a dict whose `$type` names it, with `fields`, `items`, `base64` or `repr`. Of a value
    of an unknown type only the `repr` is asked for, and cut off where it is long.
    """
    kind = type(value)
    if value is None or kind in (bool, int):
        return value
    if kind is float:
        return value if math.isfinite(value) else {_TYPE: "float", "repr": repr(value)}
    shape = shape_of(value)
    if shape == TEXT:
        # Half a character is no text elsewhere.
        return value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    if depth < DEEPEST and shape in _PARTS:
        return _PARTS[shape](value, depth + 1)
    if kind in (bytes, bytearray):
        return {_TYPE: kind.__name__, "base64": b64encode(value).decode()}
    return {_TYPE: kind.__name__, "repr": plain(safe_repr(value)[:_LONGEST_REPR])}


def plain_key(key: Any) -> str | int | float | bool | None:
    """A dict's key or a list's index, as far as JSON has a type for it; otherwise what it looks like."""
    found = plain(key)
    return safe_repr(key)[:_LONGEST_REPR] if type(found) is dict or type(found) is list else found


def _items(value: Any, depth: int) -> Any:
    items = [plain(item, depth) for item in value]
    return items if type(value) is list else {_TYPE: type(value).__name__, "items": items}


def _members(value: Any, depth: int) -> Any:
    members = [plain(member, depth) for member in value]
    return {_TYPE: type(value).__name__, "items": sorted(members, key=repr)}


def _keys(value: Any, depth: int) -> Any:
    if all(type(key) is str for key in value) and _TYPE not in value:
        return {plain(key): plain(item, depth) for key, item in value.items()}
    return {_TYPE: "dict", "items": [[plain(key, depth), plain(item, depth)] for key, item in value.items()]}


def _fields(value: Any, depth: int) -> Any:
    fields = {plain(str(name)): plain(part, depth) for name, part in (fields_of(value) or {}).items()}
    return {_TYPE: type(value).__name__, "fields": fields}


_PARTS: dict[str, Callable[[Any, int], Any]] = {ITEMS: _items, KEYS: _keys, FIELDS: _fields, MEMBERS: _members}


def iso(time: datetime) -> str:
    """A time as JSON has it: ISO 8601, UTC, to the microsecond."""
    return time.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
