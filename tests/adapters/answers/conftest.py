"""How graphs are run in a recording or a replay: by sync and async methods."""

from __future__ import annotations

import asyncio
from typing import Any, Protocol

import pytest
from langchain_core.runnables import RunnableConfig
from langgraph.pregel import Pregel

from langgraph.checkpoint.eventstore.answers.sessions import Session
from tests.support.flavour import Flavour


class Run(Protocol):
    """Runs a graph in a session, if one is given, and returns what came of it."""

    def __call__(
        self, graph: Pregel, given: Any, config: RunnableConfig, within: Session | None = None, **options: Any
    ) -> Any: ...


@pytest.fixture
def run(flavour: Flavour) -> Run:
    """Runs graphs by `invoke`, or by `ainvoke` in an event loop of its own."""
    return run_sync if flavour is Flavour.SYNC else run_async


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
