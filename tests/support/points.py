"""The points at which something goes wrong: all of them, a few that a seed chooses, or one alone to see it again.

    for place in chosen(range(len(stored)), few=20): ...

EVENTSTORE_FAULTS=all goes through all of them, as `make test-long` does. EVENTSTORE_SEED is another choice, and
EVENTSTORE_POINT one point: a failure prints the command that has both (`tests/faults/conftest.py`).
"""

from __future__ import annotations

import os
import shlex
from collections.abc import Iterator, Sequence
from itertools import count
from random import Random
from typing import TypeVar

T = TypeVar("T")

ALL = os.environ.get("EVENTSTORE_FAULTS") == "all"
SEED = int(os.environ.get("EVENTSTORE_SEED", "1"))
ONE = os.environ.get("EVENTSTORE_POINT")


class _UnderWay:
    """The point at which a test is, if it is at one."""

    point: int | None = None


def chosen(points: Sequence[T], few: int) -> Iterator[T]:
    """Go through all points, or through `few` that the seed chooses."""
    numbers: Sequence[int] = range(len(points))
    if ONE is not None:
        numbers = [int(ONE)]
    elif not ALL and few < len(points):
        numbers = sorted(Random(SEED).sample(numbers, few))
    for number in numbers:
        _UnderWay.point = number
        yield points[number]
    _UnderWay.point = None


def one_after_the_other(every: int) -> Iterator[int]:
    """Count points of which nobody knows how many there are, until the caller has seen the last: all, or one in some.

    Args:
        every: Of how many points one is chosen, unless all are.
    """
    if ONE is not None:
        numbers: Iterator[int] = iter([int(ONE)])
    else:
        numbers = count() if ALL else count(Random(SEED).randrange(every), every)
    try:
        for number in numbers:
            _UnderWay.point = number
            yield number
    except GeneratorExit:
        return


def chance(*of: object) -> Random:
    """Return what is drawn at one point, the same each time: of the seed, and of what names the point."""
    return Random(repr((SEED, *of)))


def begin() -> None:
    """Forget where the test before was."""
    _UnderWay.point = None


def command(test: str) -> str:
    """Return the command that does again what a test did where it failed."""
    variables = {"EVENTSTORE_SEED": SEED, "EVENTSTORE_POINT": _UnderWay.point}
    named = [f"{name}={value}" for name, value in variables.items() if value is not None]
    if ALL:
        named.insert(0, "EVENTSTORE_FAULTS=all")
    return f"{' '.join(named)} .venv/bin/python -m pytest {shlex.quote(test)}"
