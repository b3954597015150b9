"""An application changes over without a pause: each old thread comes in when it is first asked for."""

from __future__ import annotations

import operator
import threading
from collections.abc import Callable
from typing import Annotated, Any, TypedDict

import pytest
from langgraph.graph import START, StateGraph
from langgraph.types import Command, interrupt

from eventstore import BadInputError, UnavailableError
from langgraph.checkpoint.eventstore import EventStoreSaver
from langgraph.checkpoint.eventstore.moving import Moving
from tests.support.flavour import Flavour
from tests.support.observation import assert_same
from tests.support.races import in_threads
from tests.support.stage import DURABILITIES, Durability, Stage
from tests.support.stock import Stock, seen
from tests.support.stories import Story, each_story, tell

MakeSaver = Callable[..., EventStoreSaver]
in_both_databases = pytest.mark.parametrize(("kind", "backend"), [("sqlite", "sqlite"), ("postgres", "postgres")])


class Log(TypedDict, total=False):
    log: Annotated[list[str], operator.add]


def asking() -> StateGraph[Any, Any, Any, Any]:
    builder = StateGraph(Log)
    builder.add_node("ask", lambda state: {"log": [interrupt("?")]})
    return builder.add_edge(START, "ask")


def at(thread: str) -> Any:
    return {"configurable": {"thread_id": thread}}


def begun(old: Stock, *threads: str) -> None:
    """Let threads ask their question, as the old application did."""
    graph = asking().compile(checkpointer=old.saver)
    for thread in threads:
        graph.invoke({"log": [thread]}, at(thread))


def threads_here(saver: EventStoreSaver) -> list[str]:
    return [each.name for each in saver.store.streams().streams]


@each_story
@pytest.mark.parametrize(
    ("kind", "backend", "durability"),
    [("memory", "sqlite", "exit"), ("sqlite", "postgres", "async"), ("postgres", "sqlite", "async")],
)
def test_a_thread_goes_on_here_as_it_would_have_there(
    old: Stock, saver: EventStoreSaver, flavour: Flavour, story: Story, durability: Durability
) -> None:
    stage = Stage(old.saver, Flavour.SYNC, durability)
    graph = stage.compile(story.graph(), **story.options)
    stage.perform(lambda stage: tell(stage, graph, story.before))
    results: list[Any] = []

    async def goes_on(stage: Stage) -> None:
        results.append(await tell(stage, graph, story.after))

    stage.saver = graph.checkpointer = saver
    stage.flavour = flavour
    with Moving(saver).on_demand(old.origin):
        stage.perform(goes_on)
    assert results[0]["log"] == story.end
    thread = stage.here()["configurable"]["thread_id"]
    assert saver.history.check(thread).ok
    assert saver.store.verify(thread).events


@in_both_databases
@pytest.mark.parametrize("durability", DURABILITIES)
def test_only_what_is_asked_for_comes_in_and_only_this_store_is_written_to(
    old: Stock, saver: EventStoreSaver, durability: Durability
) -> None:
    begun(old, "a", "b")
    before = seen(old.saver, "a")
    graph = asking().compile(checkpointer=saver)
    with Moving(saver).on_demand(old.origin, by={"user": "ann"}):
        assert graph.get_state(at("never")).values == {}
        assert threads_here(saver) == []
        assert_same(seen(saver, "a"), before)
        assert graph.invoke(Command(resume="yes"), at("a"), durability=durability) == {"log": ["a", "yes"]}
        assert graph.invoke({"log": ["new"]}, at("new"), durability=durability)["log"] == ["new"]
        assert threads_here(saver) == ["a", "new"]
    assert_same(seen(old.saver, "a"), before)
    [described] = [each for each in saver.store.streams().streams if each.name == "a"]
    assert described.metadata["imported_user"] == "ann"
    assert graph.get_state(at("b")).values == {}  # the block has ended


@in_both_databases
def test_a_thread_that_was_deleted_here_does_not_come_back(
    kind: str, old: Stock, saver: EventStoreSaver, make_saver: MakeSaver
) -> None:
    begun(old, "a")
    with Moving(saver).on_demand(old.origin):
        assert saver.get_tuple(at("a"))
        saver.delete_thread("a")
        assert saver.get_tuple(at("a")) is None
    begun(old, "b")
    with Moving(saver).on_demand(old.origin):
        saver.delete_thread("b")  # which nobody has asked for before
        assert saver.get_tuple(at("b")) is None
    other = make_saver()
    with Moving(other).on_demand(old.origin):
        assert other.get_tuple(at("a")) is other.get_tuple(at("b")) is None


@in_both_databases
@pytest.mark.parametrize(
    "ask",
    [
        lambda saver: saver.get_tuple(at("a")),
        lambda saver: [*saver.list(at("a"))],
        lambda saver: [*saver.history.timeline("a")],
        lambda saver: saver.history.rollback("a", back=0),
        lambda saver: saver.history.fork("a", "its fork"),
        lambda saver: saver.checkpoints.latest_id("a"),
        lambda saver: saver.prune(["a"]),
        lambda saver: saver.history.check("a"),
        lambda saver: saver.copy_thread("a", "its copy") or True,
    ],
    ids=["get", "list", "timeline", "rollback", "fork", "latest_id", "prune", "check", "copy"],
)
def test_whatever_is_asked_of_a_thread_first_finds_it(
    kind: str, old: Stock, saver: EventStoreSaver, ask: Callable[[EventStoreSaver], Any]
) -> None:
    begun(old, "a")
    with Moving(saver).on_demand(old.origin):
        assert ask(saver) is not None
        assert "a" in threads_here(saver)


@in_both_databases
def test_what_is_saved_before_anything_is_read_follows_what_was_there(
    kind: str, old: Stock, saver: EventStoreSaver
) -> None:
    begun(old, "a")
    latest = old.saver.get_tuple(at("a"))
    with Moving(saver).on_demand(old.origin):
        saver.put_writes(latest.config, [("log", ["said"])], "a task")
        found = saver.get_tuple(at("a"))
    assert found
    assert found.config == latest.config
    assert ("a task", "log", ["said"]) in (found.pending_writes or ())


@in_both_databases
def test_processes_that_ask_for_the_same_threads_at_once_bring_each_in_once(
    kind: str, old: Stock, make_saver: MakeSaver
) -> None:
    names = [f"t{number}" for number in range(8)]
    begun(old, *names)
    savers = [make_saver() for _ in range(2)]
    gate = threading.Barrier(4)

    def work(number: int) -> list[Any]:
        gate.wait()
        return [savers[number % 2].get_tuple(at(name)) for name in names]

    with Moving(savers[0]).on_demand(old.origin), Moving(savers[1]).on_demand(old.origin):
        found = in_threads(work, 4)
    assert all(each for answers in found for each in answers)
    assert sorted(threads_here(savers[0])) == names
    for name in names:
        assert_same(seen(savers[0], name), seen(old.saver, name))


def test_bad_input_is_refused_and_nothing_is_left_behind(in_a_file: EventStoreSaver, from_sqlite: Stock) -> None:
    moving = Moving(in_a_file)
    with pytest.raises(UnavailableError), moving.on_demand("sqlite:///nowhere.db"):
        pass
    with pytest.raises(BadInputError), moving.on_demand(7):  # type: ignore[arg-type]
        pass
    with moving.on_demand(from_sqlite.origin):
        with pytest.raises(BadInputError, match="on demand already"), moving.on_demand(from_sqlite.origin):
            pass
        assert in_a_file.get_tuple(at("a")) is None
    with moving.on_demand(from_sqlite.origin):
        assert in_a_file.get_tuple(at("a")) is None
