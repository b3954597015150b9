"""The view `audit_log`, for people with tools of their own: the same as the library answers."""

from __future__ import annotations

import json
import re
import sqlite3
from contextlib import closing
from datetime import datetime
from pathlib import Path
from typing import Any

import psycopg
import pytest

from eventstore import Cause, NewEvent
from langgraph.checkpoint.eventstore import EventStoreSaver
from projections import Audit, AuditEntry
from tests.support.saving import at, save
from tests.support.tables import path_of

DOCUMENT = Path(__file__).parents[3] / "docs" / "audit.md"
COLUMNS = list(AuditEntry.__dataclass_fields__)


def ask(url: str, sql: str) -> list[tuple[Any, ...]]:
    if url.startswith("sqlite"):
        with closing(sqlite3.connect(path_of(url))) as connection:
            return connection.execute(sql).fetchall()
    with psycopg.connect(url, options="-csearch_path=eventstore") as server:
        return server.execute(sql).fetchall()


def entry_of(row: tuple[Any, ...]) -> AuditEntry:
    named = dict(zip(COLUMNS, row, strict=True))
    if isinstance(named["recorded_at"], str):  # SQLite has neither times, nor arrays, nor truth
        named |= {
            "recorded_at": datetime.fromisoformat(named["recorded_at"]),
            "channels": json.loads(named["channels"]),
            "metadata": json.loads(named["metadata"]),
            "erased": bool(named["erased"]),
        }
    return AuditEntry(**named | {"channels": tuple(named["channels"])})


@pytest.fixture
def audit(saver: EventStoreSaver) -> Audit:
    save(saver, 1, {"messages": ["ä"], "count": 1}, metadata={"user": "ann", "level": 1.5, "admin": True})
    saver.put_writes(at(number=1), [("messages", "x")], "task", "~__pregel_pull, agent")
    saver.copy_thread("thread", "fork")
    save(saver, 2, thread="fork", parent=1, metadata={"user": "bob"})
    save(saver, 1, thread="deleted")
    saver.delete_thread("deleted")
    saver.store.append("orders", [NewEvent("order.placed", b"", Cause(run="run", metadata={"text": 'quo"te\n'}))])
    return Audit(saver.store)


def test_the_view_shows_what_the_library_answers(url: str, audit: Audit) -> None:
    assert ask(url, "SELECT * FROM audit_log") == [], "it shows what the audit has caught up with"
    entries = list(audit.entries(newest_first=False))
    rows = ask(url, f"SELECT {', '.join(COLUMNS)} FROM audit_log ORDER BY position")
    assert [entry_of(row) for row in rows] == entries
    assert len(entries) == 7


def examples(database: str) -> list[tuple[str, str]]:
    """The queries of the document that are for a database, with their titles."""
    text = DOCUMENT.read_text(encoding="utf-8")
    found = re.findall(r"^-- ([^\n]+)\n(.+?;)$", text, re.MULTILINE | re.DOTALL)
    return [(title, sql) for title, sql in found if database in title or " in " not in title]


def test_the_examples_of_the_document_work(url: str, audit: Audit) -> None:
    audit.catch_up()
    database = {"sqlite": "SQLite", "postgres": "PostgreSQL"}[audit.store.recorder.dialect]
    found = {title: ask(url, sql) for title, sql in examples(database)}
    assert len(found) == 5
    assert all(found.values()), found
