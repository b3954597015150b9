"""Threads that come from elsewhere: any number of checkpoints and writes at once, all of them or none."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from projections.checkpoints.checkpoints import Checkpoints
from projections.checkpoints.preparing import Prepared
from projections.checkpoints.saving import Saver
from projections.values.live import LiveValues


def save_all(
    checkpoints: Checkpoints,
    thread: str,
    items: Callable[[], Iterable[Prepared]],
    *,
    expected_version: int,
    metadata: Mapping[str, Any],
    again: bool = False,
) -> int:
    """Save checkpoints and writes of one thread in one transaction.

    They are made one after the other. What is kept of them until all are stored is what changed in each, and of each
    channel the last value.

    Args:
        checkpoints: Where they are saved.
        thread: The thread.
        items: Makes what `prepare_checkpoint` and `prepare_writes` give, parents before their children. It is called
            again if the append has to be decided anew.
        expected_version: The version that the thread's stream must be at; 0: there must be no such thread.
        metadata: What the thread can be searched by, if it is new.
        again: Whether the id may be that of a thread which was deleted, or has another id now.

    Returns:
        The version that the thread's stream is at then.

    Raises:
        ConflictError: The thread is not at `expected_version`, or its id was given up; nothing was stored.
    """
    # With no live values: those of running threads stay where they are.
    saver = Saver(checkpoints.store, checkpoints.tables, checkpoints.finder, LiveValues(0), checkpoints.snapshots)
    return saver.save_all(thread, items, expected_version, metadata, again=again)
