"""Values that change shape: histories that older code wrote, read and gone on with by newer code."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.checkpoint.serde.encrypted import EncryptedSerializer

from eventstore import BadInputError, TypeChangedError, TypeNotAllowedError, UpcastError
from langgraph.checkpoint.eventstore import EventStoreSaver, ValueUpcasters
from langgraph.checkpoint.eventstore.moving import Moving
from projections import Damage
from projections.pregel import INTERRUPT
from tests.support import shapes_new as new
from tests.support import stock as stocks
from tests.support.flavour import Flavour
from tests.support.saving import Calls, at, save
from tests.support.stage import Durability
from tests.support.turning import Turning

ROOT = Path(__file__).parents[2]
MakeSaver = Callable[..., EventStoreSaver]
THREAD: Any = {"configurable": {"thread_id": "thread"}}


def wrote_by_older_code(url: str, durability: Durability = "sync") -> None:
    """Run the graph as it was, in a process of its own, until it waits for an answer."""
    program = f"from tests.support.shapes_old import write; write({url!r}, {durability!r})"
    subprocess.run([sys.executable, "-c", program], cwd=ROOT, check=True, timeout=60)


def went_on_by_older_code(url: str, says: str) -> None:
    """Let the graph as it was write to the thread once more."""
    program = f"from tests.support.shapes_old import again; again({url!r}, {says!r})"
    subprocess.run([sys.executable, "-c", program], cwd=ROOT, check=True, timeout=60)


@pytest.fixture
def renewed(url: str, make_saver: MakeSaver) -> EventStoreSaver:
    """A saver that knows the new shapes, on a store that older code wrote."""
    wrote_by_older_code(url)
    return make_saver(value_upcasters=new.shapes())


@pytest.mark.parametrize(
    ("durability", "flavour"), [("sync", Flavour.SYNC), ("async", Flavour.ASYNC), ("exit", Flavour.SYNC)]
)
def test_a_run_of_older_code_is_gone_on_with_by_newer_code(
    url: str, make_saver: MakeSaver, durability: Durability, flavour: Flavour
) -> None:
    wrote_by_older_code(url, durability)
    renewed = make_saver(value_upcasters=new.shapes())
    graph = new.built(renewed)
    state = graph.get_state(THREAD)
    new.check(state.values)
    assert [asked.value for task in state.tasks for asked in task.interrupts] == [new.Order("ann lee", 2)]
    answered = new.run(graph, flavour)
    new.check(answered)
    assert answered["answers"] == ["yes"]
    assert answered["log"] == ["ann lee", "sent ann lee", "sent bo ray"]
    assert answered["notes"] == ["N: begun", "N: new", "N: asked"]
    assert answered["child"] == new.Order("of the child", 1)
    # What was made new and saved again is what is stored, and it all checks out.
    for each in renewed.list(THREAD):
        assert set(map(type, each.checkpoint["channel_values"].get("orders", ()))) <= {new.Order}
    assert renewed.store.verify().events
    renewed.checkpoints.rebuild()
    assert graph.get_state(THREAD).values == answered


def test_every_view_shows_the_new_shapes(renewed: EventStoreSaver, flavour: Flavour) -> None:
    history = Calls(renewed.history, flavour)  # type: ignore[arg-type]  # it has twins, too
    graph = new.built(renewed)
    past = [state for state in graph.get_state_history(THREAD) if state.values.get("orders")]
    assert past
    for state in past:
        new.check(state.values)
    told = history.at("thread", past[-1].config["configurable"]["checkpoint_id"])
    assert told.checkpoint["channel_values"]["first"] == "ann"
    blamed = history.blame("thread", "last")
    assert [(each.value, each.nodes) for each in blamed] == [("lee", ("begin",))]
    assert {each.value.full_name for each in history.blame("thread", "orders")} >= {"ann lee", "bo ray"}
    [entry] = [entry for entry in history.timeline("thread") if "begin" in entry.nodes and not entry.namespace]
    assert {"first", "last", "orders", "price"} <= {change.channel for change in entry.changes}
    difference = (
        history.diff("thread", None, None)
        if len(past) == 1
        else history.diff(
            "thread",
            past[-1].parent_config["configurable"]["checkpoint_id"],
            past[-1].config["configurable"]["checkpoint_id"],
        )
    )
    found = {each.channel: each for each in difference.channels}
    assert found["first"].after == "ann"
    assert found["price"].after == {"amount": 5, "currency": "EUR"}


def test_a_fork_and_an_update_go_on_from_old_values(renewed: EventStoreSaver) -> None:
    graph = new.built(renewed)
    renewed.copy_thread("thread", "fork")
    fork: Any = {"configurable": {"thread_id": "fork"}}
    new.check(graph.get_state(fork).values)
    graph.update_state(fork, {"first": "eve", "orders": [new.Order("eve", 9)]})
    changed = graph.get_state(fork).values
    assert (changed["first"], changed["last"]) == ("eve", "lee")
    assert changed["orders"][-1] == new.Order("eve", 9)
    assert changed["orders"][0] == new.Order("ann lee", 2)
    new.check(graph.get_state(THREAD).values)
    assert renewed.store.verify().events


def test_what_is_saved_again_is_a_change_of_what_is_stored(renewed: EventStoreSaver, make_saver: MakeSaver) -> None:
    graph = new.built(renewed)
    graph.update_state(THREAD, {"orders": [new.Order("eve", 9)]})
    fresh = make_saver(value_upcasters=new.shapes())
    orders = new.built(fresh).get_state(THREAD).values["orders"]
    assert orders[0] == new.Order("ann lee", 2)
    assert orders[-1] == new.Order("eve", 9)
    # The parts that did not change are those that older code stored, and newer code's say their version.
    stale = make_saver()
    with pytest.raises((TypeChangedError, TypeNotAllowedError)):
        stale.get_tuple(THREAD)


def test_older_and_newer_code_take_turns(url: str, make_saver: MakeSaver) -> None:
    wrote_by_older_code(url)
    graph = new.built(make_saver(value_upcasters=new.shapes()))
    graph.update_state(THREAD, {"first": "eve"})
    went_on_by_older_code(url, "kim oh")  # it knows of one channel only, and writes that again
    found = graph.get_state(THREAD).values
    assert (found["first"], found["last"]) == ("kim", "oh")
    graph.update_state(THREAD, {"last": "no"})
    found = graph.get_state(THREAD).values
    assert (found["first"], found["last"]) == ("kim", "no")


def test_what_is_moved_out_needs_no_upcasters(renewed: EventStoreSaver, tmp_path: Path) -> None:
    Moving(renewed).export_to(f"sqlite:///{tmp_path / 'stock.db'}")
    with stocks.opened(f"sqlite:///{tmp_path / 'stock.db'}") as stock:
        new.check(new.built(stock.saver).get_state(THREAD).values)


def test_an_enciphering_serializer_brings_them_along(url: str, make_saver: MakeSaver) -> None:
    saver = make_saver(value_upcasters=new.shapes())
    inner = saver.serde
    saver.serde = EncryptedSerializer(Turning(), saver.serde)
    save(saver, 1, {"price": 5, "customer": "ann lee"})
    assert inner.channel_upcasters is not None  # type: ignore[attr-defined]
    [found] = saver.list(at())
    assert found.checkpoint["channel_values"]["price"] == {"amount": 5, "currency": "EUR"}
    assert found.checkpoint["channel_values"]["last"] == "lee"


# --- what goes wrong -------------------------------------------------------------------------------------------------


def test_a_type_that_changed_is_refused_by_name_and_the_error_names_the_remedy(url: str, make_saver: MakeSaver) -> None:
    wrote_by_older_code(url)
    with pytest.raises(TypeNotAllowedError, match="shapes_old"):
        make_saver().get_tuple(THREAD)
    renamed = ValueUpcasters()
    renamed.moved("tests.support.shapes_old.Order", new.Order)
    renamed.moved("tests.support.shapes_old.Person", new.Customer)
    renamed.moved("tests.support.shapes_old.Colour", new.Outer.Hue)
    with pytest.raises(TypeChangedError, match=r"Order: .*upcaster"):
        make_saver(value_upcasters=renamed).get_tuple(THREAD)


def _raises(_: Any) -> Any:
    raise KeyError("name")


@pytest.mark.parametrize(
    ("upcast", "said"),
    [
        (_raises, "raised KeyError: 'name'"),
        (lambda _: None, "returned None, and not a dict of fields"),
        (lambda fields: [*fields], "returned a list"),
        (lambda fields: {**fields, "full_name": lambda: 1}, "cannot be stored"),
    ],
)
def test_an_upcaster_of_a_type_that_fails_is_named(
    url: str, make_saver: MakeSaver, upcast: Callable[[Any], Any], said: str
) -> None:
    save(make_saver(), 1, {"order": new.Old("ann", 1)})
    shapes = ValueUpcasters()
    shapes.type(new.Old, version=1)(upcast)
    with pytest.raises(UpcastError, match=said) as failed:
        make_saver(value_upcasters=shapes).get_tuple(at())
    assert (failed.value.kind, failed.value.name) == ("type", "tests.support.shapes_new.Old")


@pytest.mark.parametrize(
    ("upcast", "said"),
    [
        (_raises, "raised KeyError: 'name'"),
        (lambda value: value, "still old"),
        (lambda _: iter([1]), "cannot be stored"),
    ],
)
def test_an_upcaster_of_a_channel_that_fails_is_named(
    make_saver: MakeSaver, upcast: Callable[[Any], Any], said: str
) -> None:
    save(make_saver(), 1, {"price": 5})
    shapes = ValueUpcasters()
    shapes.channel("price", old=int)(upcast)
    saver = make_saver(value_upcasters=shapes)
    with pytest.raises(UpcastError, match=said) as failed:
        saver.get_tuple(at())
    assert (failed.value.kind, failed.value.name) == ("channel", "price")


def test_a_split_gives_values_of_its_channels_only(make_saver: MakeSaver) -> None:
    save(make_saver(), 1, {"price": 5})
    shapes = ValueUpcasters()
    shapes.split("price", into=["amount"])(lambda _: {"amout": 5})
    with pytest.raises(UpcastError, match="not a dict with values of amount"):
        make_saver(value_upcasters=shapes).get_tuple(at())


def test_upcasters_that_do_not_fit_together_are_refused_when_a_saver_is_opened() -> None:
    def opened(shapes: ValueUpcasters) -> None:
        EventStoreSaver.from_conn_string("sqlite:///:memory:", value_upcasters=shapes)

    gap = ValueUpcasters()
    gap.type("m.T", version=1)(dict)
    gap.type("m.T", version=3)(dict)
    with pytest.raises(BadInputError, match="from versions 1 and 3, and none from 2"):
        opened(gap)
    with pytest.raises(BadInputError, match="from version 1 already"):
        gap.type("m.T", version=1)(dict)
    circle = ValueUpcasters()
    circle.moved("m.A", "m.B")
    circle.moved("m.B", "m.A")
    with pytest.raises(BadInputError, match="in a circle"):
        opened(circle)
    twice = ValueUpcasters()
    twice.moved("m.A", "m.B")
    twice.type("m.A", version=1)(dict)
    twice.type("m.B", version=1)(dict)
    with pytest.raises(BadInputError, match="under two names"):
        opened(twice)
    splits = ValueUpcasters()
    splits.renamed("a", "b")
    for wrong in (lambda: splits.renamed("b", "b"), lambda: splits.renamed("c", "b"), lambda: splits.renamed("c", "a")):
        with pytest.raises(BadInputError, match="channel"):
            wrong()
    odd: Any = splits
    for bad in (
        lambda: odd.type("T", version=1),
        lambda: odd.type("m.T", version=0),
        lambda: odd.moved("m.A", ""),
        lambda: odd.channel("c", old=1),
        lambda: odd.split("c", into="ab"),
        lambda: odd.gone("m.A")(1),
    ):
        with pytest.raises(BadInputError):
            bad()
    with pytest.raises(BadInputError, match="value_upcasters"):
        opened({})  # type: ignore[arg-type]
    with pytest.raises(BadInputError, match="default serializer"):
        EventStoreSaver.from_conn_string("sqlite:///:memory:", serde=InMemorySaver().serde, value_upcasters=splits)


def test_what_newer_code_stored_is_refused_by_code_that_does_not_know_it(make_saver: MakeSaver) -> None:
    shapes = ValueUpcasters()
    shapes.type(new.Old, version=1)(dict)
    shapes.type(new.Old, version=2)(dict)
    save(make_saver(value_upcasters=shapes), 1, {"order": new.Old("ann", 1)})
    with pytest.raises(TypeChangedError, match=r"version 3 is stored, by newer code, and 1 is the last"):
        make_saver().get_tuple(at())
    first = ValueUpcasters()
    first.type(new.Old, version=1)(dict)
    with pytest.raises(UpcastError, match=r"version 3 is stored, by newer code, and 2 is the last"):
        make_saver(value_upcasters=first).get_tuple(at())
    last = ValueUpcasters()
    last.type(new.Old, version=2)(dict)
    assert make_saver(value_upcasters=last).get_tuple(at())


def test_a_type_that_is_gone_becomes_something_else(make_saver: MakeSaver) -> None:
    save(make_saver(), 1, {"orders": [new.Old("ann", 1)]})
    shapes = ValueUpcasters()
    shapes.gone("tests.support.shapes_new.Old")(lambda fields: {"was": fields["name"]})
    found = make_saver(value_upcasters=shapes).get_tuple(at())
    assert found
    assert found.checkpoint["channel_values"] == {"orders": [{"was": "ann"}]}


# --- what a check says -----------------------------------------------------------------------------------------------


def _failing() -> ValueUpcasters:
    """The upcasters from the shapes of older code, of which three fail."""
    shapes = ValueUpcasters()
    shapes.type(new.Old, version=1)(_raises)
    shapes.channel("price", old=int)(_raises)
    shapes.split("customer", into=["first", "last"])(_raises)
    return shapes


def test_a_check_tells_an_upcaster_that_fails_by_its_name_and_place(make_saver: MakeSaver, flavour: Flavour) -> None:
    saver = make_saver()
    save(saver, 1, {"order": new.Old("ann", 1), "price": 5, "fine": [1, 2]})
    save(saver, 2, {"customer": "ann lee", "orders": [new.Old("bo", 2)] * 3}, parent=1)
    saver.put_writes(at(number=2), [("price", 6), ("order", new.Old("eve", 3))], "task")
    assert saver.history.check("thread").ok
    history: Any = make_saver(value_upcasters=_failing()).history
    report = Calls(history, flavour).check("thread")
    assert not report.ok
    assert {each.kind for each in report.findings} == {Damage.UPCAST}
    assert [(each.version, each.channel) for each in report.findings] == [
        (1, "order"),
        (1, "price"),
        (2, "customer"),
        (2, "orders"),
        (3, "order"),
        (3, "price"),
    ]
    said = [each.message for each in report.findings]
    assert all("raised KeyError: 'name'" in each and "mend the upcaster" in each for each in said)
    assert "type tests.support.shapes_new.Old" in said[0]
    assert "channel price" in said[1]


def test_recovery_leaves_out_a_question_whose_upcaster_fails(make_saver: MakeSaver, flavour: Flavour) -> None:
    saver = make_saver()
    save(saver, 1, {"branch:to:ask": None})
    saver.put_writes(at(number=1), [(INTERRUPT, [new.Old("ann", 1)])], "task", "~__pregel_pull, ask")
    history: Any = make_saver(value_upcasters=_failing()).history
    points = Calls(history, flavour).points("thread")
    assert [(task.status, task.interrupts) for each in points for task in each.tasks] == [("interrupted", ())]
    stalled = Calls(history, flavour).stalled().threads
    assert [each.why for each in stalled] == [("interrupt",)]


def test_what_is_only_allowed_to_others_is_nothing_that_an_upcaster_may_return(make_saver: MakeSaver) -> None:
    save(make_saver(), 1, {"price": 5})
    save(make_saver(), 2, {"order": new.Old("ann", 1)}, thread="typed")
    shapes = ValueUpcasters()
    shapes.channel("price", old=int)(lambda price: new.Order("ann", price))
    shapes.type(new.Old, version=1)(lambda fields: {**fields, "name": new.Order("ann", 1)})
    saver = make_saver(value_upcasters=shapes, allowed_types=[new.Old])
    with pytest.raises(UpcastError, match=r"channel price: .*shapes_new\.Order"):
        saver.get_tuple(at())
    with pytest.raises(UpcastError, match=r"type tests\.support\.shapes_new\.Old: .*shapes_new\.Order"):
        saver.get_tuple(at("typed"))
