"""Going back to an earlier checkpoint, and back again."""

from __future__ import annotations

import asyncio
import operator
import threading
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, TypedDict

import pytest
from langchain_core.runnables import RunnableConfig
from langgraph.graph import START, StateGraph
from langgraph.types import Command, interrupt

from eventstore import BadInputError, Cause, ConflictError, EventStore, NotFoundError
from langgraph.checkpoint.eventstore import EventStoreSaver
from projections import Checkpoints
from tests.support.histories import an_agent, config, hello
from tests.support.pace import in_each_durability, where_each_step_is_saved
from tests.support.relays import Meanwhile
from tests.support.saving import at, id_of, number_of, numbers, save, shown, step
from tests.support.tables import blocks_of, rows

Make = Callable[..., EventStoreSaver]


class Inner(TypedDict):
    notes: Annotated[list[str], operator.add]


class Outer(TypedDict, total=False):
    notes: Annotated[list[str], operator.add]
    answer: str


class Watching(EventStoreSaver):
    """A saver that notes all that its thread shows, at the moment when a checkpoint of the outermost graph is saved.

    Where a task asks, it is the moment at which it does so first.
    """

    def __init__(self, store: EventStore) -> None:
        super().__init__(store)
        self.moments: dict[str, Any] = {}
        self.asked: set[str] = set()
        self._lock = threading.RLock()  # nobody writes while it looks

    def put(self, config: Any, checkpoint: Any, metadata: Any, new_versions: Any) -> Any:
        with self._lock:
            saved = super().put(config, checkpoint, metadata, new_versions)
            if not config["configurable"]["checkpoint_ns"]:
                self.moments[checkpoint["id"]] = everything(self)
            return saved

    def put_writes(self, config: Any, writes: Any, *args: Any, **options: Any) -> None:
        with self._lock:
            super().put_writes(config, writes, *args, **options)
            checkpoint = config["configurable"]["checkpoint_id"]
            if writes[0][0] == "__interrupt__" and checkpoint not in self.asked:
                self.asked.add(checkpoint)
                self.moments[checkpoint] = everything(self)


def everything(saver: EventStoreSaver, thread: str = "t") -> list[Any]:
    """All checkpoints that a thread shows, of all namespaces, and those that are found by their ids.

    Of what was written on the way there some may arrive a moment later than what it led to.
    """
    listed = shown(saver, thread)
    latest = saver.get_tuple(at(thread))
    assert latest is not None
    found = [item and item._replace(pending_writes=None) for item in (saver.get_tuple(item.config) for item in listed)]
    return [[item._replace(pending_writes=None) for item in listed], found, latest]


def a_graph(saver: EventStoreSaver) -> Any:
    """A subgraph that keeps its own state, and a question behind it."""
    inner = StateGraph(Inner).add_node("note", lambda state: {"notes": [f"inner {len(state['notes'])}"]})
    subgraph = inner.add_edge(START, "note").compile(checkpointer=True)
    outer = StateGraph(Outer).add_node("inside", subgraph)
    outer.add_node("ask", lambda state: {"answer": interrupt("good?"), "notes": ["asked"]})
    return outer.add_edge(START, "inside").add_edge("inside", "ask").compile(checkpointer=saver)


def run(graph: Any) -> None:
    """Two turns, each with a question that is answered."""
    for turn in (1, 2):
        graph.invoke({"notes": [f"turn {turn}"]}, config())
        graph.invoke(Command(resume=f"yes, {turn}"), config())


@pytest.fixture
def watching(make_store: Any) -> Watching:
    return Watching(make_store())


# Beside the next step, what arrives early is there the moment a checkpoint is saved; see test_going_back_by_cause.
@pytest.mark.parametrize("durability", ["sync"], indirect=True)
def test_afterwards_all_reads_are_as_they_were_the_moment_the_checkpoint_was_saved(watching: Watching) -> None:
    run(a_graph(watching))
    moments = watching.moments
    assert len(moments) > 6
    for checkpoint, moment in reversed(moments.items()):
        watching.history.rollback("t", checkpoint)
        assert everything(watching) == moment
    with suppress(NotFoundError):  # a rollback to where it stood was none
        while True:
            watching.history.undo("t")
    assert everything(watching)[0][0].checkpoint["id"] == max(moments)


@in_each_durability
def test_the_state_of_subgraphs_goes_back_with_it(watching: Watching) -> None:
    graph = a_graph(watching)
    run(graph)
    [space] = {item.config["configurable"]["checkpoint_ns"] for item in shown(watching, "t")} - {""}
    first_turn = [item for item in graph.get_state_history(config()) if item.values.get("answer") == "yes, 1"][-1]
    assert len(watching.get_tuple(at("t", namespace=space)).checkpoint["channel_values"]["notes"]) > 4
    watching.history.rollback("t", first_turn.config)
    inner = watching.get_tuple(at("t", namespace=space))
    assert inner.checkpoint["channel_values"]["notes"] == ["turn 1", "inner 1"]


@in_each_durability
def test_a_run_goes_on_from_there_as_it_would_have_then(saver: EventStoreSaver) -> None:
    graph = a_graph(saver)
    run(graph)
    asked = [item for item in graph.get_state_history(config()) if item.next == ("ask",)][-1]
    saver.history.rollback("t", asked.config)
    assert [question.value for question in graph.get_state(config()).interrupts] == ["good?"]
    result = graph.invoke(Command(resume="no"), config())
    assert result == {"notes": ["turn 1", "turn 1", "inner 1", "asked"], "answer": "no"}


def test_what_came_later_stays_in_the_log(saver: EventStoreSaver) -> None:
    for number in range(1, 6):
        step(saver, number)
    before = list(saver.store.read("thread"))
    saver.history.rollback("thread", id_of(2), reason="it went wrong", by={"user": "ann"})
    *same, event = saver.store.read("thread")
    assert same == before
    assert numbers(saver) == [2, 1]
    assert (event.topic, event.cause.checkpoint) == ("thread.rolled_back", id_of(2))
    assert event.cause.metadata == {"user": "ann", "reason": "it went wrong"}
    saver.history.undo("thread", reason="it was right", by={"user": "bob"})
    *_, undone = saver.store.read("thread")
    assert (undone.topic, undone.cause.metadata) == ("rollback.undone", {"user": "bob", "reason": "it was right"})
    saver.store.verify()


def test_one_can_go_back_to_a_checkpoint_a_step_a_time_or_by_a_number(saver: EventStoreSaver) -> None:
    for number in range(1, 9):
        step(saver, number)
    saved_at = {item.id: item.saved_at for item in saver.history.timeline("thread")}
    ways: list[tuple[dict[str, Any], int]] = [
        ({"to": id_of(7)}, 7),
        ({"step": 6}, 6),
        ({"time": saved_at[id_of(5)]}, 5),
        ({"time": saved_at[id_of(5)].replace(tzinfo=None)}, 5),
        ({"time": saved_at[id_of(5)] - timedelta(microseconds=1)}, 4),
        ({"back": 1}, 3),
        ({"back": 0}, 3),
        ({"to": at("thread", 2)}, 2),
    ]
    for way, expected in ways:
        moved = saver.history.rollback("thread", **way)
        assert (moved.checkpoint, numbers(saver)[0]) == (id_of(expected), expected)


def test_steps_and_numbers_are_counted_on_the_way_that_led_to_the_latest(saver: EventStoreSaver) -> None:
    for number in (1, 2, 3):
        step(saver, number)
    save(saver, 4, parent=1, metadata={"step": 2})  # somebody went back in time
    save(saver, 5, parent=4, metadata={"step": 3})
    assert saver.checkpoints.rollback("thread", step=2).checkpoint == id_of(4)
    saver.checkpoints.undo("thread")
    assert saver.checkpoints.rollback("thread", back=2).checkpoint == id_of(1)


@where_each_step_is_saved
def test_undo_after_a_run_makes_that_unreachable_and_brings_back_all_that_was(saver: EventStoreSaver) -> None:
    graph = an_agent(saver)
    graph.invoke(hello(), config())
    before = everything(saver)
    saver.history.rollback("t", back=2)
    graph.invoke(Command(resume="other"), config())
    graph.invoke(hello(2), config())
    other = everything(saver)
    saver.history.undo("t")
    assert everything(saver) == before
    assert graph.invoke(Command(resume="yes"), config())["messages"][-1].content == "yes"
    saver.history.switch("t", other[2].config)
    assert everything(saver) == other


def test_rollbacks_are_undone_one_after_the_other(saver: EventStoreSaver) -> None:
    for number in range(1, 7):
        step(saver, number)
    for number in (5, 3, 2):
        saver.history.rollback("thread", id_of(number))
    seen = [numbers(saver)[0]]
    for _ in range(3):
        saver.history.undo("thread")
        seen.append(numbers(saver)[0])
    assert seen == [2, 3, 5, 6]
    with pytest.raises(NotFoundError, match="nothing to undo"):
        saver.history.undo("thread")


def test_a_listing_of_all_threads_ends_before_its_bound_also_on_lines_that_a_rollback_began(
    saver: EventStoreSaver,
) -> None:
    for number in range(1, 4):
        step(saver, number)
    saver.history.rollback("thread", id_of(2))
    for number in (4, 5):
        save(saver, number, parent=2 if number == 4 else 4)
    assert [number_of(item) for item in saver.list(None, before=at(number=4))] == [2, 1]


def test_a_rollback_to_where_a_thread_stands_records_nothing(saver: EventStoreSaver) -> None:
    for number in range(1, 6):
        step(saver, number)
    saver.history.rollback("thread", back=0)
    saver.history.rollback("thread", id_of(3))
    for _ in range(2):
        saver.history.rollback("thread", id_of(3))
    assert [event.topic for event in saver.store.read("thread", after=5)] == ["thread.rolled_back"]
    saver.history.undo("thread")
    assert numbers(saver) == [5, 4, 3, 2, 1]
    saver.put_writes(at("thread", 5), [("count", 1)], "task")
    saver.history.rollback("thread", back=0)
    assert shown(saver)[0].pending_writes == []


# While checkpoints are saved beside the next step, it may be the rollback that gives way to the run, not the other way.
@pytest.mark.parametrize("durability", ["sync"], indirect=True)
def test_a_run_that_is_under_way_fails_and_stores_nothing(saver: EventStoreSaver, make_saver: Make) -> None:
    savers = {"rolled back by this process": saver, "by another": make_saver()}

    def back(_: Outer, config: RunnableConfig) -> Any:
        thread = config["configurable"]["thread_id"]
        savers[thread].history.rollback(thread, step=0)  # before the step that runs
        return {"answer": "late"}

    builder: Any = StateGraph(Outer)
    builder.add_node("first", lambda _: {"notes": ["first"]}).add_node("back", back)
    graph = builder.add_edge(START, "first").add_edge("first", "back").compile(checkpointer=saver)
    for thread in savers:
        with pytest.raises(ConflictError, match="rolled back"):
            graph.invoke({"notes": ["one"]}, config(thread))
        assert graph.get_state(config(thread)).values == {"notes": ["one"]}


def test_a_thread_that_moves_on_meanwhile_is_not_rolled_back(saver: EventStoreSaver) -> None:
    for number in (1, 2, 3):
        step(saver, number)
    # The thread's head is known then, and the checkpoint is looked for.
    looking = blocks_of(saver.store, "checkpoints")["one_checkpoint"]
    meanwhile = Meanwhile(saver.store.recorder, looking, before=lambda: step(saver, 4))
    with pytest.raises(ConflictError, match="is writing"):
        Checkpoints(EventStore(meanwhile)).rollback("thread", to=id_of(2))
    assert numbers(saver) == [4, 3, 2, 1]
    assert [event.topic for event in saver.store.read("thread")] == ["checkpoint.saved"] * 4


def test_a_rollback_can_be_held_to_the_version_that_was_looked_at(saver: EventStoreSaver) -> None:
    for number in (1, 2, 3):
        step(saver, number)
    with pytest.raises(ConflictError):
        saver.checkpoints.rollback("thread", back=1, expected_version=2)
    saver.checkpoints.rollback("thread", back=1, expected_version=3)
    with pytest.raises(ConflictError):
        saver.checkpoints.undo("thread", expected_version=3)
    saver.checkpoints.undo("thread", expected_version=4)
    assert numbers(saver) == [3, 2, 1]


def test_it_writes_as_much_whatever_the_length(make_saver: Make, url: str) -> None:
    saver = make_saver()
    for thread, length in (("short", 5), ("long", 200)):
        for number in range(1, length + 1):
            step(saver, number, thread=thread)
    grown = []
    for thread in ("short", "long"):
        before = rows(url)
        saver.checkpoints.rollback(thread, to=id_of(3))
        saver.checkpoints.undo(thread)
        after = rows(url)
        grown.append({table: sum(row not in before[table] for row in after[table]) for table in after})
    assert grown[0] == grown[1]
    assert sum(grown[0].values()) < 10


def test_other_processes_see_it_at_once(saver: EventStoreSaver, make_saver: Make) -> None:
    other = make_saver()
    for number in (1, 2, 3):
        step(saver if number % 2 else other, number)
    saver.checkpoints.rollback("thread", to=id_of(1))
    assert numbers(other) == [1]
    step(other, 2)
    step(saver, 3)
    assert numbers(saver) == numbers(other) == [3, 2, 1]
    other.checkpoints.undo("thread")
    assert numbers(saver) == [3, 2, 1]
    saver.store.verify()


def test_another_checkpoints_object_on_the_same_store_notices(saver: EventStoreSaver) -> None:
    for number in (1, 2, 3):
        step(saver, number)
    Checkpoints(saver.store).rollback("thread", to=id_of(1))
    with pytest.raises(ConflictError, match="rolled back"):
        step(saver, 4)
    step(saver, 2)
    assert numbers(saver) == [2, 1]


def test_a_prune_removes_what_is_unreachable(saver: EventStoreSaver) -> None:
    for number in range(1, 6):
        step(saver, number)
    saver.checkpoints.rollback("thread", to=id_of(3))
    report = saver.prune(["thread"])
    assert (report.checkpoints, numbers(saver)) == (2, [3])
    with pytest.raises(NotFoundError, match="pruned"):
        saver.checkpoints.undo("thread")
    step(saver, 4)
    saver.checkpoints.rollback("thread", to=id_of(3))
    assert numbers(saver) == [3]
    before = everything(saver, "thread")
    saver.checkpoints.rebuild()
    assert everything(saver, "thread") == before


def test_runs_that_are_deleted_do_not_come_back_with_an_undo(saver: EventStoreSaver) -> None:
    for number, its in ((1, "a"), (2, "a"), (3, "b"), (4, "a")):
        save(saver, number, parent=number - 1 or None, run_id=f"run {its}")
    saver.checkpoints.rollback("thread", to=id_of(2))
    saver.delete_for_runs(["run b"])
    saver.checkpoints.undo("thread")
    assert numbers(saver) == [4, 2, 1]
    assert saver.get_tuple(at(number=4)).checkpoint["channel_values"] == {"count": 4}


def test_a_fork_goes_back_past_the_point_where_it_was_forked(saver: EventStoreSaver) -> None:
    for number in (1, 2, 3):
        step(saver, number)
    saver.copy_thread("thread", "fork")
    step(saver, 4, thread="fork")
    saver.history.rollback("fork", id_of(2))
    assert (numbers(saver, "fork"), numbers(saver, "thread")) == ([2, 1], [3, 2, 1])
    saver.history.undo("fork")
    assert numbers(saver, "fork") == [4, 3, 2, 1]
    with pytest.raises(NotFoundError, match="nothing to undo"):
        saver.history.undo("thread")


def test_a_state_as_of_a_time_is_what_the_thread_showed_then(saver: EventStoreSaver) -> None:
    for number in (1, 2, 3):
        step(saver, number)
    rolled_back = saver.history.rollback("thread", id_of(1))
    step(saver, 2)
    times = {event.version: event.recorded_at for event in saver.store.read("thread")}

    def then(version: int) -> Any:
        found = saver.history.at("thread", times[version])
        return found and found.checkpoint["channel_values"]["count"]

    assert [then(version) for version in sorted(times)] == [1, 2, 3, 1, 2]
    assert rolled_back.version == 4
    assert saver.history.at("thread", times[1] - timedelta(seconds=1)) is None
    with pytest.raises(NotFoundError, match="'nobody'"):
        saver.history.at("nobody", datetime.now(UTC))


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"to": id_of(1), "back": 1},
        {"back": -1},
        {"back": True},
        {"step": "2"},
        {"time": "yesterday"},
        {"back": 1, "reason": 5},
    ],
)
def test_what_makes_no_sense_is_refused(saver: EventStoreSaver, options: dict[str, Any]) -> None:
    for number in (1, 2):
        step(saver, number)
    with pytest.raises(BadInputError):
        saver.checkpoints.rollback("thread", **options)
    with pytest.raises(BadInputError, match="no checkpoint"):
        saver.history.rollback("thread", at("thread"))
    assert numbers(saver) == [2, 1]


def test_what_is_not_there_is_named(saver: EventStoreSaver) -> None:
    for number in (1, 2):
        step(saver, number)
    for options, named in (
        ({"to": id_of(9)}, id_of(9)),
        ({"step": 9}, "step 9"),
        ({"back": 9}, "9 before"),
        ({"time": datetime(2000, 1, 1, tzinfo=UTC)}, "2000-01-01"),
        ({"to": id_of(1), "namespace": "inner"}, id_of(1)),
    ):
        with pytest.raises(NotFoundError, match=named):
            saver.checkpoints.rollback("thread", **options)
    with pytest.raises(NotFoundError, match="'nobody'"):
        saver.checkpoints.rollback("nobody", back=0)
    with pytest.raises(NotFoundError, match="'nobody'"):
        saver.checkpoints.undo("nobody")
    assert saver.store.head("nobody") is None


async def test_async_code_has_the_same(saver: EventStoreSaver) -> None:
    for number in (1, 2, 3):
        step(saver, number)
    moved = await saver.history.arollback("thread", id_of(2), reason="so")
    assert (moved.checkpoint, numbers(saver)) == (id_of(2), [2, 1])
    assert (await saver.history.aundo("thread")).undoes == moved.version
    again = await saver.checkpoints.arollback("thread", back=2, cause=Cause(metadata={"user": "ann"}))
    assert again.checkpoint == id_of(1)
    await saver.checkpoints.aundo("thread")
    times = {event.version: event.recorded_at for event in saver.store.read("thread")}
    found = await saver.history.aat("thread", times[2])
    assert found.checkpoint["id"] == id_of(2)


async def test_of_two_that_roll_back_at_once_both_or_one_succeeds(saver: EventStoreSaver, make_saver: Make) -> None:
    other = make_saver()
    for number in range(1, 6):
        step(saver, number)
    outcomes = await asyncio.gather(
        saver.checkpoints.arollback("thread", to=id_of(2)),
        other.checkpoints.arollback("thread", to=id_of(3)),
        return_exceptions=True,
    )
    moved = [each for each in outcomes if not isinstance(each, BaseException)]
    assert moved
    assert all(isinstance(each, ConflictError | NotFoundError) for each in outcomes if isinstance(each, BaseException))
    last = max(moved, key=lambda each: each.version)
    assert id_of(numbers(saver)[0]) == last.checkpoint
    saver.store.verify()
