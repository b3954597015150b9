"""The audit's rows, as a projection that follows the feed."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import partial

from eventstore import EventStore
from eventstore.erasing import OpenLog
from eventstore.reading import FeedRow, LogReader
from projections.audit.extract import Extract, extract
from projections.audit.naming import Naming
from projections.audit.reading import stored_json
from projections.audit.terms import content_terms, thread_term, topic_term
from projections.projection import BATCH_EVENTS, Turn, Work
from projections.records import BRANCH_DELETED, RUNS_DELETED, THREAD_DELETED, THREAD_PRUNED
from projections.tables.audit import AuditTable

# Who appends these erases the content of older events: of the thread, and of deleted ones that it read through.
_FORGETTING = frozenset({THREAD_PRUNED, RUNS_DELETED, THREAD_DELETED, BRANCH_DELETED})


class AuditRows:
    """The audit as a projection, which follows the feed: see `projections.projection.Projection`.

    Args:
        store: The store.
        table: The tables.
        events: How many events lose their content in one transaction, at most.
    """

    name = "audit"
    tables = ("audit", "audit_terms", "audit_names", "audit_spans")
    inline = False
    step = BATCH_EVENTS

    def __init__(self, store: EventStore, table: AuditTable, *, events: int = BATCH_EVENTS) -> None:
        self._store = store
        self._table = table
        self._events = events

    def prepare(self, events: Sequence[FeedRow]) -> Work:
        """See `Projection.prepare`."""
        naming = Naming(self._store.log, self._table)
        extracts, renamings = naming.completed([extract(row, self._store.log) for row in events])

        def enter(log: OpenLog) -> None:
            table = self._table.within(log)
            _enter(table, extracts)
            for renaming in renamings:
                renaming.carry_out(table)

        return enter

    def clear(self, log: OpenLog) -> None:
        """See `Projection.clear`."""
        self._table.within(log).clear()

    def forget(self, events: Sequence[FeedRow], turn: Turn) -> None:
        """See `Forgetting.forget`."""
        # What an event of the batch erased is erased in the batch: both were committed, and read, in one. But it may
        # stand in the rows already.
        forget_erased(self._store.log, events, turn, self._blank)

    def _blank(self, stream_id: int, after: int, upto: int, log: OpenLog) -> int | None:
        """Drop what is known of the content of some of a stream's events that was erased.

        Args:
            stream_id: The stream.
            after: The position that they follow.
            upto: The last position that was entered.
            log: The open transaction.

        Returns:
            The last one's position, if there may be more.
        """
        table = self._table.within(log)
        thread = thread_term(stream_id)
        rows = table.with_content(thread, after, upto, self._events)
        erased = {event.version: event.size for event in log.erased_among(stream_id, [row.version for row in rows])}
        naming = Naming(log, table)
        named: set[int] = set()
        for row in rows:
            if row.version in erased:
                tasks = naming.terms_of(stream_id, row.namespace, row.checkpoint)
                named |= tasks
                channels, metadata = stored_json(list, row.channels), stored_json(dict, row.metadata)
                lost = tasks.union(content_terms(row.run, row.node, channels, metadata))
                table.blank(row.position, erased[row.version], lost - {thread, topic_term(row.topic)})
        for renaming in naming.without(named):
            renaming.carry_out(table)
        return rows[-1].position if len(rows) == self._events else None


def forget_erased(
    log: LogReader, events: Iterable[FeedRow], turn: Turn, drop: Callable[[int, int, int, OpenLog], int | None]
) -> None:
    """Drop what rows tell of content that was erased, in transactions of a bounded size: see `Forgetting.forget`.

    Args:
        log: The log.
        events: The rows of a batch, which tell of the streams of which events may have been erased.
        turn: Runs the transactions.
        drop: Drops what is known of some events of a stream: of those that follow a position, up to the last one that
            was entered, in an open transaction. It returns the position of the last, if there may be more.
    """
    streams = dict.fromkeys(row.stream_id for row in events if row.topic in _FORGETTING)
    for stream_id in tuple(streams):
        streams.update(dict.fromkeys(log.closed_ancestors(stream_id)))
    for stream_id in streams:
        after: int | None = 0
        while after is not None:
            after = turn.run(partial(drop, stream_id, after, turn.state.position))


def _enter(table: AuditTable, batch: Sequence[Extract]) -> None:
    spans: dict[int, list[int]] = {}
    for each in batch:
        spans.setdefault(each.columns["position"] // table.span, []).append(each.columns["recorded_at"])
    terms = {each.columns["position"]: each.terms for each in batch}
    names = [
        {"stream_id": each.columns["stream_id"], "version": each.columns["version"], "name": each.was}
        for each in batch
        if each.was is not None
    ]
    table.add([each.columns for each in batch], terms, spans, names)
