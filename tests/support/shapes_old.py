"""A graph as older code had it: another process imports this, and no test does."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from operator import add
from typing import Annotated, Any, TypedDict

from langgraph.channels.delta import DeltaChannel
from langgraph.graph import START, StateGraph
from langgraph.graph.state import CompiledStateGraph
from langgraph.types import Send, interrupt
from pydantic import BaseModel

from langgraph.checkpoint.eventstore import EventStoreSaver
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


def joined(notes: list[str], more: Any) -> list[str]:
    """Join notes."""
    return [*notes, *(each for write in more for each in write)]


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


def spread(state: State) -> list[Send]:
    """Send objects to tasks."""
    return [Send("send", state["orders"][0]), Send("send", state["orders"][-1])]


def send(order: Order) -> State:
    """Send an order."""
    return {"log": [f"sent {order.name}"]}


def ordered(_: Child) -> Child:
    """Order within a subgraph."""
    return {"child": Order("of the child", 1)}


def built(saver: EventStoreSaver) -> CompiledStateGraph[Any, Any, Any, Any]:
    """The graph."""
    within: Any = StateGraph(Child)
    child = within.add_node("ordered", ordered).add_edge(START, "ordered").compile()
    builder: Any = StateGraph(State)
    builder.add_node("begin", begin).add_node("ask", ask).add_node("note", note)
    builder.add_node("send", send).add_node("child", child).add_edge(START, "begin").add_edge("begin", "child")
    builder.add_edge("child", "ask").add_edge("child", "note").add_conditional_edges("ask", spread, ["send"])
    compiled: CompiledStateGraph[Any, Any, Any, Any] = builder.compile(checkpointer=saver)
    return compiled


def write(url: str, durability: Durability) -> None:
    """Run the graph until it waits."""
    with EventStoreSaver.from_conn_string(url) as saver:
        built(saver).invoke({}, THREAD, durability=durability)


def again(url: str, says: str) -> None:
    """Write to the thread, of which newer code has stored parts, what this code knows."""
    with EventStoreSaver.from_conn_string(url) as saver:
        built(saver).update_state(THREAD, {"customer": says}, as_node="note")
