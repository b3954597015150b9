"""Threads of LangGraph's own savers come in, go on here, and go out again: to LangGraph nothing is different."""

from __future__ import annotations

import operator
import random
import tracemalloc
from pathlib import Path
from typing import Annotated, Any, TypedDict

import pytest
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.graph import END, START, StateGraph

from eventstore import EventStore
from langgraph.checkpoint.eventstore import EventStoreSaver
from langgraph.checkpoint.eventstore.moving import Moving
from tests.conftest import fresh_database
from tests.support.agents import Desk, agent, deep_agent, human
from tests.support.flavour import Flavour
from tests.support.observation import assert_same
from tests.support.stage import Durability, Stage
from tests.support.stock import Stock, opened, seen, threads_of
from tests.support.stories import Story, each_story, tell


def told(stock: Stock, story: Story, durability: Durability) -> tuple[Stage, Any, str]:
    """Play the first half of a story on a saver; return its stage, its graph and its thread."""
    stage = Stage(stock.saver, Flavour.SYNC, durability)
    graph = stage.compile(story.graph(), **story.options)
    stage.perform(lambda stage: tell(stage, graph, story.before))
    return stage, graph, stage.here()["configurable"]["thread_id"]


@each_story
@pytest.mark.parametrize(
    ("kind", "backend", "durability"),
    [("memory", "sqlite", "exit"), ("sqlite", "postgres", "sync"), ("postgres", "sqlite", "async")],
)
def test_a_thread_comes_in_and_goes_on_as_it_would_have(
    old: Stock, saver: EventStoreSaver, story: Story, durability: Durability
) -> None:
    stage, graph, thread = told(old, story, durability)
    report = Moving(saver).import_from(old.origin)
    assert (report.ok, report.moved, report.problems) == (True, 1, ())
    assert report.compared == report.checkpoints == len([*old.saver.list(None)])
    assert_same(seen(saver, thread), seen(old.saver, thread))
    stage.saver = graph.checkpointer = saver
    results: list[Any] = []

    async def goes_on(stage: Stage) -> None:
        results.append(await tell(stage, graph, story.after))

    stage.perform(goes_on)
    assert results[0]["log"] == story.end
    saver.store.verify(thread)
    assert saver.history.check(thread).ok


@each_story
@pytest.mark.parametrize(("kind", "backend"), [("sqlite", "sqlite"), ("postgres", "postgres")])
def test_a_thread_that_comes_in_and_goes_out_is_the_same_to_langgraph(
    kind: str, old: Stock, saver: EventStoreSaver, story: Story, tmp_path: Path, pg_server: str
) -> None:
    _, _, thread = told(old, story, "async")
    Moving(saver).import_from(old.origin)
    with fresh_database(pg_server) as server:
        for url in (f"sqlite:///{tmp_path / 'new.db'}", server):
            report = Moving(saver).export_to(url)
            assert (report.ok, report.moved) == (True, 1)
            with opened(url) as new:
                assert_same(seen(new.saver, thread), seen(old.saver, thread))
                # LangGraph goes on there.
                stage = Stage(new.saver, Flavour.SYNC, "sync")
                stage.prefix = thread.removesuffix("main")
                graph = stage.compile(story.graph(), **story.options)
                results: list[Any] = []

                async def goes_on(stage: Stage, graph: Any = graph, results: list[Any] = results) -> None:
                    results.append(await tell(stage, graph, story.after))

                if story.name != "a node that failed":  # which node fails is in the graph, and not in the thread
                    stage.perform(goes_on)
                    assert results[0]["log"] == story.end


@pytest.mark.parametrize("kind", ["sqlite"])
def test_agents_come_in(old: Stock, saver: EventStoreSaver, tmp_path: Path) -> None:
    stage = Stage(old.saver, Flavour.SYNC, "async")

    async def works(stage: Stage) -> None:
        await stage.invoke(agent(stage, Desk(tmp_path)), human("tidy up"))
        await stage.invoke(deep_agent(stage), human("write a report"), {"configurable": {"thread_id": "deep"}})

    stage.perform(works)
    report = Moving(saver).import_from(old.origin)
    assert (report.ok, report.moved) == (True, 2)
    for thread in (f"{stage.prefix}main", f"{stage.prefix}deep"):
        assert_same(seen(saver, thread), seen(old.saver, thread))
        assert saver.history.check(thread).ok
    assert report.bytes_after is not None


def test_what_came_in_is_recorded_where_langgraph_does_not_look(from_sqlite: Stock, in_a_file: EventStoreSaver) -> None:
    from tests.support.histories import an_agent, config, hello

    an_agent(from_sqlite.saver).invoke(hello(), {**config("t"), "metadata": {"user": "ann"}})
    Moving(in_a_file).import_from(from_sqlite.origin, by={"user": "bob"})
    [stream] = in_a_file.store.streams(metadata={"user": "ann"}).streams
    assert stream.metadata["imported_from"] == from_sqlite.origin
    assert stream.metadata["imported_user"] == "bob"
    assert all("imported_from" not in saved.metadata for saved in in_a_file.list(None))
    # Who tells a thread's history names its nodes.
    writers = {writer.node for entry in in_a_file.history.timeline("t") for writer in entry.writers}
    assert {"model", "search", "write"} <= writers


def test_a_thread_of_a_store_in_a_schema_of_its_own_goes_out(pg_server: str, tmp_path: Path) -> None:
    from tests.support.histories import an_agent, config, hello

    with fresh_database(pg_server) as url, EventStore.open(url, schema="mine") as store:
        saver = EventStoreSaver(store)
        an_agent(saver).invoke(hello(), config("t"))
        # Into the same database, where LangGraph's tables stand in another schema.
        assert Moving(saver).export_to(url).moved == 1
        with EventStoreSaver.from_conn_string(f"sqlite:///{tmp_path / 'b.db'}") as other:
            assert Moving(other).import_from(url).moved == 1
            assert_same(seen(other, "t"), seen(saver, "t"))


async def test_it_is_the_same_for_async_code(from_sqlite: Stock, in_a_file: EventStoreSaver, tmp_path: Path) -> None:
    from tests.support.histories import an_agent, config, hello

    an_agent(from_sqlite.saver).invoke(hello(), config("t"))
    in_memory: Any = InMemorySaver()
    an_agent(in_memory).invoke(hello(), config("u"))
    moving = Moving(in_a_file)
    assert (await moving.aimport_from(in_memory)).moved == 1
    assert (await moving.aimport_from(from_sqlite.origin)).moved == 1
    assert (await moving.aexport_to(tmp_path / "new.db")).moved == 2
    assert threads_of(tmp_path / "new.db") == ["t", "u"]


def test_forks_rollbacks_and_prunes_go_out_as_langgraph_sees_them(saver: EventStoreSaver, tmp_path: Path) -> None:
    from langgraph.types import Command

    from tests.support.histories import an_agent, config, hello

    graph = an_agent(saver)
    graph.invoke(hello(), config("t"))
    asked = graph.get_state(config("t")).config["configurable"]["checkpoint_id"]
    graph.invoke(Command(resume="Yes"), config("t"))
    saver.history.fork("t", "forked", at=asked)
    graph.invoke(Command(resume="No"), config("forked"))
    saver.copy_thread("t", "pruned")
    saver.prune(["pruned"])
    saver.history.rollback("t", to=asked)
    saver.store.append("a log of another program", [])
    report = Moving(saver).export_to(tmp_path / "new.db")
    assert (report.ok, report.moved) == (True, 3)
    with opened(f"sqlite:///{tmp_path / 'new.db'}") as stock:
        assert_same(seen(stock.saver, "t", "forked", "pruned"), seen(saver, "t", "forked", "pruned"))
        again = an_agent(stock.saver)
        assert again.get_state(config("t")).next == graph.get_state(config("t")).next == ("ask",)


def test_a_thread_takes_no_memory_for_its_values(from_sqlite: Stock, in_a_file: EventStoreSaver) -> None:
    class Pages(TypedDict):
        pages: Annotated[list[str], operator.add]

    noise = random.Random(1)
    builder = StateGraph(Pages).add_node("write", lambda state: {"pages": [noise.randbytes(5_000).hex()]})
    builder.add_edge(START, "write")
    builder.add_conditional_edges("write", lambda state: "write" if len(state["pages"]) < 90 else END)
    graph: Any = builder.compile(checkpointer=from_sqlite.saver)
    graph.invoke({"pages": []}, {"recursion_limit": 200, "configurable": {"thread_id": "t"}})
    tracemalloc.start()
    try:
        report = Moving(in_a_file).import_from(from_sqlite.origin)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert report.ok
    assert report.source_bytes is not None
    assert report.source_bytes > 40_000_000
    assert peak < 20_000_000


def test_from_sqlite_to_postgres_and_back_is_the_identity(
    from_sqlite: Stock, postgres_url: str, tmp_path: Path, pg_server: str
) -> None:
    stage = Stage(from_sqlite.saver, Flavour.SYNC, "async")

    async def works(stage: Stage) -> None:
        await stage.invoke(deep_agent(stage), human("write a report"))

    stage.perform(works)
    thread = f"{stage.prefix}main"
    expected = seen(from_sqlite.saver, thread)
    with fresh_database(pg_server) as server, EventStoreSaver.from_conn_string(postgres_url) as there:
        with EventStoreSaver.from_conn_string(f"sqlite:///{tmp_path / 'here.db'}") as here:
            Moving(here).import_from(from_sqlite.origin)
            Moving(here).export_to(server)
        # In a schema of the user's search path.
        Moving(there).import_from(f"{server}?options=-csearch_path%3Dpublic")
        assert_same(seen(there, thread), expected)
        assert Moving(there).export_to(tmp_path / "back.db").ok
    with opened(f"sqlite:///{tmp_path / 'back.db'}") as back:
        assert_same(seen(back.saver, thread), expected)


def test_a_value_that_their_database_refuses_leaves_its_thread_out(in_a_file: EventStoreSaver, pg_server: str) -> None:
    class State(TypedDict):
        text: str
        count: int

    def count(state: Any) -> Any:
        return {"count": state["count"] + 1, "text": "\0" if state["count"] == 2 else "plain"}

    builder = StateGraph(State).add_node("count", count).add_edge(START, "count")
    builder.add_conditional_edges("count", lambda state: "count" if state["count"] < 4 else END)
    graph: Any = builder.compile(checkpointer=in_a_file)
    for thread, first in (("bad", 0), ("good", 3)):
        graph.invoke({"count": first, "text": ""}, {"configurable": {"thread_id": thread}})
    with fresh_database(pg_server) as server:
        report = Moving(in_a_file).export_to(server)
        [problem] = report.problems
        assert (report.moved, problem.thread, problem.outcome) == (1, "bad", "failed")
        assert "PostgreSQL cannot store a value" in str(problem.error)
        with opened(server) as stock:
            assert {saved.config["configurable"]["thread_id"] for saved in stock.saver.list(None)} == {"good"}
