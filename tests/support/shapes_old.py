"""A graph as older code had it: another process imports this, and no test does."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from operator import add
from typing import Annotated, Any, TypedDict

from langgraph.channels.delta import DeltaChannel
from langgraph.graph.state import CompiledStateGraph
from langgraph.types import interrupt
from pydantic import BaseModel

from langgraph.checkpoint.eventstore import EventStoreSaver
from tests.support.shapes import joined, wired
from tests.support.stage import Durability

THREAD: Any = {"configurable": {"thread_id": "thread"}}


@dataclass
class Order:
    """An order, which has two fields."""

    name: str
    amount: int


class Colour(Enum):
    """A colour."""

    RED = "r"


class Person(BaseModel):
    """A person, in whom another type is nested."""

    name: str
    order: Order
    colour: Colour = Colour.RED


class Child(TypedDict, total=False):
    """The state of a subgraph."""

    child: Order


class State(Child, total=False):
    """The state of the graph."""

    orders: Annotated[list[Order], add]
    customer: str
    price: int
    person: Person
    log: Annotated[list[str], add]
    answers: Annotated[list[str], add]
    remarks: Annotated[list[str], DeltaChannel(joined)]


def begin(_: State) -> State:
    """Fill the state."""
    return {
        "orders": [
            Order("ann lee", 2),
            *(Order(f"number {each}", each) for each in range(9)),
            Order("bo ray", 3),
        ],
        "customer": "ann lee",
        "price": 5,
        "person": Person(name="ann", order=Order("bo ray", 3)),
        "log": ["ann lee"],
        "remarks": ["begun"],
    }


def ask(state: State) -> State:
    """Wait for somebody."""
    return {"answers": [interrupt(state["orders"][0])]}


def note(_: State) -> State:
    """Write beside a node that asks."""
    return {"remarks": ["asked"], "customer": "ann lee", "price": 5}


def send(order: Order) -> State:
    """Send an order."""
    return {"log": [f"sent {order.name}"]}


def ordered(_: Child) -> Child:
    """Order within a subgraph."""
    return {"child": Order("of the child", 1)}


def built(saver: EventStoreSaver) -> CompiledStateGraph[Any, Any, Any, Any]:
    """The graph."""
    nodes = {"begin": begin, "ask": ask, "note": note, "send": send}
    return wired(saver, State, Child, ordered, nodes)


def write(url: str, durability: Durability) -> None:
    """Run the graph until it waits."""
    with EventStoreSaver.from_conn_string(url) as saver:
        built(saver).invoke({}, THREAD, durability=durability)


def again(url: str, says: str) -> None:
    """Write to the thread, of which newer code has stored parts, what this code knows."""
    with EventStoreSaver.from_conn_string(url) as saver:
        built(saver).update_state(THREAD, {"customer": says}, as_node="note")
