"""Fixtures by which graphs run in the durability that a test's mark names, and at its pace."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest

from langgraph.checkpoint.eventstore import EventStoreSaver
from tests.support.pace import SaverAtPace, pace
from tests.support.stage import Durability


@pytest.fixture(autouse=True)
def durability(request: pytest.FixtureRequest) -> Iterator[Durability | None]:
    """When LangGraph saves what the test runs, where its mark says so."""
    chosen: Durability | None = getattr(request, "param", None)
    pace.begin(chosen)
    yield chosen
    pace.begin(None)


@pytest.fixture
def make_saver(url: str) -> Iterator[Callable[..., EventStoreSaver]]:
    """Opens one more saver on `url`, with the options given; all are closed after the test."""
    with ExitStack() as stack:
        yield lambda **options: stack.enter_context(SaverAtPace.from_conn_string(url, **options))
