"""A fork of a thread at one of its checkpoints.

TODO(core): replace by `projections.Branches(checkpoints).fork(source, target, at=checkpoint)`, and delete this module.
"""

from __future__ import annotations

from eventstore import Cause, NotFoundError
from eventstore.recorders import Session
from projections import Checkpoints, SavedCheckpoint
from projections._applying import apply_fork


def fork_at(checkpoints: Checkpoints, at: SavedCheckpoint, target: str, cause: Cause) -> None:
    """Let `target` begin as the thread was when it saved a checkpoint.

    Raises:
        NotFoundError: The thread, or the checkpoint, was deleted.
        ConflictError: The target exists.
    """

    def show(session: Session, stream_id: int, parent_id: int, version: int) -> None:
        apply_fork(session, checkpoints._queries, stream_id, parent_id, version)

    checkpoints.store.fork(at.thread, target, at=at.version, cause=cause, work=show)
    if not checkpoints.exists(target, at.id):
        checkpoints.delete(target)
        raise NotFoundError(f"thread {at.thread!r} has forgotten what was before checkpoint {at.id!r}: use a later one")
