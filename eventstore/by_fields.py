"""Dataclasses that are cheap to define, on the hot path cheap to make, and shown on one line.

Python compiles six functions for each frozen dataclass, and that is most of what importing a small module takes: 0.4 ms
for each class. What is the same for all of them is written here, once:

    @dataclass(frozen=True, slots=True, eq=False, repr=False)
    class StreamPage(ByFields): ...

One that is frozen when it runs, too, sets each field by a call of `object.__setattr__`, which takes three times as long
as an assignment. With all that one append passes on, that was a twentieth of its time: see `frozen`.
"""

from __future__ import annotations

from dataclasses import Field, dataclass, field
from datetime import datetime
from reprlib import Repr, recursive_repr
from typing import Any, ClassVar, TypeVar, dataclass_transform

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


T = TypeVar("T", bound=ByFields)


@dataclass_transform(frozen_default=True, field_specifiers=(field,))
def frozen(kind: type[T]) -> type[T]:
    """Make a dataclass with slots of a class that derives from `ByFields`. Mypy refuses to assign to its fields.

    For what this package makes and passes on. What its users make, such as a `Cause`, is frozen at run time as well.
    """
    # `ByFields` compares, hashes and shows.
    return dataclass(slots=True, eq=False, repr=False)(kind)
