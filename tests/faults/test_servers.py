"""Servers that refuse, are not there, go away, come back, or have nothing left to give."""

from __future__ import annotations

import logging
import os
import signal
import threading
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import quote, urlsplit
from uuid import uuid4

import psycopg
import pytest
from psycopg.sql import SQL, Identifier, Literal

from eventstore import (
    BusyError,
    EventStore,
    EventStoreError,
    NewEvent,
    ReadOnlyError,
    StorageFullError,
    UnavailableError,
)
from langgraph.checkpoint.eventstore import EventStoreSaver
from tests.support.counted import Bench
from tests.support.flavour import Flavour
from tests.support.races import in_threads
from tests.support.saving import Calls, at, every_write, numbers, save, shown
from tests.support.servers import Proxy, proxied
from tests.support.tables import execute, rows


def at_host(url: str, *, user: str = "", password: str = "", database: str = "", port: int = 0) -> str:
    """A URL with some of its parts replaced."""
    parts = urlsplit(url)
    user = user or str(parts.username)
    password = password or str(parts.password)
    return f"postgresql://{user}:{password}@{parts.hostname}:{port or parts.port}/{database or parts.path[1:]}"


@contextmanager
def a_role(server: str, password: str) -> Iterator[str]:
    """A role that may do everything, and has a password."""
    name = f"role_{uuid4().hex}"
    with psycopg.connect(server, autocommit=True) as admin:
        admin.execute(SQL("CREATE ROLE {} SUPERUSER LOGIN PASSWORD {}").format(Identifier(name), Literal(password)))
        yield name
        admin.execute(SQL("DROP ROLE {}").format(Identifier(name)))


def all_that_is_told(error: BaseException, log: pytest.LogCaptureFixture) -> str:
    """Everything that anybody gets to see of an error: with all of its causes, also those that are hidden."""
    told = [*traceback.format_exception(error), log.text]
    pending: list[BaseException | None] = [error]
    while pending:
        if current := pending.pop():
            told += [str(current), repr(current), repr(current.args)]
            told += [repr(vars(current))] if isinstance(current, EventStoreError) else []
            pending += [current.__cause__, current.__context__]
    return "\n".join(told)


# Not written out where it is used: a traceback shows the lines of the program.
HIDDEN = "hunter2"
SECRETS = ["hunter2secret", "p@ss/word?with#all:of[it]", "söme℀thing"]


@pytest.mark.parametrize("secret", SECRETS)
def test_a_wrong_password_is_told_of_and_shown_nowhere(
    own_server: str, secret: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    quoted = quote(secret, safe="")
    with pytest.raises(UnavailableError, match="password") as refusal:
        EventStore.open(at_host(own_server, password=quoted))
    told = all_that_is_told(refusal.value, caplog)
    assert "postgresql://postgres@127.0.0.1" in told
    assert secret not in told
    assert quoted not in told


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://user:{}@host/db",
        "postgresql://user:{}",
        "postgresql://user:{}/db",
        "postgresql://user:{}@@host/db",
        "postgresql://user:a{}/b@host/db",
        "postgresql://user:a{}?b@host/db",
        "postgresql://user:a{}#b@host/db",
        "postgresql://user:a@{}@host/db",
        "postgresql://user:[{}@host/db",
        "postgresql://user:℀{}@host/db",
        "postgresql://user:%zz{}@host/db",
        "postgresql://user@host:port{}/db",
        "postgresql://user@host/db?password={}&what=1",
        "postgresql://user@host/db?password={}%zz",
        "postgresql://user@host/db?{}",
        "postgresql+psycopg://user:{}@host/db",
        "mysql://user:{}@host/db",
    ],
)
def test_a_misspelt_url_never_shows_the_password_that_may_be_in_it(
    url: str, caplog: pytest.LogCaptureFixture, tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    caplog.set_level(logging.DEBUG)
    monkeypatch.chdir(tmp_path)
    with pytest.raises(EventStoreError) as refusal:
        # Nobody answers at this host; no name server is asked.
        EventStore.open(url.format(HIDDEN).replace("@host", "@127.0.0.1:1"))
    assert HIDDEN not in all_that_is_told(refusal.value, caplog)


def test_a_password_that_is_changed_while_the_store_is_open_is_shown_nowhere_either(
    own_server: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    with a_role(own_server, SECRETS[0]) as role:
        url = at_host(own_server, user=role, password=SECRETS[0])
        with EventStore.open(url, connect_timeout=1.0, schema=role) as store:
            store.append("stream", [NewEvent("topic")])
            with psycopg.connect(own_server, autocommit=True) as admin:
                admin.execute(SQL("ALTER ROLE {} PASSWORD 'another'").format(Identifier(role)))
                admin.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = %s", (role,))
            with pytest.raises(UnavailableError) as refusal:
                store.append("stream", [NewEvent("topic")])
            told = all_that_is_told(refusal.value, caplog) + repr(store) + repr(store.recorder) + str(vars(store))
            assert SECRETS[0] not in told
        with psycopg.connect(own_server, autocommit=True) as admin:
            admin.execute(SQL("DROP SCHEMA {} CASCADE").format(Identifier(role)))


def test_a_missing_database_is_named(own_server: str, flavour: Flavour) -> None:
    with pytest.raises(UnavailableError, match="/nowhere") as refusal:
        EventStore.open(at_host(own_server, database="nowhere"))
    assert "database" in str(refusal.value)


def test_a_server_that_is_not_there_is_told_of_at_once(postgres_url: str) -> None:
    with proxied(postgres_url) as proxy:
        url = proxy.url
    with pytest.raises(UnavailableError, match="check that the server runs"):
        EventStore.open(url)


@pytest.fixture
def proxy(postgres_url: str) -> Iterator[Proxy]:
    """Yield the proxy that stands before the server."""
    with proxied(postgres_url) as proxy:
        yield proxy


def test_connections_that_break_between_two_calls_are_replaced_unnoticed(proxy: Proxy, flavour: Flavour) -> None:
    with EventStoreSaver.from_conn_string(proxy.url, connect_timeout=10.0) as saver:
        calls = Calls(saver, flavour)
        # As many connections as there can be, all of which will be dead.
        in_threads(lambda number: save(saver, 1, thread=f"thread {number}"), 8)
        operations: list[Callable[[], Any]] = [
            lambda: save(calls, 1),
            lambda: save(calls, 2, parent=1),
            lambda: calls.put_writes(at(number=2), [("count", 3)], "task"),
            lambda: calls.get_tuple(at()),
            lambda: calls.list(None),
            lambda: calls.copy_thread("thread", "copy"),
            lambda: calls.prune(["thread"]),
            lambda: calls.get_delta_channel_history(config=at(), channels=["count"]),
            lambda: calls.delete_for_runs(["run"]),
            lambda: saver.store.append("log", [NewEvent("topic")]),
            lambda: list(saver.store.feed()),
            saver.store.streams,
            saver.store.verify,
            lambda: calls.delete_thread("thread"),
        ]
        for operation in operations:
            proxy.cut_all()
            operation()
        assert numbers(calls, "copy") == [2, 1]
        assert numbers(calls, "thread") == []
        saver.store.verify()


def test_a_server_that_crashes_and_restarts_between_two_calls_is_waited_for(own_server: str, flavour: Flavour) -> None:
    schema = f"restart_{flavour}"
    with EventStoreSaver.from_conn_string(own_server, schema=schema) as saver:
        calls = Calls(saver, flavour)
        save(calls, 1)
        with psycopg.connect(own_server, autocommit=True) as victim:
            # PostgreSQL takes this for damaged memory: it throws everybody out and recovers from its log.
            os.kill(victim.info.backend_pid, signal.SIGKILL)
        save(calls, 2, parent=1)
        assert numbers(calls) == [2, 1]
        assert saver.store.verify("thread").events == 2


def test_while_a_server_is_away_errors_say_so_and_when_it_is_back_the_store_goes_on(
    proxy: Proxy, flavour: Flavour
) -> None:
    with EventStoreSaver.from_conn_string(proxy.url, connect_timeout=1.0) as saver:
        calls = Calls(saver, flavour)
        save(calls, 1)
        proxy.refusing = True
        proxy.cut_all()
        with pytest.raises(UnavailableError):  # where it broke under way: nobody knows what became of it
            save(calls, 2, parent=1)
        with pytest.raises(UnavailableError):
            calls.get_tuple(at())
        proxy.refusing = False
        returned(lambda: save(calls, 2, parent=1))
        assert numbers(calls) == [2, 1]


def returned(call: Callable[[], Any]) -> None:
    """Call until it succeeds: how soon a pool tries to connect again is its own affair."""
    for _ in range(30):
        try:
            call()
        except UnavailableError:
            continue
        return
    call()


@contextmanager
def locked(url: str) -> Iterator[None]:
    """Keep everybody from appending, as a careless administrator might."""
    with psycopg.connect(url) as admin:
        admin.execute("LOCK TABLE eventstore.events IN EXCLUSIVE MODE")
        yield


def waiting(url: str, count: int) -> None:
    """Return when so many sessions wait for a lock."""
    with psycopg.connect(url, autocommit=True) as admin:
        while admin.execute("SELECT count(*) FROM pg_locks WHERE NOT granted").fetchone() != (count,):
            pass


def test_when_all_connections_are_in_use_the_error_says_so_and_nothing_hangs(
    postgres_url: str, flavour: Flavour
) -> None:
    with EventStoreSaver.from_conn_string(postgres_url, pool_size=1, connect_timeout=0.2) as saver:
        save(saver, 1)
        with locked(postgres_url):
            holder = threading.Thread(target=save, args=(saver, 2))
            holder.start()
            waiting(postgres_url, 1)
            with pytest.raises(UnavailableError, match="pool_size"):
                # The async twin would wait for a worker, of which there are as many as connections.
                saver.get_tuple(at("another"))
        holder.join()
        assert numbers(Calls(saver, flavour)) == [2, 1]


def test_a_statement_that_waits_too_long_for_another_session_is_given_up(postgres_url: str, flavour: Flavour) -> None:
    url = f"{postgres_url}?options=-clock_timeout%3D100ms"
    with EventStoreSaver.from_conn_string(url) as saver:
        calls = Calls(saver, flavour)
        save(calls, 1)
        before = rows(postgres_url)
        with locked(postgres_url), pytest.raises(BusyError, match="try again"):
            save(calls, 2)
        assert rows(postgres_url) == before
        save(calls, 2)
        assert numbers(calls) == [2, 1]


def test_a_database_that_is_read_only_can_be_read(postgres_url: str, flavour: Flavour) -> None:
    with EventStoreSaver.from_conn_string(postgres_url) as saver:
        save(saver, 1)
    with EventStoreSaver.from_conn_string(f"{postgres_url}?options=-cdefault_transaction_read_only%3Don") as saver:
        assert_only_reads(Calls(saver, flavour), postgres_url)


def test_a_role_that_may_only_read_reads(postgres_url: str, pg_server: str, flavour: Flavour) -> None:
    with EventStoreSaver.from_conn_string(postgres_url) as saver:
        save(saver, 1)
    with a_role(pg_server, "password") as role:
        execute(postgres_url, f'ALTER ROLE "{role}" NOSUPERUSER')
        execute(postgres_url, f'GRANT USAGE ON SCHEMA eventstore TO "{role}"')
        execute(postgres_url, f'GRANT SELECT ON ALL TABLES IN SCHEMA eventstore TO "{role}"')
        with EventStoreSaver.from_conn_string(at_host(postgres_url, user=role, password="password")) as saver:
            assert_only_reads(Calls(saver, flavour), postgres_url)
        execute(postgres_url, f'DROP OWNED BY "{role}"')


def assert_only_reads(calls: Calls, url: str) -> None:
    """Everything can be read, and nothing be written; each write says why."""
    before = rows(url)
    [item] = shown(calls)
    assert calls.get_tuple(at()) == item
    for write in every_write(calls):
        with pytest.raises(ReadOnlyError):
            write()
    assert shown(calls) == [item]
    assert rows(url) == before


def test_when_the_servers_disk_is_full_nothing_is_stored_and_afterwards_the_store_goes_on(
    postgres_url: str, flavour: Flavour
) -> None:
    with EventStoreSaver.from_conn_string(postgres_url) as saver:
        calls = Calls(saver, flavour)
        for number in (1, 2):
            save(calls, number, parent=number - 1 or None)
        # A full disk, as far as anybody can tell who is not the server itself: its own error, at its own time.
        execute(
            postgres_url,
            "CREATE FUNCTION no_room() RETURNS trigger LANGUAGE plpgsql AS "
            "$$ BEGIN RAISE EXCEPTION 'could not extend file: No space left on device' USING ERRCODE = '53100'; END $$",
        )
        # First where the event is stored, then where a row of the projection is, late in the same statement.
        for table in ("events", "checkpoints", "writes", "sources"):
            before = rows(postgres_url)
            execute(
                postgres_url, f"CREATE TRIGGER no_room BEFORE INSERT ON {table} FOR EACH ROW EXECUTE FUNCTION no_room()"
            )
            refused: list[Callable[[], Any]] = {
                "events": [
                    lambda: save(calls, 3, parent=2),
                    lambda: calls.prune(["thread"]),
                    lambda: calls.delete_thread("thread"),
                    lambda: calls.copy_thread("thread", "copy"),
                ],
                "checkpoints": [lambda: save(calls, 3, parent=2)],
                "writes": [lambda: calls.put_writes(at(number=2), [("count", 3)], "task")],
                "sources": [lambda: calls.copy_thread("thread", "copy")],
            }[table]
            for write in refused:
                with pytest.raises(StorageFullError, match="free some disk space"):
                    write()
            execute(postgres_url, f"DROP TRIGGER no_room ON {table}")
            assert rows(postgres_url) == before
            assert numbers(calls) == [2, 1]
        save(calls, 3, parent=2)
        calls.put_writes(at(number=3), [("count", 3)], "task")
        calls.copy_thread("thread", "copy")
        assert numbers(calls, "copy") == [3, 2, 1]
        saver.store.verify()


# The events behind a view, whose rows cannot be read, and a table that takes none, as long as `disk` says so.
FAILING_DISK = """
CREATE TABLE disk (broken boolean NOT NULL);
CREATE FUNCTION io() RETURNS boolean LANGUAGE plpgsql AS $$ BEGIN
    IF EXISTS (SELECT FROM eventstore.disk) THEN
        RAISE EXCEPTION 'could not read block 7: Input/output error' USING ERRCODE = 'io_error';
    END IF;
    RETURN true;
END $$;
CREATE FUNCTION io_of_row() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM eventstore.io(); RETURN new; END $$;
ALTER TABLE events RENAME TO stored;
CREATE TRIGGER io BEFORE INSERT ON stored FOR EACH ROW EXECUTE FUNCTION io_of_row();
CREATE VIEW events AS SELECT * FROM stored WHERE io();
"""


def test_what_the_servers_disk_cannot_read_or_write_just_now_is_no_damage(postgres_url: str, flavour: Flavour) -> None:
    with EventStoreSaver.from_conn_string(postgres_url) as saver:
        calls = Calls(saver, flavour)
        for number in (1, 2):
            save(calls, number, parent=number - 1 or None)
        execute(postgres_url, FAILING_DISK)
        assert numbers(calls) == [2, 1]
        history = Bench(saver, flavour)
        failing: list[Callable[[], Any]] = [
            lambda: save(calls, 3, parent=2),
            lambda: calls.put_writes(at(number=2), [("count", 3)], "task"),
            lambda: calls.get_tuple(at()),
            lambda: numbers(calls),
            lambda: calls.prune(["thread"]),
            lambda: history.call(saver.history, "check", "thread"),
            lambda: history.call(saver.history, "stalled"),
            lambda: [*saver.history.timeline("thread")],
            lambda: history.call(saver.history, "blame", "thread", "count"),
            lambda: history.call(saver.store, "verify"),
            saver.checkpoints.rebuild,
        ]
        for fails in failing:
            saver.checkpoints.drop_cache()
            execute(postgres_url, "INSERT INTO disk VALUES (true)")
            with pytest.raises(UnavailableError, match="try again") as refused:
                fails()
            assert "backup" not in str(refused.value)
            execute(postgres_url, "DELETE FROM disk")
            assert numbers(calls) == [2, 1]
        save(calls, 3, parent=2)
        assert numbers(calls) == [3, 2, 1]
        assert saver.history.check("thread").ok
        saver.store.verify()
