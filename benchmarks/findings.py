"""The findings of a part of the comparison: tables, curves, and each target with what was measured."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from statistics import median


@dataclass(frozen=True)
class Target:
    """A target, and whether it was met.

    Attributes:
        what: The target, with its limit.
        measured: What was measured, in the target's unit.
        met: The verdict.
    """

    what: str
    measured: str
    met: bool


@dataclass(frozen=True)
class Grid:
    """A table: its cells are ready to be read."""

    columns: Sequence[str]
    rows: Sequence[Sequence[str]]


@dataclass(frozen=True)
class Curves:
    """Quantities that grow with the turns.

    Attributes:
        name: The image's file name, without its suffix.
        title: What is drawn.
        unit: What the vertical axis counts.
        lines: For each name the points: turns, and how much.
    """

    name: str
    title: str
    unit: str
    lines: Mapping[str, Sequence[tuple[int, float]]]


@dataclass(frozen=True)
class Section:
    """One part of the results.

    Attributes:
        key: What `--only` calls it, and what marks it in RESULTS.md.
        title: Its heading.
        notes: How it was measured, in a paragraph.
        grids: Its tables.
        targets: Its verdicts.
        curves: Its plots.
    """

    key: str
    title: str
    notes: str
    grids: Sequence[Grid]
    targets: Sequence[Target] = ()
    curves: Sequence[Curves] = field(default=())


def at_most(what: str, measured: float, limit: float, unit: str = "×") -> Target:
    """A target that is met by what is not larger than `limit`."""
    return Target(what, f"{number(measured)}{unit}", measured <= limit)


def at_least(what: str, measured: float, limit: float, unit: str = "×") -> Target:
    """A target that is met by what is not smaller than `limit`."""
    return Target(what, f"{number(measured)}{unit}", measured >= limit)


def number(value: float) -> str:
    """Three digits that count, and no more."""
    if abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.1f}" if abs(value) >= 10 else f"{value:.2f}" if abs(value) >= 0.1 else f"{value:.2g}"


def milliseconds(seconds: float) -> str:
    """A time as tables show it."""
    return f"{number(seconds * 1000)} ms"


def size(count: float) -> str:
    """Bytes as tables show them: in powers of 1,000."""
    for unit, scale in (("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if abs(count) >= scale:
            return f"{number(count / scale)} {unit}"
    return f"{number(count)} B" if count != int(count) else f"{int(count)} B"


def ratio(ours: Sequence[float], other: Sequence[float]) -> float:
    """The median of ours divided by the other's, round by round where both have as many."""
    if len(ours) == len(other):
        return median(own / its for own, its in zip(ours, other, strict=True))
    return median(ours) / median(other)
