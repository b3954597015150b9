"""All tables of this package: as they are now, or within an open transaction."""

from __future__ import annotations

from functools import cached_property
from typing import Self

from eventstore import EventStore
from eventstore.queries import load_queries
from eventstore.recorders import Statement
from eventstore.recorders.tables import TableSet
from projections.tables.branches import BranchesTable, ReflogTable, SourcesTable
from projections.tables.checkpoints import CheckpointsTable
from projections.tables.segments import SegmentsTable
from projections.tables.writes import WritesTable

_FILES = ("checkpoints", "writes", "branches", "segments")
_CLEARING = (
    "drop_branches_never_begun",
    "clear_checkpoints",
    "clear_writes",
    "clear_sources",
    "clear_reflog",
    "leave_later_branches",
    "return_to_first_branches",
    "begin_first_branches",
)


class Tables(TableSet):
    """The tables of one store. Each read is a transaction of its own, or all are of the one that they are `within`.

    What changes rows belongs into a transaction.
    """

    @classmethod
    def of(cls, store: EventStore) -> Self:
        """Return the tables of a store, as they are whenever they are read."""
        recorder = store.recorder
        return cls(recorder, load_queries("projections", recorder.dialect, recorder.schema, *_FILES))

    @cached_property
    def checkpoints(self) -> CheckpointsTable:
        """The checkpoints: the position of each in the log."""
        return self._table(CheckpointsTable)

    @cached_property
    def writes(self) -> WritesTable:
        """The events that hold the pending writes of each checkpoint."""
        return self._table(WritesTable)

    @cached_property
    def branches(self) -> BranchesTable:
        """The branches of threads."""
        return self._table(BranchesTable)

    @cached_property
    def sources(self) -> SourcesTable:
        """The branches that each branch goes on from."""
        return self._table(SourcesTable)

    @cached_property
    def reflog(self) -> ReflogTable:
        """The reflog: the branches that each thread was on, by version."""
        return self._table(ReflogTable)

    @cached_property
    def segments(self) -> SegmentsTable:
        """Changes merged into larger ones."""
        return self._table(SegmentsTable)

    def carry_out(self, *statements: Statement) -> None:
        """Run statements that are otherwise part of an append, in the open transaction."""
        assert self._session is not None, "this takes a transaction"
        for statement in statements:
            self._session.carry_out(statement)

    def lock(self) -> None:
        """Let nobody else add rows until the transaction is over."""
        self._runner.execute(self._blocks["lock_rows"], {})

    def clear(self) -> None:
        """Drop the rows of all tables but the segments; each thread is on its first branch then.

        Branches that events have begun keep their numbers.
        """
        for block in _CLEARING:
            self._runner.execute(self._blocks[block], {})
