"""One saver in many event loops and threads: it belongs to none of them."""

from __future__ import annotations

import asyncio
import operator
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Annotated, Any, TypedDict

import pytest
from langchain_core.runnables import RunnableConfig
from langgraph.graph import START, StateGraph
from langgraph.types import Command, Send, interrupt

from langgraph.checkpoint.eventstore import EventStoreSaver
from tests.support.stage import Durability

PATIENCE = 20.0
"""Seconds after which a test that waits for another thread has failed."""


class Work(TypedDict, total=False):
    name: str
    log: Annotated[list[str], operator.add]


@pytest.fixture
def at(request: pytest.FixtureRequest) -> Callable[[str], RunnableConfig]:
    """The config of a thread of the test's own."""
    return lambda name: {"configurable": {"thread_id": f"{request.node.name}/{id(request)}/{name}"}}


def working(saver: EventStoreSaver, **options: Any) -> Any:
    """Sends three packets, asks, and ends."""
    builder = StateGraph(Work)
    builder.add_node("worker", lambda packet: {"log": [packet["word"]]})
    builder.add_node("ask", lambda state: {"log": [interrupt(f"{state['name']}?")]})
    builder.add_conditional_edges(
        START, lambda state: [Send("worker", {"word": f"{state['name']} {n}"}) for n in range(3)], ["worker"]
    )
    return builder.add_edge("worker", "ask").compile(checkpointer=saver, **options)


def expected(name: str) -> list[str]:
    """Return what the log of a finished run of that name holds."""
    return [f"{name} 0", f"{name} 1", f"{name} 2", f"{name} answered"]


def test_several_loops_and_plain_threads_use_one_saver_at_the_same_time(
    saver: EventStoreSaver, at: Callable[[str], RunnableConfig], durability: Durability
) -> None:
    graph = working(saver)
    together = threading.Barrier(5)

    async def in_a_loop(name: str) -> None:
        async def one(name: str) -> None:
            await graph.ainvoke({"name": name}, at(name), durability=durability)
            await graph.ainvoke(Command(resume=f"{name} answered"), at(name), durability=durability)
            state = await graph.aget_state(at(name))
            assert state.values["log"] == expected(name)

        together.wait(PATIENCE)
        await asyncio.gather(*(one(f"{name} {n}") for n in range(3)))

    def in_a_thread(name: str) -> None:
        together.wait(PATIENCE)
        for n in range(3):
            config = at(f"{name} {n}")
            graph.invoke({"name": f"{name} {n}"}, config, durability=durability)
            graph.invoke(Command(resume=f"{name} {n} answered"), config, durability=durability)
            assert graph.get_state(config).values["log"] == expected(f"{name} {n}")

    with ThreadPoolExecutor(5) as threads:
        running = [threads.submit(asyncio.run, in_a_loop(f"loop {n}")) for n in range(3)]
        running += [threads.submit(in_a_thread, f"thread {n}") for n in range(2)]
        for run in running:
            run.result(PATIENCE)
    for kind, count in {"loop": 3, "thread": 2}.items():
        for name in (f"{kind} {n} {k}" for n in range(count) for k in range(3)):
            assert graph.get_state(at(name)).values["log"] == expected(name)


def test_a_conversation_wanders_through_loops_that_end(
    saver: EventStoreSaver, at: Callable[[str], RunnableConfig], durability: Durability
) -> None:
    graph = working(saver)
    log: list[str] = []
    for n in range(3):
        asyncio.run(graph.ainvoke({"name": f"run {n}"}, at("main"), durability=durability))
        answer: Command[Any] = Command(resume=f"run {n} answered")
        if n % 2:
            result = graph.invoke(answer, at("main"), durability=durability)
        else:
            result = asyncio.run(graph.ainvoke(answer, at("main"), durability=durability))
        log += expected(f"run {n}")
        assert result["log"] == log


def test_one_loop_reads_what_another_is_still_writing(
    saver: EventStoreSaver, at: Callable[[str], RunnableConfig]
) -> None:
    writing, read = threading.Event(), threading.Event()

    def node(state: Work) -> Work:
        writing.set()
        assert read.wait(PATIENCE)
        return {"log": ["done"]}

    graph = StateGraph(Work).add_node("node", node).add_edge(START, "node").compile(checkpointer=saver)
    config = at("main")
    graph.update_state(config, {"log": ["before"]}, as_node="__start__")
    with ThreadPoolExecutor(1) as threads:
        running = threads.submit(asyncio.run, graph.ainvoke(None, config))
        assert writing.wait(PATIENCE)
        state = asyncio.run(graph.aget_state(config))
        assert (state.values["log"], state.next) == (["before"], ("node",))
        read.set()
        assert running.result(PATIENCE)["log"] == ["before", "done"]


def test_a_run_that_is_cancelled_leaves_a_thread_that_goes_on(
    saver: EventStoreSaver, at: Callable[[str], RunnableConfig], durability: Durability
) -> None:
    ran: list[str] = []

    async def cancelled_in_the_second_node() -> None:
        reached = asyncio.Event()

        async def second(state: Work) -> Work:
            ran.append("second")
            if len(ran) == 2:
                reached.set()
                await asyncio.Event().wait()
            return {"log": ["second"]}

        def first(state: Work) -> Work:
            ran.append("first")
            return {"log": ["first"]}

        builder = StateGraph(Work).add_sequence([("first", first), ("second", second)]).add_edge(START, "first")
        graph = builder.compile(checkpointer=saver)
        running = asyncio.create_task(graph.ainvoke({"log": []}, at("main"), durability=durability))
        await reached.wait()
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running
        result = await graph.ainvoke(None, at("main"), durability=durability)
        assert result["log"] == ["first", "second"]

    asyncio.run(cancelled_in_the_second_node())
    assert ran == ["first", "second", "second"]


def test_a_saver_opened_in_a_loop_serves_plain_threads_and_the_other_way_round(
    url: str, at: Callable[[str], RunnableConfig]
) -> None:
    async def opened_in_a_loop() -> None:
        async with EventStoreSaver.from_conn_string(url) as saver:
            graph = working(saver)
            await asyncio.to_thread(graph.invoke, {"name": "a"}, at("a"))
            await graph.ainvoke(Command(resume="a answered"), at("a"))

    asyncio.run(opened_in_a_loop())
    with EventStoreSaver.from_conn_string(url) as saver:
        graph = working(saver)
        assert asyncio.run(graph.aget_state(at("a"))).values["log"] == expected("a")
