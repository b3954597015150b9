"""The recorded answers that a prune or a deletion erases: those of tasks that will not run again."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from eventstore import Cause, EventStore
from eventstore.codec.envelope import is_erased
from projections.reading.located import opened
from projections.reading.view import View
from projections.records import ANSWER_RECORDED

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
    for row in store.log.events(view.stream_id, after=after, topics=[ANSWER_RECORDED]):
        if not is_erased(row.payload):
            cause, _ = opened(store, view.thread, row.version, row.payload, bytes, ANSWER_RECORDED)
            if forgets(cause):
                yield row.version, len(row.payload)
