"""The meaning of the log: the checkpoints of threads, and the operations on them."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from projections.answers.calls import Place, RecordedCall
    from projections.audit.audit import Audit
    from projections.audit.entries import AuditEntry, AuditPage
    from projections.before import Before
    from projections.branches.branches import BranchDiff, Branches, BranchSide
    from projections.checkpoints.checkpoints import Checkpoints
    from projections.checkpoints.ids import CheckpointId, checkpoint_ids
    from projections.checkpoints.options import CACHE_BYTES
    from projections.checkpoints.preparing import Prepared, prepare_checkpoint, prepare_writes
    from projections.diffing.content import ABSENT
    from projections.diffing.difference import Difference, Edit, Part, Step, diff
    from projections.diffing.rendering import Line, render
    from projections.model import ChannelHistory, NewCheckpoint, NewWrites, SavedCheckpoint
    from projections.outcomes import Branch, BranchTree, Forked, Moved, Promoted, PruneReport
    from projections.reading.statistics import Statistics, TopicStatistics, statistics_of
    from projections.reading.steps import Writer
    from projections.recovery.points import RecoveryPoint, StalledPage, StalledThread, TaskState
    from projections.recovery.recovery import Recovery
    from projections.recovery.report import Damage, Finding, Progress, Report
    from projections.timeline.blame import Origin
    from projections.timeline.comparison import ChannelDiff, CheckpointDiff, ComparedCheckpoint
    from projections.timeline.entries import ChannelChange, TimelineEntry, TimelinePage
    from projections.timeline.rules import Fold, Rule
    from projections.timeline.timeline import Timeline
    from projections.usage.prices import Price
    from projections.usage.report import UsageReport, UsageRow
    from projections.usage.usage import Usage
    from projections.values.merging import SnapshotPolicy
    from projections.values.serializer import Serializer

__all__ = [
    "ABSENT",
    "CACHE_BYTES",
    "Audit",
    "AuditEntry",
    "AuditPage",
    "Before",
    "Branch",
    "BranchDiff",
    "BranchSide",
    "BranchTree",
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
    "Place",
    "Prepared",
    "Price",
    "Progress",
    "Promoted",
    "PruneReport",
    "RecordedCall",
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
    "Usage",
    "UsageReport",
    "UsageRow",
    "Writer",
    "checkpoint_ids",
    "diff",
    "prepare_checkpoint",
    "prepare_writes",
    "render",
    "statistics_of",
]

# Each is imported when it is asked for: a saver starts without what tells the past, a command line without the rest.
_LATER = {
    "projections.checkpoints.checkpoints": ("Checkpoints",),
    "projections.checkpoints.options": ("CACHE_BYTES",),
    "projections.checkpoints.preparing": ("Prepared", "prepare_checkpoint", "prepare_writes"),
    "projections.before": ("Before",),
    "projections.model": ("ChannelHistory", "NewCheckpoint", "NewWrites", "SavedCheckpoint"),
    "projections.outcomes": ("Branch", "BranchTree", "Forked", "Moved", "Promoted", "PruneReport"),
    "projections.values.merging": ("SnapshotPolicy",),
    "projections.values.serializer": ("Serializer",),
    "projections.answers.calls": ("Place", "RecordedCall"),
    "projections.audit.audit": ("Audit",),
    "projections.audit.entries": (
        "AuditEntry",
        "AuditPage",
    ),
    "projections.branches.branches": (
        "BranchDiff",
        "Branches",
        "BranchSide",
    ),
    "projections.diffing.content": ("ABSENT",),
    "projections.diffing.difference": (
        "Difference",
        "Edit",
        "Part",
        "Step",
        "diff",
    ),
    "projections.diffing.rendering": (
        "Line",
        "render",
    ),
    "projections.timeline.blame": ("Origin",),
    "projections.timeline.comparison": (
        "ChannelDiff",
        "CheckpointDiff",
        "ComparedCheckpoint",
    ),
    "projections.timeline.entries": (
        "ChannelChange",
        "TimelineEntry",
        "TimelinePage",
    ),
    "projections.timeline.rules": (
        "Fold",
        "Rule",
    ),
    "projections.reading.steps": ("Writer",),
    "projections.checkpoints.ids": (
        "CheckpointId",
        "checkpoint_ids",
    ),
    "projections.recovery.points": (
        "RecoveryPoint",
        "StalledPage",
        "StalledThread",
        "TaskState",
    ),
    "projections.recovery.report": (
        "Damage",
        "Finding",
        "Progress",
        "Report",
    ),
    "projections.recovery.recovery": ("Recovery",),
    "projections.reading.statistics": (
        "Statistics",
        "TopicStatistics",
        "statistics_of",
    ),
    "projections.timeline.timeline": ("Timeline",),
    "projections.usage.prices": ("Price",),
    "projections.usage.report": (
        "UsageReport",
        "UsageRow",
    ),
    "projections.usage.usage": ("Usage",),
}


# Not by `eventstore.later`: it would import the log, which completion of a command line on Tab does without.
def __getattr__(name: str) -> Any:
    for module, names in _LATER.items():
        if name in names:
            globals()[name] = getattr(import_module(module), name)
            return globals()[name]
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
