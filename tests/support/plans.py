"""How a database carries statements out."""

from __future__ import annotations

import json
import re
import sqlite3
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from typing import Any

import psycopg
import pytest

from eventstore import EventStore
from eventstore.codec.envelope import erased
from eventstore.queries import Dialect
from eventstore.recorders import Append
from eventstore.recorders.postgres.connection import Connection
from eventstore.recorders.sqlite.recorder import SQLiteRecorder
from eventstore.recorders.sqlite.session import SQLiteSession
from tests.support.tables import path_of

Statement = tuple[str, Mapping[str, Any]]


@contextmanager
def overheard(store: EventStore, monkeypatch: pytest.MonkeyPatch) -> Iterator[list[Statement]]:
    """The statements that are sent within the block, each once, with the values of one of its calls."""
    sent: dict[str, Mapping[str, Any]] = {}

    def listening(method: Callable[..., Any]) -> Callable[..., Any]:
        def listen(self: Any, sql: str, params: Any = None, **options: Any) -> Any:
            sent[sql] = params or {}
            return method(self, sql, params, **options)

        return listen

    statements: list[Statement] = []
    with monkeypatch.context() as patch:
        patch.setattr(SQLiteRecorder, "_at_once", _taken_apart(sent, SQLiteRecorder._at_once))
        for place, name in SPOKEN_THROUGH[store.recorder.dialect]:
            patch.setattr(place, name, listening(getattr(place, name)))
        yield statements
    statements += ((sql, params) for sql, params in sent.items() if not sql.startswith("SET "))


def _taken_apart(sent: dict[str, Mapping[str, Any]], method: Callable[..., Any]) -> Callable[..., Any]:
    """SQLite's usual append is one statement out of several, which are to be seen each."""

    def listen(self: SQLiteRecorder, append: Append) -> Any:
        sent[self._queries["append_first_event" if append.first else "append_event"]] = append.parameters(0)
        sent.update((statement.sql, statement.params) for statement in append.then)
        return method(self, append)

    return listen


SPOKEN_THROUGH: dict[Dialect, list[tuple[type, str]]] = {
    "sqlite": [(SQLiteRecorder, "read"), (SQLiteSession, "execute")],
    "postgres": [(Connection, "execute")],
}


def plans(store: EventStore, url: str, statement: Statement) -> list[str]:
    """How the database carries a statement out."""
    sql, params = statement
    if store.recorder.dialect == "sqlite":
        # A connection that does not check references: how it would do so is part of the plan of each statement that
        # inserts a stream, but not done, since nothing refers to a stream that is new.
        with closing(sqlite3.connect(path_of(url))) as connection:
            connection.create_function("erased", 1, erased, deterministic=True)
            return ["\n".join(step for *_, step in connection.execute(f"EXPLAIN QUERY PLAN {sql}", params))]
    with psycopg.connect(url) as server:
        [(custom,)] = server.execute(f"EXPLAIN (FORMAT JSON) {sql}", params).fetchall()
        found = [custom]
        if server.info.server_version >= 160_000:
            numbers = {name: f"${number}" for number, name in enumerate(params, 1)}
            numbered = re.sub(r"%\((\w+)\)s", lambda name: numbers[name[1]], sql).replace("%%", "%")
            [(generic,)] = server.execute(f"EXPLAIN (GENERIC_PLAN, FORMAT JSON) {numbered}").fetchall()
            found.append(generic)
    return [json.dumps(plan, indent=1) for plan in found]


def costly(dialect: Dialect, statement: Statement, plan: str) -> list[str]:
    """The steps of a plan whose cost grows with the store."""
    if dialect == "postgres":
        # The sequencer's table has one row, for good; and who is told of an append asks for the database's own number.
        small = ("Seq Scan on sequencer", "Seq Scan on pg_database")
        return [node for node in _nodes(json.loads(plan)) if node not in small and _COSTLY(node)]
    # What is put together in the statement itself is scanned, of course: a list, and what a WITH names.
    own = {"CONSTANT", *re.findall(r"(?:CO-ROUTINE|MATERIALIZE) (\w+)", plan)}
    own |= {*re.findall(r"(\w+)(?: \([\w, ]+\))? AS (?:MATERIALIZED )?\(", statement[0])}
    return [
        step
        for step in plan.splitlines()
        if "TEMP B-TREE" in step
        or (step.startswith("SCAN ") and step.split()[1] not in own and "VIRTUAL TABLE" not in step)
    ]


_COSTLY = re.compile(r"Seq Scan|.*Sort").match


def _nodes(plan: Any) -> Iterator[str]:
    if isinstance(plan, list):
        for each in plan:
            yield from _nodes(each)
    elif isinstance(plan, dict):
        if "Node Type" in plan:
            yield f"{plan['Node Type']} on {plan.get('Relation Name')}"
        for each in plan.values():
            yield from _nodes(each)
