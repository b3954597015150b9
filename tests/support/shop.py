"""A shop as older code had it and as newer code has it: the same nodes, in other shapes."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from operator import add
from typing import Annotated, Any, TypedDict

from langchain_core.messages import AIMessage, AnyMessage, HumanMessage
from langchain_core.tools import StructuredTool
from langgraph.channels.delta import DeltaChannel
from langgraph.graph import START, StateGraph
from langgraph.graph.message import add_messages
from langgraph.graph.state import CompiledStateGraph
from langgraph.types import Send, interrupt

from langgraph.checkpoint.eventstore import EventStoreSaver, ValueUpcasters
from tests.support.shapes import joined


@dataclass
class OldOrder:
    """An order as it was."""

    name: str
    amount: int


@dataclass
class Order:
    """An order, with two other names."""

    full_name: str
    amount: int


class Price(TypedDict):
    """A price, which was a number."""

    amount: int
    currency: str


class OldState(TypedDict, total=False):
    """The state as it was."""

    chat: Annotated[list[AnyMessage], add_messages]
    customer: str
    price: int
    orders: Annotated[list[OldOrder], add]
    shipped: Annotated[list[str], add]
    asked: OldOrder
    remarks: Annotated[list[str], DeltaChannel(joined)]


class OldWithin(TypedDict, total=False):
    """The state of the subgraph as it was."""

    asked: OldOrder
    remarks: Annotated[list[str], DeltaChannel(joined)]


class Within(TypedDict, total=False):
    """The state of the subgraph."""

    asked: Order
    notes: Annotated[list[str], DeltaChannel(joined)]
    warnings: Annotated[list[str], DeltaChannel(joined)]


class State(TypedDict, total=False):
    """The state, with channels that were split or renamed."""

    messages: Annotated[list[AnyMessage], add_messages]
    first: str
    last: str
    price: Price
    orders: Annotated[list[Order], add]
    shipped: Annotated[list[str], add]
    asked: Order
    notes: Annotated[list[str], DeltaChannel(joined)]
    warnings: Annotated[list[str], DeltaChannel(joined)]


def _names(customer: str) -> dict[str, Any]:
    first, _, last = customer.partition(" ")
    return {"first": first, "last": last}


def _remarks(remarks: Sequence[str]) -> dict[str, Any]:
    warnings = [each for each in remarks if each.startswith("!")]
    return {"notes": [each for each in remarks if each not in warnings], "warnings": warnings}


def _priced(amount: int) -> dict[str, Any]:
    return {"amount": amount, "currency": "EUR"}


def shapes() -> ValueUpcasters:
    """The upcasters from the older shapes."""
    made = ValueUpcasters()
    made.moved("tests.support.shop.OldOrder", Order)
    made.type(Order, version=1)(lambda fields: {"full_name": fields["name"], "amount": fields["amount"]})
    made.channel("price", old=int)(_priced)
    made.split("customer", into=["first", "last"])(_names)
    made.split("remarks", into=["notes", "warnings"])(_remarks)
    made.renamed("chat", "messages")
    return made


@dataclass(frozen=True)
class Shop:
    """A version of the shop's code.

    Attributes:
        state: The state.
        within: That of the subgraph.
        order: Makes an order.
        chat: The name of the channel of messages.
        customer: Makes an update of the state that says who the customer is.
        price: Makes a price.
        remarks: Makes an update of the state that remarks something.
        ran: What ran, in order.
    """

    state: type
    within: type
    order: Callable[[str, int], Any]
    chat: str
    customer: Callable[[str], Mapping[str, Any]]
    price: Callable[[int], Any]
    remarks: Callable[[Sequence[str]], Mapping[str, Any]]
    ran: list[str] = field(default_factory=list)

    def given(self) -> dict[str, Any]:
        """Return an input."""
        return {self.chat: [HumanMessage("hello", id="hello")], **self.customer("ann lee")}

    def built(self, saver: EventStoreSaver) -> CompiledStateGraph[Any, Any, Any, Any]:
        """Return the graph: it orders by a tool, asks within a subgraph, and sends each order to a task."""

        def quote(amount: int) -> Any:
            """Make an order."""
            self.ran.append(f"quote {amount}")
            return self.order("ann lee", amount)

        tool = StructuredTool.from_function(quote)

        def begin(state: Any) -> Any:
            self.ran.append("begin")
            orders = [tool.invoke({"amount": 2}), tool.invoke({"amount": 3})]
            said = [AIMessage(f"after {len(state[self.chat])}", id="answer")]
            return {self.chat: said, "orders": orders, "price": self.price(5), **self.remarks(["begun", "!late"])}

        def ask(state: Any) -> Any:
            self.ran.append("ask")
            answer = interrupt(self.order("within", 1))
            return {"asked": self.order(answer, 7), **self.remarks(["asked"])}

        def send(state: Any) -> Any:
            return [Send("ship", each) for each in state["orders"]]

        def ship(order: Any) -> Any:
            self.ran.append(f"ship {order.amount}")
            return {"shipped": [f"{order.amount}"], **self.remarks([f"shipped {order.amount}"])}

        within: Any = StateGraph(self.within)
        subgraph = within.add_node("ask", ask).add_edge(START, "ask").compile()
        builder: Any = StateGraph(self.state)
        builder.add_node("begin", begin).add_node("child", subgraph).add_node("ship", ship)
        builder.add_edge(START, "begin").add_edge("begin", "child").add_conditional_edges("child", send, ["ship"])
        compiled: CompiledStateGraph[Any, Any, Any, Any] = builder.compile(checkpointer=saver)
        return compiled


def older() -> Shop:
    """Return the shop as older code had it."""
    return Shop(
        OldState,
        OldWithin,
        OldOrder,
        "chat",
        lambda name: {"customer": name},
        int,
        lambda remarks: {"remarks": [*remarks]},
    )


def newer() -> Shop:
    """Return the shop as newer code has it."""
    return Shop(State, Within, Order, "messages", _names, _priced, _remarks)


def check(values: Any) -> None:
    """Hold that a state, once the run has asked, is in the new shapes, and nothing of it is lost."""
    assert values["orders"] == [Order("ann lee", 2), Order("ann lee", 3)]
    assert values["price"] == {"amount": 5, "currency": "EUR"}
    assert (values["first"], values["last"]) == ("ann", "lee")
    assert [each.id for each in values["messages"]] == ["hello", "answer"]
    assert values["notes"][0] == "begun"
    assert values["warnings"][0] == "!late"
