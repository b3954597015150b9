"""Dataclasses of the hot path: frozen to the type checker, and made as fast as any other.

A dataclass that is frozen when it runs, too, sets each field by a call of `object.__setattr__`, which takes three times
as long as an assignment. With all that one append passes on, that was a twentieth of its time.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TypeVar, dataclass_transform

from eventstore.by_fields import ByFields

T = TypeVar("T", bound=ByFields)


@dataclass_transform(frozen_default=True, field_specifiers=(field,))
def frozen(kind: type[T]) -> type[T]:
    """Make a dataclass with slots of a class that derives from `ByFields`. Mypy refuses to assign to its fields.

    For what this package makes and passes on. What its users make, such as a `Cause`, is frozen at run time as well.
    """
    # `ByFields` compares, hashes and shows.
    return dataclass(slots=True, eq=False, repr=False)(kind)
