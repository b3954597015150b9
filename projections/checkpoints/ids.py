"""The ids of a thread's checkpoints, in which a person's short name for one is looked up."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from eventstore import NotFoundError
from projections.checkpoints.checkpoints import Checkpoints
from projections.reading.view import View
from projections.tables import Source


@dataclass(frozen=True, slots=True)
class CheckpointId:
    """A checkpoint of a thread.

    Attributes:
        namespace: The subgraph's path, empty for the outermost graph.
        id: The checkpoint's id.
        shown: Whether the thread shows it; if not, a rollback or a switch has made it unreachable.
    """

    namespace: str
    id: str
    shown: bool


def checkpoint_ids(checkpoints: Checkpoints, thread: str) -> list[CheckpointId]:
    """All checkpoints of a thread, also unreachable ones, by namespace and id. No event is read.

    Raises:
        NotFoundError: There is no such thread.
    """
    view = checkpoints.finder.view(thread)
    if view is None:
        raise NotFoundError(f"there is no thread {thread!r}: list what there is with EventStore.streams")
    shown = {*_shown(checkpoints, view)}
    found = dict.fromkeys(_left(checkpoints, view), False) | dict.fromkeys(shown, True)
    return [CheckpointId(*key, found[key]) for key in sorted(found)]


def _shown(checkpoints: Checkpoints, view: View) -> Iterator[tuple[str, str]]:
    for source in view.sources:
        for row in checkpoints.tables.checkpoints.of_branch(source):
            if row.retired_at is None or row.retired_at > source.upto:
                yield row.namespace, row.id


def _left(checkpoints: Checkpoints, view: View) -> Iterator[tuple[str, str]]:
    """Yield the checkpoints on the branches that the thread has left, except those that were hidden there for good."""
    for branch in checkpoints.tables.branches.of_stream(view.stream_id):
        if branch.left_at is not None:
            for row in checkpoints.tables.checkpoints.of_branch(Source(branch.branch_id)):
                if row.retired_at is None:
                    yield row.namespace, row.id
