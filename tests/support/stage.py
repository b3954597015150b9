"""A stage on which a scenario is played: one saver, sync or async methods, one durability.

A scenario is written once, as a coroutine over a `Stage`. In the sync flavour the stage calls the sync methods
of graph and saver, so the coroutine never waits for anything and runs without an event loop; in the async flavour
it calls their async twins in a loop of its own. What a scenario does is written down in `Stage.transcript`.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Coroutine, Sequence
from contextlib import aclosing, closing
from typing import Any, Literal
from uuid import uuid4

import pytest
from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.base import BaseCheckpointSaver, CheckpointTuple
from langgraph.graph import StateGraph
from langgraph.pregel import Pregel
from langgraph.types import StateSnapshot

from tests.support.flavour import Flavour
from tests.support.observation import Names, assert_same, exactly, of_checkpoints, of_snapshot, plain

Durability = Literal["sync", "async", "exit"]
DURABILITIES: tuple[Durability, ...] = ("sync", "async", "exit")


in_three_ways = pytest.mark.parametrize(
    ("flavour", "durability"), [(Flavour.SYNC, "sync"), (Flavour.ASYNC, "async"), (Flavour.SYNC, "exit")]
)
"""Both flavours and all durabilities, but not each with each: for a variation on what another test holds in all."""


def thread(name: str = "main", **configurable: Any) -> RunnableConfig:
    """The config of a thread; `checkpoint_id` and other keys may be added."""
    return {"configurable": {"thread_id": name, **configurable}}


def checkpoint_id(config: RunnableConfig) -> str:
    """The checkpoint that a config names."""
    named: str = config["configurable"]["checkpoint_id"]
    return named


class Stage:
    """One saver, driven in one flavour and durability; see the module."""

    def __init__(
        self,
        saver: BaseCheckpointSaver[Any],
        flavour: Flavour,
        durability: Durability,
        reopen: Callable[[], BaseCheckpointSaver[Any]] | None = None,
    ) -> None:
        """`reopen` gives a fresh saver on the same store, where there is one that outlives its saver."""
        self.saver = saver
        self.prefix = f"{uuid4()}/"
        self.flavour = flavour
        self.durability = durability
        self.transcript: list[tuple[str, Any]] = []
        self._reopen = reopen
        self._made: list[tuple[Pregel, set[str]]] = []

    @property
    def saves_every_step(self) -> bool:
        """Return whether each step of a run leaves a checkpoint, not only its end."""
        return self.durability != "exit"

    def here(self, config: RunnableConfig | None = None) -> RunnableConfig:
        """`config`, its thread renamed to one of this stage's own: many stages may stand on one store."""
        config = config or thread()
        configurable = dict(config["configurable"])
        if not configurable["thread_id"].startswith(self.prefix):
            configurable["thread_id"] = self.prefix + configurable["thread_id"]
        return {**config, "configurable": configurable}

    # The graphs

    def compile(self, builder: StateGraph[Any, Any, Any, Any], **options: Any) -> Pregel:
        """`builder` as a graph that saves on this stage's saver."""
        return self.build(lambda saver: builder.compile(checkpointer=saver, **options))

    def build(self, make: Callable[[BaseCheckpointSaver[Any]], Pregel]) -> Pregel:
        """The graph that `make` makes for this stage's saver."""
        graph = make(self.saver)
        self._made.append((graph, set()))
        return graph

    def reopen(self) -> None:
        """Go on with a fresh saver on the same store, as a new process would."""
        if self._reopen is None:
            return
        self.saver = self._reopen()
        for graph, _ in self._made:
            graph.checkpointer = self.saver

    # What a scenario does with them; each is written into the transcript

    async def invoke(self, graph: Pregel, given: Any, config: RunnableConfig | None = None, **options: Any) -> Any:
        """Run `graph`; returns its output."""
        config = self._seen(graph, config)
        options.setdefault("durability", self.durability)
        result = await self.call(graph, "invoke", given, config, **options)
        if isinstance(result, dict) and "__interrupt__" in result:  # in the order that the tasks came to ask
            result["__interrupt__"].sort(key=lambda asked: repr(asked.value))
        self.record("invoke", result)
        return result

    def stream(
        self, graph: Pregel, given: Any, config: RunnableConfig | None = None, **options: Any
    ) -> AsyncGenerator[Any, None]:
        """Run `graph`, yielding what it streams. Not recorded: chunks of parallel tasks come in any order."""
        config = self._seen(graph, config)
        options.setdefault("durability", self.durability)
        return self.each(graph, "stream", given, config, **options)

    async def update(
        self,
        graph: Pregel,
        values: Any,
        config: RunnableConfig | None = None,
        as_node: str | None = None,
    ) -> RunnableConfig:
        """Update the state of a thread; returns the config of the checkpoint it made."""
        config = self._seen(graph, config)
        made: RunnableConfig = await self.call(graph, "update_state", config, values, as_node)
        return made

    async def state(
        self, graph: Pregel, config: RunnableConfig | None = None, *, subgraphs: bool = True
    ) -> StateSnapshot:
        """The state of a thread, of the latest checkpoint or the one that `config` names."""
        config = self._seen(graph, config)
        snapshot: StateSnapshot = await self.call(graph, "get_state", config, subgraphs=subgraphs)
        self.record("state", snapshot)
        return snapshot

    async def history(self, graph: Pregel, config: RunnableConfig | None = None, **options: Any) -> list[StateSnapshot]:
        """The states of a thread, latest first."""
        config = self._seen(graph, config)
        return [shown async for shown in self.each(graph, "get_state_history", config, **options)]

    async def saved(self, config: RunnableConfig | None = None) -> list[CheckpointTuple]:
        """Every checkpoint of a thread, in all namespaces."""
        return [found async for found in self.each(self.saver, "list", self.here(config))]

    def record(self, did: str, value: Any) -> None:
        """Write into the transcript what was done and what came of it."""
        shown = of_snapshot(value) if isinstance(value, StateSnapshot) else plain(value)
        self.transcript.append((did, shown))

    # One call, either way

    async def call(self, owner: object, method: str, *args: Any, **options: Any) -> Any:
        """`owner.method(...)`, or `await owner.amethod(...)` in the async flavour."""
        if self.flavour is Flavour.ASYNC:
            waiting: Awaitable[Any] = getattr(owner, f"a{method}")(*args, **options)
            return await waiting
        return getattr(owner, method)(*args, **options)

    async def each(self, owner: object, method: str, *args: Any, **options: Any) -> AsyncGenerator[Any, None]:
        """The items of the generator `owner.method(...)`, or of its async twin; closed when this one is."""
        if self.flavour is Flavour.ASYNC:
            async with aclosing(getattr(owner, f"a{method}")(*args, **options)) as items:
                async for item in items:
                    yield item
        else:
            with closing(getattr(owner, method)(*args, **options)) as items:
                for item in items:
                    yield item

    def perform(self, scenario: Callable[[Stage], Coroutine[Any, Any, None]]) -> None:
        """Play `scenario` to its end."""
        if self.flavour is Flavour.ASYNC:
            asyncio.run(scenario(self))
            return
        playing = scenario(self)
        try:
            playing.send(None)
        except StopIteration:
            return
        playing.close()
        raise AssertionError("a sync scenario waited for an event loop")

    # What is left behind

    def checkpoints(self) -> list[CheckpointTuple]:
        """Every checkpoint of every thread that a scenario touched."""
        found: list[CheckpointTuple] = []

        async def look(stage: Stage) -> None:
            for name in sorted(set().union(*(seen for _, seen in stage._made))):
                found.extend(await stage.saved(thread(name)))

        self.perform(look)
        return found

    def observation(self, *, latest: bool = False) -> list[Any]:
        """Return what can be seen of the threads that a scenario touched, comparable with another saver's.

        All of it, or with `latest` only where the threads stand. Each checkpoint, fetched by its id, is as it is
        when all are listed.
        """
        observed: list[Any] = []

        async def look(stage: Stage) -> None:
            for graph, threads in stage._made:
                for name in sorted(threads):
                    tuples = await stage.saved(thread(name))
                    names = Names(tuples)
                    history = await stage.history(graph, thread(name), limit=1 if latest else None)
                    state = await stage.call(graph, "get_state", thread(name), subgraphs=True)
                    for saved in [] if latest else tuples:
                        fetched = await stage.call(stage.saver, "get_tuple", saved.config)
                        assert_same(exactly([fetched]), exactly([saved]))
                    observed.append(
                        {
                            "thread": names.scrub(name),
                            "state": of_snapshot(state, names),
                            "history": [of_snapshot(shown, names) for shown in history],
                            "checkpoints": of_checkpoints(tuples, names, latest=latest),
                        }
                    )

        self.perform(look)
        return observed

    def _seen(self, graph: Pregel, config: RunnableConfig | None) -> RunnableConfig:
        config = self.here(config)
        for made, threads in self._made:
            if made is graph:
                threads.add(config["configurable"]["thread_id"])
        return config


def ids(snapshots: Sequence[StateSnapshot]) -> list[str]:
    """The checkpoint ids of some states."""
    return [checkpoint_id(snapshot.config) for snapshot in snapshots]
