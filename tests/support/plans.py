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
from eventstore.queries import Dialect, load_queries
from eventstore.recorders import Append, Params, Recorder, Rows
from eventstore.testing import Relay
from tests.support.tables import path_of

Statement = tuple[str, Mapping[str, Any]]


@contextmanager
def overheard(store: EventStore) -> Iterator[tuple[EventStore, list[Statement]]]:
    """The store once more, and the statements that are sent within the block, each with the values of one of its calls.

    Of appends it is what they are put together from. The list is complete when the block ends.
    """
    ear = _Ear(store.recorder)
    statements: list[Statement] = []
    with pytest.MonkeyPatch.context() as patched:
        # What the recorder of PostgreSQL asks by itself passes here alone: the driver has no other place to listen at.
        patched.setattr(psycopg.Connection, "execute", _heard_by(ear, psycopg.Connection.execute))
        yield EventStore(ear), statements
    statements += ((sql, params) for sql, params in ear.sent.items() if not sql.startswith("SET "))


class _Ear(Relay):
    """Keeps the statements that pass, each once."""

    def __init__(self, inner: Recorder) -> None:
        super().__init__(inner)
        self.sent: dict[str, Params] = {}
        self._blocks = load_queries("eventstore", self.dialect, self.schema)

    def statement(self, sql: str, params: Params, run: Callable[[], Rows]) -> Rows:
        self.sent[sql] = params
        return super().statement(sql, params, run)

    def append(self, *appends: Append) -> bool:
        for append in appends:
            for index in range(len(append.rows)):
                block = "append_first_event" if append.first and index == 0 else "append_event"
                self.sent[self._blocks[block]] = append.parameters(index)
            for sql, params in append.then:
                alone = sql if self.dialect == "sqlite" else f"WITH appended AS (SELECT) {sql}"
                self.sent[alone] = params
        return super().append(*appends)

    def sequence(self) -> int:
        if self.dialect == "sqlite":
            self.sent[self._blocks["feed_end"]] = {}
        return super().sequence()


def _heard_by(ear: _Ear, execute: Callable[..., Any]) -> Callable[..., Any]:
    def hear(connection: Any, sql: str, params: Any = None, **options: Any) -> Any:
        ear.sent[sql] = params or {}
        return execute(connection, sql, params, **options)

    return hear


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
