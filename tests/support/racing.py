"""The means to let one run come late for certain: a gate at which it waits until others have overtaken it."""

from __future__ import annotations

import asyncio
import operator
import threading
from collections.abc import Callable, Iterator
from itertools import chain, islice
from typing import Annotated, Any, TypedDict

import pytest
from langgraph.graph import START, StateGraph
from langgraph.pregel import Pregel
from langgraph.types import StateSnapshot, interrupt

from eventstore import ConflictError, EventStore
from langgraph.checkpoint.eventstore import EventStoreSaver
from tests.support.flavour import Flavour
from tests.support.observation import assert_same, exactly
from tests.support.stage import Stage, checkpoint_id, thread

PATIENCE = 20.0
"""Seconds after which a test that waits for another thread has failed."""


class Log(TypedDict, total=False):
    log: Annotated[list[str], operator.add]


class Gate:
    """A node at which one run waits: the first that comes there saying the name that is expected."""

    def __init__(self) -> None:
        self._expected: list[str] = []
        self._reached = threading.Event()
        self._opened = threading.Event()

    def expect(self, name: str) -> None:
        """Let the run that says `name` wait at the gate."""
        self._expected.append(name)

    def node(self, state: Any) -> Any:
        """Waits, if the last word is that of the run that is expected."""
        name = state["log"][-1]
        if name in self._expected:
            self._expected.remove(name)
            self._reached.set()
            assert self._opened.wait(PATIENCE)
        return {"log": [f"{name} passed"]}

    def wait_for_it(self) -> None:
        """Wait until the run stands at the gate."""
        assert self._reached.wait(PATIENCE)

    def open(self) -> None:
        """Let the run through."""
        self._opened.set()


class Runner:
    """Runs a graph in a thread of its own, and in the async flavour in an event loop of its own."""

    def __init__(self, stage: Stage, graph: Pregel, given: Any, config: Any = None) -> None:
        self._result: Any = None
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._run, args=(stage, graph, given, stage.here(config)), daemon=True)
        self._thread.start()

    def _run(self, stage: Stage, graph: Pregel, given: Any, config: Any) -> None:
        try:
            if stage.flavour is Flavour.ASYNC:
                self._result = asyncio.run(graph.ainvoke(given, config, durability=stage.durability))
            else:
                self._result = graph.invoke(given, config, durability=stage.durability)
        except BaseException as error:  # noqa: BLE001 (raised again where the result is asked for)
            self._error = error

    def result(self) -> Any:
        """The run's output; raises what the run raised."""
        self._thread.join(PATIENCE)
        assert not self._thread.is_alive()
        if self._error is not None:
            raise self._error
        return self._result


class Race:
    """A run that waits at a gate while others overtake it."""

    def __init__(
        self, stage: Stage, build: Callable[[Gate], StateGraph[Any, Any, Any, Any]], rival: Stage | None = None
    ) -> None:
        """`rival` is where others run, if they have a saver of their own."""
        self.stage = stage
        self.gate = Gate()
        self.graph = stage.compile(build(self.gate))
        self.rival = rival or stage
        self.rival.prefix = stage.prefix
        self._rival_graph = self.rival.compile(build(self.gate))

    def start(self, name: str, given: Any, config: Any = None) -> Runner:
        """Start a run that says `name` before the gate, and wait until it is there and all before it is stored."""
        known = {checkpoint_id(shown.config) for shown in self.history()}
        self.gate.expect(name)
        run = Runner(self.stage, self.graph, given, config)
        self.gate.wait_for_it()
        if self.stage.saves_every_step:
            self._wait_until_stored(known)
        return run

    def _wait_until_stored(self, known: set[str]) -> None:
        with self.store.subscribe() as feed:
            patience = threading.Timer(PATIENCE, feed.stop)
            patience.start()
            stored = any(self._is_stored_up_to_the_gate(self.state(), known) for _ in chain([None], feed))
            patience.cancel()
            assert stored

    def _is_stored_up_to_the_gate(self, state: StateSnapshot, known: set[str]) -> bool:
        """Return whether a state waits for the gate, and all tasks before it in the run have stored their results."""
        here, *before = islice(self._ancestry(state), 100)
        for earlier in before:
            if any(task.result is None for task in earlier.tasks):
                return False
            if checkpoint_id(earlier.config) in known:
                break
        inner = [task.state for task in here.tasks if isinstance(task.state, StateSnapshot)]
        return here.next == ("gate",) or any(
            within.metadata is not None and self._is_stored_up_to_the_gate(within, known) for within in inner
        )

    def _ancestry(self, state: StateSnapshot) -> Iterator[StateSnapshot]:
        yield state
        while state.parent_config is not None:
            state = self.graph.get_state(state.parent_config, subgraphs=True)
            yield state

    @property
    def store(self) -> EventStore:
        """The store that they race on."""
        assert isinstance(self.stage.saver, EventStoreSaver)
        return self.stage.saver.store

    def run(self, given: Any, config: Any = None) -> Any:
        """A run from its start to its end."""
        return Runner(self.stage, self.graph, given, config).result()

    def overtake(self, given: Any) -> Any:
        """A run of another, from its start to its end."""
        return Runner(self.rival, self._rival_graph, given).result()

    def update(self, values: Any, as_node: str, config: Any = None) -> Any:
        """An update from outside; returns the config of the checkpoint that it made."""
        return self._rival_graph.update_state(self.stage.here(config), values, as_node=as_node)

    def control(self, *given: Any) -> Any:
        """Return what the same inputs lead to on a thread that nobody else is at."""
        results = [Runner(self.stage, self.graph, each, thread("control")).result() for each in given]
        return results[-1]

    def first_end(self) -> StateSnapshot:
        """Where the first run of the thread ended."""
        return [shown for shown in self.history() if shown.values.get("log") and not shown.next][-1]

    def state(self, config: Any = None) -> StateSnapshot:
        """Where the thread stands."""
        return self.graph.get_state(self.stage.here(config), subgraphs=True)

    def history(self) -> list[StateSnapshot]:
        """All states of the thread."""
        return list(self.graph.get_state_history(self.stage.here()))

    def branchings(self) -> int:
        """How often more than one state has come from one."""
        parents = [shown.parent_config and checkpoint_id(shown.parent_config) for shown in self.history()]
        return len(parents) - len(set(parents))

    def stored(self) -> tuple[Any, Any]:
        """All that is stored of the thread: its checkpoints, and the head of its event log."""
        config = self.stage.here()
        checkpoints = exactly(list(self.stage.saver.list(config)))
        return checkpoints, self.store.head(config["configurable"]["thread_id"])

    def is_refused(self, late: Runner) -> None:
        """The late run gets a conflict when it goes on, and stores nothing."""
        before = self.stored()
        self.gate.open()
        with pytest.raises(ConflictError) as conflict:
            late.result()
        assert conflict.value.stream == self.stage.here()["configurable"]["thread_id"]
        after = self.stored()
        assert_same(after[0], before[0])
        assert after[1] == before[1]


def through_the_gate(gate: Gate) -> StateGraph[Any, Any, Any, Any]:
    """Hears, passes the gate, and ends."""
    steps: list[Any] = [("hear", lambda state: {}), ("gate", gate.node), ("end", lambda state: {"log": ["end"]})]
    return StateGraph(Log).add_sequence(steps).add_edge(START, "hear")


def gate_in_a_subgraph(gate: Gate) -> StateGraph[Any, Any, Any, Any]:
    """The same, with the gate in the middle of a subgraph."""
    inner = StateGraph(Log).add_sequence([("look", lambda state: {}), ("gate", gate.node), ("leave", lambda state: {})])
    steps: list[Any] = [
        ("hear", lambda state: {}),
        ("inner", inner.add_edge(START, "look").compile()),
        ("end", lambda state: {}),
    ]
    return StateGraph(Log).add_sequence(steps).add_edge(START, "hear")


def question_before_the_gate(gate: Gate) -> StateGraph[Any, Any, Any, Any]:
    """Asks, passes the gate, and ends."""
    steps: list[Any] = [
        ("ask", lambda state: {"log": [interrupt("who?")]}),
        ("gate", gate.node),
        ("end", lambda state: {}),
    ]
    return StateGraph(Log).add_sequence(steps).add_edge(START, "ask")
