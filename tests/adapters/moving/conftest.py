"""A database of one of LangGraph's own savers, and a store of ours."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from langgraph.checkpoint.eventstore import EventStoreSaver
from tests.conftest import fresh_database
from tests.support.stock import Kind, Stock, in_memory, opened


@pytest.fixture(params=["memory", "sqlite", "postgres"])
def kind(request: pytest.FixtureRequest) -> Kind:
    """Return which of LangGraph's savers it is."""
    kind: Kind = request.param
    return kind


@pytest.fixture
def old_url(kind: Kind, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[str]:
    """The address of a fresh database for LangGraph's saver."""
    if kind == "postgres":
        with fresh_database(request.getfixturevalue("pg_server")) as url:
            yield url
    else:
        yield f"sqlite:///{tmp_path / 'old.db'}"


@pytest.fixture
def old(kind: Kind, old_url: str) -> Iterator[Stock]:
    """One of LangGraph's own savers, with nothing in it."""
    if kind == "memory":
        yield in_memory()
        return
    with opened(old_url) as stock:
        yield stock


@pytest.fixture
def from_sqlite(tmp_path: Path) -> Iterator[Stock]:
    """A `SqliteSaver` with nothing in it."""
    with opened(f"sqlite:///{tmp_path / 'old.db'}") as stock:
        yield stock


@pytest.fixture
def in_a_file(sqlite_url: str) -> Iterator[EventStoreSaver]:
    """Our saver on an SQLite file, for tests in which the database makes no difference."""
    with EventStoreSaver.from_conn_string(sqlite_url) as saver:
        yield saver
