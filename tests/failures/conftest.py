"""Sync and async calls alike."""

from __future__ import annotations

import pytest

from langgraph.checkpoint.eventstore import EventStoreSaver

from .saving import Calls, Flavour


@pytest.fixture(params=list(Flavour))
def flavour(request: pytest.FixtureRequest) -> Flavour:
    """Whether sync or async methods are called."""
    chosen: Flavour = request.param
    return chosen


@pytest.fixture
def calls(saver: EventStoreSaver, flavour: Flavour) -> Calls:
    """An open saver, called in one flavour."""
    return Calls(saver, flavour)
