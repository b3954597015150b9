"""Settings: by keyword, in the URL, or in the environment; what cannot be is refused with what was meant."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from langgraph.checkpoint.sqlite import SqliteSaver

from eventstore import (
    BadInputError,
    EventStore,
    InvalidUrlError,
    NewEvent,
    SchemaError,
    TypeNotAllowedError,
    from_environment,
)
from eventstore.address import options_of, parse
from eventstore.environment import NAMES
from langgraph.checkpoint.eventstore import EventStoreSaver, checkpointer
from langgraph.checkpoint.eventstore._opening import TEXTS
from projections import SnapshotPolicy
from tests.support.saving import at, save

Open = Callable[..., Any]


def with_query(url: str, query: str) -> str:
    return f"{url}{'&' if '?' in url else '?'}{query}"


@pytest.mark.parametrize("open_", [EventStore.open, EventStoreSaver.from_conn_string])
def test_a_url_has_options_and_what_is_passed_counts_before_them(url: str, open_: Open) -> None:
    told = with_query(url, "pool_size=3&schema=agents")
    with open_(told) as opened:
        store = opened if isinstance(opened, EventStore) else opened.store
        assert store.recorder.connections == 3
        assert store.recorder.schema == ("agents" if store.recorder.dialect == "postgres" else "")
        store.append("s", [NewEvent("kept")])
    with open_(told, pool_size=2) as opened:
        store = opened if isinstance(opened, EventStore) else opened.store
        assert store.recorder.connections == 2
        assert store.head("s")


async def test_async_code_opens_a_url_with_options(url: str) -> None:
    async with await EventStore.aopen(with_query(url, "pool_size=3")) as store:
        assert store.recorder.connections == 3
    async with EventStoreSaver.from_conn_string(with_query(url, "pool_size=3")) as saver:
        assert saver.store.recorder.connections == 3


def test_the_options_of_a_url_are_of_their_kinds_and_leave_those_of_libpq_alone() -> None:
    url = "postgresql://ann@host/db?sslmode=require&prepare=no&connect_timeout=7&max_value_bytes=10"
    assert options_of(url) == {"prepare": False, "max_value_bytes": 10}
    assert parse(url) == parse("postgresql://ann@host/db?sslmode=require&connect_timeout=7")
    assert options_of("sqlite:///a.db?synchronous=normal&busy_timeout=1.5") == {
        "synchronous": "NORMAL",
        "busy_timeout": 1.5,
    }
    assert options_of("agents.db?pool_size=3") == options_of("host=h dbname=d") == {}


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("pool_sise=3", "did you mean 'pool_size'"),
        ("pool_size=many", "pool_size in the URL is 'many': use a whole number"),
        ("pool_size=0", "pool_size is 0: use 1 to"),
        ("prepare=perhaps", "use true or false"),
        ("busy_timeout=soon", "use a number of seconds"),
    ],
)
@pytest.mark.parametrize("open_", [EventStore.open, EventStoreSaver.from_conn_string])
def test_an_option_of_a_url_that_cannot_be_is_refused(url: str, query: str, said: str, open_: Open) -> None:
    with pytest.raises(BadInputError, match=said), open_(with_query(url, query)):
        pass


def test_an_option_that_resembles_none_is_refused_and_not_shown(url: str) -> None:
    with pytest.raises(InvalidUrlError, match="There are migrate, schema, pool_size") as refused:
        EventStore.open(with_query(url, "hunter2=x&pool_size=3"))
    assert "hunter2" not in str(refused.value)


def test_an_option_of_libpq_that_is_misspelled_is_told(postgres_url: str) -> None:
    with pytest.raises(InvalidUrlError, match="did you mean 'sslmode'"):
        EventStore.open(with_query(postgres_url, "sslmod=require"))


@pytest.fixture
def environment(url: str, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Sets variables; the store's address is among them."""

    def set_all(query: str = "", **variables: str) -> None:
        for name, value in {"URL": with_query(url, query) if query else url, **variables}.items():
            monkeypatch.setenv(f"EVENTSTORE_{name}", value)

    return set_all


def opened_by_environment(which: str, **options: Any) -> Any:
    return from_environment(**options) if which == "store" else checkpointer(**options)


@pytest.mark.parametrize("which", ["store", "saver"])
def test_what_is_passed_counts_before_the_url_and_that_before_the_environment(
    environment: Callable[..., None], which: str
) -> None:
    def connections(**options: Any) -> int:
        with opened_by_environment(which, **options) as opened:
            store: EventStore = opened if which == "store" else opened.store
            return store.recorder.connections

    environment(POOL_SIZE="2")
    assert connections() == 2
    environment("pool_size=3", POOL_SIZE="2")
    assert connections() == 3
    assert connections(pool_size=4) == 4


@dataclass
class Own:
    """Data of a program's own."""

    name: str = ""


@dataclass
class Another:
    """Other data."""

    name: str = ""


def refused(saver: EventStoreSaver) -> list[str]:
    """The names of those of two types that a saver does not store."""
    found = []
    for number, value in enumerate([Own(), Another()], 1):
        try:
            save(saver, number, {"own": value})
        except TypeNotAllowedError:
            found.append(type(value).__name__)
    return found


POLICY = SnapshotPolicy(4, 64, ["plan", "act"])
TYPES, LIST_OF_TYPES = [(__name__, "Own"), ("shop.models", "Order")], f"{__name__}:Own, shop.models:Order"
# Each option of a saver that a text can say; what Python says for it; and what tells that it holds.
OF_SAVERS: list[tuple[str, str, Any, Callable[[EventStoreSaver], bool]]] = [
    ("cache_bytes", "0", 0, lambda saver: saver.checkpoints.live.budget == 0),
    ("concurrent_runs", "reject", "reject", lambda saver: "'reject'" in repr(saver)),
    ("snapshots", "bytes=4,rows=64,node=plan,node=act", POLICY, lambda saver: saver.checkpoints.snapshots == POLICY),
    (
        "allowed_types",
        LIST_OF_TYPES,
        TYPES,
        lambda saver: refused(saver) == ["Another"],
    ),
]


@pytest.mark.parametrize("way", ["keyword", "url", "variable"])
def test_the_options_of_a_saver_are_given_by_each_of_three_ways(
    environment: Callable[..., None], url: str, way: str
) -> None:
    for name, text, value, holds in OF_SAVERS:
        environment(**{name.upper(): text} if way == "variable" else {})
        given: dict[str, Any] = {name: value} if way == "keyword" else {}
        told = with_query(url, f"{name}={quote(text)}") if way == "url" else url
        with checkpointer(**given) if way == "variable" else EventStoreSaver.from_conn_string(told, **given) as saver:
            assert holds(saver), name
        environment(**{name.upper(): ""})


def test_the_core_knows_the_names_of_all_that_a_saver_reads() -> None:
    assert {*TEXTS} == {*NAMES}


def test_a_saver_of_an_address_moves_from_the_one_that_its_url_names(url: str, tmp_path: Path) -> None:
    old = tmp_path / "old & new.db"
    with SqliteSaver.from_conn_string(str(old)) as stock:
        save(stock, 1)
    with EventStoreSaver.from_conn_string(with_query(url, f"moving_from={quote(str(old), safe='')}")) as saver:
        assert saver.get_tuple(at())


def test_a_store_leaves_the_options_of_savers_alone_and_follows_migrate(new_url: str) -> None:
    with pytest.raises(SchemaError), EventStore.open(with_query(new_url, "cache_bytes=0&migrate=no")):
        pass
    with EventStore.open(with_query(new_url, "cache_bytes=0&migrate=yes&snapshots=rows%3D8")) as store:
        assert store.head("s") is None
    with pytest.raises(InvalidUrlError, match="did you mean 'cache_bytes'"):
        EventStore.open(with_query(new_url, "cache_byte=0"))


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("cache_bytes=lots", "cache_bytes in the URL is 'lots': use a whole number"),
        ("cache_bytes=-1", "cache_bytes is -1: use a number of bytes"),
        ("concurrent_runs=both", "use 'keep' or 'reject'"),
        ("migrate=perhaps", "use true or false"),
        ("snapshots=often", "use bytes=2.5,rows=32,node=NAME"),
        ("snapshots=rows=1", "at least two changes can be merged"),
        ("allowed_types=Order", "use module:Name"),
        ("concurrent_run=keep", "did you mean 'concurrent_runs'"),
    ],
)
def test_an_option_of_a_saver_in_a_url_that_cannot_be_is_refused(url: str, query: str, said: str) -> None:
    with pytest.raises(BadInputError, match=said), EventStoreSaver.from_conn_string(with_query(url, query)):
        pass


@pytest.mark.parametrize("which", ["store", "saver"])
@pytest.mark.parametrize(
    ("variables", "said"),
    [
        ({"POOLSIZE": "3"}, "did you mean EVENTSTORE_POOL_SIZE"),
        ({"CACHE_BYTE": "3"}, "did you mean EVENTSTORE_CACHE_BYTES"),
        ({"BUSY_TIME_OUT": "3"}, "did you mean EVENTSTORE_BUSY_TIMEOUT"),
        ({"POOL_SIZE": "many"}, "EVENTSTORE_POOL_SIZE is 'many': use a whole number"),
        ({"POOL_SIZE": "-1"}, "pool_size is -1"),
        ({"URL": ""}, "set EVENTSTORE_URL"),
    ],
)
def test_a_variable_that_cannot_be_is_refused(
    environment: Callable[..., None], which: str, variables: dict[str, str], said: str
) -> None:
    environment(**variables)
    with pytest.raises(BadInputError, match=said), opened_by_environment(which):
        pass


def test_variables_of_other_programs_are_left_alone(environment: Callable[..., None]) -> None:
    environment(CLUSTER_SIZE="3", SEED="7", INSECURE="true", LOG="/var/log", MEM_DB="true")
    with from_environment() as store:
        assert store.head("s") is None


def test_an_option_that_is_passed_and_misspelled_is_told(environment: Callable[..., None]) -> None:
    environment()
    with pytest.raises(BadInputError, match="did you mean 'pool_size'"):
        from_environment(pool_sise=3)  # type: ignore[call-arg]
    with pytest.raises(BadInputError, match="did you mean 'cache_bytes'"):
        checkpointer(cache_byte=3)
