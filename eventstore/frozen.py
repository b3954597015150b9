"""Dataclasses of the hot path: frozen to the type checker, and made as fast as any other.

A dataclass that is frozen when it runs, too, sets each field by a call of `object.__setattr__`, which takes three times
as long as an assignment. With all that one append passes on, that was a twentieth of its time.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TypeVar, dataclass_transform

T = TypeVar("T")


@dataclass_transform(frozen_default=True, field_specifiers=(field,))
def frozen(kind: type[T]) -> type[T]:
    """Make a dataclass with slots of a class. Mypy refuses to assign to its fields.

    For what this package makes and passes on. What its users make, such as a `Cause`, is frozen at run time as well.
    """
    return dataclass(slots=True, unsafe_hash=True)(kind)
