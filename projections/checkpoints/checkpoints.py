"""The checkpoints of threads, as a projection of the log: saved with it in one transaction, rebuilt from it at will."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import suppress
from datetime import datetime
from functools import cached_property
from typing import TYPE_CHECKING, Literal

from eventstore import Cause, EventStore, OvertakenError, StorageError
from eventstore.arguments import check_callable, check_kind, checked, checks_itself, hold_to, refused
from eventstore.events import Appended
from eventstore.recorders import Session
from eventstore.workers import Workers, twin
from projections.before import Before
from projections.causes import caused
from projections.checkpoints.options import CACHE_BYTES, check_options
from projections.checkpoints.preparing import Prepared, check_prepared, prepare_checkpoint, prepare_writes
from projections.checkpoints.saving import Saver
from projections.model import ChannelHistory, NewCheckpoint, NewWrites, SavedCheckpoint
from projections.reading.absent import check_all_there
from projections.reading.finding import Finder
from projections.reading.loading import Loader, Matching
from projections.records import ALL_OF_IT, Point
from projections.tables import Tables
from projections.values.live import LiveValues
from projections.values.merging import SnapshotPolicy
from projections.values.serializer import Serializer

# Savers of programs that only go on start without what moves, forgets and rebuilds.
# ruff: noqa: PLC0415
if TYPE_CHECKING:
    from projections.branches.moving import Mover
    from projections.checkpoints.segments import SegmentRows
    from projections.outcomes import Moved, PruneReport
    from projections.pruning.forgetting import Forgetter

Strategy = Literal["keep_latest", "delete"]

hold_to("Matching", check_callable)


@checked
class Checkpoints:
    """Saves, reads, copies, prunes and deletes the checkpoints of threads.

    A thread is a stream of the store; a checkpoint is an event in it. Reads see one's own writes at once. Values go
    through the serializer that is passed with each call.

    Args:
        store: An open store.
        migrate: Whether this package's tables may be created and updated; if not, they are only verified.
        cache_bytes: How much memory the values of live threads may take, so that their next step costs what changes.
        snapshots: When more is stored than what changed, so that reading stays cheap.

    Attributes:
        store: The store.
        tables: For other projections of this package: the tables.
        finder: Likewise: finds checkpoints, without their values.
        loader: Likewise: reads what checkpoints consist of.
        snapshots, live: Likewise: when more is stored than what changed; the values of live threads.
    """

    def __init__(
        self,
        store: EventStore,
        *,
        migrate: bool = True,
        cache_bytes: int = CACHE_BYTES,
        snapshots: SnapshotPolicy | None = None,
    ) -> None:
        check_kind(EventStore)("store", store)
        check_options(migrate=migrate, cache_bytes=cache_bytes, snapshots=snapshots)
        self.store = store
        self.live = LiveValues(cache_bytes)
        store.recorder.migrate("projections", allowed=migrate)
        self.tables = Tables.of(store)
        self.finder = Finder(store, self.tables)
        self.loader = Loader(store, self.tables, self.finder, self.live)
        self.snapshots = snapshots or SnapshotPolicy()
        self._saver = Saver(store, self.tables, self.finder, self.live, self.snapshots)

    def __repr__(self) -> str:
        return f"Checkpoints({self.store!r})"

    @property
    def workers(self) -> Workers:
        """The threads of the store, which carry out async calls."""
        return self.store.workers

    @cached_property
    def mover(self) -> Mover:
        """For other projections of this package: moves threads."""
        from projections.branches.moving import Mover

        return Mover(self.store, self.tables, self.finder)

    @checks_itself
    def save(self, checkpoint: NewCheckpoint, serializer: Serializer) -> None:
        """Save a checkpoint; one that is saved again replaces the first.

        Raises:
            BadInputError: A part of it is of another type than it has to be; nothing was stored.
            UnserializableError: A value cannot be stored; nothing of this call was.
        """
        self._saver.save([prepare_checkpoint(checkpoint, serializer)])

    @checks_itself
    def save_writes(self, writes: NewWrites, serializer: Serializer) -> None:
        """Save what a task wrote. A task's write is kept once; special ones (negative slot) are replaced.

        Raises:
            BadInputError: A part of it is of another type than it has to be; nothing was stored.
            UnserializableError: A value cannot be stored; nothing of this call was.
        """
        self._saver.save([prepare_writes(writes, serializer)])

    def save_prepared(self, items: Sequence[Prepared], *, check: Callable[[], None] | None = None) -> None:
        """Save checkpoints and writes of one thread whose values are in bytes already, all of them or none.

        Args:
            items: What `prepare_checkpoint` and `prepare_writes` gave, in the order in which it is to be recorded.
            check: Is called when the thread's head is known, and again if the thread moves on before the append. If it
                raises, typically a `ConflictError`, nothing is stored.
        """
        check_prepared(items)
        self._saver.save(items, check)

    def get(
        self, thread: str, serializer: Serializer, *, namespace: str = "", checkpoint: str | None = None
    ) -> SavedCheckpoint | None:
        """A checkpoint by its id, or the latest of a namespace: the one with the greatest id."""
        return self.loader.get(thread, namespace, checkpoint, serializer)

    def latest_id(self, thread: str, *, namespace: str = "") -> str | None:
        """The id of the latest checkpoint of a namespace."""
        view = self.finder.view(thread)
        return self.finder.latest_id(view, namespace) if view else None

    def exists(self, thread: str, checkpoint: str, *, namespace: str = "") -> bool:
        """Return whether a thread shows a checkpoint of that id."""
        return self.finder.find(thread, namespace, checkpoint) is not None

    def list(
        self,
        serializer: Serializer,
        *,
        thread: str | None = None,
        namespace: str | None = None,
        before: str | None = None,
        matching: Matching = lambda _: True,
        down_to: str = "",
    ) -> Iterator[SavedCheckpoint]:
        """Checkpoints, the latest first, read in pages while they are consumed.

        Args:
            serializer: Turns bytes into values.
            thread: Of which thread; `None`: of all.
            namespace: The namespace of the thread; `None`: all of them.
            before: Only those whose id is smaller.
            matching: Only those whose metadata it accepts; the values of others are not read.
            down_to: Of all threads: none whose id is smaller.
        """
        if thread is None:
            return self.loader.list_store(before, matching, serializer, down_to)
        return self.loader.list_thread(thread, namespace, before, matching, serializer)

    def history(
        self,
        thread: str,
        channels: Sequence[str],
        serializer: Serializer,
        *,
        namespace: str = "",
        checkpoint: str | None = None,
    ) -> dict[str, ChannelHistory]:
        """Return the history that each channel is replayed from, for channels of which only the writes are stored."""
        return self.loader.history(thread, namespace, checkpoint, channels, serializer)

    def copy(self, source: str, target: str, *, cause: Cause | None = None) -> Appended:
        """Let `target` begin with all that `source` has now. It is a fork: nothing is copied, whatever the length.

        Raises:
            NotFoundError: There is no such source.
            ConflictError: The target exists.
        """

        def show(session: Session, stream_id: int, parent_id: int, version: int) -> None:
            from projections.branches.applying import Applying

            # What was deleted since may be all that the fork would show.
            tables = self.tables.within(session)
            if tables.reflog.has_moved(parent_id, after=version):
                raise OvertakenError
            Applying(tables, self.store.log.within(session)).fork(stream_id, parent_id, version + 1, Point(version))

        cause = cause or Cause()
        view = self.finder.view(source)
        metadata = self.finder.described(view, cause.metadata) if view else None
        return self.store.fork(source, target, cause=cause, metadata=metadata, shows=ALL_OF_IT, work=show)

    def rollback(  # noqa: PLR0913 (one of four ways to say where to, and why)
        self,
        thread: str,
        *,
        to: Before | str | None = None,
        step: int | None = None,
        time: datetime | None = None,
        back: int | None = None,
        namespace: str | None = None,
        reason: str | None = None,
        cause: Cause | None = None,
        expected_version: int | None = None,
    ) -> Moved:
        """Put a thread back to where it was when a checkpoint was saved: in all namespaces, with what was pending then.

        What came later is shown no longer, and stays in the log: `undo` brings it back. It costs the same for any
        length. If the thread is there already, nothing is recorded. A run that is under way fails at its next
        checkpoint, with a `ConflictError`.

        Args:
            thread: The thread.
            to: The id of the checkpoint, or a `Before`; or, instead:
            step: Its step, on the way that led to the latest checkpoint;
            time: The latest one on that way that was saved by then (a naive time is UTC);
            back: How many checkpoints back on that way; 0: the latest itself, without what was written since.
            namespace: The checkpoint's namespace; `None`: the one that `to` is of, or else the outermost.
            reason: Why, in words; it is recorded with the event.
            cause: Who does it, and anything else to record.
            expected_version: The version that the thread's stream must be at; `None`: where it is now.

        Raises:
            NotFoundError: The thread shows no such checkpoint.
            ConflictError: The thread moved on meanwhile; nothing was changed.
        """
        from projections.branches.moving import Target

        target = Target(to, step, time, back)
        namespace = self.finder.namespace_of(thread, to) if namespace is None else namespace
        return self.mover.rollback(thread, target, namespace, caused(cause, reason), expected_version)

    def undo(
        self,
        thread: str,
        *,
        reason: str | None = None,
        cause: Cause | None = None,
        expected_version: int | None = None,
    ) -> Moved:
        """Undo the last rollback or switch that was not undone: the thread is again as it was before, exactly.

        What was saved since becomes unreachable, as by a rollback: `Branches.switch` leads there.

        Args:
            thread: The thread.
            reason: Why, in words.
            cause: Who does it, and anything else to record.
            expected_version: The version that the thread's stream must be at; `None`: where it is now.

        Raises:
            NotFoundError: There is nothing to undo; after a prune there is nothing left that could come back.
            ConflictError: The thread moved on meanwhile; nothing was changed.
        """
        return self.mover.undo(thread, caused(cause, reason), expected_version)

    arollback = twin(rollback)
    aundo = twin(undo)

    def delete(
        self, thread: str, *, cause: Cause | None = None, missing_ok: bool = False, leaving_mark: bool = False
    ) -> PruneReport:
        """Delete a thread, and erase the content of its events. A thread of the same id begins anew.

        What living forks share with it stays theirs. SQLite's write-ahead log is emptied: `EventStore.purge`.

        Args:
            thread: The thread.
            cause: Who does it.
            missing_ok: Whether it may be gone already.
            leaving_mark: Whether it is recorded also of a thread that was never here: none of the id comes in then.

        Raises:
            NotFoundError: There is no such thread, and `missing_ok` is false.
        """
        self._check_there([thread], missing_ok=missing_ok)
        report = self._forgetter.delete(thread, cause, leaving_mark=leaving_mark)
        self._purge()
        return report

    def delete_runs(self, runs: Sequence[str], *, cause: Cause | None = None, missing_ok: bool = False) -> PruneReport:
        """Delete the checkpoints that some runs saved, in all threads and in the forks that share them.

        What a `DeltaChannel` of a remaining checkpoint replays through stays underneath. Each thread is a transaction:
        if it is cut off in between, the same call made again finishes it.

        Raises:
            NotFoundError: A run has saved nothing that is there, and `missing_ok` is false; nothing was deleted.
        """
        if not missing_ok:
            saved = self.tables.checkpoints.streams_of_runs
            check_all_there("run", [run for run in dict.fromkeys(runs) if not saved([run])])
        report = self._forgetter.delete_runs(runs, cause)
        self._purge()
        return report

    def delete_branch(self, thread: str, checkpoints: Collection[str], *, cause: Cause | None = None) -> PruneReport:
        """Delete some of a thread's checkpoints, and what subgraphs saved under them. See `Branches.delete`.

        Raises:
            ConflictError: A fork shares one of them.
        """
        report = self._forgetter.delete_branch(thread, checkpoints, cause)
        self._purge()
        return report

    def prune(
        self,
        threads: Sequence[str],
        *,
        strategy: Strategy = "keep_latest",
        dry_run: bool = False,
        cause: Cause | None = None,
        missing_ok: bool = False,
    ) -> PruneReport:
        """Prune old checkpoints; the runs of the threads go on exactly as they would have.

        Each thread is one transaction: if it is cut off in between, the same call made again finishes it.

        Args:
            threads: The threads' ids.
            strategy: `"keep_latest"`: keep each namespace's latest checkpoint with its pending writes, and underneath
                what its DeltaChannels and living forks need. `"delete"`: delete the threads.
            dry_run: Change nothing, only report.
            cause: Why.
            missing_ok: Whether threads that are not there are passed over.

        Raises:
            NotFoundError: Some of the threads are not there; nothing was pruned.
        """
        from projections.outcomes import PruneReport

        if strategy not in ("keep_latest", "delete"):
            raise refused("strategy", strategy, "use 'keep_latest' or 'delete'")
        self._check_there(threads, missing_ok=missing_ok)
        total = PruneReport()
        for thread in threads:
            if strategy == "keep_latest":
                total += self._forgetter.keep_latest(thread, cause, dry_run=dry_run)
            else:
                total += self._forgetter.delete(thread, cause, dry_run=dry_run)
        if not dry_run:
            self._purge()
        return total

    def _purge(self) -> None:
        # What was deleted is deleted, whatever becomes of this: `EventStore.purge` can be called again, and tells.
        with suppress(StorageError):
            self.store.purge()

    def _check_there(self, threads: Sequence[str], *, missing_ok: bool) -> None:
        if not missing_ok:
            check_all_there("thread", [each for each in dict.fromkeys(threads) if self.finder.view(each) is None])

    def rebuild(self) -> None:
        """Drop all rows of this projection and make them anew from the log. No read is different afterwards."""
        from projections.checkpoints.rows import CheckpointRows
        from projections.projection import rebuild

        self._saver.discard()
        rebuild(self.store, CheckpointRows(self.store, self.tables))
        self.rebuild_segments()

    def rebuild_segments(self) -> None:
        """Drop the merged changes that values are read from, and make them anew from the log."""
        from projections.projection import rebuild

        rebuild(self.store, self._segments)

    def drop_segments(self) -> None:
        """Drop the merged changes that values are read from. Every read is as before, from more rows."""
        from projections.projection import drop

        drop(self.store, self._segments)

    def drop_cache(self) -> None:
        """Discard the live values. The next step of each thread reads what it builds upon; nothing else changes."""
        self._saver.discard()

    @cached_property
    def _forgetter(self) -> Forgetter:
        from projections.pruning.forgetting import Forgetter

        return Forgetter(self.store, self.tables, self.finder, self.live)

    @property
    def _segments(self) -> SegmentRows:
        from projections.checkpoints.segments import SegmentRows

        return SegmentRows(self.store, self.tables, self.snapshots)
