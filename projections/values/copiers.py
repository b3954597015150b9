"""Copies of values that are given away more than once: nobody who changes one changes another's.

A copier is made of a value once, and makes a copy at each call: faster than reading the value again, or than looking
through it each time.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import date, datetime, time, timedelta, timezone
from decimal import Decimal
from functools import lru_cache, partial
from typing import Any
from uuid import UUID

from projections.values.fingerprints import is_plain_model

Copier = Callable[[], Any]

FIXED = frozenset(
    (str, int, float, bool, type(None), bytes, complex, UUID, Decimal, date, datetime, time, timedelta, timezone)
)
"""The types of objects that nobody can change; subclasses of them are another matter."""

_CONTAINERS = frozenset((list, dict))
_new = object.__new__
_set = object.__setattr__


def copier_of(value: Any) -> Copier:  # noqa: PLR0911 (one for each kind)
    """Return a function that makes copies of a value which share nothing mutable. The value itself must not change.

    Raises:
        TypeError: The value does not consist of plain data and of models that are nothing but their fields.
    """
    kind = type(value)
    if kind in FIXED:
        return partial(_same, value)
    if kind in (list, dict, set) and not value:
        return kind  # a call of it makes an empty one
    if kind is list:
        return partial(_list, [copier_of(item) for item in value])
    if kind is dict:
        return partial(_dict, [(_checked(key), copier_of(item)) for key, item in value.items()])
    if kind is tuple:
        return partial(_tuple, [copier_of(item) for item in value])
    if isinstance(value, tuple) and _is_named(value):
        return partial(_named, kind, [copier_of(item) for item in value])
    if kind in (set, frozenset):
        return partial(kind, [_checked(item) for item in value])
    if is_plain_model(kind) and value.__pydantic_private__ is None:
        extra = value.__pydantic_extra__
        extras = _nothing if extra is None else copier_of(extra)
        fields_set = _once(frozenset(value.__pydantic_fields_set__))
        return partial(_model, kind, *_taken_apart(value.__dict__), fields_set, extras)
    raise TypeError(f"a {kind.__name__} cannot be copied here")


def slots_of(copier: Copier) -> tuple[tuple[str, ...], frozenset[str], type] | None:
    """Return which fields of a copier's models hold what can be changed, which are set, and the type of their extras.

    `None`: it makes no models.
    """
    if not isinstance(copier, partial) or copier.func is not _model:
        return None
    _, _, copiers, fields_set, extra = copier.args
    return tuple([name for name, _ in copiers]), fields_set, type(None) if extra is _nothing else dict


def copied(value: Any) -> Any:
    """Return a copy of a value that shares nothing mutable with it.

    Raises:
        TypeError: The value does not consist of plain data and of models that are nothing but their fields.
        RuntimeError: Another thread changes it meanwhile, or it contains itself.
    """
    kind = type(value)
    if kind in FIXED:
        return value
    if kind in _CONTAINERS and not value:
        return kind()
    if kind is list:
        return [*map(copied, value)]
    if kind is dict:
        return {_checked(key): copied(item) for key, item in value.items()}
    if is_plain_model(kind) and value.__pydantic_private__ is None:
        return _copied_model(kind, value)
    return copier_of(value)()


def _copied_model(kind: type, value: Any) -> Any:
    extra = value.__pydantic_extra__
    own = {name: field if type(field) in FIXED else copied(field) for name, field in value.__dict__.items()}
    return model_of(kind, own, set(value.__pydantic_fields_set__), None if extra is None else copied(extra))


def _checked(key: Any) -> Any:
    """A member that nobody can change."""
    if type(key) is tuple:
        return tuple(map(_checked, key))
    if type(key) not in FIXED:
        raise TypeError(f"a key of type {type(key).__name__} cannot be copied here")
    return key


def _taken_apart(fields: dict[str, Any]) -> tuple[dict[str, Any], tuple[tuple[str, Copier], ...]]:
    """Split fields into those that cannot be changed, beside `None` for the others, and the copiers of these.

    What many models have alike is kept once, and a dict of texts is nothing to a garbage collector: the copiers of ten
    thousand messages would be a hundred thousand objects for it otherwise, which it looks at again and again.
    """
    copiers: list[tuple[str, Copier]] = []
    fixed = fields.copy()
    for name, field in fields.items():
        if type(field) not in FIXED:
            fixed[name] = None
            copiers.append((name, copier_of(field)))
    found = tuple(copiers)
    return fixed, _once(found) if all(copier in (list, dict, set) for _, copier in found) else found


@lru_cache(1024)
def _once(shape: Any) -> Any:
    return shape


def _same(value: Any) -> Any:
    return value


def _is_named(value: tuple[Any, ...]) -> bool:
    """Tell whether it is a named tuple that is nothing but its fields."""
    fields = getattr(type(value), "_fields", None)
    return isinstance(fields, tuple) and len(fields) == len(value) and not hasattr(value, "__dict__")


def _nothing() -> None:
    return None


def _list(copiers: Sequence[Copier]) -> list[Any]:
    return [copier() for copier in copiers]


def _tuple(copiers: Sequence[Copier]) -> tuple[Any, ...]:
    return tuple([copier() for copier in copiers])


def _named(kind: type[tuple[Any, ...]], copiers: Sequence[Copier]) -> tuple[Any, ...]:
    return tuple.__new__(kind, [copier() for copier in copiers])


def _dict(copiers: Sequence[tuple[Any, Copier]]) -> dict[Any, Any]:
    return {key: copier() for key, copier in copiers}


def _model(
    kind: type, fields: dict[str, Any], copiers: Sequence[tuple[str, Copier]], fields_set: frozenset[str], extra: Copier
) -> Any:
    own = fields.copy()
    for name, copier in copiers:
        own[name] = copier()
    return model_of(kind, own, set(fields_set), extra())


def model_of(kind: type, own: dict[str, Any], fields_set: set[str], extra: Any) -> Any:
    """A model of a class, made without a call of it: of the four slots that every Pydantic model has."""
    model: Any = _new(kind)
    _set(model, "__dict__", own)
    _set(model, "__pydantic_fields_set__", fields_set)
    _set(model, "__pydantic_extra__", extra)
    _set(model, "__pydantic_private__", None)
    return model
