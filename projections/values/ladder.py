"""The earlier changes that a value is read from: a few of each rung, whatever the number of updates.

A value of n updates is a chain of n changes. Every 32nd update merges the changes since the 32nd before it into one
*segment*; every 32nd segment, those since the 32nd before it into a larger one; and so on. So a value is read from at
most 31 changes, 31 segments of each size, and its beginning. Segments are a projection: a value can be read without
them, from more rows.

A change and a segment alike carry their *trail*: the versions of their like since the last place where a larger
segment ends, the oldest first, which is that place; the last is what they build upon.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from eventstore import BadInputError
from projections.values.parts import Parts


@dataclass(frozen=True, slots=True)
class SnapshotPolicy:
    """When more is stored than what changed, so that reading stays cheap.

    Attributes:
        bytes: How many times a value's own bytes may be read to restore it, 1 or more; beyond that it is recorded
            whole. It bounds what overwritten values cost to read, and, together with what is stored besides, to store:
            less reading is more storing. Values that only grow never come near it.
        rows: How many changes are merged into one segment, and how many segments into a larger one, 2 or more: a value
            of n updates is read from at most `rows` * log(n) rows.
        nodes: After a step in which one of these nodes of the graph ran, values that changed are recorded whole.
    """

    bytes: float = 2.5
    rows: int = 32
    nodes: Collection[str] = ()

    def __post_init__(self) -> None:
        if not self.bytes >= 1:
            raise BadInputError(f"SnapshotPolicy.bytes is {self.bytes}: a value is read at least once, use 1 or more")
        if type(self.rows) is not int or self.rows < 2:
            raise BadInputError(
                f"SnapshotPolicy.rows is {self.rows!r}: at least two changes can be merged, use a whole number from 2"
            )
        if isinstance(self.nodes, str):
            raise BadInputError(f"SnapshotPolicy.nodes must hold names of nodes: use [{self.nodes!r}]")


DEFAULT_POLICY = SnapshotPolicy()


@dataclass(frozen=True, slots=True)
class Rung:
    """The position of the latest among changes, or among segments of one size.

    Attributes:
        trail: The versions of the earlier ones, the oldest first.
        anchor: The parts as they were at the oldest of these.
    """

    trail: tuple[int, ...]
    anchor: Parts


@dataclass(frozen=True, slots=True)
class Due:
    """A segment to be made: it leads from the `anchor` to the present, and has this `trail` and size (`level`)."""

    level: int
    trail: tuple[int, ...]
    anchor: Parts


Ladder = tuple[Rung, ...]
"""First the rung of the changes, then that of the segments which end where the first one's trail begins, and so on. A
value that builds upon nothing has none."""


def climb(ladder: Ladder, version: int, parts: Parts, rows: int) -> Ladder:
    """The ladder of a change that builds upon the value at `version`."""
    if not ladder:
        return (Rung((version,), parts),)
    first = ladder[0]
    if len(first.trail) < rows:
        return (Rung((*first.trail, version), first.anchor), *ladder[1:])
    return (Rung((version,), parts), *_above(ladder, rows))


def segments_due(ladder: Ladder, rows: int) -> list[Due]:
    """The segments that end at the value which has this ladder."""
    due: list[Due] = []
    while ladder and len(ladder[0].trail) >= rows:
        above = _above(ladder, rows)
        due.append(Due(len(due) + 1, above[0].trail, ladder[0].anchor))
        ladder = above
    return due


def _above(ladder: Ladder, rows: int) -> Ladder:
    """The ladder of the segment that a full first rung is merged into."""
    first, *rest = ladder
    return climb(tuple(rest), first.trail[0], first.anchor, rows)
