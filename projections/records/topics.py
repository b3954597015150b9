"""The topics of the events of a thread."""

from __future__ import annotations

from eventstore.writing import FORKED

CHECKPOINT_SAVED = "checkpoint.saved"
WRITES_SAVED = "writes.saved"
ANSWER_RECORDED = "answer.recorded"
RUN_RECORDED = "run.recorded"
THREAD_PRUNED = "thread.pruned"
THREAD_DELETED = "thread.deleted"
RUNS_DELETED = "runs.deleted"
BRANCH_DELETED = "branch.deleted"
THREAD_PROMOTED = "thread.promoted"
THREAD_ROLLED_BACK = "thread.rolled_back"
HEAD_SWITCHED = "head.switched"
ROLLBACK_UNDONE = "rollback.undone"
MOVES = frozenset({THREAD_ROLLED_BACK, HEAD_SWITCHED, ROLLBACK_UNDONE})
"""The topics of events that put a thread on another branch."""
VALUES = (CHECKPOINT_SAVED, WRITES_SAVED)
"""The topics of events that hold values of channels."""
RECORDINGS = (ANSWER_RECORDED, RUN_RECORDED)
"""The topics of events that a recording adds: what tasks were answered, and what runs began with."""
CONTENT = (*VALUES, *RECORDINGS)
"""The topics of events that hold values or answers: their content can be erased."""
TOPICS = MOVES | {
    CHECKPOINT_SAVED,
    WRITES_SAVED,
    ANSWER_RECORDED,
    RUN_RECORDED,
    THREAD_PRUNED,
    THREAD_DELETED,
    RUNS_DELETED,
    BRANCH_DELETED,
    THREAD_PROMOTED,
    FORKED,
}
"""All topics that a thread's events can have; the last one is the log's own."""
