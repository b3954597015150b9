"""The audit's rows, made from the feed by whoever asks: in batches, each in one transaction with how far it goes."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from itertools import accumulate
from typing import Any, NamedTuple

from eventstore import BusyError, CorruptionError, EventStore, forking
from eventstore.recorders import Rows, Session
from projections.audit.extract import Extract, extract
from projections.audit.naming import Naming, Statement
from projections.audit.reading import stored_json
from projections.audit.searching import SPAN
from projections.audit.terms import content_terms, thread_term, topic_term
from projections.reading.view import END
from projections.records import BRANCH_DELETED, RUNS_DELETED, THREAD_DELETED, THREAD_PRUNED

Progress = Callable[[int, int], object]
"""Is told how far the feed was followed, and how far it goes."""

# A batch is so many events at most, and so many bytes of payloads, if it is more than one event.
_BATCH, _BATCH_BYTES = 1_000, 16 << 20
# How many events lose their content in one transaction.
_BLANKED = 500
# How long an event that was committed is waited for, until it has its place in the feed.
_PATIENCE_SECONDS, _FIRST_PAUSE_SECONDS, _LONGEST_PAUSE_SECONDS = 10.0, 0.001, 0.05
# Who appends these erases the content of older events: of the thread, and of deleted ones that it read through.
_FORGETTING = frozenset({THREAD_PRUNED, RUNS_DELETED, THREAD_DELETED, BRANCH_DELETED})


class State(NamedTuple):
    """How far the rows go, and how often they were dropped."""

    position: int
    era: int


class Follower(forking.Follower):
    """Follows the feed of one store.

    Args:
        store: The store.
        queries: The blocks of this package, and of its `audit.sql`.
    """

    def __init__(self, store: EventStore, queries: Mapping[str, str]) -> None:
        self._store = store
        self._queries = queries
        # Of several threads that ask at once, one does the work of all. What other processes do is seen in the state.
        self._turn = threading.Lock()
        self.follow_forks()

    def state(self) -> State:
        """How far the rows go now."""
        [(position, era)] = self._read("audit_state", {})
        return State(position, era)

    def catch_up(self, progress: Progress | None = None) -> State:
        """Follow the feed to where it now ends: past all that was committed before.

        Raises:
            BusyError: An older transaction of the server stays open, and what is younger has no place in the feed yet.
        """
        end = self._end()
        while (state := self.state()).position < end:
            with self._turn:
                self._step(end)
            if progress:
                progress(min(self.state().position, end), end)
        if state.position > end and state.position > self._end():
            raise CorruptionError("the audit goes further than the feed: its rows were damaged; rebuild it")
        return state

    def drop(self) -> None:
        """Drop all rows; who asks next makes them anew."""

        def work(session: Session) -> None:
            session.execute(self._queries["audit_turn"], {})
            for name in ("audit_forget_rows", "audit_forget_terms", "audit_forget_spans", "audit_begin_anew"):
                session.execute(self._queries[name], {})

        self._store.recorder.write(work, repeatable=True)

    def after_fork_in_child(self) -> None:
        """See `forking.Follower`."""
        self._turn = threading.Lock()

    def _end(self) -> int:
        """The feed's end, when all that is committed now has its place in it.

        In PostgreSQL an event gets its place when every older transaction has ended, since one that is still open might
        come before it.
        """
        youngest, deadline, pause = END, time.monotonic() + _PATIENCE_SECONDS, _FIRST_PAUSE_SECONDS
        while True:
            self._store.recorder.sequence()
            [(end, waiting)] = self._read("audit_feed_end", {"upto": youngest})
            if waiting is None:
                return int(end)
            if time.monotonic() > deadline:
                raise BusyError(
                    f"a transaction on this server has been open for more than {_PATIENCE_SECONDS:.0f} s, and what was "
                    "committed since has no place in the feed yet: find it in pg_stat_activity, end it, and try again"
                )
            youngest = min(youngest, waiting)  # what is committed from now on is not waited for
            time.sleep(pause)
            pause = min(2 * pause, _LONGEST_PAUSE_SECONDS)

    def _step(self, end: int) -> None:
        """Enter the next batch, unless another process does."""
        state = self.state()
        after = state.position
        if after >= end:
            return
        # Read, unpacked and packed before the transaction begins, which in SQLite keeps all writers waiting.
        rows = self._read("audit_feed", {"after": after, "upto": self._last_of_batch(after, end)})
        # What an event of the batch erased is erased in the batch: both were committed, and read, in one. But it may
        # stand in the rows already.
        for stream_id in self._forgetful(rows):
            self._blank(stream_id, state)
        naming = Naming(self._store, self._queries, self._store.recorder.read)
        extracts, renaming = naming.completed([extract(row, self._store.codec) for row in rows])
        batch = [*_packed(extracts), *renaming]

        def work(session: Session) -> None:
            if self._is_at(session, state):
                for name, params in batch:
                    session.execute(self._queries[name], params)
                session.execute(self._queries["audit_advance"], {"new_position": rows[-1][0]})

        self._store.recorder.write(work, repeatable=True)

    def _last_of_batch(self, after: int, end: int) -> int:
        """The position up to which the payloads behind another one are few enough, and small enough, for one batch."""
        sizes = self._read("audit_feed_sizes", {"after": after, "upto": min(after + _BATCH, end)})
        if not sizes:
            raise CorruptionError(f"the feed has nothing behind position {after}, and goes on later: verify the store")
        totals = accumulate(size for _, size in sizes)
        fitting = sum(total <= _BATCH_BYTES for total in totals)
        return int(sizes[max(fitting, 1) - 1][0])

    def _is_at(self, session: Session, state: State) -> bool:
        """Take the turn; whether nobody else went on meanwhile."""
        return session.execute(self._queries["audit_turn"], {}) == [state]

    def _forgetful(self, rows: Rows) -> Sequence[int]:
        """The streams of which events may have been erased, as the rows of a batch tell."""
        found = dict.fromkeys(stream_id for _, stream_id, _, topic, *_ in rows if topic in _FORGETTING)
        for stream_id in tuple(found):
            found.update(dict.fromkeys(each for (each,) in self._read("closed_ancestors", {"stream_id": stream_id})))
        return [*found]

    def _blank(self, stream_id: int, state: State) -> None:
        """Drop what is known of the content of a stream's events that was erased, in transactions of a bounded size."""
        after: int | None = 0
        while after is not None:
            blank = partial(self._blank_some, stream_id, after, state)
            after = self._store.recorder.write(blank, repeatable=True)

    def _blank_some(self, stream_id: int, after: int, state: State, session: Session) -> int | None:
        """Blank some rows behind a position; the last one's position, if there may be more."""
        if not self._is_at(session, state):
            return None  # another process goes on, and does this, too
        thread = thread_term(stream_id)
        params = {"term": thread, "after": after, "upto": state.position, "limit": _BLANKED}
        rows = session.execute(self._queries["audit_newly_erased"], params)
        naming = Naming(self._store, self._queries, session.execute)
        named: set[int] = set()
        for position, topic, size, run, node, channels, metadata, *checkpoint in rows:
            tasks = naming.terms_of(stream_id, *checkpoint)
            named |= tasks
            lost = tasks.union(content_terms(run, node, stored_json(list, channels), stored_json(dict, metadata)))
            dropped = self._store.recorder.list_of([*(lost - {thread, topic_term(topic)})])
            session.execute(self._queries["audit_blank"], {"position": position, "size": size})
            session.execute(self._queries["audit_drop_terms"], {"position": position, "terms": dropped})
        for name, bound in naming.without(named):
            session.execute(self._queries[name], bound)
        return int(rows[-1][0]) if len(rows) == _BLANKED else None

    def _read(self, query: str, params: Mapping[str, Any]) -> Rows:
        return self._store.recorder.read(self._queries[query], params)


def _packed(batch: Sequence[Extract]) -> list[Statement]:
    """The statements that enter a batch: one for each table."""
    spans: dict[int, list[int]] = {}
    for each in batch:
        spans.setdefault(each.columns["position"] // SPAN, []).append(each.columns["recorded_at"])
    return [
        ("audit_add_rows", {"rows": _json([each.columns for each in batch])}),
        ("audit_add_terms", {"terms": _json({each.columns["position"]: each.terms for each in batch})}),
        (
            "audit_add_spans",
            {
                "spans": _json(
                    [{"span": span, "earliest": min(times), "latest": max(times)} for span, times in spans.items()]
                )
            },
        ),
    ]


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
