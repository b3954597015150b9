"""The public machine over graphs finds what breaks a promise, and nothing where promises are kept."""

from __future__ import annotations

import operator
import re
from itertools import count
from typing import Annotated, Any, TypedDict

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from langgraph.channels.delta import DeltaChannel
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.graph import END, START, StateGraph
from langgraph.types import Send, StateSnapshot, interrupt

from eventstore import EventStoreError
from langgraph.checkpoint.eventstore import EventStoreSaver
from langgraph.checkpoint.eventstore.testing import GraphMachine, explore, messages, save, steps, values
from tests.support.sameness import same
from tests.support.stories import append


class Order(TypedDict, total=False):
    amount: int
    store: str
    confirmed: str
    payments: Annotated[list[int], operator.add]
    log: Annotated[list[str], DeltaChannel(append, snapshot_frequency=3)]


class OutOfStockError(Exception):
    pass


def shop() -> StateGraph[Any, Any, Any, Any]:
    """Asks whether an order is meant, looks into two stores at once, and pays."""

    def confirm(state: Order) -> Any:
        return {"confirmed": interrupt(f"pay {state['amount']}?"), "log": ["confirmed"]}

    def look(packet: Any) -> Any:
        if packet["amount"] == 13:
            raise OutOfStockError
        return {"log": [f"looked into {packet['store']}"]}

    def pay(state: Order) -> Any:
        return {"payments": [state["amount"]], "log": ["paid"]}

    def stores(state: Order) -> Any:
        return [Send("look", {"store": store, "amount": state["amount"]}) for store in ("a", "b")]

    builder: Any = StateGraph(Order)
    builder.add_node("confirm", confirm)
    builder.add_node("look", look)
    builder.add_node("pay", pay)
    builder.add_edge(START, "confirm").add_edge("look", "pay").add_edge("pay", END)
    builder.add_conditional_edges("confirm", stores, ["look"])
    return builder  # type: ignore[no-any-return]


def paid_once_for_each_confirmation(state: StateSnapshot) -> bool:
    log: list[str] = state.values.get("log", [])
    return log.count("paid") == len(state.values.get("payments", [])) <= log.count("confirmed")


@pytest.mark.parametrize("in_a_loop", [False, True], ids=["invoke", "ainvoke"])
def test_a_graph_that_keeps_its_promise_is_explored_without_a_finding(url: str, in_a_loop: bool) -> None:
    explore(
        shop(),
        inputs=st.fixed_dictionaries({"amount": st.integers(10, 13)}),
        answers=st.sampled_from(["yes", "no"]),
        invariants=[paid_once_for_each_confirmation],
        allowed=[OutOfStockError],
        url=url,
        in_a_loop=in_a_loop,
        max_examples=15,
    )


def test_a_broken_promise_is_found_and_told_as_a_short_story() -> None:
    def never_pays(state: StateSnapshot) -> bool:
        return not state.values.get("payments")

    with pytest.raises(AssertionError, match="never_pays does not hold of") as broken:
        explore(
            shop(),
            inputs=st.just({"amount": 10}),
            answers=st.just("yes"),
            invariants=[never_pays],
            max_examples=2000,
            steps=5,
        )
    story = re.findall(r"^\s*state\.(\w+)\(", "\n".join(broken.value.__notes__), re.MULTILINE)
    # A run may also begin by being killed after its question.
    assert story[-2:] == ["answer", "teardown"]
    assert len(story) <= 5, story


def test_what_a_kill_breaks_is_found() -> None:
    paid: list[str] = []

    def pay(state: Order) -> Any:
        paid.append("paid")  # outside of the state: done again, when the task is run again
        return {"payments": [len(paid)]}

    def make(saver: EventStoreSaver) -> Any:
        builder = StateGraph(Order).add_node("pay", pay)
        return builder.add_edge(START, "pay").compile(checkpointer=saver)

    class OfOneRun(GraphMachine):
        def __init__(self, *args: Any) -> None:
            paid.clear()
            super().__init__(*args)

    def pays_once(state: StateSnapshot) -> bool:
        return len(paid) == len(state.values.get("payments", [])) or bool(state.next)

    with pytest.raises(AssertionError, match="pays_once"):
        explore(
            make, inputs=st.just({"amount": 1}), invariants=[pays_once], machine=OfOneRun, max_examples=2000, steps=3
        )


def test_what_is_broken_once_and_not_by_the_same_steps_again_is_found() -> None:
    looks = count()

    def holds_but_once(_: StateSnapshot) -> bool:
        return next(looks) != 3

    with pytest.raises(AssertionError, match="holds_but_once does not hold of") as broken:
        explore(shop(), inputs=st.just({"amount": 10}), answers=st.just("yes"), invariants=[holds_but_once], steps=4)
    assert any("not again by the same steps" in note for note in broken.value.__notes__)


def test_errors_of_nodes_that_nobody_allowed_are_findings() -> None:
    with pytest.raises(OutOfStockError):
        explore(shop(), inputs=st.just({"amount": 13}), answers=st.just("yes"), max_examples=2000, steps=4)


def write_of(pending: Any) -> Any:
    return pending[1:]


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(drawn=steps(), number=st.uuids())
def test_steps_that_are_drawn_are_saved_as_another_saver_saves_them(
    saver: EventStoreSaver, drawn: Any, number: Any
) -> None:
    shown = []
    for each in (saver, InMemorySaver()):
        configs = save(each, str(number), drawn)
        found = [each.get_tuple(config) for config in configs]
        shown.append(
            [(one.checkpoint["channel_values"], [w[1:] for w in one.pending_writes or ()]) for one in found if one]
        )
    ours, theirs = shown
    assert len(ours) == len(drawn)
    assert same(ours, theirs)


@settings(max_examples=50, deadline=None)
@given(conversation=messages(), value=values())
def test_conversations_have_ids_and_values_can_be_stored(conversation: Any, value: Any) -> None:
    assert len({message.id for message in conversation}) == len(conversation)
    with EventStoreSaver.from_conn_string("sqlite:///:memory:") as saver:
        try:
            saver.serde.dumps_typed(value)
        except EventStoreError as refused:
            pytest.fail(f"a value was drawn that cannot be stored: {refused}")
