"""The benchmark of the audit asks what it says it asks."""

from __future__ import annotations

from collections.abc import Iterator
from io import StringIO
from pathlib import Path

import pytest
from rich.console import Console

from benchmarks.audit import KINDS, PAGE, measure, table
from benchmarks.databases import Databases, Kind
from benchmarks.progress import Progress


@pytest.fixture
def databases(pg_server: str, tmp_path: Path) -> Iterator[Databases]:
    databases = Databases(tmp_path, pg_server)
    yield databases
    databases.drop()


@pytest.mark.parametrize("kind", KINDS)
def test_each_page_is_found_and_shown(kind: Kind, databases: Databases) -> None:
    with Progress(1) as progress:
        result = measure(kind, 10_000, databases, progress)
    entries = {answer.title: answer.entries for answer in result.answers}
    for title in ("a run", "a node", "a channel", "a thread", "a user", "a topic"):
        assert entries[f"of {title}"] == PAGE, title
    assert entries["of a topic that nothing has"] == entries["of a topic and a node that never meet"] == 0
    assert 0 < entries["of a rare node"] < entries["of a rare channel"] < PAGE
    assert result.audit_bytes > 0
    shown = StringIO()
    Console(file=shown, width=120).print(table(result))
    assert all(title in shown.getvalue() for title in entries)
