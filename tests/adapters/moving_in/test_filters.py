"""Filters of metadata find what they find with LangGraph's own savers."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from hypothesis import given
from hypothesis import strategies as st
from langgraph.checkpoint.sqlite.utils import search_where
from psycopg.types.json import Jsonb

from langgraph.checkpoint.eventstore import EventStoreSaver
from langgraph.checkpoint.eventstore._filters import matches
from tests.support.flavour import Flavour
from tests.support.saving import Calls, at, save

KEYS = st.sampled_from(["a", "b", "c-d"])
PLAIN = st.none() | st.booleans() | st.integers(-2, 2) | st.sampled_from([0.5, 1.0, "", "x", "1"])
VALUES = st.recursive(PLAIN, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=2))
METADATA = st.dictionaries(KEYS, VALUES, max_size=3)


@pytest.fixture(scope="module")
def server(pg_server: str) -> Iterator[psycopg.Connection[Any]]:
    """A connection, to ask PostgreSQL itself."""
    with psycopg.connect(pg_server, autocommit=True) as connection:
        yield connection


@given(metadata=METADATA, wanted=METADATA)
def test_what_postgres_saver_finds_is_found_and_nothing_else_but_missing_keys(
    server: psycopg.Connection[Any], metadata: dict[str, Any], wanted: dict[str, Any]
) -> None:
    [(contained,)] = server.execute("SELECT %s @> %s", [Jsonb(metadata), Jsonb(wanted)]).fetchall()
    present = {key: value for key, value in wanted.items() if value is not None or key in metadata}
    [(found,)] = server.execute("SELECT %s @> %s", [Jsonb(metadata), Jsonb(present)]).fetchall()
    assert matches(metadata, wanted) == found
    assert found or not contained


@given(metadata=METADATA, key=st.sampled_from(["a", "a.b", "a.a.b", "c-d", "b.c-d"]), wanted=VALUES)
def test_what_sqlite_saver_finds_is_found(metadata: dict[str, Any], key: str, wanted: Any) -> None:
    import json

    predicate, values = search_where(None, {key: wanted})
    connection = sqlite3.connect(":memory:")
    connection.execute("CREATE TABLE checkpoints (metadata BLOB)")
    connection.execute("INSERT INTO checkpoints VALUES (?)", [json.dumps(metadata).encode()])
    found = bool(connection.execute(f"SELECT 1 FROM checkpoints {predicate}", values).fetchall())
    connection.close()
    if found and not matches(metadata, {key: wanted}):
        # To SQLite, true is 1, and a text is equal to the list or dict that it spells.
        at_key: Any = metadata
        for name in key.split("."):
            at_key = at_key[name]
        assert isinstance(at_key, bool) != isinstance(wanted, bool)


def test_dicts_lists_and_dotted_paths_are_found_through_the_saver(saver: EventStoreSaver, flavour: Flavour) -> None:
    calls = Calls(saver, flavour)
    save(calls, 1, metadata={"user": {"name": "ann", "tags": ["a", "b"]}, "x.y": 1})
    save(calls, 2, metadata={"user": {"name": "bob"}, "x": {"y": 1}})
    for wanted, numbers in (
        ({"user": {"name": "ann"}}, [1]),
        ({"user": {}}, [2, 1]),
        ({"user": {"tags": ["b"]}}, [1]),
        ({"user.name": "bob"}, [2]),
        ({"user.tags": ["b", "a"]}, [1]),
        ({"user.tags": None}, [2]),
        ({"x.y": 1}, [2, 1]),
        ({"user.name.first": "ann"}, []),
        ({"user": "ann"}, []),
    ):
        assert [each.metadata["step"] for each in calls.list(at(), filter=wanted)] == numbers, wanted
