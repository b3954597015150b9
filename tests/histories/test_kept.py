"""Stores that an older version wrote are read as they were read then, by every view, and gone on with."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import psycopg
import pytest
from langgraph.types import Command

from langgraph.checkpoint.eventstore import EventStoreSaver
from langgraph.checkpoint.eventstore.histories import DivergenceError, RecordedHistory, assert_replays
from tests.support.observation import assert_same
from tests.support.tables import rows
from tests.support.telling import THREADS, graph_on, read, thread

FOLDER = Path(__file__).parent
VERSIONS = sorted({path.name.partition(".sqlite")[0] for path in FOLDER.glob("*.sqlite.db.gz")})
MOST_BYTES = 300_000


def _kept(name: str) -> bytes:
    return gzip.decompress((FOLDER / f"{name}.gz").read_bytes())


@pytest.fixture(params=VERSIONS)
def version(request: pytest.FixtureRequest) -> str:
    """Return the version that wrote the store."""
    named: str = request.param
    return named


@pytest.fixture
def url(version: str, backend: str, new_url: str) -> str:
    """The URL of a store of that version, copied or loaded."""
    if backend == "sqlite":
        Path(new_url.removeprefix("sqlite:///")).write_bytes(_kept(f"{version}.sqlite.db"))
    else:
        with psycopg.connect(new_url, autocommit=True) as connection:
            connection.execute(_kept(f"{version}.postgres.sql"))
    return new_url


def test_every_view_reads_what_it_read_when_it_was_written(
    saver: EventStoreSaver, version: str, backend: str, url: str
) -> None:
    expected: Any = json.loads(_kept(f"{version}.{backend}.json"))
    found = read(saver)
    assert found.keys() == expected.keys()
    assert rows(url)["segments"]
    for part, was in expected.items():
        assert_same(found[part], was)
    for name in THREADS:
        assert not saver.history.check(name).findings
    saver.checkpoints.rebuild()
    saver.checkpoints.rebuild_segments()
    saver.history.audit.rebuild()
    assert_same(read(saver), expected)


def test_a_run_is_gone_on_with_where_it_waited(saver: EventStoreSaver) -> None:
    graph = graph_on(saver)
    before = graph.get_state(thread("asking")).values
    with saver.recording():
        after = graph.invoke(Command(resume="yes"), thread("asking"))
    assert after["items"] == before["items"]
    assert after["log"] == ["waits", "answered yes", "worked on 0", "worked on 1"]
    assert after["notes"] == [*before["notes"], "asked", "packet 0", "packet 1"]
    saver.history.undo("moved")
    saver.copy_thread("long", "another")
    saver.prune(["main"])
    assert graph.get_state(thread("fork")).values["log"][-1] == "in the fork"
    for name in (*THREADS, "another"):
        assert not saver.history.check(name).findings
    assert saver.store.verify().events


def test_a_recorded_history_replays(version: str, backend: str) -> None:
    history = RecordedHistory.read(FOLDER / f"{version}.{backend}.history")
    [replayed] = assert_replays(graph_on(None), history)
    assert (replayed.runs, replayed.answered) == (2, 1)


def test_a_recorded_history_tells_what_differs(version: str, backend: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tests.support.telling.work", lambda number: {"log": [f"did {number}"]})
    with pytest.raises(DivergenceError) as found:
        assert_replays(graph_on(None), FOLDER / f"{version}.{backend}.history")
    assert found.value.node == "work"


def test_the_histories_stay_small() -> None:
    assert VERSIONS
    kept = [path for path in FOLDER.iterdir() if path.suffix in (".gz", ".history")]
    assert len(kept) == 6 * len(VERSIONS)
    assert sum(path.stat().st_size for path in kept) <= MOST_BYTES * len(VERSIONS)
