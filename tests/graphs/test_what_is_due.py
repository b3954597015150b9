"""What is due, what is pending and which questions are open: all tell of a thread what LangGraph's `get_state` does."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from uuid import uuid4

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from langgraph.pregel import Pregel
from langgraph.types import StateSnapshot

from eventstore_cli.session import SERIALIZER
from langgraph.checkpoint.eventstore import EventStoreSaver
from projections import Recovery, RecoveryPoint
from tests.cli.shell import Shell

from .random_graphs import a_graph, breakpoints, happen
from .stage import Flavour, Stage, checkpoint_id, thread


def of_state(state: StateSnapshot) -> Any:
    """What LangGraph tells of a step: what is due, and of each task what it asks, and failed with."""
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
    assert [found.head for found in stalled] == [point for point in points[:1] if not point.clean]
    if points and latest.tasks:
        assert ("interrupt" in stalled[0].why) >= any(task.status == "interrupted" for task in points[0].tasks)
        assert not points[0].clean


def namespaces(state: StateSnapshot) -> Iterator[tuple[str, StateSnapshot]]:
    """The subgraphs of a state's tasks, at any depth."""
    for task in state.tasks:
        if isinstance(task.state, StateSnapshot):
            if task.state.metadata:
                yield task.state.config["configurable"]["checkpoint_ns"], task.state
            yield from namespaces(task.state)


async def look(stage: Stage, saver: EventStoreSaver, graph: Pregel, config: Any) -> None:
    """Hold what is told of a thread, and of the subgraphs of its tasks, against what LangGraph tells."""
    name = config["configurable"]["thread_id"]
    latest = await stage.call(graph, "get_state", config, subgraphs=True)
    history = [state async for state in stage.each(graph, "get_state_history", config)]
    assert_told_alike(saver, name, latest, history[1:])
    for namespace, state in namespaces(latest):
        [point] = Recovery(saver.checkpoints).points(name, namespace=namespace, limit=1, serializer=saver.serde)
        assert (point.id, of_point(point)) == (checkpoint_id(state.config), of_state(state))


@settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
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
