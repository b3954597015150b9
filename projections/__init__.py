"""What the log means: the checkpoints of threads, and what can be done with them."""

from projections._saving import Prepared, prepare_checkpoint, prepare_writes
from projections.checkpoints import CACHE_BYTES, Checkpoints
from projections.model import ChannelHistory, NewCheckpoint, NewWrites, PruneReport, SavedCheckpoint
from projections.points import RecoveryPoint, StalledPage, StalledThread, TaskState
from projections.recovery import Recovery
from projections.report import Damage, Finding, Progress, Report
from projections.serializer import Serializer
from projections.values.ladder import SnapshotPolicy

__all__ = [
    "CACHE_BYTES",
    "ChannelHistory",
    "Checkpoints",
    "Damage",
    "Finding",
    "NewCheckpoint",
    "NewWrites",
    "Prepared",
    "Progress",
    "PruneReport",
    "Recovery",
    "RecoveryPoint",
    "Report",
    "SavedCheckpoint",
    "Serializer",
    "SnapshotPolicy",
    "StalledPage",
    "StalledThread",
    "TaskState",
    "prepare_checkpoint",
    "prepare_writes",
]
