"""The methods of a saver that copy threads and forget them: LangGraph's, with who does it, and why."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal

from langgraph.checkpoint.base import BaseCheckpointSaver

from langgraph.checkpoint.eventstore import _config
from langgraph.checkpoint.eventstore._arguments import cause_of
from langgraph.checkpoint.eventstore._given import several
from langgraph.checkpoint.eventstore._opening import Arriving
from projections.causes import caused

if TYPE_CHECKING:
    from projections import PruneReport

By = Mapping[str, Any] | None


class Forgetting(BaseCheckpointSaver[Any], Arriving):
    """Copies threads, and forgets them.

    `by` names the person who does it, and `reason` says why: both are recorded, and found by the audit. LangGraph
    passes over what is not there; with `missing_ok=False` it is an error that names all of it, and nothing is done.
    """

    def delete_thread(
        self, thread_id: str, *, by: By = None, reason: str | None = None, missing_ok: bool = True
    ) -> None:
        """Delete a thread. What threads that were copied from it share with it stays theirs.

        Args:
            thread_id: The thread.
            by: Who does it, as a mapping.
            reason: Why, in words.
            missing_ok: Whether it may be gone already.

        Raises:
            NotFoundError: It is not there, and `missing_ok` is false.
        """
        thread, cause = _config.thread_id(thread_id), caused(cause_of(by), reason)
        waits = self._arrivals is not None and self._arrivals.is_waiting(thread)
        self.checkpoints.delete(thread, cause=cause, missing_ok=missing_ok or waits, leaving_mark=waits)

    def delete_for_runs(
        self, run_ids: Sequence[str], *, by: By = None, reason: str | None = None, missing_ok: bool = True
    ) -> None:
        """Delete the checkpoints that some runs saved, in all threads. `DeltaChannel`s of later ones stay whole.

        It is whole within each thread. If it is cut off in between, the same call made again finishes it.

        Args:
            run_ids: The runs.
            by: Who does it, as a mapping.
            reason: Why, in words.
            missing_ok: Whether some may have saved nothing, or be gone already.

        Raises:
            NotFoundError: Some are not there, and `missing_ok` is false; nothing was deleted.
        """
        runs = [_config.run(run) for run in several("run_ids", run_ids)]
        if self._arrivals:
            self._arrivals.bring_in_runs(runs)
        self.checkpoints.delete_runs(runs, cause=caused(cause_of(by), reason), missing_ok=missing_ok)

    def copy_thread(
        self, source_thread_id: str, target_thread_id: str, *, by: By = None, reason: str | None = None
    ) -> None:
        """Let a new thread begin with all that another one has: a fork, which costs a few rows whatever the length.

        Args:
            source_thread_id: The thread.
            target_thread_id: The new one.
            by: Who does it, as a mapping.
            reason: Why, in words.

        Raises:
            NotFoundError: There is no such source.
            ConflictError: The target exists.
        """
        source, target = _config.thread_id(source_thread_id), _config.thread_id(target_thread_id)
        self.bring_in(source, target)
        self.checkpoints.copy(source, target, cause=caused(cause_of(by), reason, copied_from=source))

    def prune(  # type: ignore[override]  # the base returns nothing; a report is more
        self,
        thread_ids: Sequence[str],
        *,
        strategy: Literal["keep_latest", "delete"] = "keep_latest",
        dry_run: bool = False,
        by: By = None,
        reason: str | None = None,
        missing_ok: bool = True,
    ) -> PruneReport:
        """Forget the past of some threads. Their runs go on exactly as they would have.

        It is whole within each thread. If it is cut off in between, the same call made again finishes it.

        Args:
            thread_ids: The threads.
            strategy: `"keep_latest"`: keep the latest checkpoint of each namespace, with its pending writes, and what
                a `DeltaChannel` replays. `"delete"`: delete the threads.
            dry_run: Only tell what would go.
            by: Who does it, as a mapping.
            reason: Why, in words.
            missing_ok: Whether some may not be there.

        Returns:
            How many checkpoints went, and how many stored bytes were given back.

        Raises:
            NotFoundError: Some are not there, and `missing_ok` is false; nothing was pruned.
        """
        threads = [_config.thread_id(thread) for thread in several("thread_ids", thread_ids)]
        cause = caused(cause_of(by), reason)
        # What is to be deleted need not come in first; perhaps it cannot.
        deletes = strategy == "delete" and not dry_run
        elsewhere = [each for each in threads if self._arrivals.is_waiting(each)] if self._arrivals and deletes else []
        threads = [each for each in threads if each not in elsewhere]
        self.bring_in(*threads)
        report = self.checkpoints.prune(threads, strategy=strategy, dry_run=dry_run, cause=cause, missing_ok=missing_ok)
        for each in elsewhere:
            report += self.checkpoints.delete(each, cause=cause, missing_ok=True, leaving_mark=True)
        return report

    # By hand: an attribute would have the type of LangGraph's own, which takes less.

    async def adelete_thread(
        self, thread_id: str, *, by: By = None, reason: str | None = None, missing_ok: bool = True
    ) -> None:
        """`delete_thread`, for async code."""
        await self.workers.run(self.delete_thread, thread_id, by=by, reason=reason, missing_ok=missing_ok)

    async def adelete_for_runs(
        self, run_ids: Sequence[str], *, by: By = None, reason: str | None = None, missing_ok: bool = True
    ) -> None:
        """`delete_for_runs`, for async code."""
        await self.workers.run(self.delete_for_runs, run_ids, by=by, reason=reason, missing_ok=missing_ok)

    async def acopy_thread(
        self, source_thread_id: str, target_thread_id: str, *, by: By = None, reason: str | None = None
    ) -> None:
        """`copy_thread`, for async code."""
        await self.workers.run(self.copy_thread, source_thread_id, target_thread_id, by=by, reason=reason)

    async def aprune(  # type: ignore[override]  # as `prune`
        self,
        thread_ids: Sequence[str],
        *,
        strategy: Literal["keep_latest", "delete"] = "keep_latest",
        dry_run: bool = False,
        by: By = None,
        reason: str | None = None,
        missing_ok: bool = True,
    ) -> PruneReport:
        """`prune`, for async code."""
        return await self.workers.run(
            self.prune, thread_ids, strategy=strategy, dry_run=dry_run, by=by, reason=reason, missing_ok=missing_ok
        )
