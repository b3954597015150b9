"""Two runs on one thread at the same time: kept as branches, or the one that comes late is turned away.

That a run comes late is made certain: it waits inside a node until the other one has ended.
"""

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
from langgraph.types import Command, StateSnapshot, interrupt

from eventstore import ConflictError, EventStore
from langgraph.checkpoint.eventstore import EventStoreSaver

from .observation import assert_same, exactly
from .stage import Durability, Flavour, Stage, checkpoint_id, in_three_ways, thread

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

    def __init__(self, stage: Stage, build: Callable[[Gate], StateGraph[Any, Any, Any, Any]]) -> None:
        self.stage = stage
        self.gate = Gate()
        self.graph = stage.compile(build(self.gate))

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
        """Whether a state waits for the gate, and all tasks before it in the run have stored their results."""
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


@pytest.fixture
def url(backend: str, request: pytest.FixtureRequest) -> str:
    """The URL of an empty store: the feed that is waited on here tells of nothing else."""
    fresh: str = request.getfixturevalue(f"{backend}_url")
    return fresh


@pytest.fixture
def keeping(stage: Stage) -> Callable[..., Race]:
    """A race of which both runs are kept, as by default."""
    return lambda build=through_the_gate: Race(stage, build)


@pytest.fixture
def rejecting(
    make_saver: Callable[..., EventStoreSaver], flavour: Flavour, durability: Durability
) -> Callable[..., Race]:
    """A race of which the late run is turned away."""
    stage = Stage(make_saver(concurrent_runs="reject"), flavour, durability)
    return lambda build=through_the_gate: Race(stage, build)


def test_by_default_both_runs_are_kept_and_the_branch_is_seen_in_the_history(keeping: Callable[..., Race]) -> None:
    race = keeping()
    race.run({"log": ["first"]})
    slow = race.start("slow", {"log": ["slow"]})
    assert race.run({"log": ["fast"]})["log"][-3:] == ["fast", "fast passed", "end"]
    assert race.branchings() == 0
    race.gate.open()
    assert slow.result()["log"] == ["first", "first passed", "end", "slow", "slow passed", "end"]

    assert race.branchings() == 1
    ends = [shown.values["log"][3:] for shown in race.history() if shown.values.get("log") and not shown.next]
    fast = ["fast", "fast passed", "end"]
    if race.stage.saves_every_step:  # the slow run's input was saved when the fast run began
        fast = ["slow", *fast]
    assert ends == [["slow", "slow passed", "end"], fast, []]


def test_a_late_run_is_turned_away_and_stores_nothing(rejecting: Callable[..., Race]) -> None:
    race = rejecting()
    race.run({"log": ["first"]})
    slow = race.start("slow", {"log": ["slow"]})
    race.run({"log": ["fast"]})
    race.is_refused(slow)
    assert race.branchings() == 0
    assert race.run({"log": ["next"]})["log"][-4:] == ["end", "next", "next passed", "end"]


@in_three_ways
def test_of_two_first_runs_of_a_new_thread_the_late_one_is_turned_away(rejecting: Callable[..., Race]) -> None:
    race = rejecting()
    slow = race.start("slow", {"log": ["slow"]})
    race.run({"log": ["fast"]})
    race.is_refused(slow)


@in_three_ways
def test_a_run_that_is_overtaken_by_an_update_from_outside_is_turned_away(rejecting: Callable[..., Race]) -> None:
    race = rejecting()
    race.run({"log": ["first"]})
    slow = race.start("slow", {"log": ["slow"]})
    race.graph.update_state(race.stage.here(), {"log": ["by hand"]}, as_node="end")
    race.is_refused(slow)
    assert race.state().values["log"][-1] == "by hand"


def test_a_run_that_is_overtaken_while_it_is_in_a_subgraph_is_turned_away(rejecting: Callable[..., Race]) -> None:
    race = rejecting(gate_in_a_subgraph)
    race.run({"log": ["first"]})
    slow = race.start("slow", {"log": ["slow"]})
    race.run({"log": ["fast"]})
    race.is_refused(slow)


def test_of_two_answers_to_one_question_the_late_one_is_turned_away(rejecting: Callable[..., Race]) -> None:
    race = rejecting(question_before_the_gate)
    race.run({"log": []})
    slow = race.start("slow", Command(resume="slow"))
    # Where each step is saved, the slow answer is in the store, and the question is no longer open.
    fast = race.run(None if race.stage.saves_every_step else Command(resume="fast"))
    race.is_refused(slow)
    assert race.state().values == fast


def test_an_explicit_travel_to_an_older_checkpoint_is_no_late_run(rejecting: Callable[..., Race]) -> None:
    race = rejecting()
    for word in ("one", "two"):
        race.run({"log": [word]})
    first_end = [shown for shown in race.history() if shown.values.get("log") and not shown.next][-1]
    result = race.run({"log": ["three"]}, first_end.config)
    assert result["log"] == ["one", "one passed", "end", "three", "three passed", "end"]
    assert race.state().values == result
    assert race.branchings() == 1
    assert race.run({"log": ["four"]})["log"] == [*result["log"], "four", "four passed", "end"]


@in_three_ways
def test_a_replay_and_an_update_of_an_older_checkpoint_are_no_late_runs(rejecting: Callable[..., Race]) -> None:
    race = rejecting()
    race.run({"log": ["one"]})
    if race.stage.saves_every_step:
        at_the_gate = next(shown for shown in race.history() if shown.next == ("gate",))
        assert race.run(None, at_the_gate.config)["log"] == ["one", "one passed", "end"]
    first_end = [shown for shown in race.history() if shown.values.get("log") and not shown.next][-1]
    race.run({"log": ["two"]})
    branch = race.graph.update_state(first_end.config, {"log": ["by hand"]}, as_node="hear")
    result = race.run(None, branch)
    assert result["log"] == ["one", "one passed", "end", "by hand", "by hand passed", "end"]
    assert race.state().values == result


@in_three_ways
def test_a_travelling_run_that_is_overtaken_is_turned_away_too(rejecting: Callable[..., Race]) -> None:
    race = rejecting()
    for word in ("one", "two"):
        race.run({"log": [word]})
    first_end = [shown for shown in race.history() if shown.values.get("log") and not shown.next][-1]
    slow = race.start("slow", {"log": ["slow"]}, first_end.config)
    race.run({"log": ["fast"]})
    race.is_refused(slow)


@in_three_ways
def test_runs_one_after_the_other_are_never_turned_away(rejecting: Callable[..., Race]) -> None:
    race = rejecting(question_before_the_gate)
    race.run({"log": ["in"]})
    race.graph.update_state(race.stage.here(), {"log": ["by hand"]}, as_node="ask")
    assert race.run(None)["log"] == ["in", "by hand", "by hand passed"]
    race.run({"log": ["again"]})
    assert race.run(Command(resume="x"))["log"][-3:] == ["again", "x", "x passed"]
    assert race.branchings() == 0


@in_three_ways
def test_a_subgraph_that_asks_goes_on_when_it_is_answered(rejecting: Callable[..., Race]) -> None:
    def build(gate: Gate) -> StateGraph[Any, Any, Any, Any]:
        inner = question_before_the_gate(gate).compile()
        steps: list[Any] = [("inner", inner), ("after", lambda state: {})]
        return StateGraph(Log).add_sequence(steps).add_edge(START, "inner")

    race = rejecting(build)
    for _ in range(2):
        race.run({"log": []})
        result = race.run(Command(resume="x"))
        assert result["log"][-2:] == ["x", "x passed"]


@in_three_ways
def test_runs_of_other_threads_are_no_concern_of_a_run(rejecting: Callable[..., Race]) -> None:
    race = rejecting()
    slow = race.start("slow", {"log": ["slow"]})
    race.run({"log": ["fast"]}, thread("other"))
    race.gate.open()
    assert slow.result()["log"] == ["slow", "slow passed", "end"]
