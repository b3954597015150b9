"""Graphs of these tests run at the pace, and in the durability, that their marks name; by sync and by async methods."""

from __future__ import annotations

import pytest

from langgraph.checkpoint.eventstore import EventStoreSaver
from tests.support.counted import Bench
from tests.support.flavour import Flavour
from tests.support.paced import durability, make_saver

__all__ = ["bench", "durability", "make_saver"]


@pytest.fixture
def bench(saver: EventStoreSaver, flavour: Flavour) -> Bench:
    """The place where graphs run and are replayed, in one flavour."""
    return Bench(saver, flavour)
