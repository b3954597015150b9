"""What the log means: the checkpoints of threads, and what can be done with them."""

from projections._saving import Prepared, prepare_checkpoint, prepare_writes
from projections.branches import Branches
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

__all__ = [
    "CACHE_BYTES",
    "Branch",
    "Branches",
    "ChannelHistory",
    "Checkpoints",
    "Forked",
    "Moved",
    "NewCheckpoint",
    "NewWrites",
    "Prepared",
    "Promoted",
    "PruneReport",
    "SavedCheckpoint",
    "Serializer",
    "SnapshotPolicy",
    "prepare_checkpoint",
    "prepare_writes",
]
