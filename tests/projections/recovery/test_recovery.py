"""Recovery: where a thread can go on from, and which threads stopped in the middle, by what their log tells."""

from __future__ import annotations

import threading
from contextlib import closing, suppress
from datetime import timedelta
from typing import Any, ClassVar

import pytest
from langgraph.graph import END, START, StateGraph
from langgraph.pregel import Pregel
from langgraph.types import Command, Send, interrupt
from pydantic import BaseModel

from eventstore import BadInputError, InvalidIdError, NewEvent, NotFoundError
from langgraph.checkpoint.eventstore import EventStoreSaver
from projections import Recovery, RecoveryPoint, StalledThread
from tests.support.counted import Bench, State, at
from tests.support.flavour import Flavour
from tests.support.pace import in_each_durability, where_each_step_is_saved
from tests.support.processes import Pipe, child
from tests.support.stage import Durability, Stage, thread
from tests.support.stories import Story, each_story, tell
from tests.support.tables import forge

LONG = timedelta(days=1)
NOT_LONG = timedelta(0)


@pytest.fixture
def bench(saver: EventStoreSaver, flavour: Flavour) -> Bench:
    """Where graphs run: sync or async."""
    return Bench(saver, flavour)


def stalled(bench: Bench, **options: Any) -> dict[str, StalledThread]:
    """The threads that stopped in the middle, by their names."""
    options.setdefault("serializer", bench.saver.serde)
    page = bench.call(Recovery(bench.saver.checkpoints), "stalled", **options)
    assert page.next_cursor is None
    return {found.thread: found for found in page.threads}


def points(bench: Bench, name: str = "thread", **options: Any) -> list[RecoveryPoint]:
    """The recovery points of a thread."""
    options.setdefault("serializer", bench.saver.serde)
    found: list[RecoveryPoint] = bench.call(Recovery(bench.saver.checkpoints), "points", name, **options)
    return found


def head_of(found: StalledThread) -> RecoveryPoint:
    """Where a thread stands."""
    assert found.latest is not None
    return found.latest


def statuses(point: RecoveryPoint) -> dict[str | None, str]:
    """Return the statuses of a step's tasks, by their nodes."""
    return {task.node: task.status for task in point.tasks}


def line(*steps: tuple[str, Any]) -> StateGraph[Any, Any, Any, Any]:
    """Nodes one after the other."""
    return StateGraph(State).add_sequence(steps).add_edge(START, steps[0][0])


def say(word: str) -> Any:
    return lambda state: {"log": [word]}


def ask(state: Any) -> Any:
    return {"log": [interrupt("well?")]}


def fail(state: Any) -> Any:
    raise ZeroDivisionError("nobody knows")


def die(state: Any) -> Any:
    raise KeyboardInterrupt


def running(bench: Bench, builder: StateGraph[Any, Any, Any, Any], given: Any = None, **options: Any) -> Any:
    """Run a graph until it ends, stops or raises."""
    graph = bench.compile(builder, **options)
    with suppress(ZeroDivisionError, KeyboardInterrupt):
        bench.run(graph, {"question": "?"} if given is None else given)
    return graph


# Threads that stopped -------------------------------------------------------------------------------------------------


@in_each_durability
def test_a_thread_that_ended_is_not_listed(bench: Bench) -> None:
    running(bench, line(("a", say("a")), ("b", say("b"))))
    assert stalled(bench) == {}
    assert stalled(bench, older_than=NOT_LONG) == {}
    assert points(bench)[0].clean


@in_each_durability
def test_a_thread_that_asks_is_listed_with_its_question_until_it_is_answered(bench: Bench) -> None:
    graph = running(bench, line(("a", say("a")), ("ask", ask), ("b", say("b"))))
    state = graph.get_state(at())
    found = stalled(bench, older_than=LONG)["thread"]  # however young
    assert found.why == ("interrupt",)
    head = head_of(found)
    assert (head.id, head.next, head.clean) == (state.config["configurable"]["checkpoint_id"], ("ask",), False)
    [task] = head.tasks
    assert (task.id, task.node, task.status) == (state.tasks[0].id, "ask", "interrupted")
    assert task.interrupts == tuple(asked.id for asked in state.interrupts)
    bench.run(graph, Command(resume="well"))
    assert stalled(bench) == {}


@in_each_durability
def test_without_a_serializer_it_is_known_who_asks_and_not_what(bench: Bench) -> None:
    running(bench, line(("ask", ask)))
    [task] = head_of(stalled(bench, serializer=None)["thread"]).tasks
    assert (task.node, task.status, task.interrupts) == ("ask", "interrupted", ())


class Secret(BaseModel):
    """A type that no saver here may make again."""

    made: ClassVar[int] = 0
    text: str = "secret"

    def __init__(self, **fields: Any) -> None:
        super().__init__(**fields)
        Secret.made += 1


@where_each_step_is_saved
def test_a_question_of_a_type_that_may_not_be_made_again_is_listed_and_not_made(bench: Bench) -> None:
    running(bench, line(("ask", lambda state: interrupt(Secret()))))
    made = Secret.made
    bench.saver.serde = EventStoreSaver(bench.saver.store, allowed_types=[]).serde
    [task] = head_of(stalled(bench)["thread"]).tasks
    assert (task.status, task.interrupts, Secret.made) == ("interrupted", (), made)


@in_each_durability
def test_a_thread_whose_node_failed_is_listed_with_the_error_until_it_is_mended(bench: Bench) -> None:
    running(bench, line(("a", say("a")), ("b", fail)))
    found = stalled(bench, older_than=LONG)["thread"]
    assert found.why == ("error",)
    [task] = head_of(found).tasks
    assert (task.node, task.status, task.error) == ("b", "failed", "ZeroDivisionError('nobody knows')")
    assert head_of(found).next == ("b",)
    bench.run(bench.compile(line(("a", say("a")), ("b", say("b")))), None)
    assert stalled(bench) == {}


# An event loop that is interrupted may not have saved anything beside the step that it was at.
@pytest.mark.parametrize("durability", ["sync", "exit"], indirect=True)
def test_a_run_that_died_in_a_node_is_listed_when_nothing_was_heard_of_it_for_long_enough(bench: Bench) -> None:
    running(bench, line(("a", say("a")), ("b", die)))
    assert stalled(bench)["thread"].why == ("pending",)
    assert stalled(bench, older_than=NOT_LONG)["thread"].why == ("died",)
    assert stalled(bench, older_than=LONG) == {}  # it may be at work
    head = head_of(stalled(bench)["thread"])
    assert (head.next, statuses(head)) == (("b",), {"b": "due"})


@in_each_durability
def test_a_run_of_which_nobody_took_the_rest_is_listed(saver: EventStoreSaver) -> None:
    bench = Bench(saver)
    graph = bench.compile(line(("a", say("a")), ("b", say("b"))))
    stream: Any = graph.stream({"question": "?"}, at(), stream_mode="updates")
    with closing(stream) as updates:
        next(updates)
    found = stalled(bench)["thread"]
    assert found.why == ("pending",)
    head = head_of(found)
    assert (head.next, statuses(head)) == (("b",), {"b": "due"})
    bench.run(graph, None)
    assert stalled(bench) == {}


@in_each_durability
def test_a_stop_at_a_breakpoint_looks_like_a_run_that_died(bench: Bench) -> None:
    graph = running(bench, line(("a", say("a")), ("b", say("b"))), interrupt_before=["b"])
    assert stalled(bench)["thread"].why == ("pending",)
    assert head_of(stalled(bench)["thread"]).next == ("b",)
    bench.run(graph, None)
    assert stalled(bench) == {}
    running(bench, line(("a", say("a")), ("b", say("b"))), interrupt_after=["a"])
    assert head_of(stalled(bench)["thread"]).next == ("b",)


@in_each_durability
def test_of_nodes_beside_each_other_it_is_told_what_became_of_each(bench: Bench) -> None:
    builder = StateGraph(State)
    works: dict[str, Any] = {"works": say("x"), "asks": ask, "asks2": ask}
    for name, work in works.items():
        builder.add_node(name, work).add_edge(START, name)
    builder.add_node("end", say("end")).add_edge(["works", "asks", "asks2"], "end")
    graph = running(bench, builder)
    head = head_of(stalled(bench)["thread"])
    assert head.next == ("asks", "asks2")
    assert statuses(head) == {
        "works": "finished",
        "asks": "interrupted",
        "asks2": "interrupted",
    }
    asked = {task.name: task.interrupts[0].id for task in graph.get_state(at()).tasks if task.interrupts}
    assert {task.node: task.interrupts for task in head.tasks if task.interrupts} == {
        name: (question,) for name, question in asked.items()
    }
    bench.run(graph, Command(resume={asked["asks"]: "yes"}))
    found = stalled(bench)["thread"]
    assert found.why == ("interrupt",)
    assert statuses(head_of(found))["asks"] == "finished"


@where_each_step_is_saved
def test_one_of_several_that_failed_and_one_that_asks_are_both_told(saver: EventStoreSaver) -> None:
    asked = threading.Event()

    def fail_then(state: Any) -> Any:
        assert asked.wait(20)
        raise ZeroDivisionError

    class Told(EventStoreSaver):
        def put_writes(self, config: Any, writes: Any, task_id: str, task_path: str = "") -> None:
            super().put_writes(config, writes, task_id, task_path)
            if writes[0][0] == "__interrupt__":
                asked.set()

    bench = Bench(Told(saver.store))
    builder = StateGraph(State).add_node("asks", ask).add_node("fails", fail_then)
    running(bench, builder.add_edge(START, "asks").add_edge(START, "fails"))
    found = stalled(bench)["thread"]
    assert found.why == ("interrupt", "error")
    assert statuses(head_of(found)) == {"asks": "interrupted", "fails": "failed"}


@where_each_step_is_saved
def test_a_task_that_was_answered_and_then_died_waits_for_no_answer(saver: EventStoreSaver) -> None:
    bench = Bench(saver)  # an event loop that is interrupted may not have saved the answer

    def ask_and_die(state: Any) -> Any:
        interrupt("well?")
        raise KeyboardInterrupt

    graph = running(bench, line(("ask", ask_and_die)))
    assert stalled(bench)["thread"].why == ("interrupt",)
    with pytest.raises(KeyboardInterrupt):
        bench.run(graph, Command(resume="well"))
    found = stalled(bench, older_than=NOT_LONG)["thread"]
    assert found.why == ("died",)
    assert [task.status for task in head_of(found).tasks] == ["resumed"]


@in_each_durability
def test_a_second_question_after_an_answer_is_open(bench: Bench) -> None:
    graph = running(bench, line(("ask", lambda state: {"log": [interrupt("one?"), interrupt("two?")]})))
    first = head_of(stalled(bench)["thread"]).tasks[0].interrupts
    bench.run(graph, Command(resume="1"))
    found = stalled(bench)["thread"]
    assert found.why == ("interrupt",)
    [second] = head_of(found).tasks[0].interrupts
    assert [asked.id for asked in graph.get_state(at()).interrupts] == [second]
    assert first != (second,)


@in_each_durability
def test_packets_that_wait_are_named_by_their_nodes_if_they_can_be_read(bench: Bench) -> None:
    builder = StateGraph(State).add_node("work", lambda packet: {"log": [packet["x"]]})
    builder.add_conditional_edges(START, lambda state: [Send("work", {"x": item}) for item in "abc"], ["work"])
    graph = running(bench, builder, interrupt_before=["work"])
    assert head_of(stalled(bench)["thread"]).next == ("work", "work", "work")
    assert head_of(stalled(bench, serializer=None)["thread"]).next == ("__pregel_tasks",)
    bench.run(graph, None)
    assert stalled(bench) == {}


@in_each_durability
def test_a_question_and_an_error_in_a_subgraph_are_found_in_its_caller_and_in_itself(bench: Bench) -> None:
    inner = line(("deep", say("deep")), ("ask", ask)).compile()
    graph = running(bench, StateGraph(State).add_node("inner", inner).add_edge(START, "inner"))
    found = stalled(bench)["thread"]
    assert (found.why, head_of(found).next) == (("interrupt",), ("inner",))
    [task] = graph.get_state(at(), subgraphs=True).tasks
    namespace = f"inner:{task.id}"
    deepest = points(bench, namespace=namespace)[0]
    assert (deepest.next, deepest.namespace) == (("ask",), namespace)
    assert deepest.tasks[0].interrupts == head_of(found).tasks[0].interrupts
    bench.run(graph, Command(resume="well"))
    assert stalled(bench) == {}

    failing = line(("deep", fail)).compile()
    running(bench, StateGraph(State).add_node("inner", failing).add_edge(START, "inner"))
    assert stalled(bench)["thread"].why == ("error",)


def killed(pipe: Pipe, url: str) -> None:
    """Run a graph until somebody kills the process in the middle of its second step."""

    def wait(state: Any) -> Any:
        pipe.send("working")
        pipe.recv()

    builder = line(("a", say("a")), ("b", wait), ("c", say("c")))
    with EventStoreSaver.from_conn_string(url) as saver:
        builder.compile(checkpointer=saver).invoke({"question": "?"}, at(), durability="sync")


# Of a process that is killed only this durability promises which step is stored.
def test_a_process_that_was_killed_in_the_middle_of_a_step_leaves_a_thread_that_is_listed_and_goes_on(
    url: str, saver: EventStoreSaver
) -> None:
    with child(killed, url) as process:
        assert process.pipe.recv() == "working"
        process.kill()
    bench = Bench(saver)
    found = stalled(bench, older_than=NOT_LONG)["thread"]
    assert (found.why, head_of(found).next) == (("died",), ("b",))
    bench.run(bench.compile(line(("a", say("a")), ("b", say("b")), ("c", say("c")))), None)
    assert stalled(bench) == {}
    assert bench.saver.checkpoints.get("thread", saver.serde).values["log"] == ["a", "b", "c"]


@pytest.mark.parametrize("durability", ["sync", "async", "exit"])
def test_in_each_durability(bench: Bench, durability: Any) -> None:
    graph = bench.compile(line(("a", say("a")), ("ask", ask)))
    bench.run(graph, {"question": "?"}, durability=durability)
    assert stalled(bench)["thread"].why == ("interrupt",)
    bench.run(graph, Command(resume="yes"), durability=durability)
    assert stalled(bench) == {}
    with pytest.raises(ZeroDivisionError):
        bench.run(bench.compile(line(("a", fail))), {"question": "?"}, "other", durability=durability)
    assert stalled(bench)["other"].why == ("error",)


@in_each_durability
def test_a_fork_that_began_in_the_middle_is_listed_beside_its_parent(bench: Bench) -> None:
    graph = running(bench, line(("ask", ask), ("b", say("b"))))
    bench.saver.copy_thread("thread", "copy")
    assert {name: found.why for name, found in stalled(bench).items()} == {
        "copy": ("interrupt",),
        "thread": ("interrupt",),
    }
    bench.run(graph, Command(resume="yes"), "copy")
    assert list(stalled(bench)) == ["thread"]
    bench.saver.prune(["thread", "copy"])
    assert {name: found.why for name, found in stalled(bench).items()} == {"thread": ("interrupt",)}
    bench.saver.delete_thread("thread")
    assert stalled(bench) == {}


@in_each_durability
def test_pages_hold_each_thread_once_and_other_streams_are_passed_over(bench: Bench) -> None:
    asking, ending = bench.compile(line(("ask", ask))), bench.compile(line(("a", say("a"))))
    for number in range(7):
        bench.run(asking, {"question": "?"}, f"a {number}")
        bench.run(ending, {"question": "?"}, f"b {number}")
    bench.run(asking, {"question": "?"}, "c")
    bench.saver.store.append("a stream of somebody else", [NewEvent("something")])
    recovery = Recovery(bench.saver.checkpoints)
    found: list[str] = []
    cursor, pages = None, 0
    while pages == 0 or cursor is not None:
        page = bench.call(recovery, "stalled", limit=3, cursor=cursor)
        assert len(page.threads) <= 3
        found += [each.thread for each in page.threads]
        cursor, pages = page.next_cursor, pages + 1
    assert found == [*(f"a {number}" for number in range(7)), "c"]
    assert list(stalled(bench, prefix="c")) == ["c"]


@in_each_durability
def test_a_thread_whose_head_is_damaged_is_listed_as_that(bench: Bench, url: str) -> None:
    running(bench, line(("ask", ask)))
    forge(url, lambda content: b"")
    found = stalled(bench)["thread"]
    assert (found.why, found.latest) == (("damaged",), None)


# Points ---------------------------------------------------------------------------------------------------------------


@where_each_step_is_saved
def test_the_points_of_a_thread_say_what_each_checkpoint_is(bench: Bench) -> None:
    graph = running(bench, line(("a", say("a")), ("b", say("b"))))
    shown = points(bench)
    states = list(graph.get_state_history(at()))
    assert [point.id for point in shown] == [state.config["configurable"]["checkpoint_id"] for state in states]
    assert [point.step for point in shown] == [2, 1, 0, -1]
    assert [point.source for point in shown] == ["loop", "loop", "loop", "input"]
    assert [point.next for point in shown] == [(), ("b",), ("a",), ("__start__",)]
    assert [point.clean for point in shown] == [True, False, False, False]
    assert [point.parent for point in shown] == [*(point.id for point in shown[1:]), None]
    assert [statuses(point) for point in shown] == [
        {},
        {"b": "finished"},
        {"a": "finished"},
        {"__start__": "finished"},
    ]
    assert [point.saved_at for point in shown] == sorted((point.saved_at for point in shown), reverse=True)
    assert points(bench, limit=2) == shown[:2]
    assert points(bench, before=shown[1].id) == shown[2:]
    with pytest.raises(NotFoundError, match="'nobody'"):
        points(bench, "nobody")


@in_each_durability
@each_story
def test_what_is_due_is_what_langgraph_finds_due_with_the_graph(
    story: Story, saver: EventStoreSaver, durability: Durability
) -> None:
    stage = Stage(saver, Flavour.SYNC, durability)
    bench = Bench(saver)
    graph = stage.compile(story.graph(), **story.options)
    for steps in (story.before, story.after):
        stage.perform(lambda stage, steps=steps: tell(stage, graph, steps))  # type: ignore[misc]
        assert_as_due(bench, graph, stage.here(thread())["configurable"]["thread_id"])


def assert_as_due(bench: Bench, graph: Pregel[Any, Any, Any, Any], name: str) -> None:
    """Hold that at each checkpoint the same is due as the graph says."""
    states = [graph.get_state(at(name)), *[*graph.get_state_history(at(name))][1:]]
    expected = {state.config["configurable"]["checkpoint_id"]: sorted(state.next) for state in states}
    assert {point.id: sorted(point.next) for point in points(bench, name, limit=1_000)} == expected


@where_each_step_is_saved
def test_what_is_due_after_updates_time_travel_joins_and_deferred_nodes(bench: Bench) -> None:
    builder = StateGraph(State)
    for name in ("a", "b", "b2", "join"):
        builder.add_node(name, say(name))
    builder.add_node("late", say("late"), defer=True)
    builder.add_node(
        "again", lambda state: Command(goto="a" if len(state["log"]) < 12 else END), destinations=("a", END)
    )
    builder.add_edge(START, "a").add_edge(START, "b").add_edge("b", "b2").add_edge(["a", "b2"], "join")
    builder.add_edge("join", "late").add_edge("a", "late").add_edge("late", "again")
    graph = bench.compile(builder)
    bench.run(graph, {"question": "?"})
    assert_as_due(bench, graph, "thread")
    graph.update_state(at(), {"log": ["updated"]}, as_node="b")
    assert_as_due(bench, graph, "thread")
    bench.run(graph, None)
    middle = [*graph.get_state_history(at())][5]
    bench.call(graph, "invoke", None, middle.config)
    assert_as_due(bench, graph, "thread")
    graph.update_state(middle.config, {"log": ["changed"]}, as_node="a")
    assert_as_due(bench, graph, "thread")
    graph.update_state(at(), None, as_node=END)
    assert stalled(bench) == {}


@where_each_step_is_saved
def test_a_checkpoint_that_does_not_say_what_was_updated_is_judged_by_what_has_a_value(bench: Bench) -> None:
    """As those are that an older LangGraph saved."""
    graph = running(bench, line(("a", say("a")), ("b", say("b"))), interrupt_before=["b"])
    for state in [*graph.get_state_history(at())][::-1]:
        saved = bench.saver.get_tuple(state.config)
        assert saved is not None
        config: Any = saved.parent_config or at()
        old: Any = {**saved.checkpoint, "updated_channels": None}
        where: Any = {"configurable": {**config["configurable"], "thread_id": "old", "checkpoint_ns": ""}}
        bench.saver.put(where, old, saved.metadata, saved.checkpoint["channel_versions"])
    assert [point.next for point in points(bench, "old")] == [("b",), ("a",), ("__start__",)]
    bench.run(graph, None, "old")
    assert points(bench, "old")[0].clean


def test_bad_input_is_refused(bench: Bench) -> None:
    recovery = Recovery(bench.saver.checkpoints)
    for bad in (
        lambda: recovery.points("thread", limit=0),
        lambda: recovery.stalled(limit=0),
        lambda: recovery.stalled(cursor="nonsense"),
        lambda: recovery.stalled(older_than=60),  # type: ignore[arg-type]
    ):
        with pytest.raises(BadInputError):
            bad()
    for bad_name in (lambda: recovery.points(""), lambda: recovery.check("", bench.saver.serde)):
        with pytest.raises(InvalidIdError):
            bad_name()
