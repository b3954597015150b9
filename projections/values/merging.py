"""Merge levels: changes, segments of changes, segments of these, so that a value is read from a few rows of each.

A value of n updates is a chain of n changes. Every 32nd update merges the changes since the 32nd before it into one
*segment*; every 32nd segment, those since the 32nd before it into a larger one; and so on. So a value is read from at
most 31 changes, 31 segments of each level, and its beginning. Segments are a projection: a value can be read without
them, from more rows.

A change and a segment alike carry their *merge path*: the versions of the earlier ones of the same level, the oldest
first, back to the one where a segment of the level above ends. The last of them is what they build upon.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from eventstore import BadInputError
from eventstore.arguments import check_texts
from eventstore.by_fields import ByFields
from eventstore.tuples import NamedTuple
from projections.values.parts import Parts


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class SnapshotPolicy(ByFields):
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
        if type(self.bytes) not in (int, float) or not self.bytes >= 1:
            raise BadInputError(f"SnapshotPolicy.bytes is {self.bytes!r}: a value is read at least once, use 1 or more")
        if type(self.rows) is not int or self.rows < 2:
            raise BadInputError(
                f"SnapshotPolicy.rows is {self.rows!r}: at least two changes can be merged, use a whole number from 2"
            )
        if isinstance(self.nodes, str):
            raise BadInputError(f"SnapshotPolicy.nodes must hold names of nodes: use [{self.nodes!r}]")
        check_texts("SnapshotPolicy.nodes", self.nodes)


DEFAULT_POLICY = SnapshotPolicy()


class Level(NamedTuple):
    """The position of the latest among changes, or among segments of one level.

    Attributes:
        path: The versions of the earlier ones, the oldest first.
        anchor: The parts as they were at the oldest of these.
    """

    path: tuple[int, ...]
    anchor: Parts


class Merge(NamedTuple):
    """A segment to be made: it leads from the `anchor` to the present, and has this `path` and number of a `level`."""

    level: int
    path: tuple[int, ...]
    anchor: Parts


Levels = tuple[Level, ...]
"""First the level of the changes, then that of the segments which end where the first one's path begins, and so on. A
value that builds upon nothing has none."""


def levels_after(levels: Levels, version: int, parts: Parts, rows: int) -> Levels:
    """The levels of a change that builds upon the value at `version`, which has the given `levels` and `parts`."""
    if not levels:
        return (Level((version,), parts),)
    first = levels[0]
    if len(first.path) < rows:
        return (Level((*first.path, version), first.anchor), *levels[1:])
    return (Level((version,), parts), *_above(levels, rows))


def merges_at(levels: Levels, rows: int) -> list[Merge]:
    """The segments that end at the value which has these levels."""
    merges: list[Merge] = []
    while levels and len(levels[0].path) >= rows:
        above = _above(levels, rows)
        merges.append(Merge(len(merges) + 1, above[0].path, levels[0].anchor))
        levels = above
    return merges


def _above(levels: Levels, rows: int) -> Levels:
    """The levels of the segment that a full first level is merged into."""
    first, *rest = levels
    return levels_after(tuple(rest), first.path[0], first.anchor, rows)
