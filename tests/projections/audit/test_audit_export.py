"""Exports of the audit: JSON lines and Parquet, page by page."""

from __future__ import annotations

import io
import json
import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow.parquet  # type: ignore[import-untyped]
import pytest

from eventstore import BadInputError, Cause, EventStore, NewEvent, UnavailableError
from langgraph.checkpoint.eventstore import EventStoreSaver
from projections import Audit, AuditEntry
from projections.audit import exporting
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


def test_what_is_exported_is_read_page_by_page_as_it_is_written(
    store: EventStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("projections.audit.audit._PAGE", 10)
    monkeypatch.setattr(exporting, "_GROUP", 20)
    store.append("thread", [NewEvent("happened", b"", Cause(run="run")) for _ in range(95)])
    audit, read, written = Audit(store), 0, 0
    rows, fetch = blocks_of(audit.store, "audit")["audit_rows"], store.recorder.read

    def counting(sql: str, params: Mapping[str, Any]) -> Any:
        nonlocal read
        found = fetch(sql, params)
        read += len(found) if sql == rows else 0
        return found

    class File(io.StringIO):
        def write(self, text: str) -> int:
            nonlocal written
            written += 1
            assert read - written < 10
            return super().write(text)

    monkeypatch.setattr(store.recorder, "read", counting)
    assert audit.export_jsonl(File(), run="run") == written == 95
    assert audit.export_parquet(tmp_path / "audit.parquet") == 95
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
