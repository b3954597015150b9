"""All tables of this package: as they are now, or within an open transaction."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property

from eventstore import EventStore
from eventstore.queries import load_queries
from eventstore.recorders import Recorder, Session, Statement
from projections.tables.branches import BranchesTable, ReflogTable, SourcesTable
from projections.tables.checkpoints import CheckpointsTable
from projections.tables.rows import Reads
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


class Tables:
    """The tables of one store. Each read is a transaction of its own, or all are of the one that they are `within`.

    What changes rows belongs into a transaction.
    """

    def __init__(self, recorder: Recorder, blocks: Mapping[str, str], session: Session | None = None) -> None:
        self._recorder = recorder
        self._blocks = blocks
        self._session = session
        self._runner = session or Reads(recorder)

    @classmethod
    def of(cls, store: EventStore) -> Tables:
        """Return the tables of a store, as they are whenever they are read."""
        recorder = store.recorder
        blocks: dict[str, str] = {}
        for file in _FILES:
            blocks.update(load_queries("projections", recorder.dialect, recorder.schema, file=file))
        return cls(recorder, blocks)

    def within(self, session: Session) -> Tables:
        """Return the tables as an open transaction sees them, and changes them.

        Args:
            session: The transaction. What is returned must not be used once it is over.
        """
        return Tables(self._recorder, self._blocks, session)

    @cached_property
    def checkpoints(self) -> CheckpointsTable:
        """The checkpoints: the position of each in the log."""
        return CheckpointsTable(self._blocks, self._runner, self._recorder)

    @cached_property
    def writes(self) -> WritesTable:
        """The events that hold the pending writes of each checkpoint."""
        return WritesTable(self._blocks, self._runner, self._recorder)

    @cached_property
    def branches(self) -> BranchesTable:
        """The branches of threads."""
        return BranchesTable(self._blocks, self._runner, self._recorder)

    @cached_property
    def sources(self) -> SourcesTable:
        """The branches that each branch goes on from."""
        return SourcesTable(self._blocks, self._runner, self._recorder)

    @cached_property
    def reflog(self) -> ReflogTable:
        """The reflog: the branches that each thread was on, by version."""
        return ReflogTable(self._blocks, self._runner, self._recorder)

    @cached_property
    def segments(self) -> SegmentsTable:
        """Changes merged into larger ones."""
        return SegmentsTable(self._blocks, self._runner, self._recorder)

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
