"""Accounts of a thread's due and pending work, and its open questions: all tell what LangGraph's `get_state` does."""

from __future__ import annotations

import asyncio
import operator
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from typing import Annotated, Any, TypedDict
from uuid import uuid4

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from langgraph.func import entrypoint, task
from langgraph.graph import START, StateGraph
from langgraph.pregel import Pregel
from langgraph.types import Command, StateSnapshot, interrupt

from eventstore import NotFoundError
from eventstore_views.session import SERIALIZER
from langgraph.checkpoint.eventstore import EventStoreSaver
from projections import Recovery, RecoveryPoint, StalledThread, TaskState
from tests.support.examples import examples
from tests.support.flavour import Flavour
from tests.support.processes import Pipe, child
from tests.support.random_graphs import a_graph, breakpoints, happen
from tests.support.shell import Shell
from tests.support.stage import Stage, checkpoint_id, in_three_ways, thread
from tests.support.stories import delta_state


def of_state(state: StateSnapshot) -> Any:
    """Return what LangGraph tells of a step: what is due, and of each task what it asks, and failed with."""
    tasks = [
        (task.name, sorted(asked.id for asked in task.interrupts), None if task.error is None else str(task.error))
        for task in state.tasks
    ]
    return sorted(state.next), sorted(tasks, key=repr)


def of_point(point: RecoveryPoint) -> Any:
    """The same, of a recovery point."""
    tasks = [(task.node, sorted(task.interrupts), task.error) for task in point.tasks]
    return sorted(point.next), sorted(tasks, key=repr)


def assert_told_alike(saver: EventStoreSaver, name: str, latest: StateSnapshot, earlier: list[StateSnapshot]) -> None:
    """Hold that points, timeline and stalled threads tell of each checkpoint what LangGraph does."""
    states = [latest, *earlier] if latest.metadata else []
    expected = {checkpoint_id(state.config): of_state(state) for state in states}
    points = saver.history.points(name, limit=1_000)
    assert {point.id: of_point(point) for point in points} == expected
    shown = Recovery(saver.checkpoints).points(name, limit=1_000, serializer=SERIALIZER)
    assert {point.id: of_point(point) for point in shown} == expected
    entries = [*saver.history.timeline(name, namespace="")]
    assert {entry.id: (sorted(entry.due), entry.interrupted) for entry in entries} == {
        point.id: (sorted(point.next), any(task.interrupts for task in (*point.tasks, *point.beside)))
        for point in points
    }
    for point, state in zip(points, states, strict=True):
        assert {task.id: task.node for task in point.tasks if task.id}.items() <= {
            task.id: task.name for task in state.tasks
        }.items()
    stalled = saver.history.stalled(prefix=name).threads
    assert [found.latest for found in stalled] == [point for point in points[:1] if not point.clean]
    if points and latest.tasks:
        assert ("interrupt" in stalled[0].why) >= any(task.status == "interrupted" for task in points[0].tasks)
        assert not points[0].clean


def namespaces(state: StateSnapshot) -> Iterator[tuple[str, StateSnapshot]]:
    """The subgraphs of a state's tasks, at any depth."""
    for inner in (each.state for each in state.tasks):
        if isinstance(inner, StateSnapshot):
            if inner.metadata:
                yield inner.config["configurable"]["checkpoint_ns"], inner
            yield from namespaces(inner)


async def look(stage: Stage, saver: EventStoreSaver, graph: Pregel, config: Any) -> None:
    """Hold what is told of a thread, and of the subgraphs of its tasks, against what LangGraph tells."""
    name = config["configurable"]["thread_id"]
    while True:
        head = saver.store.head(name)
        try:
            await assert_told_as_by(stage, saver, graph, config)
        except AssertionError:
            # A node that an event loop has given up may go on for a moment, in a thread.
            if saver.store.head(name) == head:
                raise
        else:
            return


async def assert_told_as_by(stage: Stage, saver: EventStoreSaver, graph: Pregel, config: Any) -> None:
    """Hold it of one moment."""
    name = config["configurable"]["thread_id"]
    latest = await stage.call(graph, "get_state", config, subgraphs=True)
    history = [state async for state in stage.each(graph, "get_state_history", config)]
    assert_told_alike(saver, name, latest, history[1:])
    for namespace, state in namespaces(latest):
        [point] = saver.history.points(name, namespace=namespace, limit=1)
        assert (point.id, of_point(point)) == (checkpoint_id(state.config), of_state(state))


@settings(max_examples=examples(8), suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(data=st.data())
def test_whatever_happens_in_any_graph_all_tell_what_is_due_as_langgraph_does(
    saver: EventStoreSaver, url: str, flavour: Flavour, data: st.DataObject
) -> None:
    stage = Stage(saver, flavour, "async")
    graph = stage.compile(a_graph(data), **breakpoints(data))
    config: Any = {**thread(str(uuid4())), "recursion_limit": 25}

    async def story(stage: Stage) -> None:
        for _ in range(data.draw(st.integers(1, 8), "steps")):
            await happen(data, stage, graph, config)
            await look(stage, saver, graph, config)

    stage.perform(story)
    name = config["configurable"]["thread_id"]
    if state := saver.history.points(name, limit=1):
        assert Shell(url).ok("show", name, "--json").document["next"] == [*state[0].next]


# Each kind by itself --------------------------------------------------------------------------------------------------


class State(TypedDict, total=False):
    log: Annotated[list[str], operator.add]


def say(word: str) -> Any:
    return lambda state: {"log": [word]}


def fail(state: Any) -> Any:
    raise ZeroDivisionError("nobody knows")


def ask(state: Any) -> Any:
    return {"log": [interrupt("well?")]}


def of(*nodes: str, **work: Any) -> StateGraph[Any, Any, Any, Any]:
    """A graph of nodes that say their names, or do some work, without edges."""
    builder = StateGraph(State)
    for name in nodes:
        builder.add_node(name, say(name))
    for name, does in work.items():
        builder.add_node(name, does)
    return builder


def played(stage: Stage, graph: Pregel, *steps: Callable[[Stage], Any]) -> RecoveryPoint:
    """Where the thread stands after some steps, as all tell it."""

    async def scenario(stage: Stage) -> None:
        for step in steps:
            with suppress(ZeroDivisionError):
                await step(stage)
            await look(stage, stage.saver, graph, stage.here())  # type: ignore[arg-type]

    stage.perform(scenario)
    saver: Any = stage.saver
    return saver.history.points(stage.here()["configurable"]["thread_id"])[0]  # type: ignore[no-any-return]


def run(graph: Pregel, given: Any = None) -> Callable[[Stage], Any]:
    return lambda stage: stage.invoke(graph, given)


def update(graph: Pregel, node: str) -> Callable[[Stage], Any]:
    return lambda stage: stage.update(graph, {"log": ["by hand"]}, as_node=node)


INPUT = {"log": ["in"]}


@in_three_ways
def test_a_join_is_due_when_an_update_brings_the_last_that_it_waits_for(stage: Stage) -> None:
    builder = of("a", "b", "b+c", "join").add_edge(START, "a").add_edge(["a", "b", "b+c"], "join")
    graph = stage.compile(builder)
    assert played(stage, graph, run(graph, INPUT), update(graph, "b+c")).clean
    assert played(stage, graph, update(graph, "b")).next == ("join",)
    assert played(stage, graph, run(graph)).clean


@in_three_ways
def test_a_node_that_waits_for_all_others_is_due_when_they_are_done(stage: Stage) -> None:
    builder = of("a", "b").add_node("late", say("late"), defer=True).add_edge(START, "a").add_edge("a", "b")
    graph = stage.compile(builder.add_edge("a", "late"), interrupt_before=["b", "late"])
    assert played(stage, graph, run(graph, INPUT)).next == ("b",)
    assert played(stage, graph, run(graph)).next == ("late",)
    assert played(stage, graph, run(graph)).clean


@in_three_ways
def test_an_error_that_a_handler_took_over_is_no_reason_to_stop(stage: Stage) -> None:
    builder = StateGraph(State).add_node("fails", fail, error_handler=ask).add_edge(START, "fails")
    graph = stage.compile(builder)
    point = played(stage, graph, run(graph, INPUT))
    assert [(task.node, task.status, task.error) for task in point.tasks] == [
        ("fails", "handled", "ZeroDivisionError('nobody knows')")
    ]
    assert point.next == ("fails",)
    assert stalled(stage).why == ("interrupt",)


@in_three_ways
def test_an_error_of_a_handler_is_one_of_the_thread(stage: Stage) -> None:
    builder = StateGraph(State).add_node("fails", fail, error_handler=fail).add_edge(START, "fails")
    graph = stage.compile(builder)
    point = played(stage, graph, run(graph, INPUT))
    assert ([each.status for each in point.tasks], [each.status for each in point.beside]) == (["handled"], ["failed"])
    assert stalled(stage).why == ("error",)


@in_three_ways
def test_a_node_that_the_caller_leads_to_is_told_beside_the_step_that_langgraph_shows(stage: Stage) -> None:
    graph = stage.compile(of("a", asks=ask).add_edge(START, "a"))
    point = played(stage, graph, run(graph, INPUT), run(graph, Command(goto="asks")))
    assert (point.tasks, point.next, point.clean) == ((), (), False)
    assert [(task.node, task.status) for task in point.beside] == [("asks", "interrupted")]
    assert stalled(stage).why == ("interrupt",)
    assert played(stage, graph, run(graph, Command(resume="yes"))).clean


@in_three_ways
def test_a_step_whose_results_are_to_be_applied_has_nothing_left_to_run_and_is_not_over(stage: Stage) -> None:
    graph = stage.compile(of("a", "b").add_edge(START, "a").add_edge("a", "b"), interrupt_before=["b"])

    async def finish(stage: Stage) -> None:
        state = await stage.state(graph)
        path = "~__pregel_pull, b"
        await stage.call(stage.saver, "put_writes", state.config, [("log", ["b"])], state.tasks[0].id, path)

    point = played(stage, graph, run(graph, INPUT), finish)
    assert (point.next, [task.status for task in point.tasks], point.clean) == ((), ["finished"], False)
    assert stalled(stage).why == ("pending",)
    assert played(stage, graph, run(graph)).clean


@in_three_ways
def test_what_a_run_keeps_for_delta_channels_until_its_end_is_no_result(stage: Stage) -> None:
    builder = (
        StateGraph(delta_state(50))
        .add_node("a", say("a"))
        .add_node("b", say("b"))
        .add_edge(START, "a")
        .add_edge("a", "b")
    )
    graph = stage.compile(builder, interrupt_before=["a", "b"])
    assert played(stage, graph, run(graph, INPUT)).next == ("a",)
    assert played(stage, graph, run(graph)).next == ("b",)
    assert played(stage, graph, run(graph)).clean


@in_three_ways
def test_of_a_function_it_is_told_what_it_called(stage: Stage) -> None:
    @task
    def double(number: int) -> int:
        return 2 * number

    @entrypoint(checkpointer=stage.saver)
    def workflow(number: int) -> int:
        return int(double(number).result()) + int(interrupt("how many more?"))

    stage.build(lambda saver: workflow)
    point = played(stage, workflow, run(workflow, 1))
    assert (point.next, [task.status for task in point.tasks]) == (("workflow",), ["interrupted"])
    assert [(each.called, each.status) for each in point.beside] == [(True, "finished")]
    assert stalled(stage).why == ("interrupt",)
    assert played(stage, workflow, run(workflow, Command(resume=3)), run(workflow, 2)).next == ("workflow",)


def killed(pipe: Pipe, url: str, name: str, flavour: Flavour) -> None:
    """Run a graph until somebody kills the process: one task is finished, one asks, and one is at work."""

    def work(state: Any) -> Any:
        pipe.send("working")
        pipe.recv()

    with EventStoreSaver.from_conn_string(url) as saver:
        graph = Stage(saver, flavour, "async").compile(in_parallel(work))
        if flavour is Flavour.SYNC:
            graph.invoke(INPUT, thread(name))
        else:
            asyncio.run(graph.ainvoke(INPUT, thread(name)))


def in_parallel(work: Any) -> StateGraph[Any, Any, Any, Any]:
    builder = of("a", asks=ask, works=work)
    for node in ("a", "asks", "works"):
        builder.add_edge(START, node)
    return builder


def test_after_a_kill_in_the_middle_all_tell_how_far_each_task_came(
    saver: EventStoreSaver, url: str, flavour: Flavour
) -> None:
    stage = Stage(saver, flavour, "async")
    with child(killed, url, name := stage.here()["configurable"]["thread_id"], flavour) as process:
        assert process.pipe.recv() == "working"
        while len({task.status for task in recorded(saver, name)} & {"finished", "interrupted"}) < 2:
            pass  # the others are about to be recorded
        process.kill()
    graph = stage.compile(in_parallel(say("works")))
    point = played(stage, graph)
    stage.perform(lambda stage: look(stage, saver, graph, stage.here()))
    assert {task.node: task.status for task in point.tasks} == {"a": "finished", "asks": "interrupted", "works": "due"}
    assert point.next == ("asks", "works")
    assert played(stage, graph, run(graph, Command(resume="yes"))).clean


def recorded(saver: EventStoreSaver, name: str) -> Sequence[TaskState]:
    """The tasks of a thread that another process runs, once it has recorded any."""
    try:
        points = saver.history.points(name, limit=1)
    except NotFoundError:
        return ()
    return points[0].tasks if points else ()


def stalled(stage: Stage) -> StalledThread:
    """The thread of a stage, which has stopped."""
    saver: Any = stage.saver
    [found] = saver.history.stalled(prefix=stage.prefix).threads
    return found  # type: ignore[no-any-return]
