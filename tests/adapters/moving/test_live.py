"""An application changes over without downtime: each old thread comes in before it is first used, and only then."""

from __future__ import annotations

import gc
import inspect
import operator
import os
import sqlite3
import weakref
from collections.abc import Callable
from contextlib import closing, suppress
from pathlib import Path
from typing import Annotated, Any, TypedDict

import psycopg
import pytest
from langgraph.checkpoint.base import CheckpointTuple
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.checkpoint.postgres.aio import AsyncPostgresSaver
from langgraph.checkpoint.sqlite.aio import AsyncSqliteSaver
from langgraph.graph import START, StateGraph
from langgraph.types import Command, interrupt

from eventstore import (
    BadInputError,
    ConflictError,
    EventStoreError,
    InvalidIdError,
    NotAStoreError,
    NotFoundError,
    UnavailableError,
)
from langgraph.checkpoint.eventstore import EventStoreSaver, checkpointer
from langgraph.checkpoint.eventstore.moving import Moving, MovingFrom
from tests.conftest import fresh_database
from tests.support.flavour import Flavour
from tests.support.observation import assert_same
from tests.support.processes import Pipe, child
from tests.support.races import in_threads
from tests.support.stage import DURABILITIES, Durability, Stage
from tests.support.stock import Stock, opened, seen
from tests.support.stories import Story, each_story, tell

MakeSaver = Callable[..., EventStoreSaver]
in_both_databases = pytest.mark.parametrize(("kind", "backend"), [("sqlite", "sqlite"), ("postgres", "postgres")])


class Log(TypedDict, total=False):
    log: Annotated[list[str], operator.add]


def ask(state: Log) -> Log:
    return {"log": [interrupt("?")]}


def asking(saver: Any) -> Any:
    builder = StateGraph(Log)
    builder.add_node("ask", ask)
    return builder.add_edge(START, "ask").compile(checkpointer=saver)


def at(thread: str) -> Any:
    return {"configurable": {"thread_id": thread}}


def begin(old: Stock, *threads: str, run: str | None = None) -> None:
    """Let threads ask their question, as the old application did."""
    for thread in threads:
        asking(old.saver).invoke({"log": [thread]}, {**at(thread), "metadata": {"run_id": run} if run else {}})


def threads_here(saver: EventStoreSaver) -> list[str]:
    return [each.name for each in saver.store.streams().streams]


def ids(found: Any) -> list[str]:
    return [each.config["configurable"]["checkpoint_id"] for each in found]


# --- what comes in, and when --------------------------------------------------------------------------------------


@each_story
@pytest.mark.parametrize(
    ("kind", "backend", "durability", "flavour"),
    [
        ("memory", "sqlite", "exit", Flavour.ASYNC),
        ("sqlite", "postgres", "async", Flavour.SYNC),
        ("postgres", "sqlite", "sync", Flavour.ASYNC),
    ],
)
def test_a_thread_goes_on_here_as_it_would_have_there(
    old: Stock, make_saver: MakeSaver, flavour: Flavour, story: Story, durability: Durability
) -> None:
    stage = Stage(old.saver, Flavour.SYNC, durability)
    graph = stage.compile(story.graph(), **story.options)
    stage.perform(lambda stage: tell(stage, graph, story.before))
    results: list[Any] = []

    async def goes_on(stage: Stage) -> None:
        results.append(await tell(stage, graph, story.after))

    saver = make_saver(moving_from=old.origin)
    stage.saver = graph.checkpointer = saver
    stage.flavour = flavour
    stage.perform(goes_on)
    assert results[0]["log"] == story.end
    thread = stage.here()["configurable"]["thread_id"]
    assert saver.history.check(thread).ok
    assert saver.store.verify(thread).events


@pytest.mark.parametrize("durability", DURABILITIES)
@in_both_databases
async def test_async_savers_are_changed_over_from_too(
    kind: str, old_url: str, make_saver: MakeSaver, durability: Durability
) -> None:
    path = old_url.removeprefix("sqlite:///")
    stock = AsyncSqliteSaver if kind == "sqlite" else AsyncPostgresSaver
    async with stock.from_conn_string(path) as theirs:
        await theirs.setup()
        await asking(theirs).ainvoke({"log": ["a"]}, at("a"))
        graph = asking(make_saver(moving_from=old_url))
        assert await graph.ainvoke(Command(resume="yes"), at("a"), durability=durability) == {"log": ["a", "yes"]}
        assert [each.values["log"] async for each in graph.aget_state_history(at("a"), limit=1)] == [["a", "yes"]]
        assert (await asking(theirs).aget_state(at("a"))).values == {"log": ["a"]}


@in_both_databases
@pytest.mark.parametrize("durability", DURABILITIES)
def test_only_what_is_asked_for_comes_in_and_only_this_store_is_written_to(
    old: Stock, make_saver: MakeSaver, durability: Durability
) -> None:
    begin(old, "a", "b")
    before = seen(old.saver, "a", "b")
    saver = make_saver(moving_from=MovingFrom(old.origin, by={"user": "ann"}))
    graph = asking(saver)
    assert graph.get_state(at("never")).values == {}
    assert threads_here(saver) == []
    assert_same(seen(saver, "a"), seen(old.saver, "a"))
    assert graph.invoke(Command(resume="yes"), at("a"), durability=durability) == {"log": ["a", "yes"]}
    assert graph.invoke({"log": ["new"]}, at("new"), durability=durability)["log"] == ["new"]
    assert threads_here(saver) == ["a", "new"]
    assert_same(seen(old.saver, "a", "b"), before)
    [described] = [each for each in saver.store.streams().streams if each.name == "a"]
    assert described.metadata["imported_user"] == "ann"


WAYS: dict[str, Callable[[EventStoreSaver, str], Any]] = {
    "get_tuple": lambda saver, thread: saver.get_tuple(at(thread)),
    "get": lambda saver, thread: saver.get(at(thread)),
    "list": lambda saver, thread: [*saver.list(at(thread))],
    "get_delta_channel_history": lambda saver, thread: saver.get_delta_channel_history(
        config=at(thread), channels=["log"]
    ),
    "put": lambda saver, thread: saver.put(at(thread), first_checkpoint(), {}, {}),
    "put_writes": lambda saver, thread: saver.put_writes(at_checkpoint(thread), [("log", ["said"])], "a task"),
    "bring_in": lambda saver, thread: saver.bring_in(thread),
    "replaying": lambda saver, thread: saver.replaying(thread),
    "usage": lambda saver, thread: saver.history.usage(thread),
    "copy_thread": lambda saver, thread: saver.copy_thread(thread, "its copy"),
    "copy_thread to": lambda saver, thread: saver.copy_thread("other", thread),
    "prune": lambda saver, thread: saver.prune([thread]),
    "prune, dry": lambda saver, thread: saver.prune([thread], strategy="delete", dry_run=True),
    "delete_thread": lambda saver, thread: saver.delete_thread(thread),
    "delete_for_runs": lambda saver, thread: saver.delete_for_runs([f"run of {thread}"]),
    "timeline": lambda saver, thread: [*saver.history.timeline(thread)],
    "page": lambda saver, thread: saver.history.page([thread]),
    "at": lambda saver, thread: saver.history.at(thread, back_turns=1),
    "state": lambda saver, thread: saver.history.state(thread),
    "diff": lambda saver, thread: saver.history.diff(thread),
    "blame": lambda saver, thread: saver.history.blame(thread, "log"),
    "answers": lambda saver, thread: [*saver.history.answers(thread)],
    "shapes": lambda saver, thread: [*saver.history.shapes(thread)],
    "rollback": lambda saver, thread: saver.history.rollback(thread, back=0),
    "undo": lambda saver, thread: saver.history.undo(thread),
    "fork": lambda saver, thread: saver.history.fork(thread, "its fork"),
    "fork to": lambda saver, thread: saver.history.fork("other", thread),
    "tree": lambda saver, thread: saver.history.tree(thread),
    "compare": lambda saver, thread: saver.history.compare("other", thread),
    "switch": lambda saver, thread: saver.history.switch(thread, "nowhere"),
    "promote": lambda saver, thread: saver.history.promote(thread, "other"),
    "promote over": lambda saver, thread: saver.history.promote("other", thread),
    "promote, keep_as": lambda saver, thread: saver.history.promote("third", "other", keep_as=thread),
    "delete_branch": lambda saver, thread: saver.history.delete_branch(thread),
    "points": lambda saver, thread: saver.history.points(thread),
    "check": lambda saver, thread: saver.history.check(thread),
    "affected": lambda saver, thread: saver.history.affected(asking(saver), thread, "nowhere", "ask"),
    "replay": lambda saver, thread: saver.history.replay(asking(saver), thread, "nowhere", "ask"),
    "replay to": lambda saver, thread: saver.history.replay(asking(saver), "other", "nowhere", "ask", target=thread),
}
# They name no thread, or only where they read nothing of it.
NO_THREADS = {
    "health",
    "recording",
    "stalled",
    "from_conn_string",
    "from_pool",
    "get_next_version",
    "setup",
    "with_allowlist",
}


def first_checkpoint() -> Any:
    from langgraph.checkpoint.base import empty_checkpoint

    return empty_checkpoint()


def at_checkpoint(thread: str) -> Any:
    return {"configurable": {"thread_id": thread, "checkpoint_ns": "", "checkpoint_id": "1f000000"}}


def test_all_methods_that_name_threads_are_among_the_ways(in_a_file: EventStoreSaver) -> None:
    public = {
        name
        for of in (in_a_file, in_a_file.history)
        for name, method in inspect.getmembers(of, inspect.ismethod)
        if not name.startswith("_") and not (name.startswith("a") and hasattr(of, name[1:]))
    }
    assert public - NO_THREADS - {way.partition(" ")[0].rstrip(",") for way in WAYS} == set()


@pytest.mark.parametrize("way", WAYS)
def test_whatever_names_a_thread_first_finds_it(from_sqlite: Stock, sqlite_url: str, way: str) -> None:
    begin(from_sqlite, "a", run="run of a")
    begin(from_sqlite, "other", "third")
    with EventStoreSaver.from_conn_string(sqlite_url, moving_from=from_sqlite.origin) as saver:
        with suppress(ConflictError, NotFoundError, BadInputError):  # what each of them says of such a thread
            WAYS[way](saver, "a")
        came = saver.store.head("a") is not None or saver.store.log.was_given_up("a")
        assert came
        assert saver.history.check("other").ok


@in_both_databases
def test_what_is_saved_before_anything_is_read_follows_what_was_there(
    kind: str, old: Stock, make_saver: MakeSaver
) -> None:
    begin(old, "a")
    latest = old.saver.get_tuple(at("a"))
    saver = make_saver(moving_from=old.origin)
    saver.put_writes(latest.config, [("log", ["said"])], "a task")
    found = saver.get_tuple(at("a"))
    assert found
    assert found.config == latest.config
    assert ("a task", "log", ["said"]) in (found.pending_writes or ())


@pytest.mark.parametrize(("kind", "backend"), [("memory", "sqlite"), ("sqlite", "postgres"), ("postgres", "sqlite")])
def test_a_listing_of_all_threads_shows_all_and_brings_in_what_it_comes_to(old: Stock, make_saver: MakeSaver) -> None:
    names = [f"t{number:02}" for number in range(30)]
    begin(old, *names)
    saver = make_saver(moving_from=old.origin)
    asking(saver).invoke({"log": ["new"]}, at("new"))
    everything = sorted(
        ids(saved for name in names for saved in old.saver.list(at(name))) + ids(saver.list(at("new"))), reverse=True
    )
    assert ids(saver.list(None, limit=3)) == everything[:3]
    assert set(names) - set(threads_here(saver))
    middle: Any = {"configurable": {"checkpoint_id": everything[40]}}
    assert ids(saver.list(None, before=middle, limit=5)) == everything[41:46]
    assert ids(saver.list(None)) == everything
    assert len([*saver.list(None, filter={"source": "input"})]) == 31
    assert threads_here(saver) == ["new", *names]


# --- what was deleted here ----------------------------------------------------------------------------------------


@in_both_databases
def test_a_thread_that_was_deleted_here_does_not_come_back(kind: str, old: Stock, make_saver: MakeSaver) -> None:
    begin(old, "read", "unread", "pruned", "of a run", run="r1")
    begin(old, "kept")
    saver = make_saver(moving_from=old.origin)
    assert saver.get_tuple(at("read"))
    saver.delete_thread("read", by={"user": "ann"})
    saver.delete_thread("unread", by={"user": "ann"}, missing_ok=False)
    saver.prune(["pruned", "kept"], strategy="delete", missing_ok=False)
    saver.delete_for_runs(["r1"], missing_ok=False)
    for each in (saver, make_saver(moving_from=old.origin)):  # the second as after a restart
        assert {each.get_tuple(at(thread)) for thread in ("read", "unread", "pruned", "of a run", "kept")} == {None}
        assert [*each.list(None)] == []
    saver.checkpoints.rebuild()
    assert saver.get_tuple(at("unread")) is None
    saver.store.verify()
    report = Moving(saver).import_from(old.origin)
    assert (report.moved, report.checkpoints) == (0, 0)
    # What begins anew under such an id is a thread like any other.
    assert asking(saver).invoke({"log": ["anew"]}, at("unread"))["log"] == ["anew"]


def test_a_thread_that_is_in_neither_place_is_not_there(from_sqlite: Stock, sqlite_url: str) -> None:
    with EventStoreSaver.from_conn_string(sqlite_url, moving_from=from_sqlite.origin) as saver:
        with pytest.raises(NotFoundError):
            saver.delete_thread("never", missing_ok=False)
        saver.delete_thread("never")
        assert not saver.store.log.was_given_up("never")


def test_a_thread_that_is_named_twice_is_deleted_once(from_sqlite: Stock, in_a_file: EventStoreSaver) -> None:
    begin(from_sqlite, "a")
    saver = EventStoreSaver(in_a_file.store, moving_from=from_sqlite.origin)
    saver.prune(["a", "a"], strategy="delete", missing_ok=False)
    saver.checkpoints.delete("a", missing_ok=True, leaving_mark=True)
    assert len([*saver.store.feed()]) == 1
    assert saver.store.log.was_given_up("a")


class Meanwhile(InMemorySaver):
    """A saver of an application in which something happens whenever a checkpoint is read."""

    happens: Callable[[], object] = staticmethod(lambda: None)

    def get_tuple(self, config: Any) -> CheckpointTuple | None:
        self.happens()
        return super().get_tuple(config)


def test_a_deletion_while_a_thread_comes_in_counts(make_saver: MakeSaver) -> None:
    theirs = Meanwhile()
    begin(Stock(theirs, theirs), "a")
    other = make_saver()

    def deleted_once() -> None:
        if not other.store.log.was_given_up("a"):
            other.checkpoints.delete("a", missing_ok=True, leaving_mark=True)

    theirs.happens = deleted_once
    saver = make_saver(moving_from=theirs)
    assert saver.get_tuple(at("a")) is None
    assert threads_here(saver) == []


def test_an_import_takes_another_look_at_a_thread_that_comes_in_meanwhile(make_saver: MakeSaver) -> None:
    theirs = Meanwhile()
    begin(Stock(theirs, theirs), "a")
    quiet = InMemorySaver()
    quiet.storage, quiet.writes, quiet.blobs = theirs.storage, theirs.writes, theirs.blobs
    live = make_saver(moving_from=quiet)
    theirs.happens = lambda: live.bring_in("a")
    report = Moving(make_saver()).import_from(theirs)
    assert report.ok
    assert (report.moved, report.up_to_date) == (0, 1)


def test_an_error_after_a_thread_was_written_does_not_say_that_nothing_was_stored(make_saver: MakeSaver) -> None:
    theirs = Meanwhile()
    begin(Stock(theirs, theirs), "a")
    here = make_saver()

    def breaks_down() -> None:
        if here.store.head("a"):
            raise UnavailableError("it broke down")

    theirs.happens = breaks_down
    saver = make_saver(moving_from=theirs)
    with pytest.raises(UnavailableError) as broken:
        saver.bring_in("a")
    assert "here whole, but was not compared" in broken.value.__notes__[0]
    assert saver.get_tuple(at("a"))


async def test_threads_are_brought_in_by_hand_as_configs_name_them(
    from_sqlite: Stock, in_a_file: EventStoreSaver
) -> None:
    begin(from_sqlite, "7", "8")
    saver = EventStoreSaver(in_a_file.store, moving_from=from_sqlite.origin)
    number: Any = 7
    saver.bring_in(number)
    await saver.abring_in("8")
    assert threads_here(saver) == ["7", "8"]
    refused: Any
    for refused in (None, "", ["7"], "nul\0"):
        with pytest.raises(InvalidIdError, match="thread_id"):
            saver.bring_in("never", refused)


class Held:
    """Something that a store is to close."""

    def close(self) -> None:
        """Close it."""


def test_a_store_keeps_nothing_of_a_saver_that_is_gone(in_a_file: EventStoreSaver) -> None:
    held = Held()
    in_a_file.workers.at_close(held.close)
    gone = weakref.ref(held)
    del held
    gc.collect()
    assert gone() is None


def test_a_branch_that_took_another_threads_place_does_not_come_in_again(
    in_a_file: EventStoreSaver, tmp_path: Path
) -> None:
    asking(in_a_file).invoke({"log": ["a"]}, at("a"))
    in_a_file.history.fork("a", "b")
    Moving(in_a_file).export_to(tmp_path / "old.db")
    in_a_file.history.promote("b", "a", keep_as="a before")
    here = threads_here(in_a_file)
    report = Moving(in_a_file).import_from(tmp_path / "old.db")
    assert (report.moved, threads_here(in_a_file)) == (0, here)
    saver = EventStoreSaver(in_a_file.store, moving_from=tmp_path / "old.db")
    assert saver.get_tuple(at("b")) is None
    assert threads_here(in_a_file) == here


@in_both_databases
def test_a_name_that_a_thread_had_between_two_others_does_not_come_in(
    kind: str, old: Stock, make_saver: MakeSaver
) -> None:
    begin(old, "a")
    saver = make_saver(moving_from=old.origin)
    saver.history.fork("a", "b")
    saver.history.promote("b", "a", keep_as="between")
    saver.history.promote("between", "a", keep_as="after")
    begin(old, "between")
    for each in (saver, make_saver(moving_from=old.origin)):
        assert each.get_tuple(at("between")) is None
    [left] = Moving(saver).import_from(old.origin, threads=["between"]).problems
    assert (left.outcome, threads_here(saver)) == ("gone on", ["a", "after"])


# --- at the same time ---------------------------------------------------------------------------------------------


@in_both_databases
def test_threads_of_control_that_ask_at_once_bring_each_in_once(kind: str, old: Stock, make_saver: MakeSaver) -> None:
    names = [f"t{number}" for number in range(6)]
    begin(old, *names)
    savers = [make_saver(moving_from=old.origin) for _ in range(2)]
    found = in_threads(lambda number: [savers[number % 2].get_tuple(at(name)) for name in names], 6)
    assert all(each for answers in found for each in answers)
    assert sorted(threads_here(savers[0])) == names
    for name in names:
        assert_same(seen(savers[0], name), seen(old.saver, name))


def read_all(pipe: Pipe, url: str, origin: str, names: list[str]) -> None:
    """Read threads when told to, and say how many there were."""
    with EventStoreSaver.from_conn_string(url, moving_from=origin) as saver:
        pipe.send("ready")
        pipe.recv()
        pipe.send(sum(saver.get_tuple(at(name)) is not None for name in names))


@in_both_databases
def test_processes_that_ask_at_once_bring_each_in_once(kind: str, old: Stock, url: str, make_saver: MakeSaver) -> None:
    names = [f"t{number}" for number in range(6)]
    begin(old, *names)
    saver = make_saver()
    with child(read_all, url, old.origin, names) as one, child(read_all, url, old.origin, names) as other:
        for each in (one, other):
            assert each.pipe.recv() == "ready"
        for each in (one, other):
            each.pipe.send("go")
        assert one.pipe.recv() == other.pipe.recv() == len(names)
    assert_same(seen(saver, *names), seen(old.saver, *names))


@in_both_databases
def test_readers_writers_and_deleters_do_not_wait_for_each_other_forever(
    kind: str, old: Stock, make_saver: MakeSaver
) -> None:
    names = [f"t{number}" for number in range(5)]
    begin(old, *names)
    savers = [make_saver(moving_from=old.origin) for _ in range(2)]

    def work(number: int) -> None:
        saver = savers[number % 2]
        for name in names:
            with suppress(ConflictError, NotFoundError):
                if number < 2:
                    saver.delete_thread(name)
                elif number < 4:
                    saver.history.rollback(name, back=0)
                else:
                    saver.get_tuple(at(name))

    in_threads(work, 6)
    for saver in savers:
        assert [saver.get_tuple(at(name)) for name in names] == [None] * len(names)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="processes do not fork here")
@in_both_databases
def test_a_child_of_the_process_reads_on_a_connection_of_its_own(kind: str, old: Stock, make_saver: MakeSaver) -> None:
    begin(old, "a", "b", "c")
    saver = make_saver(moving_from=old.origin)
    assert saver.get_tuple(at("a"))
    number = os.fork()
    if not number:
        os._exit(0 if saver.get_tuple(at("b")) else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(number, 0)[1]) == 0
    assert saver.get_tuple(at("c"))
    assert threads_here(saver) == ["a", "b", "c"]


# --- the old application ------------------------------------------------------------------------------------------


@in_both_databases
def test_what_an_old_run_writes_after_a_thread_came_in_stays_there_and_is_told(
    kind: str, old: Stock, make_saver: MakeSaver
) -> None:
    begin(old, "a", "b")
    saver = make_saver(moving_from=old.origin)
    here, there = asking(saver), asking(old.saver)
    for thread in ("a", "b"):
        assert here.get_state(at(thread)).next == ("ask",)
        there.invoke(Command(resume="there"), at(thread))
    here.invoke(Command(resume="here"), at("a"))
    assert here.get_state(at("a")).values["log"] == ["a", "here"]
    with pytest.raises(ConflictError, match="'a'"):
        Moving(saver).import_from(old.origin)
    # Where nothing was done here since, it is caught up with.
    assert Moving(saver).import_from(old.origin, existing="skip").moved == 1
    assert here.get_state(at("b")).values["log"] == ["b", "there"]


def test_a_connection_that_broke_is_opened_again_and_without_the_old_database_nothing_is_stored(
    pg_server: str, sqlite_url: str
) -> None:
    with fresh_database(pg_server) as url:
        name = url.rpartition("/")[2].partition("?")[0]
        with opened(url) as stock:
            begin(stock, "a", "b", "c")
        with (
            psycopg.connect(pg_server, autocommit=True) as admin,
            EventStoreSaver.from_conn_string(sqlite_url, moving_from=url) as saver,
        ):
            end_sessions = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s"
            assert saver.get_tuple(at("a"))
            admin.execute(end_sessions, [name])
            assert saver.get_tuple(at("b"))
            admin.execute(end_sessions, [name])
            admin.execute(f'ALTER DATABASE "{name}" RENAME TO "{name}_away"')
            for asked in (
                lambda: saver.get_tuple(at("c")),
                lambda: saver.delete_thread("c"),
                lambda: [*saver.list(None)],
                lambda: asking(saver).invoke({"log": ["new"]}, at("new")),
            ):
                with pytest.raises(UnavailableError, match=f"moving_from.*{name}"):
                    asked()
            assert saver.get_tuple(at("a"))  # it needs nothing from there any more
            assert threads_here(saver) == ["a", "b"]
            admin.execute(f'ALTER DATABASE "{name}_away" RENAME TO "{name}"')
            assert saver.get_tuple(at("c"))


def test_a_thread_that_cannot_come_in_says_why_as_an_import_does(
    from_sqlite: Stock, sqlite_url: str, tmp_path: Path
) -> None:
    begin(from_sqlite, "a", "b")
    with closing(sqlite3.connect(tmp_path / "old.db")) as connection, connection:
        connection.execute("UPDATE writes SET type = 'pickle' WHERE thread_id = 'a'")
    with EventStoreSaver.from_conn_string(sqlite_url, moving_from=from_sqlite.origin) as saver:
        [problem] = Moving(EventStoreSaver(saver.store)).import_from(from_sqlite.origin, threads=["a"]).problems
        for asked in (lambda: saver.get_tuple(at("a")), lambda: saver.put(at("a"), first_checkpoint(), {}, {})):
            with pytest.raises(EventStoreError) as refused:
                asked()
            assert str(refused.value) == problem.error
            assert "'a' was to come in from sqlite:///" in refused.value.__notes__[0]
        assert "allow_pickle=True" in str(problem.error)
        assert threads_here(saver) == []
        with pytest.raises(BadInputError, match="pickled"):
            [*saver.list(None)]
        saver.delete_thread("a")  # for which it need not come in
        assert len([*saver.list(None)]) == len([*from_sqlite.saver.list(at("b"))])


def test_bad_input_is_refused_at_the_call_or_when_it_is_opened(sqlite_url: str, tmp_path: Path) -> None:
    refused: Any
    for refused in (7, "mysql://there", ["old.db"]):
        with pytest.raises(BadInputError):
            EventStoreSaver.from_conn_string(sqlite_url, moving_from=refused)
        with pytest.raises(BadInputError):
            MovingFrom(refused)
    with pytest.raises(BadInputError):
        MovingFrom("old.db", allow_pickle="yes")  # type: ignore[arg-type]
    with pytest.raises(BadInputError):
        MovingFrom("old.db", by="ann")  # type: ignore[arg-type]
    with (
        pytest.raises(UnavailableError, match="nowhere"),
        EventStoreSaver.from_conn_string(sqlite_url, moving_from=tmp_path / "nowhere.db"),
    ):
        pass
    with pytest.raises(NotAStoreError), EventStoreSaver.from_conn_string(sqlite_url, moving_from=sqlite_url):
        pass


async def test_langgraphs_server_says_it_by_the_environment(
    from_sqlite: Stock, sqlite_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    begin(from_sqlite, "a")
    monkeypatch.setenv("EVENTSTORE_URL", sqlite_url)
    monkeypatch.setenv("EVENTSTORE_MOVING_FROM", from_sqlite.origin)
    async with checkpointer() as saver:
        assert await saver.aget_tuple(at("a"))
