"""A store with threads that an agent has worked on, and a shell in which it is named."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from langgraph.types import Command

from langgraph.checkpoint.eventstore import EventStoreSaver
from tests.support.histories import an_agent, config, hello
from tests.support.shell import Shell

RUN = UUID(int=7)


@pytest.fixture
def shell(url: str) -> Shell:
    """A shell in which the test's store is named."""
    return Shell(url)


@pytest.fixture
def agent(saver: EventStoreSaver) -> Any:
    """An agent that has asked a question on thread `t`, and stopped there: at checkpoint 2 of -1, 0, 1, 2."""
    graph = an_agent(saver)
    graph.invoke(hello(), {**config("t"), "run_id": RUN, "metadata": {"user": "ann"}})
    return graph


@pytest.fixture
def ids(agent: Any) -> list[str]:
    """The ids of the agent's checkpoints, the first first."""
    history = agent.get_state_history(config("t"))
    return [state.config["configurable"]["checkpoint_id"] for state in history][::-1]


def answer(agent: Any, thread: str = "t") -> None:
    """Answer the agent's question."""
    agent.invoke(Command(resume="Yes"), config(thread))


def offer_modules(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, **sources: str) -> None:
    """Put modules, by their names, where Python finds them."""
    folder = tmp_path / "modules"
    folder.mkdir()
    for name, source in sources.items():
        (folder / f"{name}.py").write_text(source)
    monkeypatch.syspath_prepend(folder)
