"""Sync and async calls alike, and the command that shows a failure once more."""

from __future__ import annotations

from collections.abc import Generator, Iterator

import pytest

from langgraph.checkpoint.eventstore import EventStoreSaver
from tests.support import points
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


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Let each failure say how to see it again: with its seed, and at its point alone."""
    report = yield
    if report.when == "call" and report.failed:
        report.sections.append(("once more", points.command(item.nodeid)))
    return report


@pytest.fixture(autouse=True)
def _at_no_point() -> None:
    """Begin each test at none of its points."""
    points.begin()
