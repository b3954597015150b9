"""Promotion: a forked thread takes the place of another one. Both keep their streams; only the names change."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from eventstore import BadInputError, Cause, ConflictError, Decision, EventStore, NewEvent, NotFoundError
from eventstore.erasing import OpenLog
from eventstore.events import Head
from eventstore.ids import check_stream
from projections.branches.applying import Applying
from projections.outcomes import Promoted
from projections.records import THREAD_PROMOTED
from projections.records.promotions import promotion
from projections.tables import Tables


def promote(store: EventStore, tables: Tables, branch: str, over: str, keep_as: str | None, cause: Cause) -> Promoted:
    """See `Branches.promote`."""
    if branch == over:
        raise BadInputError(f"thread {branch!r} cannot take its own place")
    heads = {thread: _head(store, thread) for thread in (branch, over)}
    kept = check_stream(f"{over}~{heads[over].version}" if keep_as is None else keep_as)
    if kept in (branch, over):
        raise BadInputError(f"thread {over!r} is to be kept under another id than {kept!r}")

    def rename(log: OpenLog) -> None:
        if log.stream_id(kept) is not None:
            message = f"there is a thread {kept!r} already: use another id to keep {over!r} under"
            raise ConflictError(kept, 0, "a thread of that id", message)
        for name, new_name in ((over, kept), (branch, over)):
            log.rename(name, new_name)

    def decide(thread: str, then: Callable[[OpenLog], None], stream_id: int, head: Head) -> Decision:
        if head != heads[thread]:
            message = f"thread {thread!r} changed while this was decided: a run is writing to it; nothing was changed"
            raise ConflictError(thread, heads[thread].version, head.version, message)

        def work(log: OpenLog) -> None:
            Applying(tables.within(log), log).note(stream_id, head.version + 1, THREAD_PROMOTED)
            then(log)

        return Decision([NewEvent(THREAD_PROMOTED, promotion(branch, over, kept, was=thread), cause)], work=work)

    # They are renamed when both have their event: with the last one.
    decides = {branch: partial(decide, branch, lambda _: None), over: partial(decide, over, rename)}
    appended = store.commit_all(decides)
    return Promoted(over, branch, kept, appended[branch].last)


def _head(store: EventStore, thread: str) -> Head:
    head = store.head(thread)
    if head is None:
        raise NotFoundError(f"there is no thread {thread!r}")
    return head
