"""Exports of the audit: JSON lines and Parquet, page by page."""

from __future__ import annotations

import io
import json
import sys
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import Any

import pyarrow.parquet  # type: ignore[import-untyped]
import pytest

from eventstore import BadInputError, Cause, EventStore, NewEvent, UnavailableError
from langgraph.checkpoint.eventstore import EventStoreSaver
from projections import Audit, AuditEntry
from projections.audit import exporting
from projections.audit.audit import PAGE
from tests.support.relays import Counting
from tests.support.saving import at, save
from tests.support.tables import blocks_of


@pytest.fixture
def audit(saver: EventStoreSaver) -> Audit:
    """Some events of all kinds, one of them erased."""
    save(saver, 1, {"log": ["ä"], "count": 1}, metadata={"user": "ann 🎉", "level": 1.5, "admin": True, "note": None})
    saver.put_writes(at(number=1), [("log", "line\nbreak")], "task", "~__pregel_pull, agent")
    save(saver, 2, parent=1)
    save(saver, 1, thread="erased")
    saver.delete_thread("erased")
    return Audit(saver.store)


def as_json(entry: AuditEntry) -> dict[str, Any]:
    names = [name for name in AuditEntry.__dataclass_fields__ if name not in ("recorded_at", "channels")]
    return {name: getattr(entry, name) for name in names} | {
        "recorded_at": entry.recorded_at.strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
        "channels": list(entry.channels),
    }


def test_json_lines_hold_each_entry(audit: Audit, tmp_path: Path) -> None:
    assert audit.export_jsonl(tmp_path / "audit.jsonl") == 5
    lines = (tmp_path / "audit.jsonl").read_text(encoding="utf-8").split("\n")
    assert lines.pop() == ""
    assert [json.loads(line) for line in lines] == [as_json(entry) for entry in audit.entries()]
    assert "🎉" in lines[-1]


def test_json_lines_are_written_to_an_open_file_too_and_filtered(audit: Audit) -> None:
    file = io.StringIO()
    assert audit.export_jsonl(file, channel="log", newest_first=False) == 2
    assert [json.loads(line)["topic"] for line in file.getvalue().splitlines()] == ["checkpoint.saved", "writes.saved"]
    assert not file.closed


def test_parquet_holds_each_entry(audit: Audit, tmp_path: Path) -> None:
    assert audit.export_parquet(tmp_path / "audit.parquet") == 5
    table = pyarrow.parquet.read_table(tmp_path / "audit.parquet")
    found = [row | {"metadata": json.loads(row["metadata"])} for row in table.to_pylist()]
    assert found == [as_json(entry) | {"recorded_at": entry.recorded_at} for entry in audit.entries()]
    assert {str(field.type) for field in table.schema} == {
        "int64",
        "string",
        "timestamp[us, tz=UTC]",
        "list<element: string>",
        "bool",
    }


def test_nothing_makes_a_file_without_rows(store: EventStore, tmp_path: Path) -> None:
    audit = Audit(store)
    assert audit.export_jsonl(tmp_path / "audit.jsonl") == audit.export_parquet(str(tmp_path / "audit.parquet")) == 0
    assert (tmp_path / "audit.jsonl").read_bytes() == b""
    assert pyarrow.parquet.read_table(tmp_path / "audit.parquet").num_rows == 0


def test_what_is_exported_is_read_page_by_page_as_it_is_written(store: EventStore) -> None:
    events = 3 * PAGE + 5
    store.append("thread", [NewEvent("happened", b"", Cause(run="run")) for _ in range(events)])
    counting, written = Counting(store.recorder), 0
    rows = blocks_of(store, "audit")["audit_rows"]

    class File(io.StringIO):
        def write(self, text: str) -> int:
            nonlocal written
            written += 1
            assert sum(len(each.rows) for each in counting.reads if each.sql == rows) - written < PAGE
            return super().write(text)

    assert Audit(EventStore(counting)).export_jsonl(File(), run="run") == written == events


def test_a_parquet_file_is_written_group_by_group(store: EventStore, tmp_path: Path) -> None:
    store.append("thread", [NewEvent("happened")] * 95)
    entries = Audit(store).entries()
    pages = iter(lambda: [*islice(entries, 10)], [])
    assert exporting.to_parquet(tmp_path / "audit.parquet", pages, group=20) == 95
    file = pyarrow.parquet.ParquetFile(tmp_path / "audit.parquet")
    assert [file.metadata.row_group(group).num_rows for group in range(file.num_row_groups)] == [20, 20, 20, 20, 15]


def test_what_is_appended_meanwhile_is_not_exported(store: EventStore) -> None:
    store.append("thread", [NewEvent("happened")] * 3)

    class File(io.StringIO):
        def write(self, text: str) -> int:
            store.append("thread", [NewEvent("happened")])
            return super().write(text)

    assert Audit(store).export_jsonl(File(), newest_first=False) == 3


def test_without_pyarrow_the_extra_is_named(audit: Audit, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(UnavailableError, match=r"langgraph-checkpoint-eventstore\[parquet\]"):
        audit.export_parquet(tmp_path / "audit.parquet")
    assert not (tmp_path / "audit.parquet").exists()


def test_what_is_no_file_and_what_cannot_be_asked_is_refused_before_anything_is_written(
    audit: Audit, tmp_path: Path
) -> None:
    with pytest.raises(BadInputError, match="path"):
        audit.export_jsonl(7)  # type: ignore[arg-type]
    path = tmp_path / "audit.jsonl"
    later = datetime(2026, 2, 1, tzinfo=UTC)
    with pytest.raises(BadInputError, match="exchange"):
        audit.export_jsonl(path, since=later, until=datetime(2026, 1, 1, tzinfo=UTC))
    assert not path.exists()


async def test_async_code_exports_the_same(audit: Audit, tmp_path: Path) -> None:
    assert await audit.aexport_jsonl(tmp_path / "one.jsonl") == audit.export_jsonl(tmp_path / "other.jsonl") == 5
    assert (tmp_path / "one.jsonl").read_bytes() == (tmp_path / "other.jsonl").read_bytes()
    assert await audit.aexport_parquet(tmp_path / "audit.parquet", thread="thread") == 3
