"""Dataclasses that are cheap to define, on the hot path cheap to make, and shown on one line.

Python compiles six functions for each frozen dataclass, and takes each annotation apart: that is most of what importing
a small module takes, 0.4 ms for each class. What is the same for all of them is written here, once, and only `__init__`
is compiled:

    @frozen
    class Head(ByFields): ...

    @frozen
    class StreamPage(Immutable): ...

One that is frozen when it runs, too, sets each field by a call of `object.__setattr__`, which takes three times as long
as an assignment. With all that one append passes on, that was a twentieth of its time. So it is the base that decides:
what this package makes and passes on is `ByFields`; what its users make, such as a `Cause`, or keep is `Immutable`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import MISSING, Field, FrozenInstanceError, dataclass, field, replace
from datetime import datetime
from reprlib import Repr, recursive_repr
from typing import Any, ClassVar, NoReturn, Self, TypeVar, dataclass_transform

# What is told of one field, and of all of them.
_BRIEF = Repr()
_BRIEF.maxstring = _BRIEF.maxother = 40
_BRIEF.maxlist = _BRIEF.maxtuple = _BRIEF.maxdict = _BRIEF.maxset = 3
_BRIEF.maxlevel = 2
_LINE = 120


class OnOneLine:
    """The base of dataclasses that are results: shown on one line, however much they hold.

    What is empty is left out, and what is long is cut; the fields have all of it.
    """

    __slots__ = ()
    __dataclass_fields__: ClassVar[dict[str, Field[Any]]]

    @recursive_repr()
    def __repr__(self) -> str:
        values = ((each.name, getattr(self, each.name)) for each in self.__dataclass_fields__.values() if each.repr)
        told = [f"{name}={_brief(value)}" for name, value in values if not _is_empty(value)]
        text = f"{type(self).__qualname__}({', '.join(told)})"
        return text if len(text) <= _LINE else f"{text[: _LINE - 2]}…)"


def _is_empty(value: object) -> bool:
    return value is None or value is False or (isinstance(value, str | bytes | list | tuple | dict) and not value)


def _brief(value: object) -> str:
    text = f"{value:%Y-%m-%d %H:%M:%S}" if isinstance(value, datetime) else _BRIEF.repr(value)
    # A value of the user's may write anything, lines included.
    return text if text.isprintable() else "".join(c if c.isprintable() else ascii(c)[1:-1] for c in text)


class ByFields:
    """The base of dataclasses that are compared, hashed and shown by their fields, as dataclasses are."""

    __slots__ = ()
    __dataclass_fields__: ClassVar[dict[str, Field[Any]]]

    def __eq__(self, other: object) -> bool:
        if other.__class__ is not self.__class__:
            return NotImplemented
        return self._compared() == other._compared()

    def __hash__(self) -> int:
        return hash(self._compared())

    @recursive_repr()
    def __repr__(self) -> str:
        shown = [each.name for each in self.__dataclass_fields__.values() if each.repr]
        return f"{self.__class__.__qualname__}({', '.join(f'{name}={getattr(self, name)!r}' for name in shown)})"

    def _compared(self) -> tuple[Any, ...]:
        return tuple([getattr(self, each.name) for each in self.__dataclass_fields__.values() if each.compare])

    def __replace__(self, **changes: Any) -> Self:
        """See `copy.replace`."""
        return replace(self, **changes)


class Immutable(ByFields):
    """The base of those whose fields cannot be set again."""

    __slots__ = ()

    def __setattr__(self, name: str, value: object) -> NoReturn:
        raise FrozenInstanceError(f"cannot assign to field {name!r}")

    def __delattr__(self, name: str) -> NoReturn:
        raise FrozenInstanceError(f"cannot delete field {name!r}")

    def __getstate__(self) -> list[Any]:
        return [getattr(self, name) for name in self.__dataclass_fields__]

    def __setstate__(self, state: list[Any]) -> None:
        for name, value in zip(self.__dataclass_fields__, state, strict=True):
            object.__setattr__(self, name, value)


T = TypeVar("T", bound=ByFields)


@dataclass_transform(frozen_default=True, field_specifiers=(field,))
def frozen(kind: type[T]) -> type[T]:
    """Make a dataclass with slots of a class that derives from `ByFields`. Mypy refuses to assign to its fields."""
    return _with_slots(kind)


@dataclass_transform(field_specifiers=(field,))
def changeable(kind: type[T]) -> type[T]:
    """Make a dataclass with slots of a class that derives from `ByFields`, whose fields can be assigned to."""
    return _with_slots(kind)


def _with_slots(kind: type[T]) -> type[T]:
    namespace = {name: value for name, value in kind.__dict__.items() if name not in ("__dict__", "__weakref__")}
    types: Mapping[str, str] = namespace["__annotations__"]
    defaults = {name: namespace.pop(name) for name in types if name in namespace}
    namespace |= {
        "__slots__": tuple(types),
        "__match_args__": tuple(types),
        "__init__": _init(types, defaults, after=hasattr(kind, "__post_init__"), immutable=issubclass(kind, Immutable)),
        "__dataclass_fields__": _FieldsLater(types, defaults),
    }
    made: type[T] = type(kind.__name__, kind.__bases__, namespace)
    return made


class _FieldsLater:
    """The fields of a class as `dataclasses` knows them, made when somebody asks."""

    def __init__(self, types: Mapping[str, str], defaults: Mapping[str, Any]) -> None:
        self._like = {"__annotations__": types, **defaults}

    def __get__(self, _: object, kind: Any) -> dict[str, Field[Any]]:
        like: Any = dataclass(frozen=issubclass(kind, Immutable))(type(kind.__name__, (), {**self._like}))
        kind.__dataclass_params__, kind.__dataclass_fields__ = like.__dataclass_params__, like.__dataclass_fields__
        return like.__dataclass_fields__  # type: ignore[no-any-return]


def _init(types: Mapping[str, str], defaults: Mapping[str, Any], *, after: bool, immutable: bool) -> Any:
    """Return the `__init__` of a class with these fields."""
    scope: dict[str, Any] = {"MISSING": MISSING, "put": object.__setattr__}
    parameters, lines = ["self"], []
    for name in types:
        value, default = name, defaults.get(name, MISSING)
        if isinstance(default, Field):
            if default.default_factory is not MISSING:
                scope[f"new_{name}"] = default.default_factory
                value = f"new_{name}() if {name} is MISSING else {name}"
                default = MISSING
                parameters.append(f"{name}=MISSING")
            else:
                default = default.default
        if default is not MISSING:
            scope[f"default_{name}"] = default
            parameters.append(f"{name}=default_{name}")
        elif value is name:
            parameters.append(name)
        lines.append(f" put(self, {name!r}, {value})" if immutable else f" self.{name} = {value}")
    if after:
        lines.append(" self.__post_init__()")
    made: dict[str, Any] = {}
    exec("\n".join([f"def __init__({', '.join(parameters)}):", *lines]), scope, made)  # noqa: S102 (of the names of fields alone)
    made["__init__"].__annotations__ = {**types, "return": "None"}
    return made["__init__"]
