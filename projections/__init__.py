"""The meaning of the log: the checkpoints of threads, and the operations on them."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from projections._saving import Prepared, prepare_checkpoint, prepare_writes
from projections.checkpoints import CACHE_BYTES, Checkpoints
from projections.model import (
    Branch,
    ChannelHistory,
    Forked,
    Moved,
    NewCheckpoint,
    NewWrites,
    Promoted,
    PruneReport,
    SavedCheckpoint,
)
from projections.serializer import Serializer
from projections.values.ladder import SnapshotPolicy

if TYPE_CHECKING:
    from projections.audit import Audit
    from projections.auditing.entries import AuditEntry, AuditPage
    from projections.branches import BranchDiff, Branches, BranchSide
    from projections.differences.content import ABSENT
    from projections.differences.difference import Difference, Edit, Part, Step, diff
    from projections.differences.rendering import Line, render
    from projections.history.blame import Origin
    from projections.history.comparison import ChannelDiff, CheckpointDiff, ComparedCheckpoint
    from projections.history.entries import ChannelChange, TimelineEntry
    from projections.history.rules import Fold, Rule
    from projections.history.steps import Writer
    from projections.ids import CheckpointId, checkpoint_ids
    from projections.recovering.points import RecoveryPoint, StalledPage, StalledThread, TaskState
    from projections.recovering.report import Damage, Finding, Progress, Report
    from projections.recovery import Recovery
    from projections.statistics import Statistics, TopicStatistics, statistics_of
    from projections.timeline import Timeline, TimelinePage

__all__ = [
    "ABSENT",
    "CACHE_BYTES",
    "Audit",
    "AuditEntry",
    "AuditPage",
    "Branch",
    "BranchDiff",
    "BranchSide",
    "Branches",
    "ChannelChange",
    "ChannelDiff",
    "ChannelHistory",
    "CheckpointDiff",
    "CheckpointId",
    "Checkpoints",
    "ComparedCheckpoint",
    "Damage",
    "Difference",
    "Edit",
    "Finding",
    "Fold",
    "Forked",
    "Line",
    "Moved",
    "NewCheckpoint",
    "NewWrites",
    "Origin",
    "Part",
    "Prepared",
    "Progress",
    "Promoted",
    "PruneReport",
    "Recovery",
    "RecoveryPoint",
    "Report",
    "Rule",
    "SavedCheckpoint",
    "Serializer",
    "SnapshotPolicy",
    "StalledPage",
    "StalledThread",
    "Statistics",
    "Step",
    "TaskState",
    "Timeline",
    "TimelineEntry",
    "TimelinePage",
    "TopicStatistics",
    "Writer",
    "checkpoint_ids",
    "diff",
    "prepare_checkpoint",
    "prepare_writes",
    "render",
    "statistics_of",
]

# What tells the past is imported when it is asked for: a saver starts without it.
_LATER = {
    "projections.audit": ("Audit",),
    "projections.auditing.entries": (
        "AuditEntry",
        "AuditPage",
    ),
    "projections.branches": (
        "BranchDiff",
        "Branches",
        "BranchSide",
    ),
    "projections.differences.content": ("ABSENT",),
    "projections.differences.difference": (
        "Difference",
        "Edit",
        "Part",
        "Step",
        "diff",
    ),
    "projections.differences.rendering": (
        "Line",
        "render",
    ),
    "projections.history.blame": ("Origin",),
    "projections.history.comparison": (
        "ChannelDiff",
        "CheckpointDiff",
        "ComparedCheckpoint",
    ),
    "projections.history.entries": (
        "ChannelChange",
        "TimelineEntry",
    ),
    "projections.history.rules": (
        "Fold",
        "Rule",
    ),
    "projections.history.steps": ("Writer",),
    "projections.ids": (
        "CheckpointId",
        "checkpoint_ids",
    ),
    "projections.recovering.points": (
        "RecoveryPoint",
        "StalledPage",
        "StalledThread",
        "TaskState",
    ),
    "projections.recovering.report": (
        "Damage",
        "Finding",
        "Progress",
        "Report",
    ),
    "projections.recovery": ("Recovery",),
    "projections.statistics": (
        "Statistics",
        "TopicStatistics",
        "statistics_of",
    ),
    "projections.timeline": (
        "Timeline",
        "TimelinePage",
    ),
}


def __getattr__(name: str) -> Any:
    for module, names in _LATER.items():
        if name in names:
            globals()[name] = getattr(import_module(module), name)
            return globals()[name]
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
