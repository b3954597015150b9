"""The recorded answers and runs that a prune or a deletion erases: those of checkpoints that will not run again."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from eventstore import Cause, EventStore
from eventstore.codec.envelope import is_erased
from projections.reading.located import opened
from projections.reading.view import View
from projections.records import RECORDINGS

Forgets = Callable[[Cause], bool]
"""Tells, by the cause of an answer's event, whether its content goes."""


def answers_to_erase(store: EventStore, view: View, after: int, forgets: Forgets) -> Iterator[tuple[int, int]]:
    """Yield the version and the bytes of each answer of a thread whose content goes.

    Args:
        store: The store.
        view: The thread.
        after: The version that they follow: forks need what comes before.
        forgets: Tells which go.
    """
    for row in store.log.events(view.stream_id, after=after, topics=RECORDINGS):
        if not is_erased(row.payload):
            cause, _ = opened(store, view.thread, row.version, row.payload, bytes, row.topic)
            if forgets(cause):
                yield row.version, len(row.payload)
