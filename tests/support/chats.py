"""Chats of several agents, as front ends show them; and where LangGraph itself says that a message came in."""

from __future__ import annotations

import operator
from collections import Counter
from collections.abc import Sequence
from typing import Annotated, Any, TypedDict

from langchain_core.messages import AIMessage, AnyMessage, HumanMessage, RemoveMessage
from langgraph.channels.delta import DeltaChannel
from langgraph.graph import END, START, StateGraph
from langgraph.graph.message import _messages_delta_reducer, add_messages
from langgraph.pregel import Pregel
from langgraph.types import Command, StateSnapshot, interrupt


class Chat(TypedDict, total=False):
    messages: Annotated[list[AnyMessage], add_messages]
    told: Annotated[list[AnyMessage], DeltaChannel(_messages_delta_reducer, snapshot_frequency=3)]
    notes: Annotated[list[str], operator.add]


class Words:
    """Makes messages, each with an id of its own."""

    def __init__(self) -> None:
        self._said: Counter[str] = Counter()

    def human(self, text: str) -> dict[str, Any]:
        """An input: a message to each of the channels."""
        return {"messages": [HumanMessage(text, id=self.id("h"))], "told": [HumanMessage(text, id=self.id("th"))]}

    def ai(self, name: str) -> dict[str, Any]:
        """The answer of an agent, in each of the channels."""
        return {
            "messages": [AIMessage(name, id=self.id("a"))],
            "told": [AIMessage(name, id=self.id("ta"))],
            "notes": [name],
        }

    def id(self, kind: str) -> str:
        """The next id."""
        self._said[kind] += 1
        return f"{kind}{self._said[kind]}"


def a_chat(words: Words) -> StateGraph[Any, Any, Any, Any]:
    """A supervisor who speaks, two agents who speak at once, and one who asks first if he is told to."""

    def asks(state: Any) -> Any:
        last = [message for message in state["messages"] if message.type == "human"][-1:]
        if last and last[0].content == "ask":
            interrupt("really?")
        return words.ai("asks")

    builder = StateGraph(Chat)
    for name in ("supervisor", "left", "right"):
        builder.add_node(name, lambda state, name=name: words.ai(name))
    builder.add_node("asks", asks).add_edge(START, "supervisor")
    for name in ("left", "right"):
        builder.add_edge("supervisor", name)
    return builder.add_edge(["left", "right"], "asks").add_edge("asks", END)


def removed(state: StateSnapshot, channel: str, place: int) -> dict[str, Any]:
    """An update that removes a message."""
    return {channel: [RemoveMessage(id=state.values[channel][place].id)]}


def edited(state: StateSnapshot, channel: str, place: int) -> dict[str, Any]:
    """An update that says a message in other words."""
    return {channel: [state.values[channel][place].model_copy(update={"content": "edited"})]}


def answered() -> Any:
    """An answer."""
    return Command(resume="yes")


def way_of(graph: Pregel, config: Any) -> list[StateSnapshot]:
    """The states that led to the latest one of a thread, by LangGraph's own parents; the latest first."""
    way = []
    at: Any = config
    while at is not None:
        state = graph.get_state(at)
        if state.metadata is None:
            break
        way.append(state)
        at = state.parent_config
    return way


def ids_of(state: StateSnapshot) -> set[str]:
    """The ids of all messages of a state."""
    return {str(message.id) for channel in ("messages", "told") for message in state.values.get(channel, [])}


def before_message(way: Sequence[StateSnapshot], message: str) -> StateSnapshot | None:
    """The state before a message came in, as `projections.Before` says it; `None`: nothing is before it.

    Raises:
        LookupError: It never came in.
    """
    for place, state in enumerate(way):
        before = way[place + 1 :]
        if message in ids_of(state) and not (before and message in ids_of(before[0])):
            if before and (before[0].metadata or {}).get("source") == "input":
                return before[1] if len(before) > 1 else before[0]
            return before[0] if before else None
    raise LookupError
