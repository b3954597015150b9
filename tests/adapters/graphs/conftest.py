"""How each scenario is played: on both backends, by sync and async methods, in all three durabilities."""

from __future__ import annotations

import threading
from collections.abc import Callable, Coroutine, Iterator, Sequence
from typing import Any, Protocol
from urllib.parse import urlsplit
from uuid import uuid4

import psycopg
import pytest
from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.base import BaseCheckpointSaver
from langgraph.checkpoint.memory import InMemorySaver
from psycopg.sql import SQL, Identifier

from tests.support.flavour import Flavour
from tests.support.observation import assert_same, exactly, without_results
from tests.support.stage import DURABILITIES, Durability, Stage

Scenario = Callable[[Stage], Coroutine[Any, Any, None]]


class SaverInMemory(InMemorySaver):
    """LangGraph's own, one write at a time: of two that come at once it may lose one."""

    def __init__(self) -> None:
        super().__init__()
        self._one_at_a_time = threading.Lock()

    def put_writes(
        self, config: RunnableConfig, writes: Sequence[tuple[str, Any]], task_id: str, task_path: str = ""
    ) -> None:
        with self._one_at_a_time:
            super().put_writes(config, writes, task_id, task_path)


class Play(Protocol):
    """Plays a scenario on the saver specified here and on LangGraph's own in memory, and compares them."""

    def __call__(self, scenario: Scenario, *, in_place: bool = False) -> Stage: ...


@pytest.fixture(scope="session")
def postgres_for_graphs(pg_server: str) -> Iterator[str]:
    """The URL of one PostgreSQL database for all graphs: to make one for each would take longer than they run."""
    name = f"graphs_{uuid4().hex}"
    with psycopg.connect(pg_server, autocommit=True) as admin:
        admin.execute(SQL("CREATE DATABASE {}").format(Identifier(name)))
        server = urlsplit(pg_server)
        yield f"{server.scheme}://{server.netloc}/{name}" + (f"?{server.query}" if server.query else "")
        admin.execute(SQL("DROP DATABASE {} WITH (FORCE)").format(Identifier(name)))


@pytest.fixture
def url(backend: str, request: pytest.FixtureRequest) -> str:
    """The URL of a store: a file of the test's own, or the database of all graphs."""
    fixture = {"sqlite": "sqlite_url", "postgres": "postgres_for_graphs"}[backend]
    shared: str = request.getfixturevalue(fixture)
    return shared


@pytest.fixture(params=DURABILITIES)
def durability(request: pytest.FixtureRequest) -> Durability:
    """When LangGraph saves: after each step, beside the next one, or at the end."""
    chosen: Durability = request.param
    return chosen


@pytest.fixture
def stage(
    saver: BaseCheckpointSaver[str],
    make_saver: Callable[..., BaseCheckpointSaver[str]],
    flavour: Flavour,
    durability: Durability,
) -> Stage:
    """A stage on the saver that is specified here."""
    return Stage(saver, flavour, durability, reopen=make_saver)


@pytest.fixture
def reference(flavour: Flavour, durability: Durability) -> Stage:
    """A stage on LangGraph's own saver in memory, played the same way."""
    return Stage(SaverInMemory(), flavour, durability)


@pytest.fixture
def play(stage: Stage, reference: Stage) -> Play:
    """Plays a scenario and holds that all it shows is what LangGraph's own saver in memory shows.

    Then a fresh saver is opened on the same store and has to show it again, to the byte.

    A scenario whose values change in place is compared only in part. LangGraph hands the saver an object that the next
    step may already have changed: that of a task's write always, that of a checkpoint when it saves beside that step.
    """

    def play(scenario: Scenario, *, in_place: bool = False) -> Stage:
        latest = in_place and stage.durability == "async"
        reference.perform(scenario)
        stage.perform(scenario)
        assert_same(stage.transcript, reference.transcript)
        shown = [each.observation(latest=latest) for each in (stage, reference)]
        assert_same(*map(without_results, shown) if in_place else shown)
        before = exactly(stage.checkpoints()), stage.observation(latest=True)
        stage.reopen()
        assert_same((exactly(stage.checkpoints()), stage.observation(latest=True)), before)
        return stage

    return play
