"""The graph of `shapes_old` as newer code has it: types with other names and fields, channels that were split."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from enum import Enum
from operator import add
from typing import Annotated, Any, TypedDict

from langgraph.channels.delta import DeltaChannel
from langgraph.graph.state import CompiledStateGraph
from langgraph.types import Command, interrupt
from pydantic import BaseModel

from langgraph.checkpoint.eventstore import EventStoreSaver, ValueUpcasters
from tests.support.flavour import Flavour
from tests.support.shapes import joined, wired

THREAD: Any = {"configurable": {"thread_id": "thread"}}


@dataclass
class Old:
    """A type for shapes that a test makes up."""

    name: str
    amount: int


@dataclass
class Order:
    """An order, whose first field has another name."""

    full_name: str
    amount: int
    currency: str = "EUR"


class Outer:
    """A place for types."""

    class Hue(Enum):
        """A colour."""

        RED = "red"


class Customer(BaseModel):
    """A person, who is called a customer now."""

    name: str
    order: Order
    hue: Outer.Hue


class Price(TypedDict):
    """A price, which was a number."""

    amount: int
    currency: str


def shapes() -> ValueUpcasters:
    """The upcasters from the shapes of older code."""
    made = ValueUpcasters()
    made.moved("tests.support.shapes_old.Order", Order)
    made.moved("tests.support.shapes_old.Person", Customer)
    made.moved("tests.support.shapes_old.Colour", "tests.support.shapes_new:Outer.Hue")

    @made.type(Order, version=1)
    def _(fields: dict[str, Any]) -> dict[str, Any]:
        fields["full_name"] = fields.pop("name")
        return fields

    @made.type(Customer, version=1)
    def _(fields: dict[str, Any]) -> dict[str, Any]:
        return {"name": fields["name"], "order": fields["order"], "hue": fields["colour"]}

    @made.type("tests.support.shapes_old.Colour", version=1)
    def _(value: str) -> str:
        return {"r": "red"}[value]

    @made.channel("price", old=int)
    def _(price: int) -> Price:
        return {"amount": price, "currency": "EUR"}

    @made.split("customer", into=["first", "last"])
    def _(customer: str) -> dict[str, str]:
        first, _, last = customer.partition(" ")
        return {"first": first, "last": last}

    made.renamed("remarks", "notes")

    @made.channel("notes", old=lambda notes: any(not note.startswith("N: ") for note in notes))
    def _(notes: list[str]) -> list[str]:
        return [note if note.startswith("N: ") else f"N: {note}" for note in notes]

    return made


class Child(TypedDict, total=False):
    """The state of a subgraph."""

    child: Order


class State(Child, total=False):
    """The state of the graph."""

    orders: Annotated[list[Order], add]
    first: str
    last: str
    price: Price
    person: Customer
    log: Annotated[list[str], add]
    answers: Annotated[list[str], add]
    notes: Annotated[list[str], DeltaChannel(joined)]


def begin(_: State) -> State:
    """Do nothing: older code did it."""
    raise AssertionError("it ran already")


def ask(state: State) -> State:
    """Wait for somebody."""
    answer = interrupt(state["orders"][0])
    return {"answers": [answer], "notes": ["N: new"]}


def note(_: State) -> State:
    """Do nothing: older code did it."""
    raise AssertionError("it ran already")


def send(order: Order) -> State:
    """Send an order."""
    return {"log": [f"sent {order.full_name}"]}


def ordered(_: Child) -> Child:
    """Do nothing: older code did it."""
    raise AssertionError("it ran already")


def built(saver: EventStoreSaver) -> CompiledStateGraph[Any, Any, Any, Any]:
    """The graph."""
    nodes = {"begin": begin, "ask": ask, "note": note, "send": send}
    return wired(saver, State, Child, ordered, nodes)


def run(graph: CompiledStateGraph[Any, Any, Any, Any], flavour: Flavour) -> Any:
    """Answer the question that the run waits with."""
    if flavour is Flavour.ASYNC:
        return asyncio.run(graph.ainvoke(Command(resume="yes"), THREAD))
    return graph.invoke(Command(resume="yes"), THREAD)


def check(values: Any) -> None:
    """Hold that a state is in the new shapes."""
    assert values["orders"][0] == Order("ann lee", 2)
    assert values["orders"][-1] == Order("bo ray", 3)
    assert values["person"] == Customer(name="ann", order=Order("bo ray", 3), hue=Outer.Hue.RED)
    assert values["price"] == {"amount": 5, "currency": "EUR"}
    assert (values["first"], values["last"]) == ("ann", "lee")
    assert values["notes"][0] == "N: begun"
