"""The table `lineage`: the ancestors that forks read through, each up to a version."""

from __future__ import annotations

from eventstore.recorders.tables.table import Table
from eventstore.tuples import NamedTuple


class Ancestor(NamedTuple):
    """A stream that a fork reads through, and the last version of it that the fork reads."""

    stream_id: int
    upto: int


class LineageTable(Table):
    """The statements of the table `lineage`."""

    def ancestors(self, stream_id: int) -> list[Ancestor]:
        """Return the ancestors of a stream, in no order."""
        rows = self._run("lineage", {"stream_id": stream_id})
        return [Ancestor(int(ancestor), int(upto)) for ancestor, upto in rows]

    def closed_ancestors(self, stream_id: int) -> list[int]:
        """Return the numbers of a stream's ancestors that are closed."""
        return [int(row[0]) for row in self._run("closed_ancestors", {"stream_id": stream_id})]

    def pinned_upto(self, stream_id: int, *, without: int | None = None) -> int:
        """Return the version up to which living forks, but for one, need a stream's own events; 0: none does."""
        [(upto,)] = self._run("pinned_upto", {"stream_id": stream_id, "without": without})
        return int(upto)

    def add(self, stream_id: int, ancestor: Ancestor) -> None:
        """Let a fork read through a stream."""
        params = {"stream_id": stream_id, "ancestor_id": ancestor.stream_id, "upto": ancestor.upto}
        self._run("add_ancestor", params)
