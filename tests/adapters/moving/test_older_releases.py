"""Databases that older releases of LangGraph's savers wrote, and from before format 4, with packets that wait.

`databases/` holds what langgraph 0.3.34 and 1.0.2 wrote with those releases of the savers: three threads of one graph.
One waits before its packets are sent, one asks, and one is done.
"""

from __future__ import annotations

import json
import operator
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Annotated, Any, TypedDict

import psycopg
import pytest
from langchain_core.messages import BaseMessage
from langgraph.graph import END, START, StateGraph
from langgraph.graph.message import add_messages
from langgraph.types import Command, Send, interrupt
from psycopg.sql import SQL, Identifier, Placeholder
from psycopg.types.json import Jsonb

from langgraph.checkpoint.eventstore import EventStoreSaver
from langgraph.checkpoint.eventstore.moving import Moving
from tests.conftest import fresh_database
from tests.support.observation import assert_same
from tests.support.stock import opened, seen

DATABASES = Path(__file__).parent / "databases"
THREADS = ("asks", "done", "packets-wait")
END_OF_ALL = ["in", "plan", "worked on x", "worked on y", "worked on z", "yes"]


class State(TypedDict, total=False):
    log: Annotated[list[str], operator.add]
    messages: Annotated[list[BaseMessage], add_messages]


def graph_on(saver: Any) -> Any:
    """The graph that the threads are of, as one would write it today."""
    builder = StateGraph(State)
    builder.add_node("plan", lambda state: {"log": ["plan"]})
    builder.add_node("work", lambda state: {"log": [f"worked on {state['item']}"]})
    builder.add_node("ask", lambda state: {"log": [interrupt("fine?")]})
    builder.add_edge(START, "plan").add_edge("work", "ask").add_edge("ask", END)
    packets = [Send("work", {"item": item}) for item in "xyz"]
    builder.add_conditional_edges("plan", lambda state: packets, ["work"])
    return builder.compile(checkpointer=saver)


def config(thread: str) -> Any:
    return {"configurable": {"thread_id": thread}}


def written_in_sqlite(release: str, path: Path) -> str:
    """A file with what a release of `SqliteSaver` wrote."""
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript((DATABASES / f"sqlite-{release}.sql").read_text())
    return f"sqlite:///{path}"


def write_to_postgres(release: str, url: str) -> None:
    """Fill the tables with what a release of `PostgresSaver` wrote. Their layout is still the same."""
    with opened(url), psycopg.connect(url) as connection:
        for line in (DATABASES / f"postgres-{release}.jsonl").read_text().splitlines():
            table, row = json.loads(line)
            row = {name: _as_column(name, value) for name, value in row.items()}
            names, values = map(Identifier, row), [Placeholder()] * len(row)
            insert = SQL("INSERT INTO {} ({}) VALUES ({})")
            connection.execute(
                insert.format(Identifier(table), SQL(", ").join(names), SQL(", ").join(values)), [*row.values()]
            )


def _as_column(name: str, value: Any) -> Any:
    if name in ("checkpoint", "metadata"):
        return Jsonb(value)
    return bytes.fromhex(value) if name == "blob" and value is not None else value


@pytest.mark.parametrize("release", ["2.0.11", "3.0.0"])
def test_files_of_older_releases_come_in_as_they_are_and_stay_as_they_were(
    saver: EventStoreSaver, release: str, tmp_path: Path
) -> None:
    path = tmp_path / "old.db"
    url = written_in_sqlite(release, path)
    before = path.read_bytes()
    report = Moving(saver).import_from(url)
    assert (report.ok, report.moved, report.compared) == (True, 3, 12)
    assert path.read_bytes() == before  # with no task_path, which the saver of today adds to what it opens
    with opened(url) as old:
        assert_same(seen(saver, *THREADS), seen(old.saver, *THREADS))
    goes_on(saver)


@pytest.mark.parametrize("release", ["2.0.21", "3.0.0"])
def test_databases_of_older_releases_come_in_as_they_are(saver: EventStoreSaver, release: str, pg_server: str) -> None:
    with fresh_database(pg_server) as url:
        write_to_postgres(release, url)
        report = Moving(saver).import_from(url)
        assert (report.ok, report.moved, report.compared) == (True, 3, 12)
        with opened(url) as old:
            assert_same(seen(saver, *THREADS), seen(old.saver, *THREADS))
    goes_on(saver)


def test_they_go_out_again_the_same_with_what_metadata_held_then(
    in_a_file: EventStoreSaver, pg_server: str, tmp_path: Path
) -> None:
    url = written_in_sqlite("2.0.11", tmp_path / "old.db")
    Moving(in_a_file).import_from(url)
    with fresh_database(pg_server) as server, opened(url) as old:
        for there in (server, f"sqlite:///{tmp_path / 'new.db'}"):
            assert Moving(in_a_file).export_to(there).ok
            with opened(there) as new:
                for thread in THREADS:
                    assert_same(states(new.saver, thread), states(old.saver, thread))
        assert any("writes" in saved.metadata for saved in old.saver.list(None))


def states(saver: Any, thread: str) -> list[Any]:
    """The states of a thread, as LangGraph makes them of its checkpoints."""
    history = graph_on(saver).get_state_history(config(thread))
    shown = [(sorted(state.values.items()), state.next, state.tasks, state.metadata) for state in history]
    return [(repr(rest), json.dumps(metadata, sort_keys=True)) for *rest, metadata in shown]


def goes_on(saver: EventStoreSaver) -> None:
    """Hold that the threads go on from where they were."""
    graph = graph_on(saver)
    assert graph.get_state(config("done")).values["log"] == END_OF_ALL
    assert graph.get_state(config("packets-wait")).next == ("work", "work", "work")
    graph.invoke(None, config("packets-wait"))
    for thread in ("packets-wait", "asks"):
        assert [asked.value for asked in graph.get_state(config(thread)).interrupts] == ["fine?"]
        assert graph.invoke(Command(resume="yes"), config(thread))["log"] == END_OF_ALL
    for thread in THREADS:
        assert saver.history.check(thread).ok


def test_values_in_json_come_in_as_langgraph_reads_them(in_a_file: EventStoreSaver, tmp_path: Path) -> None:
    """As langgraph-checkpoint 1 wrote them: objects are LangChain's, and made again by its own list of what is safe."""
    message = {
        "lc": 1,
        "type": "constructor",
        "id": ["langchain", "schema", "messages", "HumanMessage"],
        "kwargs": {"content": "hello", "type": "human", "id": "h1"},
    }
    checkpoint = {
        "v": 1,
        "id": "1ef4f797-8335-6428-8001-8a1503f9b875",
        "ts": "2024-05-04T06:32:42.235444+00:00",
        "channel_values": {"messages": [message], "count": 1},
        "channel_versions": {"messages": 2, "count": 3},
        "versions_seen": {"plan": {"messages": 2}},
        "pending_sends": [],
    }
    url = f"sqlite:///{tmp_path / 'old.db'}"
    with opened(url) as old:
        row = ("t", "", checkpoint["id"], None, "json", json.dumps(checkpoint).encode(), b'{"source": "loop"}')
        old.saver.conn.execute("INSERT INTO checkpoints VALUES (?, ?, ?, ?, ?, ?, ?)", row)
        old.saver.conn.commit()
        report = Moving(in_a_file).import_from(url)
        assert (report.ok, report.moved) == (True, 1)
        assert_same(seen(in_a_file, "t"), seen(old.saver, "t"))
    [saved] = in_a_file.list(config("t"))
    assert isinstance(saved.checkpoint["channel_values"]["messages"][0], BaseMessage)
