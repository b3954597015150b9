"""The tables of this package, and the only users of its SQL: a class for each, with a method for each statement."""

from eventstore.recorders.tables import END
from projections.tables.branches import BranchesTable, BranchRow, ForkRow, ReflogRow, ReflogTable, SourcesTable, ViewRow
from projections.tables.checkpoints import (
    CheckpointRow,
    CheckpointsTable,
    ListedKey,
    ListedRow,
    OrphanRow,
    PlacedRow,
    RunStream,
    UnreachableRow,
)
from projections.tables.rows import LAST, Source
from projections.tables.segments import SegmentRow, SegmentsTable
from projections.tables.tables import Tables
from projections.tables.writes import WritesRow, WritesTable, WrittenRow

__all__ = [
    "END",
    "LAST",
    "BranchRow",
    "BranchesTable",
    "CheckpointRow",
    "CheckpointsTable",
    "ForkRow",
    "ListedKey",
    "ListedRow",
    "OrphanRow",
    "PlacedRow",
    "ReflogRow",
    "ReflogTable",
    "RunStream",
    "SegmentRow",
    "SegmentsTable",
    "Source",
    "SourcesTable",
    "Tables",
    "UnreachableRow",
    "ViewRow",
    "WritesRow",
    "WritesTable",
    "WrittenRow",
]
