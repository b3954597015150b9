"""Callers and nodes that keep the messages of a state, and change them: the next run is given what was saved."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Callable
from itertools import pairwise
from typing import Annotated, Any, TypedDict
from uuid import uuid4

import pytest
from langchain_core.messages import AIMessage, AnyMessage, HumanMessage
from langgraph.graph import END, START, StateGraph, add_messages

from langgraph.checkpoint.eventstore import EventStoreSaver
from tests.support.flavour import Flavour
from tests.support.saving import at
from tests.support.sharing import share_nothing

MakeSaver = Callable[..., EventStoreSaver]
TURNS = 12


class Chat(TypedDict):
    messages: Annotated[list[AnyMessage], add_messages]


def chat(saver: EventStoreSaver, seen: Callable[[list[AnyMessage]], object], name: str | None = None) -> Any:
    """A graph that shows its messages to somebody, and answers the last one."""

    def answer(state: Chat) -> dict[str, Any]:
        seen(state["messages"])
        number = len(state["messages"])
        call = {"name": "look", "args": {"at": [number]}, "id": f"{number}"}
        return {"messages": [AIMessage(f"answer {number} " * 20, id=f"answer-{number}", tool_calls=[call])]}

    builder = StateGraph(Chat).add_node("answer", answer).add_edge(START, "answer").add_edge("answer", END)
    return builder.compile(checkpointer=saver, name=name or uuid4().hex)


async def ask(graph: Any, flavour: Flavour, number: int) -> list[AnyMessage]:
    """Return what the thread holds after one more question."""
    asked = {"messages": [HumanMessage(f"question {number} " * 20, id=f"question-{number}")]}
    thread = at(graph.name)  # one of its own for each test: they share a database
    if flavour is Flavour.SYNC:
        return graph.invoke(asked, thread)["messages"]  # type: ignore[no-any-return]
    return (await graph.ainvoke(asked, thread))["messages"]  # type: ignore[no-any-return]


def told(messages: list[AnyMessage]) -> list[Any]:
    """Messages as what they say."""
    return [message.model_dump() for message in messages]


def test_whoever_keeps_a_state_and_changes_it_changes_nobody_elses(make_saver: MakeSaver, flavour: Flavour) -> None:
    kept: list[Any] = []

    def keep(messages: list[AnyMessage]) -> None:
        kept.append([*messages] if len(messages) % 4 == 1 else [messages[0].additional_kwargs, messages[-1]])

    async def talk() -> None:
        graph = chat(make_saver(), keep)
        expected: list[Any] = []
        for number in range(TURNS):
            messages = await ask(graph, flavour, number)
            assert told(messages)[:-2] == expected
            expected = told(messages)
            if number % 2:
                kept.append(messages)
            if number % 3 == 0 and number > 1:
                kept.append(messages[1].tool_calls[0]["args"])
            del messages
            for each in kept:
                spoil(each)
            if number % 4 == 3:
                kept.clear()
        assert told((await graph.aget_state(at(graph.name))).values["messages"]) == expected

    asyncio.run(talk())


def spoil(held: Any) -> None:
    """Change everything in something that was kept."""
    if isinstance(held, dict):
        held["spoilt"] = True
        held.pop("at", None)
        return
    for message in held:
        if isinstance(message, dict):
            spoil(message)
        else:
            message.content = "spoilt"
            message.response_metadata["spoilt"] = True
            message.id = "spoilt"


def test_the_next_run_is_given_the_objects_that_the_last_one_let_go(make_saver: MakeSaver, flavour: Flavour) -> None:
    addresses: list[set[int]] = []

    async def talk() -> None:
        graph = chat(make_saver(), lambda messages: addresses.append({*map(id, messages)}))
        for number in range(TURNS):
            await ask(graph, flavour, number)
            gc.collect()  # what a run has left in rings is let go at some time; here, now
            await asyncio.sleep(0)

    asyncio.run(talk())
    assert all(len(before & after) >= len(before) - 3 for before, after in pairwise(addresses[3:]))


def test_runs_at_once_on_one_thread_share_nothing(make_saver: MakeSaver, flavour: Flavour) -> None:
    at_work: list[list[AnyMessage]] = []

    def look(messages: list[AnyMessage]) -> None:
        assert all(share_nothing(messages, other) for other in at_work)
        at_work.append(messages)
        messages[0].content = f"spoilt {len(at_work)}"
        messages[0].additional_kwargs["spoilt"] = len(at_work)

    async def talk() -> None:
        saver = make_saver()
        graph = chat(saver, lambda messages: None)
        for number in range(4):
            await ask(graph, flavour, number)
        nosy = chat(saver, look, graph.name)
        for number in range(4, 8):
            if flavour is Flavour.SYNC:
                await asyncio.gather(*(asyncio.to_thread(asyncio.run, ask(nosy, flavour, number)) for _ in range(3)))
            else:
                await asyncio.gather(*(ask(nosy, flavour, number) for _ in range(3)))
            at_work.clear()

    asyncio.run(talk())


@pytest.mark.parametrize("cache_bytes", [0, 100_000])
def test_a_small_cache_gives_the_same(make_saver: MakeSaver, flavour: Flavour, cache_bytes: int) -> None:
    async def talk() -> None:
        saver = make_saver(cache_bytes=cache_bytes)
        graph = chat(saver, lambda messages: None)
        expected: list[Any] = []
        for number in range(TURNS):
            messages = await ask(graph, flavour, number)
            assert told(messages)[:-2] == expected
            expected = told(messages)

    asyncio.run(talk())
