"""Two runs on one thread at the same time: kept as branches, or the one that comes late is turned away.

That a run comes late is made certain: it waits inside a node until the other one has ended.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from langgraph.graph import START, StateGraph
from langgraph.types import Command

from langgraph.checkpoint.eventstore import EventStoreSaver
from tests.support.flavour import Flavour
from tests.support.nested import remembering
from tests.support.racing import Gate, Log, Race, gate_in_a_subgraph, question_before_the_gate, through_the_gate
from tests.support.stage import Durability, Stage, in_three_ways, thread
from tests.support.stories import SELDOM, STORIES, nested, tell


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
def turns(make_saver: Callable[..., EventStoreSaver], flavour: Flavour, durability: Durability) -> Stage:
    """A stage where runs take turns: the late one is turned away."""

    def open_saver() -> EventStoreSaver:
        return make_saver(concurrent_runs="reject")

    return Stage(open_saver(), flavour, durability, reopen=open_saver)


@pytest.fixture
def rejecting(turns: Stage) -> Callable[..., Race]:
    """A race of which the late run is turned away."""
    return lambda build=through_the_gate: Race(turns, build)


@pytest.fixture(params=["the same saver", "another saver", "a saver that keeps both"])
def rejecting_rivals(
    request: pytest.FixtureRequest,
    turns: Stage,
    make_saver: Callable[..., EventStoreSaver],
    flavour: Flavour,
    durability: Durability,
) -> Callable[..., Race]:
    """The same, overtaken by runs on the same saver or on one that another process might have opened."""
    options = {"another saver": {"concurrent_runs": "reject"}, "a saver that keeps both": {}}.get(request.param)
    rival = None if options is None else Stage(make_saver(**options), flavour, durability)
    return lambda build=through_the_gate: Race(turns, build, rival)


@pytest.fixture(params=[through_the_gate, gate_in_a_subgraph], ids=["in the graph", "in a subgraph"])
def gate_at(request: pytest.FixtureRequest) -> Callable[[Gate], StateGraph[Any, Any, Any, Any]]:
    """A graph with the gate at the top, or in a subgraph."""
    build: Callable[[Gate], StateGraph[Any, Any, Any, Any]] = request.param
    return build


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


def test_a_late_run_is_turned_away_and_stores_nothing(rejecting_rivals: Callable[..., Race]) -> None:
    race = rejecting_rivals()
    race.run({"log": ["first"]})
    slow = race.start("slow", {"log": ["slow"]})
    race.overtake({"log": ["fast"]})
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
def test_a_run_that_is_overtaken_by_an_update_from_outside_is_turned_away(
    rejecting_rivals: Callable[..., Race],
) -> None:
    race = rejecting_rivals()
    race.run({"log": ["first"]})
    slow = race.start("slow", {"log": ["slow"]})
    race.update({"log": ["by hand"]}, "end")
    race.is_refused(slow)
    assert race.state().values["log"][-1] == "by hand"


def test_a_run_that_is_overtaken_while_it_is_in_a_subgraph_is_turned_away(
    rejecting_rivals: Callable[..., Race],
) -> None:
    race = rejecting_rivals(gate_in_a_subgraph)
    race.run({"log": ["first"]})
    slow = race.start("slow", {"log": ["slow"]})
    race.overtake({"log": ["fast"]})
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
    first_end = race.first_end()
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
    first_end = race.first_end()
    race.run({"log": ["two"]})
    branch = race.update({"log": ["by hand"]}, "hear", first_end.config)
    result = race.run(None, branch)
    assert result["log"] == ["one", "one passed", "end", "by hand", "by hand passed", "end"]
    assert race.state().values == result


@in_three_ways
def test_a_travelling_run_that_is_overtaken_is_turned_away_too(rejecting: Callable[..., Race]) -> None:
    race = rejecting()
    for word in ("one", "two"):
        race.run({"log": [word]})
    first_end = race.first_end()
    slow = race.start("slow", {"log": ["slow"]}, first_end.config)
    race.run({"log": ["fast"]})
    race.is_refused(slow)


@in_three_ways
def test_runs_one_after_the_other_are_never_turned_away(rejecting: Callable[..., Race]) -> None:
    race = rejecting(question_before_the_gate)
    race.run({"log": ["in"]})
    race.update({"log": ["by hand"]}, "ask")
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


def test_runs_that_nobody_races_are_never_turned_away(turns: Stage) -> None:
    async def scenario(stage: Stage) -> None:
        for n, story in enumerate(STORIES):
            graph = stage.compile(story.graph(), **story.options)
            await tell(stage, graph, story.before, f"story {n}")
            stage.reopen()
            assert (await tell(stage, graph, story.after, f"story {n}"))["log"] == story.end

    turns.perform(scenario)


@in_three_ways
def test_where_nobody_races_what_a_subgraph_remembers_is_stored_before_the_run_returns(turns: Stage) -> None:
    async def scenario(stage: Stage) -> None:
        graph = stage.compile(remembering(checkpointer=True))
        await stage.invoke(graph, {"path": []})
        stage.reopen()
        assert (await stage.invoke(graph, {"path": []}))["path"][-1] == "visit 1,visit 2"

    turns.perform(scenario)


@in_three_ways
def test_a_copied_checkpoint_and_a_subgraphs_older_checkpoint_are_no_late_runs(turns: Stage) -> None:
    async def scenario(stage: Stage) -> None:
        graph = stage.compile(nested(SELDOM)())
        await stage.invoke(graph, {"log": ["in"]})
        await stage.update(graph, None, as_node="__copy__")
        first = await stage.invoke(graph, None)
        assert [asked.value for asked in first["__interrupt__"]] == ["q"]
        within = (await stage.state(graph)).tasks[0].state.config
        yes = await stage.invoke(graph, Command(resume="yes"))
        await stage.invoke(graph, None, within)
        no = await stage.invoke(graph, Command(resume="no"))
        assert (yes["log"][-2:], no["log"][-2:]) == (["q=yes", "end"], ["q=no", "end"])

    turns.perform(scenario)


def test_a_prune_in_the_middle_of_a_run_takes_nothing_from_it(
    keeping: Callable[..., Race], gate_at: Callable[[Gate], StateGraph[Any, Any, Any, Any]]
) -> None:
    race = keeping(gate_at)
    race.run({"log": ["first"]})
    slow = race.start("slow", {"log": ["slow"]})
    thread_id = race.stage.here()["configurable"]["thread_id"]
    assert isinstance(race.stage.saver, EventStoreSaver)
    race.stage.saver.prune([thread_id])
    race.gate.open()
    expected = race.control({"log": ["first"]}, {"log": ["slow"]})
    assert slow.result() == expected == race.state().values
    assert race.run({"log": ["next"]})["log"][: len(expected["log"])] == expected["log"]
