"""Sync and async calls alike."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from langgraph.checkpoint.eventstore import EventStoreSaver
from tests.support.flavour import Flavour
from tests.support.postgres import running_server
from tests.support.saving import Calls


@pytest.fixture
def calls(saver: EventStoreSaver, flavour: Flavour) -> Calls:
    """An open saver, called in one flavour."""
    return Calls(saver, flavour)


@pytest.fixture(scope="session")
def own_server() -> Iterator[str]:
    """A server of these tests' own, which asks for passwords and may be made to crash."""
    with running_server() as url:
        yield url
