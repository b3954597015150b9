"""Selective replay: what depends on the node that changed runs again; everything else is as it was recorded."""

from __future__ import annotations

from typing import Annotated, Any, TypedDict

import pytest
from langchain_core.runnables import RunnableConfig
from langgraph.channels import UntrackedValue
from langgraph.channels.delta import DeltaChannel
from langgraph.func import entrypoint, task
from langgraph.graph import END, START, StateGraph
from langgraph.runtime import Runtime
from langgraph.types import Command, Send, interrupt

from eventstore import BadInputError, ConflictError, InvalidIdError, NotFoundError
from langgraph.checkpoint.eventstore import EventStoreSaver
from langgraph.checkpoint.eventstore.replay.planning import Reason
from langgraph.checkpoint.eventstore.replay.recorded import path_text
from tests.support.counted import Bench, Counted, Left, Number, Question, Right, State, at, nodes
from tests.support.flavour import Flavour
from tests.support.pace import where_each_step_is_saved
from tests.support.stories import append


@pytest.fixture
def counted() -> Counted:
    """Counts the calls of nodes."""
    return Counted()


def branching(counted: Counted, left: str = "left") -> StateGraph[Any, Any, Any, Any]:
    """Two branches beside each other, each of two nodes that read only their own; and an end that reads all."""
    builder = StateGraph(State)
    builder.add_node(
        "left", counted.node("left", lambda state: {"left": f"{left} {state['question']}"}), input_schema=Question
    )
    builder.add_node("right", counted.node("right", lambda state: {"right": "right"}), input_schema=Question)
    builder.add_node("left2", counted.node("left2", lambda state: {"log": [state["left"] + "!"]}), input_schema=Left)
    builder.add_node(
        "right2", counted.node("right2", lambda state: {"log": [state["right"] + "!"]}), input_schema=Right
    )
    builder.add_node("end", counted.node("end", lambda state: {"log": [" ".join(state["log"])]}))
    builder.add_edge(START, "left").add_edge(START, "right")
    builder.add_edge("left", "left2").add_edge("right", "right2")
    return builder.add_edge(["left2", "right2"], "end")


# What runs, and what does not -----------------------------------------------------------------------------------------


@where_each_step_is_saved
def test_only_the_branch_of_the_node_that_changed_runs_again(bench: Bench, counted: Counted) -> None:
    bench.run(bench.compile(branching(counted)), {"question": "why"})
    counted.taken()
    changed = bench.compile(branching(counted, "LEFT"))

    replayed = bench.replay(changed, "left")

    assert (replayed.ended, replayed.error, replayed.source) == ("end", None, "thread")
    assert counted.taken() == {"left": 1, "left2": 1, "end": 1}
    assert nodes(replayed.ran) == ["end", "left", "left2"]
    assert nodes(replayed.reused) == ["right", "right2"]
    assert bench.values(changed, replayed.thread)["log"] == ["LEFT why!", "right!", "LEFT why! right!"]
    assert bench.values(changed)["log"] == ["left why!", "right!", "left why! right!"]
    bench.run(changed, {"question": "why"}, "from scratch")
    assert bench.values(changed, replayed.thread) == bench.values(changed, "from scratch")
    bench.saver.store.verify()


@where_each_step_is_saved
def test_each_task_tells_why_it_ran_and_whose_result_it_took(bench: Bench, counted: Counted) -> None:
    graph = bench.compile(branching(counted))
    bench.run(graph, {"question": "why"})
    recorded = {task.node: task.id for task in bench.planned(graph, "left").tasks}

    replayed = bench.replay(bench.compile(branching(counted, "LEFT")), "left")

    told = {task.node: (task.step, str(task.verdict), task.recorded) for task in replayed.tasks}
    same = "nothing that it reads is different"
    assert told == {
        "left": (1, "its node changed", None),
        "right": (1, same, recorded["right"]),
        "left2": (2, "it reads what is different: left", None),
        "right2": (2, same, recorded["right2"]),
        "end": (3, "it reads what is different: left, log", None),
    }
    # The log of the new thread says so, too.
    taken = [event.cause for event in bench.saver.store.read(replayed.thread) if "reused_task" in event.cause.metadata]
    assert sorted((cause.node, cause.metadata["reused_task"]) for cause in taken) == [
        ("right", recorded["right"]),
        ("right2", recorded["right2"]),
    ]
    assert {cause.metadata["reused_from"] for cause in taken} == {"thread"}


@where_each_step_is_saved
def test_a_plan_tells_beforehand_what_will_run_again_and_why(bench: Bench, counted: Counted) -> None:
    graph = bench.compile(branching(counted))
    bench.run(graph, {"question": "why"})
    counted.taken()
    versions = bench.saver.store.head("thread")

    plan = bench.planned(graph, "left")

    assert {task.node: (task.step, task.verdict.reason, task.verdict.channels) for task in plan.tasks} == {
        "left": (1, Reason.CHANGED, ()),
        "right": (1, Reason.SAME, ()),
        "left2": (2, Reason.READS, ("left",)),
        "right2": (2, Reason.SAME, ()),
        "end": (3, Reason.READS, ("left", "log")),
    }
    assert nodes(plan.again) == ["end", "left", "left2"]
    assert nodes(plan.reused) == ["right", "right2"]
    assert (plan.thread, plan.node) == ("thread", "left")
    [forked_at] = {task.checkpoint for task in plan.tasks if task.step == 1}
    assert plan.checkpoint == forked_at
    assert counted.taken() == {}
    assert bench.saver.store.head("thread") == versions


@where_each_step_is_saved
def test_where_a_node_writes_what_it_wrote_before_nothing_else_runs_again(bench: Bench, counted: Counted) -> None:
    graph = bench.compile(branching(counted))
    bench.run(graph, {"question": "why"})
    counted.taken()
    replayed = bench.replay(graph, "left")
    assert counted.taken() == {"left": 1}
    assert nodes(replayed.reused) == ["end", "left2", "right", "right2"]
    assert bench.values(graph, replayed.thread) == bench.values(graph)


@where_each_step_is_saved
def test_the_last_node_of_a_line_alone_runs_again(bench: Bench, counted: Counted) -> None:
    def line(word: str) -> Any:
        builder = StateGraph(State)
        steps = [(name, counted.node(name, lambda state, name=name: {"log": [name]})) for name in ("a", "b")]
        builder.add_sequence([*steps, ("c", counted.node("c", lambda state: {"log": [word]}))])
        return bench.compile(builder.add_edge(START, "a"))

    bench.run(line("c"), {"log": []})
    counted.taken()
    replayed = bench.replay(line("C"), "c")
    assert counted.taken() == {"c": 1}
    assert [task.node for task in replayed.tasks] == ["c"]  # the fork begins in front of it
    assert bench.values(line("C"), replayed.thread)["log"] == ["a", "b", "C"]


@where_each_step_is_saved
def test_a_node_that_changed_runs_again_in_each_round_of_a_loop_and_who_reads_it_not_does_not(
    bench: Bench, counted: Counted
) -> None:
    def loop(step: int) -> Any:
        builder = StateGraph(State)
        builder.add_node(
            "count", counted.node("count", lambda state: {"number": state["number"] + 1}), input_schema=Number
        )
        builder.add_node("note", counted.node("note", lambda state: {"left": "noted"}), input_schema=Question)
        builder.add_node(
            "say", counted.node("say", lambda state: {"log": [f"{step}:{state['number']}"]}), input_schema=Number
        )
        builder.add_edge(START, "count").add_edge("count", "note").add_edge("note", "say")
        return bench.compile(
            builder.add_conditional_edges("say", lambda state: "count" if state["number"] < 3 else END)
        )

    bench.run(loop(1), {"question": "?", "number": 0})
    assert counted.taken() == {"count": 3, "note": 3, "say": 3}
    replayed = bench.replay(loop(2), "say")
    assert counted.taken() == {"say": 3}
    assert nodes(replayed.reused) == ["count", "count", "note", "note"]
    assert bench.values(loop(2), replayed.thread)["log"] == ["2:1", "2:2", "2:3"]


@where_each_step_is_saved
def test_where_the_graph_takes_another_way_than_recorded_the_rest_runs(bench: Bench, counted: Counted) -> None:
    def choosing(choice: str) -> Any:
        builder = StateGraph(State)
        builder.add_node("choose", counted.node("choose", lambda state: {"left": choice}))
        for name in ("one", "two"):
            builder.add_node(name, counted.node(name, lambda state, name=name: {"log": [name]}), input_schema=Question)
        builder.add_node("end", counted.node("end", lambda state: {"log": ["end"]}), input_schema=Question)
        builder.add_edge(START, "choose").add_conditional_edges("choose", lambda state: state["left"], ["one", "two"])
        return bench.compile(builder.add_edge("one", "end").add_edge("two", "end"))

    bench.run(choosing("one"), {"question": "?"})
    counted.taken()
    replayed = bench.replay(choosing("two"), "choose")
    # The end reads nothing of it, and is due in the same step.
    assert counted.taken() == {"choose": 1, "two": 1}
    assert [(task.node, task.verdict.reason) for task in replayed.tasks] == [
        ("choose", Reason.CHANGED),
        ("two", Reason.NEW),
        ("end", Reason.SAME),
    ]
    assert bench.values(choosing("two"), replayed.thread)["log"] == ["two", "end"]


@where_each_step_is_saved
def test_what_a_conditional_edge_reads_belongs_to_what_its_node_reads(bench: Bench, counted: Counted) -> None:
    def lead(state: Left) -> str:
        return state["left"]

    def leading(way: str) -> Any:
        builder = StateGraph(State)
        builder.add_node("choose", counted.node("choose", lambda state: {"left": way}), input_schema=Question)
        builder.add_node("between", counted.node("between", lambda state: {"number": 1}), input_schema=Question)
        for name in ("one", "two"):
            builder.add_node(name, counted.node(name, lambda state, name=name: {"log": [name]}), input_schema=Question)
        builder.add_edge(START, "choose").add_edge("choose", "between")
        return bench.compile(builder.add_conditional_edges("between", lead, ["one", "two"]))

    bench.run(leading("one"), {"question": "?"})
    counted.taken()
    replayed = bench.replay(leading("two"), "choose")
    assert counted.taken() == {"choose": 1, "between": 1, "two": 1}
    assert [task.verdict.channels for task in replayed.tasks] == [(), ("left",), ()]
    assert bench.values(leading("two"), replayed.thread)["log"] == ["two"]


@where_each_step_is_saved
def test_a_run_that_becomes_longer_than_it_was_recorded_goes_on(bench: Bench, counted: Counted) -> None:
    def loop(rounds: int) -> Any:
        def work(state: Any) -> Any:
            return Command(update={"number": state["number"] + 1}, goto="work" if state["number"] < rounds else END)

        return bench.compile(
            StateGraph(State)
            .add_node("work", counted.node("work", work), destinations=("work", END))
            .add_edge(START, "work")
        )

    bench.run(loop(1), {"number": 0})
    assert counted.taken() == {"work": 2}
    replayed = bench.replay(loop(5), "work")
    assert counted.taken() == {"work": 6}
    assert replayed.ended == "end"
    assert bench.values(loop(5), replayed.thread) == {"number": 6, "log": []}


# Packets --------------------------------------------------------------------------------------------------------------


def mapping(counted: Counted, items: str = "abc", version: str = "") -> StateGraph[Any, Any, Any, Any]:
    """Sends each item to a worker, and joins what they say."""
    builder = StateGraph(State)
    builder.add_node("split", counted.node("split", lambda state: {"question": items}))
    builder.add_node("work", counted.node("work", lambda packet: {"log": [packet["item"].upper() + version]}))
    builder.add_node("join", counted.node("join", lambda state: {"left": "".join(state["log"])}))
    builder.add_edge(START, "split")
    builder.add_conditional_edges(
        "split", lambda state: [Send("work", {"item": item}) for item in state["question"]], ["work"]
    )
    return builder.add_edge("work", "join")


@where_each_step_is_saved
def test_of_packets_only_the_new_ones_are_worked_on_wherever_they_are_in_line(bench: Bench, counted: Counted) -> None:
    bench.run(bench.compile(mapping(counted)), {})
    assert counted.taken() == {"split": 1, "work": 3, "join": 1}
    changed = bench.compile(mapping(counted, "xabbc"))
    replayed = bench.replay(changed, "split")
    assert counted.taken() == {"split": 1, "work": 2, "join": 1}  # x, and one of the two b
    assert bench.values(changed, replayed.thread)["left"] == "XABBC"
    assert [task.verdict.reason for task in replayed.ran if task.node == "work"] == [Reason.NEW, Reason.NEW]


@where_each_step_is_saved
def test_a_worker_that_changed_works_on_all_packets_and_on_none_twice(bench: Bench, counted: Counted) -> None:
    bench.run(bench.compile(mapping(counted)), {})
    counted.taken()
    changed = bench.compile(mapping(counted, version="'"))
    replayed = bench.replay(changed, "work")
    assert counted.taken() == {"work": 3, "join": 1}
    assert bench.values(changed, replayed.thread)["left"] == "A'B'C'"


@where_each_step_is_saved
def test_of_a_node_that_changed_for_some_inputs_the_other_tasks_are_reused(bench: Bench, counted: Counted) -> None:
    bench.run(bench.compile(mapping(counted)), {})
    counted.taken()
    changed = bench.compile(mapping(counted, version="'"))
    replayed = bench.replay(changed, "work", only=lambda packet: packet["item"] == "b")
    assert counted.taken() == {"work": 1, "join": 1}
    assert bench.values(changed, replayed.thread)["left"] == "AB'C"
    assert nodes(bench.planned(changed, "work", only=lambda packet: packet["item"] == "b").reused) == ["work", "work"]


# Subgraphs ------------------------------------------------------------------------------------------------------------


def nesting(
    counted: Counted, word: str = "inner", first: str = "first", **options: Any
) -> StateGraph[Any, Any, Any, Any]:
    """A subgraph between two nodes; it reads the question only."""
    inner = StateGraph(State, input_schema=Question)
    inner.add_node(
        "deep", counted.node("deep", lambda state: {"left": f"{word} {state['question']}"}), input_schema=Question
    )
    inner.add_node("deeper", counted.node("deeper", lambda state: {"right": "deeper"}), input_schema=Question)
    inner.add_edge(START, "deep").add_edge("deep", "deeper")
    builder = StateGraph(State)
    builder.add_node("first", counted.node("first", lambda state: {"log": [first]}), input_schema=Question)
    builder.add_node("inner", inner.compile(**options), input_schema=Question)
    builder.add_node("last", counted.node("last", lambda state: {"log": [state["left"]]}), input_schema=Left)
    return builder.add_edge(START, "first").add_edge("first", "inner").add_edge("inner", "last")


@where_each_step_is_saved
def test_a_subgraph_is_reused_whole(bench: Bench, counted: Counted) -> None:
    bench.run(bench.compile(nesting(counted)), {"question": "?"})
    counted.taken()
    changed = bench.compile(nesting(counted, first="FIRST"))
    replayed = bench.replay(changed, "first")
    assert counted.taken() == {"first": 1}
    assert bench.values(changed, replayed.thread)["log"] == ["FIRST", "inner ?"]


@where_each_step_is_saved
def test_a_subgraph_that_changed_runs_whole(bench: Bench, counted: Counted) -> None:
    bench.run(bench.compile(nesting(counted)), {"question": "?"})
    counted.taken()
    changed = bench.compile(nesting(counted, word="INNER"))
    replayed = bench.replay(changed, "inner")
    assert counted.taken() == {"deep": 1, "deeper": 1, "last": 1}
    assert bench.values(changed, replayed.thread)["log"] == ["first", "INNER ?"]


@where_each_step_is_saved
def test_a_subgraph_that_remembers_its_calls_always_runs_again(bench: Bench, counted: Counted) -> None:
    told = Annotated[list[str], DeltaChannel(append, snapshot_frequency=50)]
    inner = StateGraph(TypedDict("Remembered", {"told": told, "question": str, "left": str}, total=False))  # type: ignore[operator]
    inner.add_node("hear", counted.node("hear", lambda state: {"told": [state["question"]]}))
    inner.add_node("tell", counted.node("tell", lambda state: {"left": "+".join(state["told"])}))
    inner.add_edge(START, "hear").add_edge("hear", "tell")

    def build(word: str) -> Any:
        builder = StateGraph(State)
        builder.add_node("first", counted.node("first", lambda state: {"right": word}), input_schema=Question)
        builder.add_node("inner", inner.compile(checkpointer=True), input_schema=Question)
        builder.add_edge(START, "first").add_edge("first", "inner")
        return bench.compile(builder)

    bench.run(build("a"), {"question": "one"})
    bench.run(build("a"), {"question": "two"})
    assert bench.values(build("a"))["left"] == "one+two"
    counted.taken()
    replayed = bench.replay(build("b"), "first")
    assert counted.taken() == {"first": 1, "hear": 1, "tell": 1}
    assert [task.verdict.reason for task in replayed.tasks] == [Reason.CHANGED, Reason.REMEMBERS]
    assert bench.values(build("b"), replayed.thread)["left"] == "one+two"
    bench.run(build("b"), {"question": "three"}, replayed.thread)
    assert bench.values(build("b"), replayed.thread)["left"] == "one+two+three"


# Where it stops -------------------------------------------------------------------------------------------------------


def asking(counted: Counted, word: str = "") -> StateGraph[Any, Any, Any, Any]:
    """A node that asks, beside one that works; then one that reads the answer."""
    builder = StateGraph(State)
    builder.add_node("begin", counted.node("begin", lambda state: {"number": 1}), input_schema=Question)
    builder.add_node("ask", counted.node("ask", lambda state: {"left": interrupt("really?")}), input_schema=Question)
    builder.add_node("work", counted.node("work", lambda state: {"right": f"work{word}"}), input_schema=Question)
    builder.add_node("end", counted.node("end", lambda state: {"log": [state["left"]]}), input_schema=Left)
    builder.add_edge(START, "begin").add_edge("begin", "ask").add_edge("begin", "work")
    return builder.add_edge(["ask", "work"], "end")


@where_each_step_is_saved
def test_an_answer_is_part_of_the_result_that_is_reused(bench: Bench, counted: Counted) -> None:
    graph = bench.compile(asking(counted))
    bench.run(graph, {"question": "?"})
    bench.run(graph, Command(resume="yes"))
    counted.taken()
    changed = bench.compile(asking(counted, "!"))
    replayed = bench.replay(changed, "work")
    assert counted.taken() == {"work": 1}
    assert replayed.ended == "end"
    assert bench.values(changed, replayed.thread) == {**bench.values(graph), "right": "work!"}


@where_each_step_is_saved
def test_a_task_that_runs_again_asks_again_and_the_new_thread_goes_on_with_the_answer(
    bench: Bench, counted: Counted
) -> None:
    graph = bench.compile(asking(counted))
    bench.run(graph, {"question": "?"})
    bench.run(graph, Command(resume="yes"))
    counted.taken()
    replayed = bench.replay(graph, "ask")
    assert counted.taken() == {"ask": 1}
    assert replayed.ended == "interrupt"
    assert nodes(replayed.reused) == ["work"]
    state = graph.get_state(replayed.config)
    assert [asked.value for asked in state.interrupts] == ["really?"]
    assert state.next == ("ask",)
    bench.run(graph, Command(resume="no"), replayed.thread)
    assert counted.taken() == {"ask": 1, "end": 1}
    assert bench.values(graph, replayed.thread)["log"] == ["no"]


@where_each_step_is_saved
def test_an_update_that_came_with_an_answer_is_made_again(bench: Bench, counted: Counted) -> None:
    graph = bench.compile(asking(counted))
    bench.run(graph, {"question": "?"})
    bench.run(graph, Command(resume="yes", update={"number": 7}))
    changed = bench.compile(asking(counted, "!"))
    replayed = bench.replay(changed, "begin")
    assert bench.values(changed, replayed.thread) == {**bench.values(graph), "right": "work"}
    assert bench.values(changed, replayed.thread)["number"] == 7


@where_each_step_is_saved
def test_an_error_of_a_node_is_told_and_the_new_thread_can_be_resumed(bench: Bench, counted: Counted) -> None:
    def failing(fails: bool) -> Any:
        def work(state: Any) -> Any:
            if fails:
                raise ZeroDivisionError("nobody knows")
            return {"left": "worked"}

        builder = StateGraph(State)
        builder.add_node("begin", counted.node("begin", lambda state: {"right": "begun"}))
        builder.add_node("work", counted.node("work", work))
        return bench.compile(builder.add_edge(START, "begin").add_edge("begin", "work"))

    bench.run(failing(False), {"question": "?"})
    counted.taken()
    replayed = bench.replay(failing(True), "work")
    assert replayed.ended == "error"
    assert isinstance(replayed.error, ZeroDivisionError)
    assert nodes(replayed.ran) == ["work"]
    bench.run(failing(False), None, replayed.thread)
    assert bench.values(failing(False), replayed.thread)["left"] == "worked"
    assert counted.taken() == {"work": 2}


@where_each_step_is_saved
def test_what_had_failed_or_was_never_finished_runs_again(bench: Bench, counted: Counted) -> None:
    graph = bench.compile(asking(counted))
    bench.run(graph, {"question": "?"})  # and nobody answers
    counted.taken()
    replayed = bench.replay(graph, "begin")
    assert counted.taken() == {"begin": 1, "ask": 1}
    assert replayed.ended == "interrupt"
    assert {task.node: task.verdict.reason for task in replayed.tasks} == {
        "begin": Reason.CHANGED,
        "ask": Reason.UNRECORDED,
        "work": Reason.SAME,
    }
    assert {task.node: task.again for task in bench.planned(graph, "begin").tasks} == {
        "begin": True,
        "ask": True,
        "work": False,
    }


@where_each_step_is_saved
@pytest.mark.parametrize(("where", "stops_with"), [("interrupt_before", []), ("interrupt_after", ["log"])])
def test_a_breakpoint_stops_what_runs_again_and_not_what_is_reused(
    bench: Bench, counted: Counted, where: str, stops_with: list[str]
) -> None:
    bench.run(bench.compile(branching(counted)), {"question": "?"})
    counted.taken()
    careful = bench.compile(branching(counted, "LEFT"), **{where: ["right2", "end"]})
    replayed = bench.replay(careful, "left")
    assert replayed.ended == "interrupt"
    assert counted.taken() == {"left": 1, "left2": 1, **({"end": 1} if stops_with else {})}
    assert careful.get_state(replayed.config).next == (() if stops_with else ("end",))
    bench.run(careful, None, replayed.thread)
    assert bench.values(careful, replayed.thread)["log"][-1] == "LEFT ?! right!"


@where_each_step_is_saved
def test_a_loop_without_an_end_ends_at_the_recursion_limit(bench: Bench, counted: Counted) -> None:
    def loop(ends: bool) -> Any:
        builder = StateGraph(State).add_node("work", counted.node("work", lambda state: {"log": ["."]}))
        return bench.compile(
            builder.add_edge(START, "work").add_conditional_edges("work", lambda state: END if ends else "work")
        )

    bench.run(loop(True), {"log": []})
    counted.taken()
    replayed = bench.replay(loop(False), "work", config={"recursion_limit": 5})
    assert replayed.ended == "error"
    assert "recursion_limit" in str(replayed.error)
    assert counted.taken() == {"work": 5}


# What else a thread may have been through ----------------------------------------------------------------------------


@pytest.mark.parametrize("durability", ["sync", "async"])
def test_a_run_of_many_that_a_thread_has_had_is_replayed_to_its_own_end(
    bench: Bench, counted: Counted, durability: Any
) -> None:
    graph = bench.compile(branching(counted))
    for question in ("one", "two", "three"):
        bench.run(graph, {"question": question}, durability=durability)
    counted.taken()
    changed = bench.compile(branching(counted, "LEFT"))
    replayed = bench.replay(changed, "left", checkpoint=bench.beginning(back=1))
    assert counted.taken() == {"left": 1, "left2": 1, "end": 1}
    assert bench.values(changed, replayed.thread)["question"] == "two"
    assert bench.values(changed, replayed.thread)["log"][:3] == ["left one!", "right!", "left one! right!"]
    assert bench.values(changed, replayed.thread)["log"][3:5] == ["LEFT two!", "right!"]


@where_each_step_is_saved
def test_channels_that_are_replayed_from_writes_are_as_they_were(bench: Bench, counted: Counted) -> None:
    log = Annotated[list[str], DeltaChannel(append, snapshot_frequency=50)]
    schema: Any = TypedDict("schema", {"log": log, "question": str}, total=False)

    def line(word: str) -> Any:
        builder = StateGraph(schema)
        steps: list[Any] = [("a", lambda state: {"log": ["a"]}), ("b", lambda state: {"log": [word]})]
        steps.append(("c", lambda state: {"log": [f"{len(state['log'])}"]}))
        builder.add_sequence([(name, counted.node(name, work)) for name, work in steps])
        return bench.compile(builder.add_edge(START, "a"))

    bench.run(line("b"), {"log": ["in"]})
    bench.run(line("b"), {"log": ["more"]})
    counted.taken()
    replayed = bench.replay(line("B"), "b")
    assert counted.taken() == {"b": 1, "c": 1}
    expected = ["in", "a", "b", "3", "more", "a", "B", "7"]
    assert bench.values(line("B"), replayed.thread)["log"] == expected
    bench.run(line("B"), {"log": ["again"]}, replayed.thread)
    assert bench.values(line("B"), replayed.thread)["log"] == [*expected, "again", "a", "B", "11"]


@where_each_step_is_saved
def test_writes_that_were_recorded_before_their_checkpoint_are_not_taken_for_those_of_the_replay(
    bench: Bench, counted: Counted
) -> None:
    """LangGraph saves beside the next step: what a quick task wrote may be recorded first."""
    graph = bench.compile(branching(counted))
    bench.run(graph, {"question": "?"})
    for saved in sorted(bench.saver.list(at()), key=lambda saved: saved.checkpoint["id"]):
        here: Any = {"configurable": {**saved.config["configurable"], "thread_id": "quick"}}
        for writer in {by for by, _, _ in saved.pending_writes or []}:
            written = [(channel, value) for by, channel, value in saved.pending_writes or [] if by == writer]
            bench.saver.put_writes(here, written, writer)
        parent = (saved.parent_config or at())["configurable"].get("checkpoint_id")
        before: Any = {"configurable": {"thread_id": "quick", "checkpoint_ns": "", "checkpoint_id": parent}}
        bench.saver.put(before, saved.checkpoint, saved.metadata, saved.checkpoint["channel_versions"])
    counted.taken()
    changed = bench.compile(branching(counted, "LEFT"))
    replayed = bench.replay(changed, "left", thread="quick")
    assert counted.taken() == {"left": 1, "left2": 1, "end": 1}
    assert bench.values(changed, replayed.thread)["log"] == ["LEFT ?!", "right!", "LEFT ?! right!"]


@where_each_step_is_saved
def test_a_fork_and_a_replay_are_replayed_in_turn(bench: Bench, counted: Counted) -> None:
    bench.run(bench.compile(branching(counted)), {"question": "?"})
    bench.saver.copy_thread("thread", "copy")
    counted.taken()
    changed = bench.compile(branching(counted, "LEFT"))
    once = bench.replay(changed, "left", thread="copy", target="once")
    assert counted.taken() == {"left": 1, "left2": 1, "end": 1}
    bench.saver.delete_thread("thread")
    twice = bench.replay(changed, "right2", thread="once", checkpoint=_copied(bench, "once"), target="twice")
    assert counted.taken() == {"right2": 1}
    assert bench.values(changed, "twice") == bench.values(changed, "once")
    assert (once.thread, twice.thread, twice.source) == ("once", "twice", "once")
    bench.saver.store.verify()


def _copied(bench: Bench, thread: str) -> str:
    listed = bench.saver.checkpoints.list(bench.saver.serde, thread=thread, namespace="")
    return next(saved.id for saved in listed if saved.metadata["source"] == "fork")


@where_each_step_is_saved
def test_after_time_travel_the_way_is_replayed_that_the_thread_took_last(bench: Bench, counted: Counted) -> None:
    graph = bench.compile(branching(counted))
    bench.run(graph, {"question": "?"})
    [begun] = [state for state in graph.get_state_history(at()) if set(state.next) == {"left", "right"}]
    bench.call(graph, "invoke", None, begun.config)
    counted.taken()
    replayed = bench.replay(graph, "left")
    assert counted.taken() == {"left": 1}
    assert nodes(replayed.reused) == ["end", "left2", "right", "right2"]


@where_each_step_is_saved
def test_what_a_person_wrote_in_a_nodes_place_counts_as_its_result(bench: Bench, counted: Counted) -> None:
    """LangGraph records it as that."""

    def line(word: str) -> Any:
        builder = StateGraph(State)
        builder.add_node("a", counted.node("a", lambda state: {"right": word}), input_schema=Question)
        builder.add_node("b", counted.node("b", lambda state: {"left": "by b"}), input_schema=Question)
        builder.add_node("c", counted.node("c", lambda state: {"log": [state["left"]]}), input_schema=Left)
        return bench.compile(builder.add_edge(START, "a").add_edge("a", "b").add_edge("b", "c"))

    bench.run(line("a"), {"question": "?"}, interrupt_before=["b"])
    line("a").update_state(at(), {"left": "by hand"}, as_node="b")
    bench.run(line("a"), None)
    assert counted.taken() == {"a": 1, "c": 1}
    replayed = bench.replay(line("A"), "a")
    assert counted.taken() == {"a": 1}
    assert nodes(replayed.reused) == ["b", "c"]
    expected = {"question": "?", "right": "A", "left": "by hand", "log": ["by hand"]}
    assert bench.values(line("A"), replayed.thread) == expected


@where_each_step_is_saved
def test_a_saver_that_lets_runs_take_turns_replays_as_well(make_saver: Any, counted: Counted) -> None:
    bench = Bench(make_saver(concurrent_runs="reject"))
    bench.run(bench.compile(branching(counted)), {"question": "?"})
    counted.taken()
    bench.replay(bench.compile(branching(counted, "LEFT")), "left")
    assert counted.taken() == {"left": 1, "left2": 1, "end": 1}


@where_each_step_is_saved
def test_async_nodes_are_replayed_in_the_callers_loop(saver: EventStoreSaver, counted: Counted) -> None:
    async def work(state: Any) -> Any:
        counted.calls["work"] += 1
        return {"left": "worked"}

    bench = Bench(saver, Flavour.ASYNC)
    graph = bench.compile(StateGraph(State).add_node("work", work).add_edge(START, "work"))
    bench.run(graph, {"question": "?"})
    assert bench.replay(graph, "work").ended == "end"
    assert counted.taken() == {"work": 2}


@where_each_step_is_saved
def test_nodes_get_the_config_and_the_context_that_the_caller_gives(bench: Bench) -> None:
    seen: list[Any] = []

    def work(state: Any, config: RunnableConfig, runtime: Runtime[Any]) -> Any:
        configurable = config["configurable"]
        seen.append((configurable.get("who"), configurable["thread_id"], runtime.context))
        return {"left": "worked"}

    builder: Any = StateGraph(State, context_schema=Question)
    graph = bench.compile(builder.add_node("work", work).add_edge(START, "work"))
    bench.run(graph, {"question": "?"}, context={"question": "1"})
    config = {"configurable": {"who": "me", "thread_id": "elsewhere"}}
    bench.replay(graph, "work", config=config, context={"question": "2"}, target="new")
    assert seen[1] == ("me", "new", {"question": "2"})


@where_each_step_is_saved
def test_a_node_that_failed_and_was_handled_runs_again_and_is_handled_again(bench: Bench, counted: Counted) -> None:
    def fail(state: Any) -> Any:
        raise ZeroDivisionError

    def build(word: str) -> Any:
        builder = StateGraph(State)
        builder.add_node("fail", counted.node("fail", fail), error_handler=lambda state: {"left": "handled"})
        builder.add_node("work", counted.node("work", lambda state: {"right": word}), input_schema=Question)
        return bench.compile(builder.add_edge(START, "fail").add_edge(START, "work"))

    bench.run(build("a"), {"question": "?"})
    counted.taken()
    replayed = bench.replay(build("b"), "work")
    assert counted.taken() == {"fail": 1, "work": 1}
    assert bench.values(build("b"), replayed.thread) == {**bench.values(build("b")), "right": "b"}


@where_each_step_is_saved
def test_a_function_with_tasks_is_one_node(bench: Bench, counted: Counted) -> None:
    @task
    def double(number: int) -> int:
        counted.calls["double"] += 1
        return number * 2

    @entrypoint(checkpointer=bench.saver)
    def flow(number: int) -> int:
        counted.calls["flow"] += 1
        return double(number).result()

    flow.invoke(4, at())
    counted.taken()
    replayed = bench.replays.replay(flow, "thread", bench.beginning(), "flow")
    assert counted.taken() == {"flow": 1, "double": 1}
    assert (replayed.ended, flow.get_state(replayed.config).values) == ("end", 8)


# What is refused ------------------------------------------------------------------------------------------------------


@where_each_step_is_saved
def test_what_cannot_be_replayed_is_refused_and_nothing_is_stored(
    bench: Bench, counted: Counted, make_saver: Any
) -> None:
    graph = bench.compile(branching(counted))
    bench.run(graph, {"question": "?"})
    begun = bench.beginning()
    end = graph.get_state(at()).config["configurable"]["checkpoint_id"]
    elsewhere = branching(counted).compile(checkpointer=make_saver())
    lost = StateGraph(TypedDict("Lost", {"x": Annotated[int, UntrackedValue], "question": str}))  # type: ignore[operator]
    lost.add_node("left", lambda state: {}).add_edge(START, "left")
    streams = [stream.name for stream in bench.saver.store.streams().streams]

    def refused(error: type[Exception], match: str, **options: Any) -> None:
        given: dict[str, Any] = {"graph": graph, "node": "left", "checkpoint": begun, **options}
        with pytest.raises(error, match=match):
            bench.replay(**given)

    refused(BadInputError, "no node 'nobody'", node="nobody")
    refused(BadInputError, "saves elsewhere", graph=elsewhere)
    refused(BadInputError, "compiled graph", graph=branching(counted))
    refused(BadInputError, "untracked", graph=bench.compile(lost))
    refused(BadInputError, "recursion_limit", config={"recursion_limit": 0})
    refused(NotFoundError, "no checkpoint", checkpoint="1f000000-0000-6000-8000-000000000000")
    refused(NotFoundError, "no task of 'left'", checkpoint=end)
    refused(NotFoundError, "no checkpoint", thread="nobody's")
    refused(InvalidIdError, "thread_id", thread="")
    refused(InvalidIdError, "thread_id", target="")
    refused(ConflictError, "already", target="thread")
    assert [stream.name for stream in bench.saver.store.streams().streams] == streams


@where_each_step_is_saved
def test_a_fork_that_was_pruned_is_replayed_from_what_it_has_kept(bench: Bench, counted: Counted) -> None:
    graph = bench.compile(asking(counted))
    bench.run(graph, {"question": "?"})
    bench.saver.copy_thread("thread", "copy")
    bench.saver.prune(["copy"])
    here = graph.get_state(at("copy")).config["configurable"]["checkpoint_id"]
    replayed = bench.replay(graph, "ask", thread="copy", checkpoint=here, target="new")
    assert replayed.thread == "new"
    assert [step.checkpoint["id"] for step in bench.saver.list(at("new"))][-1] == here


def test_of_a_run_of_which_only_the_end_was_saved_nothing_can_be_replayed(bench: Bench, counted: Counted) -> None:
    graph = bench.compile(branching(counted))
    bench.run(graph, {"question": "?"}, durability="exit")
    [only] = [state.config["configurable"]["checkpoint_id"] for state in graph.get_state_history(at())]
    with pytest.raises(NotFoundError, match="durability"):
        bench.replay(graph, "left", checkpoint=only)


def test_paths_are_spelled_as_langgraph_spells_them() -> None:
    from langgraph.pregel._algo import task_path_str

    for path in [
        ("__pregel_pull", "node"),
        ("__pregel_push", 3, False),
        ("__pregel_push", ("__pregel_pull", "x"), 1, True),
    ]:
        assert path_text(path) == task_path_str(path)
