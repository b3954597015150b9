"""Graphs that ask models, and how they are run in a recording or a replay."""

from __future__ import annotations

import asyncio
from operator import add
from typing import Annotated, Any, Protocol, TypedDict

from langchain_core.messages import HumanMessage
from langchain_core.runnables import RunnableConfig
from langgraph.graph import START, MessagesState, StateGraph
from langgraph.pregel import Pregel
from langgraph.types import Send, interrupt

from langgraph.checkpoint.eventstore import EventStoreSaver
from langgraph.checkpoint.eventstore.answers.sessions import Session
from projections import RecordedCall
from tests.support.dice import Dice
from tests.support.flavour import Flavour

HELLO = {"messages": [HumanMessage("hello", id="hello")]}


class Texts(TypedDict):
    """A state of texts, in which parallel tasks can write."""

    texts: Annotated[list[str], add]


class Run(Protocol):
    """Runs a graph in a session, if one is given, and returns what came of it."""

    def __call__(
        self, graph: Pregel, given: Any, config: RunnableConfig, within: Session | None = None, **options: Any
    ) -> Any: ...


def run_sync(graph: Pregel, given: Any, config: RunnableConfig, within: Session | None = None, **options: Any) -> Any:
    """`Run` by `invoke`."""
    if within is None:
        return graph.invoke(given, config, **options)
    with within:
        return graph.invoke(given, config, **options)


def run_async(graph: Pregel, given: Any, config: RunnableConfig, within: Session | None = None, **options: Any) -> Any:
    """`Run` by `ainvoke`."""

    async def running() -> Any:
        if within is None:
            return await graph.ainvoke(given, config, **options)
        async with within:
            return await graph.ainvoke(given, config, **options)

    return asyncio.run(running())


def calls(saver: EventStoreSaver, name: str = "main") -> list[RecordedCall]:
    """Return what a thread has recorded."""
    return [*saver.history.answers(name)]


def said(saver: EventStoreSaver, name: str = "main") -> list[str]:
    """Return what models said in a thread, in order."""
    return [call.answer["generations"][0][0][0].text for call in calls(saver, name) if not call.failed]


def one_node(node: Any, state: Any = MessagesState) -> StateGraph[Any, Any, Any, Any]:
    """A graph of one node, of that name."""
    return StateGraph(state).add_node("node", node).add_edge(START, "node")


def asking(model: Dice, flavour: Flavour) -> Any:
    """A node that asks a model by `invoke` or `ainvoke`."""

    def ask(state: MessagesState) -> Any:
        return {"messages": [model.invoke(state["messages"])]}

    async def ask_async(state: MessagesState) -> Any:
        return {"messages": [await model.ainvoke(state["messages"])]}

    return ask_async if flavour is Flavour.ASYNC else ask


def asking_a_person(model: Dice, flavour: Flavour) -> Any:
    """A node that asks a model, then a person, then a model again."""

    def node(state: MessagesState) -> Any:
        draft = model.invoke(state["messages"])
        told = interrupt(draft.text)
        return {"messages": [draft, model.invoke([draft, ("human", told)])]}

    async def node_async(state: MessagesState) -> Any:
        draft = await model.ainvoke(state["messages"])
        told = interrupt(draft.text)
        return {"messages": [draft, await model.ainvoke([draft, ("human", told)])]}

    return node_async if flavour is Flavour.ASYNC else node


def parallel(model: Dice, flavour: Flavour) -> StateGraph[Any, Any, Any, Any]:
    """A graph of three tasks at once that ask the same."""

    def ask(_: Any) -> Any:
        return {"texts": [model.invoke("hello").text]}

    async def ask_async(_: Any) -> Any:
        return {"texts": [(await model.ainvoke("hello")).text]}

    builder = StateGraph(Texts)
    node: Any = ask_async if flavour is Flavour.ASYNC else ask
    builder.add_node("ask", node)
    builder.add_conditional_edges(START, lambda _: [Send("ask", {})] * 3)
    return builder
