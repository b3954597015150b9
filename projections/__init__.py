"""What the log means: the checkpoints of threads, and what can be done with them."""

from projections._saving import Prepared, prepare_checkpoint, prepare_writes
from projections.audit import Audit
from projections.auditing.entries import AuditEntry, AuditPage
from projections.checkpoints import CACHE_BYTES, Checkpoints
from projections.model import ChannelHistory, NewCheckpoint, NewWrites, PruneReport, SavedCheckpoint
from projections.serializer import Serializer
from projections.values.ladder import SnapshotPolicy

__all__ = [
    "CACHE_BYTES",
    "Audit",
    "AuditEntry",
    "AuditPage",
    "ChannelHistory",
    "Checkpoints",
    "NewCheckpoint",
    "NewWrites",
    "Prepared",
    "PruneReport",
    "SavedCheckpoint",
    "Serializer",
    "SnapshotPolicy",
    "prepare_checkpoint",
    "prepare_writes",
]
