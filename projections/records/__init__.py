"""The events of a thread, and the layout of their data. Pure functions.

Namespace, checkpoint, run, node, task and metadata stand in each event's cause; the data holds the rest, as msgpack.
Every channel write is in one event: a task's writes in `writes.saved` as the task made them, a step's results in
`checkpoint.saved` as changes of the channels that got a new version. What a model or a tool answered stands
beside them, in `answer.recorded`.

What answers, prunes and promotions record is in modules of these names: a program that only saves starts without them.
"""

from projections.records.changes import pack_channel, pack_segment, unpack_channel, unpack_segment
from projections.records.checkpoint import HERE, CheckpointRecord, Entry, Manifest
from projections.records.moves import ALL_OF_IT, MoveRecord, Point, TakenOver, shown_by_fork
from projections.records.topics import (
    ANSWER_RECORDED,
    BRANCH_DELETED,
    CHECKPOINT_SAVED,
    CONTENT,
    HEAD_SWITCHED,
    MOVES,
    RECORDINGS,
    ROLLBACK_UNDONE,
    RUN_RECORDED,
    RUNS_DELETED,
    THREAD_DELETED,
    THREAD_PROMOTED,
    THREAD_PRUNED,
    THREAD_ROLLED_BACK,
    TOPICS,
    VALUES,
    WRITES_SAVED,
)
from projections.records.writes import Write, WritesRecord

__all__ = [
    "ALL_OF_IT",
    "ANSWER_RECORDED",
    "BRANCH_DELETED",
    "CHECKPOINT_SAVED",
    "CONTENT",
    "HEAD_SWITCHED",
    "HERE",
    "MOVES",
    "RECORDINGS",
    "ROLLBACK_UNDONE",
    "RUNS_DELETED",
    "RUN_RECORDED",
    "THREAD_DELETED",
    "THREAD_PROMOTED",
    "THREAD_PRUNED",
    "THREAD_ROLLED_BACK",
    "TOPICS",
    "VALUES",
    "WRITES_SAVED",
    "CheckpointRecord",
    "Entry",
    "Manifest",
    "MoveRecord",
    "Point",
    "TakenOver",
    "Write",
    "WritesRecord",
    "pack_channel",
    "pack_segment",
    "shown_by_fork",
    "unpack_channel",
    "unpack_segment",
]
