"""A graph of all that a history can hold, and a story on one of its threads, which is recorded."""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Annotated, Any, TypedDict

from langchain_core.messages import AnyMessage, HumanMessage
from langchain_core.runnables import RunnableConfig
from langgraph.channels.delta import DeltaChannel
from langgraph.graph import START, StateGraph, add_messages
from langgraph.types import Command, Send, interrupt

from langgraph.checkpoint.eventstore import EventStoreSaver
from tests.support.delta_channels import append
from tests.support.dice import Dice
from tests.support.flavour import Flavour
from tests.support.stage import Stage


class State(TypedDict, total=False):
    messages: Annotated[list[AnyMessage], add_messages]
    notes: Annotated[list[str], operator.add]
    told: Annotated[list[str], DeltaChannel(append, snapshot_frequency=3)]
    answer: str


class Inner(TypedDict, total=False):
    notes: Annotated[list[str], operator.add]


def a_builder(
    prompt: str = "Be kind.", note: Callable[[str], str] = lambda text: text, model: Dice | None = None
) -> StateGraph[Any, Any, Any, Any]:
    """A graph that asks a model, sends packets, runs a subgraph that keeps its state, and asks a person.

    Args:
        prompt: What its model is told.
        note: What a packet's node makes of its text.
        model: Its model; by default one that says something new each time.
    """
    dice = model or Dice()

    def ask_model(state: State) -> Any:
        said = dice.invoke([HumanMessage(prompt), *state["messages"]])
        return {"messages": [said], "told": [said.text]}

    def spread(state: State) -> list[Send]:
        return [Send("note", {"text": text}) for text in ("one", "two")]

    inner = StateGraph(Inner).add_node("look", lambda state: {"notes": [f"looked at {len(state['notes'])}"]})
    inner.add_node("check", lambda state: {"notes": [interrupt("in order?")]})
    inner.add_edge(START, "look").add_edge("look", "check")
    builder = StateGraph(State).add_node("ask_model", ask_model)
    builder.add_node("note", lambda packet: {"notes": [note(packet["text"])], "told": [packet["text"]]})
    builder.add_node("inside", inner.compile(checkpointer=True))
    builder.add_node("confirm", lambda state: {"answer": interrupt(f"{len(state['notes'])} notes?")})
    builder.add_edge(START, "ask_model").add_conditional_edges("ask_model", spread, ["note"])
    builder.add_edge("note", "inside").add_edge("inside", "confirm")
    return builder


async def a_story(stage: Stage, graph: Any, config: RunnableConfig) -> None:
    """A run, answers to its questions, an update by hand, another turn, and another way from an earlier checkpoint."""
    options: Any = {"durability": stage.durability}
    await stage.call(graph, "invoke", {"messages": [("user", "Ann asks")]}, config, **options)
    await stage.call(graph, "invoke", Command(resume="yes"), config, **options)
    asked = (await stage.call(graph, "get_state", config)).interrupts
    await stage.call(graph, "invoke", Command(resume={each.id: "go on" for each in asked}), config, **options)
    await stage.call(graph, "update_state", config, {"notes": ["by hand"]}, "note")
    await stage.call(graph, "invoke", None, config, **options)
    await stage.call(graph, "invoke", {"messages": [("user", "Ann asks again")]}, config, **options)
    earlier = [each async for each in stage.each(graph, "get_state_history", config)]
    await stage.call(graph, "invoke", None, earlier[1].config, **options)


def recorded(saver: EventStoreSaver, durability: Any, flavour: Flavour, thread: str = "main") -> None:
    """Play the story on a thread, and record it."""
    stage = Stage(saver, flavour, durability)
    graph = a_builder().compile(checkpointer=saver)

    async def play(stage: Stage) -> None:
        with saver.recording():
            await a_story(stage, graph, {"configurable": {"thread_id": thread}})

    stage.perform(play)
