"""The audit's rows, made from the feed at each query: in batches, each in one transaction with its position."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Sequence
from functools import partial

from eventstore import CorruptionError, EventStore, forking
from eventstore.reading import FeedRow
from eventstore.recorders import Session
from projections.audit.extract import Extract, extract
from projections.audit.naming import Naming
from projections.audit.reading import stored_json
from projections.audit.searching import SPAN
from projections.audit.terms import content_terms, thread_term, topic_term
from projections.records import BRANCH_DELETED, RUNS_DELETED, THREAD_DELETED, THREAD_PRUNED
from projections.tables.audit import AuditState, AuditTable

Progress = Callable[[int, int], object]
"""Is told how far the feed was followed, and how far it goes."""

# The most events of a batch, and the most bytes of their payloads, unless it is one event.
_BATCH, _BATCH_BYTES = 1_000, 16 << 20
# How many events lose their content in one transaction.
_BLANKED = 500
# How long an event that was committed is waited for, until it has its place in the feed.
_PATIENCE_SECONDS = 10.0
# Who appends these erases the content of older events: of the thread, and of deleted ones that it read through.
_FORGETTING = frozenset({THREAD_PRUNED, RUNS_DELETED, THREAD_DELETED, BRANCH_DELETED})


class Follower(forking.Follower):
    """Follows the feed of one store.

    Args:
        store: The store.
        table: The tables.
    """

    def __init__(self, store: EventStore, table: AuditTable) -> None:
        self._store = store
        self._table = table
        # Of several threads that ask at once, one does the work of all. What other processes do is seen in the state.
        self._turn = threading.Lock()
        self.follow_forks()

    def state(self) -> AuditState:
        """How far the rows go now."""
        return self._table.state()

    def catch_up(self, progress: Progress | None = None) -> AuditState:
        """Follow the feed to where it now ends: past all that was committed before.

        Raises:
            BusyError: An older transaction of the server stays open, and what is younger has no place in the feed yet.
        """
        end = self._store.log.feed_end(patience=_PATIENCE_SECONDS)
        while (state := self.state()).position < end:
            with self._turn:
                self._step(end)
            if progress:
                progress(min(self.state().position, end), end)
        if state.position > end and state.position > self._store.log.feed_end(patience=_PATIENCE_SECONDS):
            raise CorruptionError("the audit goes further than the feed: its rows were damaged; rebuild it")
        return state

    def drop(self) -> None:
        """Drop all rows; the next query makes them anew."""

        def work(session: Session) -> None:
            table = self._table.within(session)
            table.take_turn()
            table.clear()

        self._store.recorder.write(work, repeatable=True)

    def after_fork_in_child(self) -> None:
        """See `forking.Follower`."""
        self._turn = threading.Lock()

    def _step(self, end: int) -> None:
        """Enter the next batch, unless another process does."""
        state = self.state()
        if state.position >= end:
            return
        # Read, unpacked and packed before the transaction begins, which in SQLite keeps all writers waiting.
        rows = self._store.log.feed_batch(after=state.position, upto=end, events=_BATCH, size=_BATCH_BYTES)
        # What an event of the batch erased is erased in the batch: both were committed, and read, in one. But it may
        # stand in the rows already.
        for stream_id in self._forgetful(rows):
            self._blank(stream_id, state)
        naming = Naming(self._store.log, self._table)
        extracts, renamings = naming.completed([extract(row, self._store.log) for row in rows])

        def work(session: Session) -> None:
            table = self._table.within(session)
            if table.take_turn() == state:
                _enter(table, extracts)
                for renaming in renamings:
                    renaming.carry_out(table)
                table.advance(rows[-1].position)

        self._store.recorder.write(work, repeatable=True)

    def _forgetful(self, rows: Iterable[FeedRow]) -> Sequence[int]:
        """The streams of which events may have been erased, as the rows of a batch tell."""
        found = dict.fromkeys(row.stream_id for row in rows if row.topic in _FORGETTING)
        for stream_id in tuple(found):
            found.update(dict.fromkeys(self._store.log.closed_ancestors(stream_id)))
        return [*found]

    def _blank(self, stream_id: int, state: AuditState) -> None:
        """Drop what is known of the content of a stream's events that was erased, in transactions of a bounded size."""
        after: int | None = 0
        while after is not None:
            blank = partial(self._blank_some, stream_id, after, state)
            after = self._store.recorder.write(blank, repeatable=True)

    def _blank_some(self, stream_id: int, after: int, state: AuditState, session: Session) -> int | None:
        """Blank some rows behind a position; the last one's position, if there may be more."""
        table, log = self._table.within(session), self._store.log.within(session)
        if table.take_turn() != state:
            return None  # another process goes on, and does this, too
        thread = thread_term(stream_id)
        rows = table.with_content(thread, after, state.position, _BLANKED)
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
        return rows[-1].position if len(rows) == _BLANKED else None


def _enter(table: AuditTable, batch: Sequence[Extract]) -> None:
    spans: dict[int, list[int]] = {}
    for each in batch:
        spans.setdefault(each.columns["position"] // SPAN, []).append(each.columns["recorded_at"])
    terms = {each.columns["position"]: each.terms for each in batch}
    table.add([each.columns for each in batch], terms, spans)
