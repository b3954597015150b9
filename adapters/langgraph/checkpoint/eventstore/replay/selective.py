"""Selective replay: a recorded run once more with a node that changed, and only what depends on it runs again.

The replay happens in a fork. It goes step by step: before each, the results of the tasks that read what they read when
they were recorded are put where LangGraph looks for what a crashed run had finished. So it applies them, and runs the
others. What a task reads is compared by content: where a node that ran again wrote the same as before, what follows is
not run again.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from langchain_core.runnables import RunnableConfig

from eventstore import EventStoreError
from eventstore.workers import Workers, twin
from langgraph.checkpoint.eventstore._parts import SaverParts
from langgraph.checkpoint.eventstore.replay.planning import ReplayPlan, plan
from langgraph.checkpoint.eventstore.replay.recorded import frontier_at
from langgraph.checkpoint.eventstore.replay.replayed import Replayed
from langgraph.checkpoint.eventstore.replay.replaying import Graph, Replaying, Step, Steps

# An empty list would stand for the graph's own breakpoints, which a replay sees to.
_NO_NODE = ["__none__"]


class SelectiveReplay:
    """Replays runs of the threads of one saver.

    What a task depends on is what LangGraph lets it read: the channels of its input schema, or its packet, and the
    channels of its conditional edges. What a node looks at beside that (files, clocks, LangGraph's long-term store)
    is not known here.

    Only the outermost graph is replayed task by task. A node that is a subgraph is one task.

    Args:
        saver: The saver that the graphs were compiled with.
    """

    def __init__(self, saver: SaverParts) -> None:
        self._saver = saver

    @property
    def workers(self) -> Workers:
        """The threads of the store, which carry out async calls."""
        return self._saver.store.workers

    def affected(
        self, graph: Graph, thread: str, checkpoint: str, node: str, *, only: Callable[[Any], bool] | None = None
    ) -> ReplayPlan:
        """Find the later tasks that a changed node concerns: those that read what it wrote, directly or through others.

        Nothing is run, and nothing is stored.

        Args:
            graph: The graph, as it is now.
            thread: The thread's id.
            checkpoint: The checkpoint to begin with.
            node: The node that changed; with it, the edges that lead away from it.
            only: A test of a task's input (its packet, or else the state): only the tasks that it accepts have changed.

        Raises:
            NotFoundError: There is no such checkpoint, or the node did not run after it.
            BadInputError: The graph has no such node, is another saver's, or cannot be replayed.
        """
        replaying = Replaying(self._saver, graph, thread, checkpoint, node, only)
        changed = replaying.changed()
        record = replaying.record(changed)
        tasks = tuple(plan([frontier_at(graph, saved) for saved in record], changed))
        return ReplayPlan(record[0].thread, record[0].id, node, tasks)

    aaffected = twin(affected)

    def replay(  # noqa: PLR0913 (what, from where, and how)
        self,
        graph: Graph,
        thread: str,
        checkpoint: str,
        node: str,
        *,
        only: Callable[[Any], bool] | None = None,
        target: str | None = None,
        reason: str | None = None,
        config: RunnableConfig | None = None,
        context: Any = None,
    ) -> Replayed:
        """Run again what a changed node concerns, in a fork; of everything else, use the recorded results.

        It goes on to the end of the run, to a question that a node asks, to a breakpoint in front of or behind a node
        that runs again, or to an error. Where the graph takes another way than it was recorded to take, all that has no
        counterpart in the record runs. A task that runs again asks again; what a task was told whose result is used is
        part of that. Inputs that the thread was given later are not given again, nor what a person changed by hand
        meanwhile (`update_state`), unless in a node's place: that counts as the node's result.

        Args:
            graph: The graph, as it is now.
            thread: The thread's id; the thread itself stays as it is.
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
        steps = Replaying(self._saver, graph, thread, checkpoint, node, only, target, reason, config).steps()
        outcome = _advance(steps, None)
        while isinstance(outcome, Step):
            raised = None
            try:
                for _ in graph.stream(None, outcome.config, context=context, **_one_step(graph)):
                    pass
            except Exception as error:  # noqa: BLE001 (whatever a node raises is what came of it)
                raised = _of_a_node(error)
            outcome = _advance(steps, raised)
        return outcome

    async def areplay(  # noqa: PLR0913 (what, from where, and how)
        self,
        graph: Graph,
        thread: str,
        checkpoint: str,
        node: str,
        *,
        only: Callable[[Any], bool] | None = None,
        target: str | None = None,
        reason: str | None = None,
        config: RunnableConfig | None = None,
        context: Any = None,
    ) -> Replayed:
        """`replay`; the nodes run in the caller's event loop."""
        run = self.workers.run
        steps = Replaying(self._saver, graph, thread, checkpoint, node, only, target, reason, config).steps()
        outcome = await run(_advance, steps, None)
        while isinstance(outcome, Step):
            raised = None
            try:
                async for _ in graph.astream(None, outcome.config, context=context, **_one_step(graph)):
                    pass
            except Exception as error:  # noqa: BLE001 (whatever a node raises is what came of it)
                raised = _of_a_node(error)
            outcome = await run(_advance, steps, raised)
        return outcome


def _advance(steps: Steps, raised: Exception | None) -> Step | Replayed:
    """The next step that the graph is to take, or what came of the replay."""
    try:
        return steps.send(raised)
    except StopIteration as done:
        result: Replayed = done.value
        return result


def _one_step(graph: Graph) -> dict[str, Any]:
    """How a graph takes one step, which is on disk when it returns."""
    return {
        "stream_mode": "updates",
        "interrupt_before": _NO_NODE,
        "interrupt_after": [*graph.nodes],
        "durability": "sync",
    }


def _of_a_node(error: Exception) -> Exception:
    """An error that a node raised. The store's own are no part of a replay: they are raised as they are."""
    if isinstance(error, EventStoreError):
        raise error
    return error
