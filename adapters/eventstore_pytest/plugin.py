"""The fixtures `recorded_history`, `eventstore_saver` and `eventstore_url`, and where recorded histories stand."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from langgraph.checkpoint.eventstore import EventStoreSaver
    from langgraph.checkpoint.eventstore.histories import RecordedHistory

SUFFIX = ".history"
"""With what the name of a history's file ends."""


def pytest_addoption(parser: pytest.Parser) -> None:
    """Say how the folder of recorded histories is named."""
    group = parser.getgroup("eventstore", "recorded histories of LangGraph threads")
    told = f"The folder of recorded histories (*{SUFFIX}): the fixture recorded_history is each of them."
    # Made absolute here, since a worker process of pytest-xdist may stand elsewhere.
    group.addoption("--histories", metavar="DIR", type=os.path.abspath, help=told)
    parser.addini("histories", f"{told} Relative to this file.")


def pytest_configure(config: pytest.Config) -> None:
    """Refuse a folder without histories at once, if it is named on the command line: nothing would be replayed."""
    config.addinivalue_line("markers", "histories(path): the recorded histories of a test: a part of the folder's.")
    if config.getoption("histories"):
        _files(config, "")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run a test once for each recorded history."""
    # Not `recorded_history` itself: a fixture that somebody else has called so is left alone.
    if "_eventstore_history_file" not in metafunc.fixturenames:
        return
    marker = metafunc.definition.get_closest_marker("histories")
    part = str(marker.args[0]) if marker and marker.args else ""
    try:
        files = _files(metafunc.config, part)
    except pytest.UsageError as error:
        raise pytest.Collector.CollectError(str(error)) from None
    metafunc.parametrize("_eventstore_history_file", files.values(), ids=files.keys(), indirect=True)


@pytest.fixture
def _eventstore_history_file(request: pytest.FixtureRequest) -> Path:
    """The file of a recorded history."""
    file: Path = request.param
    return file


@pytest.fixture
def recorded_history(_eventstore_history_file: Path) -> RecordedHistory:
    """Each recorded history of the folder, one after the other: see --histories."""
    from eventstore import EventStoreError  # noqa: PLC0415
    from langgraph.checkpoint.eventstore.histories import RecordedHistory  # noqa: PLC0415

    try:
        return RecordedHistory.read(_eventstore_history_file)
    except EventStoreError as error:
        pytest.fail(str(error), pytrace=False)


@pytest.fixture
def eventstore_url(tmp_path: Path) -> str:
    """The URL of a fresh store: a SQLite file of the test's own. Override it for another database."""
    return f"sqlite:///{tmp_path / 'agents.db'}"


@pytest.fixture
def eventstore_saver(eventstore_url: str) -> Iterator[EventStoreSaver]:
    """An open saver on `eventstore_url`, for sync and async code. It is closed after the test."""
    from langgraph.checkpoint.eventstore import EventStoreSaver  # noqa: PLC0415

    with EventStoreSaver.from_conn_string(eventstore_url) as saver:
        yield saver


def _files(config: pytest.Config, part: str) -> dict[str, Path]:
    """Return the files of recorded histories by their names, of the whole folder or a part of it.

    Raises:
        UsageError: No folder is named, or there is no such one, or no history in it.
    """
    folder = _folder(config)
    place = folder / part
    if not folder.is_dir() or not place.exists():
        what = "a file" if place.is_file() else "not there"
        raise pytest.UsageError(f"the folder {str(place)!r} of recorded histories is {what}: {_ADVICE}")
    found = [place] if place.is_file() else sorted(path for path in place.rglob(f"*{SUFFIX}") if path.is_file())
    if not found:
        raise pytest.UsageError(
            f"there is no recorded history (*{SUFFIX}) in {str(place)!r}: write one there by `eventstore record`"
        )
    return {os.path.relpath(path, folder): path for path in found}


_ADVICE = "name one by `pytest --histories DIR`, or as `histories` in pytest's configuration"


def _folder(config: pytest.Config) -> Path:
    if given := config.getoption("histories"):
        return Path(given)
    if given := config.getini("histories"):
        return Path(config.inipath.parent if config.inipath else config.rootpath, given)
    raise pytest.UsageError(f"no folder of recorded histories is named: {_ADVICE}")
