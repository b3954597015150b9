"""The history of a saver's threads: going back and forth, branches, what changed, who did it, what can be resumed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from functools import cached_property
from typing import TYPE_CHECKING, Any

from langchain_core.runnables import RunnableConfig

from eventstore.arguments import checked
from eventstore.options import names_options
from eventstore.workers import twin
from langgraph.checkpoint.eventstore._arguments import required_id
from langgraph.checkpoint.eventstore._going_back import GoingBack
from langgraph.checkpoint.eventstore._parts import SaverParts
from langgraph.checkpoint.eventstore._telling import Telling
from projections import Audit, Recovery, RecoveryPoint, Report, StalledPage, Usage, UsageReport
from projections.usage.prices import Prices
from projections.usage.usage import USER_KEYS

if TYPE_CHECKING:
    from langgraph.checkpoint.eventstore._named import Checkpoint, Thread
    from langgraph.checkpoint.eventstore.replay.planning import ReplayPlan
    from langgraph.checkpoint.eventstore.replay.replayed import Replayed
    from langgraph.checkpoint.eventstore.replay.replaying import Graph
    from langgraph.checkpoint.eventstore.replay.selective import SelectiveReplay


@checked
class History(GoingBack, Telling):
    """The history of a saver's threads, and ways to get any of it back: `saver.history`.

    Threads and checkpoints are named by their ids, by LangGraph's configs, or by whatever a listing gave: a
    `CheckpointTuple`, a `StateSnapshot`, an entry of a timeline. An id alone is enough, also of a subgraph's
    checkpoint. `by` names the person who does something,
    and `reason` says why: both are recorded with the event, and found by `audit`. A method whose name begins with `a`
    is the same for `async` code. What is named and is not there is a `NotFoundError`.

    Of a `DeltaChannel`, as deepagents keeps messages and files in, LangGraph stores what was written, and no value. If
    a method is given the `graph`, its reducers make the value. Without it, or where it does not say, the shape of what
    was written tells: messages replace each other by their ids, dicts by their keys. The result says which rule it was,
    as `folded`. Of any other shape it is only said that it was written.

    Attributes:
        audit: The audit trail: see `projections.Audit`.
    """

    def __init__(self, saver: SaverParts) -> None:
        super().__init__(saver)
        self._recovery = Recovery(saver.checkpoints)

    def __repr__(self) -> str:
        return f"History({self._saver!r})"

    @cached_property
    def audit(self) -> Audit:
        """The audit trail, which says who did what and when."""
        return Audit(self._checkpoints)

    @cached_property
    def _usage(self) -> Usage:
        return Usage(self._checkpoints)

    @cached_property
    def _replaying(self) -> SelectiveReplay:
        # It takes LangGraph itself, which a saver does without.
        from langgraph.checkpoint.eventstore.replay.selective import SelectiveReplay  # noqa: PLC0415

        return SelectiveReplay(self._saver)

    # --- what can be resumed -----------------------------------------------------------------------------------------

    def points(self, thread: Thread, *, namespace: str = "", limit: int = 50) -> list[RecoveryPoint]:
        """The checkpoints that a run can be resumed from, the latest first, with the state of their tasks.

        Args:
            thread: The thread.
            namespace: The namespace.
            limit: The most that are returned.

        Raises:
            NotFoundError: There is no such thread.
        """
        return self._recovery.points(
            self._thread(thread), namespace=namespace, limit=limit, serializer=self._saver.serde
        )

    def stalled(
        self,
        *,
        prefix: str = "",
        older_than: timedelta | None = None,
        limit: int = 100,
        cursor: str | None = None,
    ) -> StalledPage:
        """The threads that stopped in the middle, by name, and why.

        Args:
            prefix: How their names begin.
            older_than: A thread of which something is due is taken to have died if its last event is at least so old,
                and to be at work otherwise: then it is not listed. `None`: all are listed, as `"pending"`. One that
                asks, or has failed, is listed in any case.
            limit: The most that are returned.
            cursor: `next_cursor` of the page before, with the other arguments unchanged.
        """
        return self._recovery.stalled(
            prefix=prefix, older_than=older_than, limit=limit, cursor=cursor, serializer=self._saver.serde
        )

    def check(self, thread: Thread) -> Report:
        """Check that a thread is sound: its log's hash chain, its rows against the log, and all its values.

        It does not stop at the first damage. Nothing is changed, and others may write meanwhile.

        Raises:
            NotFoundError: There is no such thread.
            BusyError: Others keep changing it.
        """
        return self._recovery.check(self._thread(thread), self._saver.serde)

    # --- what was spent ----------------------------------------------------------------------------------------------

    @names_options()
    def usage(  # noqa: PLR0913 (what is wanted, each by its name)
        self,
        thread: Thread | None = None,
        *,
        by: Sequence[str] = ("model",),
        run: str | None = None,
        node: str | None = None,
        model: str | None = None,
        user: str | None = None,
        since: datetime | None = None,
        until: datetime | None = None,
        prices: Prices | None = None,
        user_keys: Sequence[str] = USER_KEYS,
        missing_ok: bool = False,
    ) -> UsageReport:
        """The tokens and the money that the messages of models say they took, in groups.

        Each message counts once for a thread; a fork counts what it added itself. What was rolled back was spent.

        Args:
            thread: What was spent in it, while it had that name; `None`: in all.
            by: The dimensions of the groups: some of thread, run, node, model, user and day (UTC); none: one group.
            run: Of that run.
            node: What tasks of that node wrote.
            model: Of the model of that name, as its messages say it.
            user: Of that user.
            since: Not older. A naive time is taken as UTC.
            until: Older.
            prices: The price of each model; `None`: those of `projections.usage.price_list`, which are of one day.
            user_keys: The keys of metadata that name a user, the first that is there.
            missing_ok: Whether the answer is empty if there is no such thread, run or node.

        Raises:
            NotFoundError: There is no such thread, run or node.
            BadInputError: An argument cannot be asked for.
        """
        return self._usage.query(
            thread=None if thread is None else self._thread(thread),
            by=by,
            run=run,
            node=node,
            model=model,
            user=user,
            since=since,
            until=until,
            prices=prices,
            user_keys=user_keys,
            missing_ok=missing_ok,
        )

    # --- what a changed node concerns --------------------------------------------------------------------------------

    def affected(
        self,
        graph: Graph,
        thread: Thread,
        checkpoint: Checkpoint,
        node: str,
        *,
        only: Callable[[Any], bool] | None = None,
    ) -> ReplayPlan:
        """Find the later tasks that read what a changed node wrote, directly or through others; nothing is run.

        Args:
            graph: The graph, as it is now.
            thread: The thread.
            checkpoint: The checkpoint to begin with.
            node: The node that changed; with it, the edges that lead away from it.
            only: A test of a task's input (its packet, or else the state): only the tasks that it accepts have changed.

        Raises:
            NotFoundError: There is no such checkpoint, or the node did not run after it.
            BadInputError: The graph has no such node, is another saver's, or cannot be replayed.
        """
        return self._replaying.affected(graph, self._thread(thread), required_id(checkpoint), node, only=only)

    @names_options()
    def replay(  # noqa: PLR0913 (what, from where, and how)
        self,
        graph: Graph,
        thread: Thread,
        checkpoint: Checkpoint,
        node: str,
        *,
        only: Callable[[Any], bool] | None = None,
        target: str | None = None,
        reason: str | None = None,
        config: RunnableConfig | None = None,
        context: Any = None,
    ) -> Replayed:
        """Run again what a changed node concerns, in a fork; of all else, use the recorded results.

        It goes on to the end of the run, to a question that a node asks, to a breakpoint around a node that runs again,
        or to an error. The thread itself stays as it is.

        Args:
            graph: The graph, as it is now.
            thread: The thread.
            checkpoint: The checkpoint to begin with.
            node: The node that changed; with it, the edges that lead away from it.
            only: A test of a task's input (its packet, or else the state): only the tasks that it accepts have changed.
            target: The new thread's id; by default one that begins like the old one's.
            reason: Why, for the record.
            config: What else nodes expect in their config, and the `recursion_limit` of the replay.
            context: The context of the run, as `graph.invoke` takes it.

        Raises:
            NotFoundError: There is no such checkpoint, or the node did not run after it.
            BadInputError: The graph has no such node, is another saver's, or cannot be replayed.
            ConflictError: The target exists.
        """
        return self._replaying.replay(
            graph,
            self._thread(thread),
            required_id(checkpoint),
            node,
            only=only,
            target=None if target is None else self._thread(target),
            reason=reason,
            config=config,
            context=context,
        )

    # --- the same for async code -------------------------------------------------------------------------------------

    apoints = twin(points)
    astalled = twin(stalled)
    acheck = twin(check)
    ausage = twin(usage)
    aaffected = twin(affected)

    @names_options()
    async def areplay(  # noqa: PLR0913 (what, from where, and how)
        self,
        graph: Graph,
        thread: Thread,
        checkpoint: Checkpoint,
        node: str,
        *,
        only: Callable[[Any], bool] | None = None,
        target: str | None = None,
        reason: str | None = None,
        config: RunnableConfig | None = None,
        context: Any = None,
    ) -> Replayed:
        """`replay`; the nodes run in the caller's event loop."""
        return await self._replaying.areplay(
            graph,
            await self._athread(thread),
            required_id(checkpoint),
            node,
            only=only,
            target=None if target is None else await self._athread(target),
            reason=reason,
            config=config,
            context=context,
        )
