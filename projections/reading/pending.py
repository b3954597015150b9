"""A checkpoint's pending writes: what its tasks have written, before the next step applies it. Pure functions."""

from __future__ import annotations

from collections.abc import Iterable

from eventstore.tuples import NamedTuple
from projections.records import Write, WritesRecord


class PendingWrite(NamedTuple):
    """One pending write, its value still in bytes."""

    task: str
    path: str
    write: Write


def fold(events: Iterable[tuple[str, WritesRecord]]) -> list[PendingWrite]:
    """The writes that count, in the order in which a step applies them.

    A task's ordinary write counts once: saved again, the first stays. A special one (an error, an interrupt, a resume:
    those have negative indexes, LangGraph's `WRITES_IDX_MAP`) is replaced by a later one. The order is LangGraph's
    `writes_sort_key`: path, task, index.

    Args:
        events: The task and record of each `writes.saved` event, in the order of the log.
    """
    counting: dict[tuple[str, int], PendingWrite] = {}
    for task, record in events:
        for write in record.writes:
            key = (task, write.slot)
            if write.slot < 0 or key not in counting:
                counting[key] = PendingWrite(task, record.task_path, write)
    return sorted(counting.values(), key=lambda pending: (pending.path, pending.task, pending.write.slot))
