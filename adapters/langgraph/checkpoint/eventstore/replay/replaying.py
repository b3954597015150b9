"""How a replay goes: the fork, and then step by step what is reused, until nothing is left to run.

It is a generator that touches the store, but never calls a node: it stops wherever the graph has to take a step, and
its driver takes it, sync or async.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.base import WRITES_IDX_MAP
from langgraph.checkpoint.base.id import uuid6
from langgraph.checkpoint.serde.types import _DeltaSnapshot
from langgraph.errors import GraphRecursionError
from langgraph.pregel import Pregel

from eventstore import BadInputError, Cause, NotFoundError
from eventstore.arguments import check_callable, check_number, check_text
from langgraph.checkpoint.eventstore import _config
from langgraph.checkpoint.eventstore._parts import SaverParts
from langgraph.checkpoint.eventstore.replay import reads
from langgraph.checkpoint.eventstore.replay.planning import Changed, counterparts, judge
from langgraph.checkpoint.eventstore.replay.recorded import Frontier, Task, Writes, frontier_at, run_from
from langgraph.checkpoint.eventstore.replay.replayed import Ended, Replayed, ReplayedTask
from projections import Branches, NewCheckpoint, NewWrites, SavedCheckpoint
from projections.pregel import NOBODY

Graph = Pregel[Any, Any, Any, Any]

# How many steps a replay takes at most, if the config does not say: LangGraph's own limit of a run.
_STEPS = 10_007
# LangGraph's `CONFIG_KEY_RESUMING`. A step that follows is no resumption: a subgraph that is called in it begins.
_RESUMING = "__pregel_resuming"


@dataclass(frozen=True, slots=True)
class Step:
    """One step that the graph is to take: with this config, and no further."""

    config: RunnableConfig


Steps = Generator[Step, Exception | None, Replayed]
"""A replay: wherever the graph is to take a step, it waits for what that raised. It returns what came of it all."""


@dataclass(frozen=True, slots=True)
class Replaying:
    """One replay.

    Attributes:
        saver: The saver of the graph.
        graph: The graph, as it is now.
        thread: The thread that is replayed.
        checkpoint: From which of its checkpoints on.
        node: The node that changed.
        only: Of its tasks, by their input, only those that it accepts.
        target: The new thread's id, if it is given.
        reason: Why, for the record.
        config: What else nodes expect in their config.
    """

    saver: SaverParts
    graph: Graph
    thread: str
    checkpoint: str
    node: str
    only: Callable[[Any], bool] | None = None
    target: str | None = None
    reason: str | None = None
    config: RunnableConfig | None = None

    def __post_init__(self) -> None:
        """Refuse what a replay cannot go by, before anything is forked.

        Raises:
            BadInputError: `only` is no function, `reason` no text, or `config` no config.
        """
        if self.only is not None:
            check_callable("only", self.only)
        if self.reason is not None:
            check_text("reason", self.reason)
        _config.configurable(self.config)

    def changed(self) -> Changed:
        """Return the change, and the dependencies of the graph's nodes.

        Raises:
            BadInputError: It is not a graph of this saver, has no such node, or cannot be replayed.
        """
        graph = self.graph
        if not isinstance(graph, Pregel):
            raise BadInputError("a replay needs the compiled graph: pass what builder.compile(checkpointer=saver) gave")
        own: object = self.saver
        if graph.checkpointer is not own:
            raise BadInputError("the graph saves elsewhere: compile it with this saver as its checkpointer")
        if self.node not in graph.nodes:
            raise BadInputError(f"the graph has no node {self.node!r}: it has {', '.join(sorted(graph.nodes))}")
        if lost := reads.unrecorded(graph):
            raise BadInputError(f"channel {lost[0]!r} is untracked: what it held is in no record to be replayed")
        return Changed(
            self.node,
            self.only,
            lambda node, sent: reads.channels_read(graph, node, sent=sent),
            reads.overwritten(graph),
            {node for node in graph.nodes if reads.keeps_state(graph, node)},
            frozenset(graph.stream_channels_list),
        )

    def record(self, changed: Changed) -> list[SavedCheckpoint]:
        """The recorded run, from the first step on in which the changed node has a task.

        Raises:
            NotFoundError: There is no such checkpoint, or the node did not run after it.
        """
        thread = _config.thread_id(self.thread)
        checkpoint = _config.checkpoint_id(self.checkpoint) or ""
        run = run_from(self.saver.checkpoints, self.saver.serde, thread, checkpoint)
        for index, saved in enumerate(run):
            here = frontier_at(self.graph, saved)
            if any(changed.concerns(task, here.values) for task in here.tasks):
                return run[index:]
        raise NotFoundError(
            f"thread {thread!r} has no task of {self.node!r} from checkpoint {checkpoint!r} on: pass an earlier one. "
            "(Of a run with durability='exit' only the end is recorded.)"
        )

    def steps(self) -> Steps:
        """The replay: see `Steps`."""
        changed = self.changed()
        limit = _limit(self.graph, self.config)
        record = self.record(changed)
        then = {_step_after(saved): saved for saved in record}
        fork = self._fork(record[0])
        tasks: list[ReplayedTask] = []

        def ended(how: Ended, error: Exception | None = None) -> Replayed:
            return Replayed(fork, record[0].thread, record[0].id, tuple(tasks), how, error)

        for left in range(limit, 0, -1):
            here, due, results = self._due(fork, then, changed)
            if not due:
                return ended("end")
            again = [task.node for task in due if not task.reused]
            # Who replays a changed node asks for it to run. Further breakpoints are for a person to pass.
            if left < limit and _breaks(self.graph.interrupt_before_nodes, again):
                return ended("interrupt")
            tasks += due
            for task, result in results:
                about = {"reused_from": record[0].thread, "reused_task": result.id}
                self._write(here, fork, task.id, task.path, result.stored, task.node, about)
            if error := (yield Step(_for_one_step(self.config, fork, left))):
                return ended("error", error)
            if self.saver.checkpoints.latest_id(fork) == here.checkpoint:  # a task asks
                return ended("interrupt")
            if _breaks(self.graph.interrupt_after_nodes, again):
                return ended("interrupt")
        return ended("error", GraphRecursionError(f"{limit} steps did not reach an end: raise recursion_limit"))

    def _due(
        self, fork: str, record: Mapping[int, SavedCheckpoint], changed: Changed
    ) -> tuple[Frontier, list[ReplayedTask], list[tuple[Task, Task]]]:
        """Return the fork's state, the tasks due there, and those whose recorded results hold, with counterparts."""
        here = self._latest(fork)
        then = frontier_at(self.graph, record[here.step]) if here.step in record else None
        if then and then.given and {task.node for task in here.tasks} == {task.node for task in then.tasks}:
            # An update that came with an answer.
            self._write(here, fork, NOBODY, "", then.given, None, {})
            here = self._latest(fork)
        found = counterparts(here, then) if then else {}
        due: list[ReplayedTask] = []
        results: list[tuple[Task, Task]] = []
        for task in here.tasks:
            counterpart = found.get(task.id)
            verdict = judge(task, here, then, counterpart, changed)
            if counterpart and not verdict.again:
                results.append((task, counterpart))
                due.append(ReplayedTask(here.step, task.node, task.id, verdict, counterpart.id))
            else:
                due.append(ReplayedTask(here.step, task.node, task.id, verdict))
        return here, due, results

    def _fork(self, at: SavedCheckpoint) -> str:
        """A new thread that stands where the changed node's first task is about to start; its id.

        What tasks wrote to the checkpoint may have been recorded before the checkpoint was: LangGraph saves beside the
        next step. So the new thread goes on from a copy of the checkpoint, which nobody has written to.
        """
        fork = f"{at.thread}/replay-{uuid4().hex[:12]}" if self.target is None else _config.thread_id(self.target)
        about = {"replayed_from": at.thread, **({"reason": self.reason} if self.reason else {})}
        cause = Cause(node=self.node, metadata=about)
        Branches(self.saver.checkpoints).fork(at.thread, fork, at=at.id, namespace=at.namespace, cause=cause)
        # What is replayed from writes stands in the copy whole: it is no child that the checkpoint's writes lead to.
        whole = self._whole(replace(at, thread=fork))
        metadata = {**at.metadata, "source": "fork"}
        metadata.pop("counters_since_delta_snapshot", None)
        copy = NewCheckpoint(
            thread=fork,
            namespace="",
            id=str(uuid6(clock_seq=_step_after(at))),
            parent=at.id,
            format=at.format,
            ts=datetime.now(UTC).isoformat(),
            channel_versions=at.channel_versions,
            new_versions={channel: at.channel_versions[channel] for channel in whole},
            values={**at.values, **whole},
            versions_seen=at.versions_seen,
            updated_channels=at.updated_channels,
            extras=at.extras,
            metadata=metadata,
        )
        self.saver.checkpoints.save(copy, self.saver.serde)
        return fork

    def _whole(self, at: SavedCheckpoint) -> Mapping[str, Any]:
        channels = reads.replayed_from_writes(self.graph) & at.channel_versions.keys()
        if not channels:
            return {}
        values = frontier_at(self.graph, at).values
        return {channel: _DeltaSnapshot(values[channel]) for channel in channels if channel in values}

    def _latest(self, fork: str) -> Frontier:
        saved = self.saver.checkpoints.get(fork, self.saver.serde)
        if saved is None:
            raise NotFoundError(f"thread {fork!r} was deleted before it was complete: replay once more")
        return frontier_at(self.graph, saved)

    def _write(
        self,
        here: Frontier,
        fork: str,
        task: str,
        path: str,
        writes: Writes,
        node: str | None,
        about: Mapping[str, str],
    ) -> None:
        """Record what a task is to have written: LangGraph takes the task for finished."""
        slots = [(channel, WRITES_IDX_MAP.get(channel, at), value) for at, (channel, value) in enumerate(writes)]
        new = NewWrites(fork, "", here.checkpoint, task, path, slots, node=node, metadata=about)
        self.saver.checkpoints.save_writes(new, self.saver.serde)


def _step_after(saved: SavedCheckpoint) -> int:
    return int(saved.metadata.get("step", -2)) + 1


def _for_one_step(config: RunnableConfig | None, fork: str, left: int) -> RunnableConfig:
    """The caller's config for one step of the fork, with the number of steps that are left."""
    given = _config.configurable(config)
    addressed = {"thread_id", "checkpoint_id", "checkpoint_ns", "checkpoint_map"}
    configurable = {key: value for key, value in given.items() if key not in addressed}
    found: RunnableConfig = {**config} if config else {}
    found["configurable"] = {**configurable, "thread_id": fork, _RESUMING: False}
    found["recursion_limit"] = left
    return found


def _limit(graph: Graph, config: RunnableConfig | None) -> int:
    given = (config or {}).get("recursion_limit")
    limit = (graph.config or {}).get("recursion_limit", _STEPS) if given is None else given
    check_number("recursion_limit", limit)
    if limit < 1:
        raise BadInputError(f"recursion_limit is {limit}: a replay takes at least one step")
    return limit


def _breaks(breakpoints: Any, nodes: Sequence[str]) -> bool:
    return bool(nodes) and (breakpoints == "*" or not set(nodes).isdisjoint(breakpoints))
