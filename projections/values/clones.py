"""Copies of values that are given away more than once: nobody who changes one changes another's."""

from __future__ import annotations

from datetime import date, datetime, time, timedelta, timezone
from decimal import Decimal
from typing import Any
from uuid import UUID

from projections.values.marks import is_plain_model

# Nobody can change these; subclasses of them are another matter.
_FIXED = frozenset(
    (str, int, float, bool, type(None), bytes, complex, UUID, Decimal, date, datetime, time, timedelta, timezone)
)
_new = object.__new__
_set = object.__setattr__


def clone(value: Any) -> Any:
    """A copy that shares nothing which can be changed.

    Raises:
        TypeError: It is not made of plain data and of models that are nothing but their fields.
    """
    kind = type(value)
    if kind in _FIXED:
        return value
    if kind is list:
        return [clone(item) for item in value] if value else []
    if kind is dict:
        return {_fixed(key): clone(item) for key, item in value.items()} if value else {}
    if kind is tuple:
        return tuple([clone(item) for item in value])
    if kind is set or kind is frozenset:
        return kind(map(_fixed, value))
    if is_plain_model(kind):
        return _clone_of_model(value, kind)
    raise TypeError(f"a {kind.__name__} cannot be copied here")


def _clone_of_model(model: Any, kind: type) -> Any:
    if model.__pydantic_private__ is not None:
        raise TypeError("a model with private attributes cannot be copied here")
    fields = model.__dict__.copy()
    for name, field in fields.items():
        if type(field) not in _FIXED:
            fields[name] = clone(field)
    extra = model.__pydantic_extra__
    copy: Any = _new(kind)
    # The four slots of every Pydantic model.
    _set(copy, "__dict__", fields)
    _set(copy, "__pydantic_fields_set__", model.__pydantic_fields_set__.copy())
    _set(copy, "__pydantic_extra__", clone(extra) if extra else extra if extra is None else {})
    _set(copy, "__pydantic_private__", None)
    return copy


def _fixed(key: Any) -> Any:
    if type(key) not in _FIXED and not (type(key) is tuple and all(type(each) in _FIXED for each in key)):
        raise TypeError(f"a key of type {type(key).__name__} cannot be copied here")
    return key
