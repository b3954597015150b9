"""Programs that were written for LangGraph's own savers: their habits work, or are answered by a hint."""

from __future__ import annotations

import sqlite3
from typing import Any
from uuid import uuid4

import psycopg
import pytest
from hypothesis import given
from hypothesis import strategies as st
from langchain_core.messages import HumanMessage
from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.graph import START, MessagesState, StateGraph
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from eventstore import BadInputError, EventStore, InvalidUrlError, NewEvent, UnknownOptionError, dsn
from eventstore.address import parse
from langgraph.checkpoint.eventstore import EventStoreSaver
from tests.support.flavour import Flavour
from tests.support.saving import Calls


@pytest.fixture
def calls(saver: EventStoreSaver, flavour: Flavour) -> Calls:
    """An open saver, called in one flavour."""
    return Calls(saver, flavour)


async def test_setup_may_be_called_awaited_and_called_again_and_does_nothing(saver: EventStoreSaver) -> None:
    done = saver.setup()
    await done
    await saver.setup()
    await saver.asetup()
    assert saver.store.verify().events == 0


def test_a_store_is_named_as_libpq_and_sqlalchemy_name_databases(postgres_url: str) -> None:
    values = {key: str(value) for key, value in conninfo_to_dict(postgres_url).items() if value is not None}
    rest = postgres_url.partition("://")[2]
    for given_url in (
        make_conninfo(**values),
        *(f"{scheme}://{rest}" for scheme in ("postgresql+psycopg", "postgres+psycopg2", "postgresql+psycopg_async")),
    ):
        with EventStoreSaver.from_conn_string(given_url) as saver:
            saver.store.append("s", [NewEvent("kept")])
    with EventStore.open(postgres_url) as store:
        assert len([*store.read("s")]) == 4


NAMES = st.text(st.characters(min_codepoint=32, max_codepoint=0x2FF), max_size=12)


@given(st.dictionaries(st.sampled_from(["user", "password", "dbname", "host", "passfile", "service"]), NAMES))
def test_a_connection_string_is_read_as_libpq_reads_it(values: dict[str, str]) -> None:
    text = make_conninfo(**values)
    if values:
        assert dsn.is_dsn(text)
        assert dsn.read(text) == conninfo_to_dict(text) == values


@given(st.text(st.sampled_from("ab ='\\\n"), max_size=12))
def test_what_libpq_refuses_is_no_connection_string_or_the_other_way_round(rest: str) -> None:
    text = f"host=h {rest}"
    try:
        expected: dict[str, Any] | None = conninfo_to_dict(text)
    except psycopg.ProgrammingError as error:
        expected = None
        if "invalid connection option" in str(error):  # it looks at the keywords, too
            return
    found = dsn.read(text)
    assert found == expected or (found is None and text.endswith("\\"))


def test_a_connection_string_shows_where_and_who_but_nothing_secret() -> None:
    address = parse("host=db.example.org port=5433 user=ann password='hunter2 x' dbname=agents options='-c a=hunter2'")
    assert str(address) == "postgresql://ann@db.example.org:5433/agents"
    assert "hunter2" not in repr(address)
    assert str(parse("service=agents")) == "postgresql:///?service=agents"


@pytest.mark.parametrize(
    ("url", "hint"),
    [
        ("postgresql+asyncpg://ann:hunter2@db/agents", r"leave \+asyncpg out"),
        ("sqlite+aiosqlite:///agents.db", r"leave \+aiosqlite out"),
        ("postgresql+psycopg:/ann:hunter2@db/agents", "address"),
        ("host=db password='hunter2", "quote"),
        ("password=hunter2 dbname", "quote"),
    ],
)
def test_an_address_in_another_form_is_told_how_to_be_written(url: str, hint: str) -> None:
    with pytest.raises(InvalidUrlError, match=hint) as refused:
        EventStoreSaver.from_conn_string(url)
    assert "hunter2" not in str(refused.value)


def test_connections_and_other_savers_in_place_of_a_store_are_told_where_they_belong() -> None:
    with sqlite3.connect(":memory:") as connection, pytest.raises(BadInputError, match=r"name its file.*from_conn"):
        EventStoreSaver(connection)  # type: ignore[arg-type]
    connection.close()
    with pytest.raises(BadInputError, match=r"not on a InMemorySaver.*from_conn_string"):
        EventStoreSaver(InMemorySaver())  # type: ignore[arg-type]
    with pytest.raises(BadInputError, match="from_conn_string"):
        EventStoreSaver("agents.db")  # type: ignore[arg-type]
    with pytest.raises(UnknownOptionError, match=r"'pipeline' \(leave it out"):
        EventStoreSaver.from_conn_string("agents.db", pipeline=True)  # type: ignore[call-arg]
    with pytest.raises(UnknownOptionError, match=r"'conn' \(share it"):
        EventStoreSaver(conn=1)  # type: ignore[call-arg]


def ran(calls: Calls, thread: str, config: dict[str, Any]) -> None:
    builder = StateGraph(MessagesState).add_node("say", lambda state: {"messages": ["hello"]}).add_edge(START, "say")
    graph = builder.compile(checkpointer=calls.saver)
    asked: RunnableConfig = {"configurable": {"thread_id": thread}, **config}
    graph.invoke({"messages": [HumanMessage("hi")]}, asked)


def test_a_run_is_found_by_the_id_that_it_was_given_in_any_way(calls: Calls) -> None:
    runs = [uuid4() for _ in range(3)]
    ran(calls, "t", {"run_id": runs[0]})
    ran(calls, "t", {"metadata": {"run_id": str(runs[1])}})
    ran(calls, "t", {"configurable": {"thread_id": "t", "run_id": str(runs[2])}})
    for config in ({"configurable": {"thread_id": "t"}}, None):
        for run in runs:
            found = calls.list(config, filter={"run_id": str(run)})
            assert len(found) == 3
            assert found == calls.list(config, filter={"run_id": run})
            [alone] = calls.list(found[0].config, filter={"run_id": str(run), "source": "loop"})
            assert alone.checkpoint["id"] == found[0].checkpoint["id"]
    assert calls.list(None, filter={"run_id": str(uuid4())}) == []
