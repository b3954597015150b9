"""Values that change shape, in each view of a history: what older code wrote is told as newer code has it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from langgraph.types import Command

from langgraph.checkpoint.eventstore import EventStoreSaver
from langgraph.checkpoint.eventstore.histories import (
    DivergenceError,
    RecordedHistory,
    aassert_replays,
    assert_replays,
)
from langgraph.checkpoint.eventstore.moving import Moving
from tests.support.answering import run_async, run_sync
from tests.support.flavour import Flavour
from tests.support.saving import Calls, at, save
from tests.support.shop import Order, Shop, check, newer, older, shapes
from tests.support.stage import checkpoint_id, thread

MakeSaver = Callable[..., EventStoreSaver]
FINAL = {
    "shipped": ["2", "3"],
    "asked": Order("yes", 7),
    "notes": ["begun", "begun", "asked", "shipped 2", "shipped 3"],
}


@pytest.fixture
def shop() -> Shop:
    """The shop as newer code has it."""
    return newer()


@pytest.fixture
def renewed(make_saver: MakeSaver) -> EventStoreSaver:
    """A saver of newer code, on a store in which older code has recorded two runs: `asked` waits, `main` has ended."""
    saver = make_saver()
    graph = older().built(saver)
    with saver.recording():
        for name in ("main", "asked"):
            graph.invoke(older().given(), thread(name))
        graph.invoke(Command(resume="yes"), thread("main"))
    return make_saver(value_upcasters=shapes())


def run(flavour: Flavour) -> Any:
    """Return what runs a graph."""
    return run_sync if flavour is Flavour.SYNC else run_async


def ids(graph: Any, name: str = "main") -> list[str]:
    """The checkpoints of a thread, the latest first."""
    return [checkpoint_id(state.config) for state in graph.get_state_history(thread(name))]


# --- recorded answers ------------------------------------------------------------------------------------------------


def test_recorded_answers_are_in_the_new_shapes(renewed: EventStoreSaver, shop: Shop, flavour: Flavour) -> None:
    history: Any = renewed.history
    assert [each.answer for each in Calls(history, flavour).answers("main")] == [
        Order("ann lee", 2),
        Order("ann lee", 3),
    ]
    again = run(flavour)(shop.built(renewed), shop.given(), thread("again"), renewed.replaying("main"))
    check(again)
    assert shop.ran == ["begin", "ask"]  # the tool was answered from the record


def test_a_step_that_older_code_did_not_finish_gets_its_answers_in_the_new_shapes(
    make_saver: MakeSaver, flavour: Flavour
) -> None:
    saver, broken = make_saver(), older()
    object.__setattr__(broken, "price", _dies)  # after the tool has answered
    with pytest.raises(KeyboardInterrupt), saver.recording():
        broken.built(saver).invoke(broken.given(), thread(), durability="sync")
    renewed, shop = make_saver(value_upcasters=shapes()), newer()
    check(run(flavour)(shop.built(renewed), None, thread(), renewed.recording()))
    assert shop.ran == ["begin", "ask"]


def _dies(_: int) -> Any:
    raise KeyboardInterrupt


def test_a_history_of_older_code_is_replayed_by_newer_code(
    renewed: EventStoreSaver, shop: Shop, flavour: Flavour, tmp_path: Path
) -> None:
    RecordedHistory.of(renewed, "main").write(tmp_path / "main.history")

    def replays(graph: Any, **options: Any) -> Any:
        if flavour is Flavour.SYNC:
            return assert_replays(graph, tmp_path / "main.history", **options)
        return asyncio.run(aassert_replays(graph, tmp_path / "main.history", **options))

    [found] = replays(shop.built(renewed))
    assert (found.runs, found.answered) == (2, 2)
    assert not [each for each in shop.ran if each.startswith("quote")]
    unsaved = shop.built(renewed).copy(update={"checkpointer": None})
    assert replays(unsaved, value_upcasters=shapes()) == [found]
    changed = newer()
    object.__setattr__(changed, "order", lambda name, amount: Order(name, amount + 1))
    with pytest.raises(DivergenceError, match=r"asked\.amount: 7 → 8"):
        replays(changed.built(renewed))


# --- runs that go on -------------------------------------------------------------------------------------------------


def test_an_input_that_older_code_took_is_gone_on_with(make_saver: MakeSaver, flavour: Flavour) -> None:
    saver, broken = make_saver(), older()
    graph = broken.built(saver)
    graph.invoke(broken.given(), thread(), durability="sync")
    renewed, shop = make_saver(value_upcasters=shapes()), newer()
    first = ids(graph, "main")[-1]
    told = renewed.get_tuple(thread())
    assert told is not None
    # From the checkpoint that holds nothing but the input.
    ran = run(flavour)(shop.built(renewed), None, {"configurable": {"thread_id": "main", "checkpoint_id": first}})
    check(ran)
    assert shop.ran == ["begin", "quote 2", "quote 3", "ask"]


def test_a_question_within_a_subgraph_is_asked_and_answered_in_the_new_shapes(
    renewed: EventStoreSaver, shop: Shop, flavour: Flavour
) -> None:
    graph = shop.built(renewed)
    state = graph.get_state(thread("asked"), subgraphs=True)
    [task] = state.tasks
    assert [each.value for each in task.interrupts] == [Order("within", 1)]
    assert task.state.values["warnings"] == ["!late"]
    assert [each.value for inner in task.state.tasks for each in inner.interrupts] == [Order("within", 1)]
    history: Any = renewed.history
    [stalled] = Calls(history, flavour).stalled().threads
    assert (stalled.thread, stalled.why) == ("asked", ("interrupt",))
    answered = run(flavour)(graph, Command(resume="yes"), thread("asked"))
    check(answered)
    assert {name: answered[name] for name in FINAL} == FINAL
    assert shop.ran == ["ask", "ship 2", "ship 3"]
    assert Calls(history, flavour).check("asked").ok


def test_a_replay_of_what_a_node_concerns_reads_the_new_shapes(
    renewed: EventStoreSaver, shop: Shop, flavour: Flavour
) -> None:
    graph = shop.built(renewed)
    history: Any = Calls(renewed.history, flavour)  # type: ignore[arg-type]  # it has twins, too
    first = ids(graph)[-1]
    plan = history.affected(graph, "main", first, "ship", only=lambda order: order == Order("ann lee", 3))
    assert [(task.node, task.again) for task in plan.tasks] == [("ship", False), ("ship", True)]
    done = history.replay(graph, "main", first, "ship", only=lambda order: order.amount == 3, target="replayed")
    assert [(task.node, task.reused) for task in done.tasks] == [("ship", True), ("ship", False)]
    assert shop.ran == ["ship 3"]
    found = graph.get_state(thread("replayed")).values
    check(found)
    assert {name: found[name] for name in FINAL} == FINAL


def test_what_was_moved_out_and_in_again_is_made_new_once(
    renewed: EventStoreSaver, shop: Shop, flavour: Flavour, tmp_path: Path
) -> None:
    assert Moving(renewed).export_to(f"sqlite:///{tmp_path / 'stock.db'}").ok
    with EventStoreSaver.from_conn_string(f"sqlite:///{tmp_path / 'back.db'}", value_upcasters=shapes()) as back:
        assert Moving(back).import_from(f"sqlite:///{tmp_path / 'stock.db'}").ok
        graph = shop.built(back)
        assert graph.get_state(thread("main")).values["notes"] == FINAL["notes"]
        answered = run(flavour)(graph, Command(resume="yes"), thread("asked"))
        assert {name: answered[name] for name in FINAL} == FINAL


# --- telling ---------------------------------------------------------------------------------------------------------


def test_what_was_before_a_message_is_found_where_its_channel_has_another_name(
    renewed: EventStoreSaver, shop: Shop, flavour: Flavour
) -> None:
    history: Any = Calls(renewed.history, flavour)  # type: ignore[arg-type]  # it has twins, too
    graph = shop.built(renewed)
    for named in (None, graph):
        told = history.at("main", before_message="answer", graph=named).checkpoint["channel_values"]
        assert [each.id for each in told["messages"]] == ["hello"]
        assert told["first"] == "ann"
    history.fork("main", "before", before_message="answer")
    assert graph.get_state(thread("before")).next == ("begin",)
    history.rollback("main", before_message="hello")
    check(run(flavour)(graph, None, thread("main")))


def test_the_audit_names_channels_as_they_are_stored(renewed: EventStoreSaver, shop: Shop, flavour: Flavour) -> None:
    audit: Any = Calls(renewed.history.audit, flavour)  # type: ignore[arg-type]  # it has twins, too
    stored = {channel for entry in audit.entries(thread="main") for channel in entry.channels}
    assert {"chat", "customer", "remarks"} <= stored
    assert stored.isdisjoint({"messages", "first", "last", "notes", "warnings"})
    shop.built(renewed).update_state(thread("asked"), {"last": "ray"}, as_node="begin")
    assert audit.entries(thread="main", channel="customer")
    assert not audit.entries(thread="main", channel="last")
    assert audit.entries(thread="asked", channel="last")


def test_a_delta_channel_that_was_split_is_told_by_its_new_names(
    renewed: EventStoreSaver, shop: Shop, flavour: Flavour
) -> None:
    history: Any = Calls(renewed.history, flavour)  # type: ignore[arg-type]  # it has twins, too
    graph = shop.built(renewed)
    assert graph.get_state(thread("main")).values["notes"] == FINAL["notes"]
    told = history.state("main", graph=graph).checkpoint["channel_values"]
    assert (told["notes"], told["warnings"]) == (FINAL["notes"], ["!late", "!late"])
    blamed = history.blame("main", "warnings", graph=graph)
    assert [(each.value, each.nodes) for each in blamed] == [("!late", ("begin",)), ("!late", ("child",))]
    first, last = ids(graph)[-1], ids(graph)[0]
    assert {"notes", "warnings"} <= {*history.diff("main", first, last).replayed}
    difference = {each.channel: each for each in history.diff("main", first, last, graph=graph).channels}
    assert difference["notes"].after == FINAL["notes"]
    for named, said in ((None, '["begun"]'), (graph, '+1 ("begun")')):
        [entry] = [each for each in history.timeline("main", namespace="", graph=named) if each.nodes == ("begin",)]
        assert {change.channel: change.summary for change in entry.changes}["notes"] == said
    # LangGraph asks for the writes themselves.
    replayed = Calls(renewed, flavour).get_delta_channel_history(config=thread("main"), channels=["warnings"])
    assert [value for _, _, value in replayed["warnings"]["writes"] if value] == [["!late"], ["!late"]]


def test_values_of_merged_changes_are_made_new(make_saver: MakeSaver, flavour: Flavour) -> None:
    shop = older()
    saver = make_saver()
    orders: list[Any] = []
    for number in range(1, 71):
        orders = [*orders, shop.order("ann", number)]
        save(saver, number, {"orders": orders, "price": number}, parent=number - 1 or None)
    expected = [Order("ann", number) for number in range(1, 71)]
    for drop in (False, True):
        renewed = make_saver(value_upcasters=shapes())
        if drop:
            renewed.checkpoints.drop_segments()
        found = Calls(renewed, flavour).get_tuple(at())
        assert found.checkpoint["channel_values"] == {
            "orders": expected,
            "price": {"amount": 70, "currency": "EUR"},
        }
    renewed = make_saver(value_upcasters=shapes())
    renewed.checkpoints.rebuild_segments()
    save(renewed, 71, {"orders": [*expected, Order("eve", 71)]}, parent=70)
    listed = Calls(make_saver(value_upcasters=shapes()), flavour).list(at())
    assert listed[0].checkpoint["channel_values"]["orders"] == [*expected, Order("eve", 71)]
    assert [len(each.checkpoint["channel_values"]["orders"]) for each in listed] == [*range(71, 0, -1)]
    history: Any = renewed.history
    assert Calls(history, flavour).check("thread").ok
