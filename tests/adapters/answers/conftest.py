"""How graphs are run in a recording or a replay: by sync and async methods."""

from __future__ import annotations

import pytest

from tests.support.answering import Run, run_async, run_sync
from tests.support.flavour import Flavour


@pytest.fixture
def run(flavour: Flavour) -> Run:
    """Runs graphs by `invoke`, or by `ainvoke` in an event loop of its own."""
    return run_sync if flavour is Flavour.SYNC else run_async
