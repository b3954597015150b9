"""The words in which the saver describes itself and errors: its users' own, all at once, and at the call."""

from __future__ import annotations

import asyncio
import sqlite3
import threading
import time
from collections.abc import Awaitable, Callable
from contextlib import closing
from pathlib import Path
from secrets import token_bytes
from typing import Any, get_type_hints

import pytest
from langgraph.checkpoint.base import empty_checkpoint
from langgraph.checkpoint.postgres import PostgresSaver
from langgraph.checkpoint.sqlite import SqliteSaver

from eventstore import BadInputError, ConflictError, EventStore, NotAStoreError, SchemaError, UnknownOptionError
from eventstore.options import StoreOptions
from langgraph.checkpoint.eventstore import EventStoreSaver
from tests.support.histories import an_agent, config, hello
from tests.support.saving import at, id_of, save

# --- options ---


@pytest.mark.parametrize(
    ("wrong", "meant"),
    [
        ("pool_sise", "pool_size"),
        ("shema", "schema"),
        ("concurrent_run", "concurrent_runs"),
        ("cache_byte", "cache_bytes"),
    ],
)
def test_a_misspelled_option_fails_at_the_call_with_the_name_that_was_meant(
    tmp_path: Path, wrong: str, meant: str
) -> None:
    with pytest.raises(UnknownOptionError, match=f"{wrong!r} .did you mean {meant!r}") as refused:
        EventStoreSaver.from_conn_string(f"sqlite:///{tmp_path / 'no.db'}", **{wrong: 1})  # type: ignore[arg-type]
    assert refused.value.options == (wrong,)
    assert isinstance(refused.value, TypeError)
    assert not [*tmp_path.iterdir()]


def test_all_wrong_options_are_named_at_once(saver: EventStoreSaver, url: str) -> None:
    for call in (
        lambda: EventStore.open(url, pool_sise=1, shema="x", zzz=0),  # type: ignore[call-arg]
        lambda: EventStoreSaver.from_conn_string(url, pool_sise=1, shema="x", zzz=0),  # type: ignore[call-arg]
        lambda: EventStoreSaver(saver.store, cache_byte=1, zzz=0),  # type: ignore[call-arg]
        lambda: saver.history.replay(None, "t", "c", "node", targt="x", zzz=0),  # type: ignore[arg-type, call-arg]
    ):
        with pytest.raises(UnknownOptionError, match=r"did you mean.*'zzz'"):
            call()


def test_options_that_make_no_sense_fail_at_the_call_all_at_once(url: str) -> None:
    with pytest.raises(BadInputError, match=r"pool_size is 0.*busy_timeout is -1.*prepare is 'no'"):
        EventStoreSaver.from_conn_string(url, pool_size=0, busy_timeout=-1, prepare="no")  # type: ignore[arg-type]
    with pytest.raises(BadInputError, match="max_value_bytes"):
        EventStoreSaver.from_conn_string(url, max_value_bytes=0)


def test_the_typed_options_are_those_of_a_store() -> None:
    hints = get_type_hints(EventStore.open)
    named = {name: hint for name, hint in hints.items() if name not in ("url", "migrate", "return")}
    assert named == get_type_hints(StoreOptions)


def test_a_store_that_makes_no_sense_leaves_no_file(tmp_path: Path) -> None:
    with pytest.raises(BadInputError, match="max_value_bytes"):
        EventStore.open(tmp_path / "no.db", max_value_bytes=0)
    assert not [*tmp_path.iterdir()]


# --- databases that are no stores ---


def test_an_empty_database_of_postgres_is_no_store_yet(postgres_url: str) -> None:
    with pytest.raises(SchemaError, match=r"there is no store yet in schema 'eventstore' of postgresql://") as refused:
        EventStore.open(postgres_url, migrate=False)
    assert "migration 0" not in str(refused.value)
    assert refused.value.found == 0


def test_the_file_of_langgraphs_own_saver_is_recognised(tmp_path: Path) -> None:
    path = tmp_path / "stock.db"
    with SqliteSaver.from_conn_string(str(path)) as stock:
        stock.setup()
    with pytest.raises(NotAStoreError, match=r"LangGraph's SqliteSaver: name another file; .*eventstore import"):
        EventStore.open(path)


def test_the_database_of_langgraphs_own_saver_is_recognised(postgres_url: str) -> None:
    with PostgresSaver.from_conn_string(postgres_url) as stock:
        stock.setup()
    with pytest.raises(SchemaError, match="holds the tables of LangGraph's PostgresSaver in 'public'"):
        EventStore.open(postgres_url, migrate=False)
    with pytest.raises(NotAStoreError, match="PostgresSaver: name another schema"):
        EventStore.open(postgres_url, schema="public")
    EventStore.open(postgres_url).close()  # beside it there is room


# --- conflicts ---


def test_a_run_that_comes_late_reads_what_happened(make_saver: Callable[..., EventStoreSaver]) -> None:
    saver = make_saver(concurrent_runs="reject")
    save(saver, 1, thread="chat")
    late = saver.get_tuple(at("chat"))
    assert late
    save(saver, 2, thread="chat", parent=1)
    metadata: Any = {"source": "loop", "step": 2, "parents": {}}
    with pytest.raises(ConflictError, match="another run has saved to thread 'chat' meanwhile") as refused:
        saver.put(late.config, {**empty_checkpoint(), "id": id_of(3)}, metadata, {})
    assert id_of(2) in str(refused.value)
    assert "stream" not in str(refused.value)


# --- by whom, and why ---


async def test_deleting_and_pruning_say_by_whom_and_why(saver: EventStoreSaver) -> None:
    graph, ann = an_agent(saver), {"user": "ann"}
    for thread in "abcdefg":
        graph.invoke(hello(), {**config(thread), "metadata": {"run_id": f"run {thread}"}})
    saver.delete_thread("a", by=ann, reason="asked to")
    saver.prune(["b"], by=ann, reason="old")
    saver.delete_for_runs(["run c"], by=ann, reason="wrong")
    saver.copy_thread("g", "copy", by=ann, reason="try")
    await saver.adelete_thread("d", by=ann, reason="asked to")
    await saver.aprune(["e"], by=ann, reason="old")
    await saver.adelete_for_runs(["run f"], by=ann, reason="wrong")
    told = saver.history.audit.query(metadata=ann, newest_first=False).entries
    assert [(entry.topic, entry.metadata["reason"]) for entry in told] == [
        ("thread.deleted", "asked to"),
        ("thread.pruned", "old"),
        ("runs.deleted", "wrong"),
        ("stream.forked", "try"),
        ("thread.deleted", "asked to"),
        ("thread.pruned", "old"),
        ("runs.deleted", "wrong"),
    ]


def test_what_is_not_there_is_passed_over_as_langgraph_does_unless_that_is_not_allowed(saver: EventStoreSaver) -> None:
    save(saver, 1, thread="t")
    for call in (
        lambda **options: saver.prune(["nope", "t", "no"], **options),
        lambda **options: saver.prune(["nope", "t", "no"], strategy="delete", dry_run=True, **options),
        lambda **options: saver.delete_for_runs(["nope", "no"], **options),
    ):
        with pytest.raises(LookupError, match="'nope', 'no'"):
            call(missing_ok=False)
        call()
    with pytest.raises(LookupError, match="'nope'"):
        saver.delete_thread("nope", missing_ok=False)
    saver.delete_thread("nope")
    for strict in (saver.checkpoints.prune, saver.checkpoints.delete_runs):
        with pytest.raises(LookupError, match="'nope', 'no'"):
            strict(["nope", "no"])
    assert saver.get_tuple(at("t"))


@pytest.mark.parametrize("forget", ["delete_thread", "prune", "delete_for_runs"])
def test_what_was_deleted_is_not_in_the_write_ahead_log_either(tmp_path: Path, forget: str) -> None:
    path, secret = tmp_path / "store.db", token_bytes(300)  # which no compression hides
    with EventStoreSaver.from_conn_string(f"sqlite:///{path}") as saver:
        graph = an_agent(saver)
        graph.invoke(hello(), {**config(), "metadata": {"run_id": "r"}})
        graph.update_state({**config(), "metadata": {"run_id": "r"}}, {"draft": secret}, as_node="model")
        graph.update_state(config(), {"draft": "no secret"}, as_node="model")
        log = path.with_name("store.db-wal")
        assert secret in log.read_bytes() + path.read_bytes()
        named: Any = {"delete_thread": "t", "prune": ["t"], "delete_for_runs": ["r"]}
        getattr(saver, forget)(named[forget])
        assert log.stat().st_size == 0
        assert secret not in log.read_bytes() + path.read_bytes()
        assert saver.store.purge()


def test_a_reader_elsewhere_keeps_the_log_and_purge_says_so(tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    with EventStoreSaver.from_conn_string(f"sqlite:///{path}") as saver:
        save(saver, 1, thread="t")
        with closing(sqlite3.connect(path, isolation_level=None)) as reader:
            reader.execute("BEGIN")
            reader.execute("SELECT count(*) FROM events").fetchall()
            saver.delete_thread("t")
            assert not saver.store.purge()
        assert saver.store.purge()
        assert path.with_name("store.db-wal").stat().st_size == 0


def test_the_log_of_postgres_is_the_servers_matter(postgres_url: str) -> None:
    with EventStore.open(postgres_url) as store:
        assert store.purge() is False


# --- opening ---


async def test_opening_a_store_leaves_the_event_loop_free(url: str, tmp_path: Path) -> None:
    """Another connection's write lock makes the opening wait: meanwhile the loop goes on."""
    path = tmp_path / "held.db"
    with closing(sqlite3.connect(path, isolation_level=None, check_same_thread=False)) as holder:
        holder.execute("PRAGMA journal_mode = WAL")
        holder.execute("BEGIN IMMEDIATE")
        beats = 0

        async def beat() -> None:
            nonlocal beats
            while True:
                beats += 1
                await asyncio.sleep(0.01)

        heart = asyncio.create_task(beat())
        threading.Timer(0.4, lambda: holder.execute("ROLLBACK")).start()
        began = time.monotonic()
        store = await EventStore.aopen(f"sqlite:///{path}", pool_size=2)
        assert time.monotonic() - began > 0.2
        assert beats > 10
        heart.cancel()
        await store.aclose()
    async with EventStoreSaver.from_conn_string(url) as saver:
        assert await saver.store.ahead("t") is None


OPENINGS: list[Callable[[str], Awaitable[object]]] = [
    EventStore.aopen,
    lambda url: EventStoreSaver.from_conn_string(url).__aenter__(),
]


@pytest.mark.parametrize("opening", OPENINGS)
async def test_an_opening_that_is_cancelled_leaves_nothing_open(
    tmp_path: Path, opening: Callable[[str], Awaitable[object]]
) -> None:
    """The last connection to close removes SQLite's write-ahead log."""
    path = tmp_path / "store.db"
    with closing(sqlite3.connect(path, isolation_level=None, check_same_thread=False)) as holder:
        holder.execute("PRAGMA journal_mode = WAL")
        holder.execute("BEGIN IMMEDIATE")
        task = asyncio.ensure_future(opening(f"sqlite:///{path}"))
        await asyncio.sleep(0.1)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        holder.execute("ROLLBACK")
    deadline = time.monotonic() + 20
    while not has_tables(path) or path.with_name("store.db-wal").exists():
        assert time.monotonic() < deadline
        await asyncio.sleep(0.01)


def has_tables(path: Path) -> bool:
    with closing(sqlite3.connect(path)) as looking:
        return bool(looking.execute("SELECT 1 FROM sqlite_schema WHERE name = 'streams'").fetchall())


# --- objects ---


def test_objects_say_what_they_are_on_one_line(tmp_path: Path) -> None:
    path = tmp_path / "agents.db"
    opening = EventStoreSaver.from_conn_string(f"sqlite:///{path}", concurrent_runs="reject")
    assert repr(opening) == "OpeningSaver(not open yet)"
    with opening as saver:
        store = f"EventStore(sqlite:///{path}, 0 threads)"
        assert repr(saver.store) == store
        save(saver, 1, thread="one")
        assert repr(saver.store) == store.replace("0 threads", "1 thread")
        for number in range(11):
            save(saver, 1, thread=f"thread {number}")
        store = store.replace("0 threads", "12 threads")
        assert repr(saver.store) == store
        assert repr(saver) == f"EventStoreSaver({store}, concurrent_runs='reject')"
        assert repr(saver.checkpoints) == f"Checkpoints({store})"
        assert repr(saver.history) == f"History({saver!r})"
        assert repr(saver.history.audit) == f"Audit({store})"
        with saver.store.subscribe() as subscription:
            assert repr(subscription) == f"Subscription(sqlite:///{path}, 12 threads, after=0)"
        # Neither a writer under way, nor a file that is gone, keeps it from being shown.
        with closing(sqlite3.connect(path, isolation_level=None)) as holder:
            holder.execute("BEGIN IMMEDIATE")
            assert repr(saver.store) == store
    assert repr(saver.store) == "EventStore(closed)"
    with EventStore.open(":memory:") as memory:
        assert repr(memory) == "EventStore(sqlite:///:memory:)"


def test_no_object_shows_a_password(postgres_url: str) -> None:
    secret = "pass-word-of-mine"
    with_password = postgres_url.replace("://", f"://someone:{secret}@", 1) if "@" not in postgres_url else postgres_url
    with EventStoreSaver.from_conn_string(postgres_url) as saver:
        assert repr(saver.store).startswith("EventStore(postgresql://")
        assert repr(saver.store).endswith("schema 'eventstore')")
        assert secret not in repr(saver)
    assert secret not in repr(EventStoreSaver.from_conn_string(with_password))
