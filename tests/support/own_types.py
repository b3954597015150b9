"""A graph whose state holds types of its own, as a module that several processes import."""

from __future__ import annotations

import asyncio
from operator import add
from typing import Annotated, Any, TypedDict

from langgraph.graph import START, StateGraph
from langgraph.graph.state import CompiledStateGraph
from langgraph.types import Command, Send, interrupt

from langgraph.checkpoint.eventstore import EventStoreSaver
from tests.support.flavour import Flavour
from tests.support.own import Colour, Counted, Dog, Outer, Pair, Point, Zoo, counted
from tests.support.stage import Durability, thread


class State(TypedDict, total=False):
    """Every kind of type."""

    zoo: Zoo
    colours: dict[str, Colour]
    points: Annotated[list[Point], add]
    tags: set[tuple[int, str]]
    inner: Outer.Inner
    counted: Counted
    answers: Annotated[list[Pair], add]


def begin(state: State) -> State:
    """Fill the state."""
    return {
        "zoo": Zoo(animals=[Dog(name="rex", tricks=2)], anything=Pair(Point(1), Colour.RED)),
        "colours": {"sky": Colour.MIXED},
        "points": [Point(number) for number in range(20)],
        "tags": {(1, "a"), (2, "b")},
        "inner": Outer.Inner.ONE,
        "counted": counted(),
    }


def ask(state: State) -> State:
    """Wait for somebody, with what the state holds."""
    check(state)
    return {"answers": [Pair("asked", interrupt(state["zoo"]))], "points": [Point(-1)]}


def spread(state: State) -> list[Send]:
    """Send objects to other tasks."""
    check(state)
    return [Send("work", point) for point in state["points"][:2]]


def work(point: Point) -> State:
    """Answer with an object."""
    return {"answers": [Pair("worked", Point(point.x + 100))]}


def check(state: Any) -> None:
    """Hold that the state is what was put into it, and of the types that it was of."""
    for channel, value in begin({}).items():
        found = state[channel][:20] if channel == "points" else state[channel]
        assert found == value
        assert channel == "tags" or repr(found) == repr(value)


def built(saver: EventStoreSaver) -> CompiledStateGraph[Any, Any, Any, Any]:
    """The graph."""
    builder = StateGraph(State).add_node("begin", begin).add_node("ask", ask).add_node("work", work)  # type: ignore[arg-type]
    builder.add_edge(START, "begin").add_edge("begin", "ask").add_conditional_edges("ask", spread, ["work"])
    return builder.compile(checkpointer=saver)


def run(saver: EventStoreSaver, given: Any, flavour: Flavour, durability: Durability) -> Any:
    """Run the graph until it waits or ends."""
    graph = built(saver)
    if flavour is Flavour.ASYNC:
        return asyncio.run(graph.ainvoke(given, thread(), durability=durability))
    return graph.invoke(given, thread(), durability=durability)


def answer(_: Any, url: str, flavour: Flavour, durability: Durability, **options: Any) -> str:
    """Answer what another process has asked; what the state is then."""
    with EventStoreSaver.from_conn_string(url, **options) as saver:
        assert isinstance(built(saver).get_state(thread()).interrupts[0].value, Zoo)
        run(saver, Command(resume=Colour.RED), flavour, durability)
        return repr(built(saver).get_state(thread()).values["answers"])
