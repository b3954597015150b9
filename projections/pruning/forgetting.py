"""Carrying out prunes and deletions, of threads, runs, branches and old checkpoints."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence

from eventstore import Cause, Decision, ErasedError, EventStore, NewEvent, OvertakenError
from eventstore.erasing import OpenLog
from eventstore.events import Head
from eventstore.recorders import Session
from projections.branches.applying import Applying
from projections.outcomes import PruneReport
from projections.pruning.remembering import remembered
from projections.pruning.retention import Plan, Planner
from projections.reading.finding import Finder
from projections.reading.view import View
from projections.records import BRANCH_DELETED, CONTENT, RUNS_DELETED, THREAD_DELETED, THREAD_PRUNED
from projections.records.prunes import PruneRecord
from projections.tables import Source, Tables
from projections.values.live import LiveValues

_PlanFunction = Callable[[View, int], Plan]
"""Takes a thread's view, and the version up to which forks need it; returns what to hide and to erase."""


class Forgetter:
    """Carries out what `Planner` plans: each thread in one transaction, on the head that the plan was made on.

    Args:
        store: The store.
        tables: The tables.
        finder: Finds checkpoints.
        live: The values of live threads, some of which are not there any more.
    """

    def __init__(self, store: EventStore, tables: Tables, finder: Finder, live: LiveValues) -> None:
        self._store = store
        self._tables = tables
        self._finder = finder
        self._live = live
        self._planner = Planner(store, tables, finder)

    def keep_latest(self, thread: str, cause: Cause | None, *, dry_run: bool = False) -> PruneReport:
        """Keep each namespace's latest checkpoint, and what it needs; see `Checkpoints.prune`."""
        return self._carry_out(thread, THREAD_PRUNED, cause, self._planner.keep_latest, dry_run=dry_run)

    def delete(
        self, thread: str, cause: Cause | None, *, dry_run: bool = False, leaving_mark: bool = False
    ) -> PruneReport:
        """Delete a thread; see `Checkpoints.delete`."""
        report = self._report_of_delete(thread)
        if dry_run or (report is None and (not leaving_mark or self._store.log.was_given_up(thread))):
            return report or PruneReport()

        def decide(stream_id: int, _: Head) -> Decision:
            self._live.discard(stream_id)

            def work(log: OpenLog) -> None:
                tables = self._tables.within(log)
                log.lock_family(stream_id)
                log.close(stream_id)
                # The thread itself, and deleted ancestors that only this fork kept alive.
                for closed in [stream_id, *log.closed_ancestors(stream_id)]:
                    pinned = log.pinned_upto(closed)
                    Applying(tables, log).delete(closed, pinned)
                    log.erase_after(closed, pinned, CONTENT)

            return Decision([NewEvent(THREAD_DELETED, b"", cause or Cause())], work=work)

        self._store.commit(thread, decide)
        return report or PruneReport()

    def delete_runs(self, runs: Sequence[str], cause: Cause | None) -> PruneReport:
        """Delete the checkpoints of some runs; see `Checkpoints.delete_runs`."""
        total = PruneReport()
        done: set[int] = set()
        # Until nothing new is found: a thread may be renamed meanwhile.
        while found := {
            stream_id: (name, closed)
            for stream_id, name, closed in self._tables.checkpoints.streams_of_runs([*runs])
            if stream_id not in done
        }:
            for stream_id, (name, closed) in found.items():
                if closed:
                    self._hide_runs_of_deleted(stream_id, runs, cause)
                else:
                    total += self._carry_out(
                        name, RUNS_DELETED, cause, lambda view, pinned: self._planner.without_runs(view, runs, pinned)
                    )
                view = self._finder.view(name)
                if closed or view is None or view.stream_id == stream_id:
                    done.add(stream_id)
        return total

    def delete_branch(self, thread: str, checkpoints: Collection[str], cause: Cause | None) -> PruneReport:
        """Delete some checkpoints of a thread; see `Checkpoints.delete_branch`."""
        return self._carry_out(
            thread, BRANCH_DELETED, cause, lambda view, pinned: self._planner.without(view, checkpoints, pinned)
        )

    def _carry_out(
        self, thread: str, topic: str, cause: Cause | None, plan: _PlanFunction, *, dry_run: bool = False
    ) -> PruneReport:
        """Carry out a plan, which is made on the thread's head and made anew if the thread moves on."""
        if self._store.head(thread) is None:
            return PruneReport()

        def decide(stream_id: int, head: Head) -> Decision:
            view = self._finder.view(thread)
            if view is None:  # it was deleted meanwhile
                return Decision((), result=PruneReport())
            pinned = self._store.log.pinned_upto(stream_id)
            try:
                planned = plan(view, pinned)
            except ErasedError as error:  # another process prunes or deletes, too: what was read of it is stale
                raise OvertakenError from error
            if dry_run or not planned.report.threads:
                return Decision((), result=planned.report)
            record = planned.record
            if topic == THREAD_PRUNED:  # what a deletion takes away is not remembered
                record = record._replace(remembered=remembered(self._store, stream_id, planned.erase))
            self._live.discard(stream_id)

            def work(log: OpenLog) -> None:
                # A fork that begins right now either is counted in `pinned`, or waits and then sees the pruned thread.
                tables = self._tables.within(log)
                log.lock_family(stream_id)
                if log.pinned_upto(stream_id) != pinned:
                    raise OvertakenError
                # What is remembered of the latest checkpoint leads to its values: they may be gone with it.
                log.begin_epoch(stream_id)
                Applying(tables, log).prune(stream_id, head.version + 1, topic, record)
                log.erase(stream_id, planned.erase)
                # Nothing of it may be left in what it was merged into, and nothing may lead to it.
                tables.segments.drop(stream_id, planned.erase)
                tables.writes.drop_at(stream_id, planned.erase)

            event = NewEvent(topic, record.pack(), cause or Cause())
            return Decision([event], work=work, result=planned.report)

        report: PruneReport = self._store.commit(thread, decide).result
        return report

    def _report_of_delete(self, thread: str) -> PruneReport | None:
        view = self._finder.view(thread)
        if view is None or self._store.head(thread) is None:
            return None
        return self._planner.all_of(view, self._store.log.pinned_upto(view.stream_id))

    def _hide_runs_of_deleted(self, stream_id: int, runs: Sequence[str], cause: Cause | None) -> None:
        """Forks still show what a deleted thread had. Its rows are hidden from them; their content stays, as theirs."""
        rows = [
            row
            for branch in self._tables.branches.of_stream(stream_id)
            for row in self._tables.checkpoints.of_branch(Source(branch.branch_id))
        ]
        deleted = set(runs)
        hidden = [(row.namespace, row.id) for row in rows if row.run in deleted and row.retired_at != 0]
        if not hidden:
            return
        record = PruneRecord(dropped=hidden, replayed_through=hidden, runs=list(runs))

        def work(session: Session, version: int) -> None:
            rows = Applying(self._tables.within(session), self._store.log.within(session))
            rows.prune(stream_id, version, RUNS_DELETED, record)

        self._store.append_to_closed(stream_id, NewEvent(RUNS_DELETED, record.pack(), cause or Cause()), work)
