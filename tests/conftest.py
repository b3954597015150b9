"""The fixtures of every test: a fresh store on each database, and what is opened on it.

Nothing is skipped because a server is missing: PostgreSQL is started for the tests (see `tests.support.postgres`),
once in each worker process, unless EVENTSTORE_TEST_POSTGRES_URL names one where databases may be created.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit
from uuid import uuid4

import psycopg
import pytest
from hypothesis import HealthCheck, settings
from psycopg.sql import SQL, Identifier

from eventstore import EventStore
from langgraph.checkpoint.eventstore import EventStoreSaver
from tests.support.flavour import Flavour
from tests.support.postgres import running_server

# Runs pytest itself, in folders of its own.
pytest_plugins = ["pytester"]

# No run of a test leaves this machine, whatever the developer's own environment asks for.
os.environ.update(LANGSMITH_TRACING="false", LANGCHAIN_TRACING_V2="false")

# Tests send Ctrl-C to themselves and to what they start. Of a run in the background of a script (`pytest &`), the shell
# lets all that ignore it.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

# Every example opens files and databases on a machine that is busy with other tests: its time says nothing.
settings.register_profile("dev", deadline=None, suppress_health_check=[HealthCheck.too_slow], max_examples=25)
settings.register_profile("ci", settings.get_profile("dev"), database=None, print_blob=True)
settings.register_profile("fast", settings.get_profile("dev"), max_examples=5)
settings.register_profile("long", settings.get_profile("dev"), max_examples=500, print_blob=True)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE") or ("ci" if os.environ.get("CI") else "dev"))

Backend = Literal["sqlite", "postgres"]


def pytest_itemcollected(item: pytest.Item) -> None:
    """Let `-k postgres` find every test that needs a server, whatever it is called."""
    if "pg_server" in getattr(item, "fixturenames", ()):
        item.extra_keyword_matches.add("postgres")


@pytest.fixture(scope="session")
def pg_server() -> Iterator[str]:
    """The URL of a PostgreSQL server, as an account that may create databases."""
    given = os.environ.get("EVENTSTORE_TEST_POSTGRES_URL")
    if given:
        yield given
        return
    with running_server() as url:
        yield url


@pytest.fixture(params=["sqlite", "postgres"])
def backend(request: pytest.FixtureRequest) -> Backend:
    """Return the database that the test runs on: each, one after the other."""
    backend: Backend = request.param
    return backend


@pytest.fixture(params=list(Flavour))
def flavour(request: pytest.FixtureRequest) -> Flavour:
    """The half of twin methods that the test calls: the sync and the async one, one after the other."""
    flavour: Flavour = request.param
    return flavour


@pytest.fixture
def url(backend: Backend, request: pytest.FixtureRequest) -> str:
    """The URL of a fresh and empty store of the test's own, on PostgreSQL with its tables."""
    fresh: str = request.getfixturevalue("sqlite_url" if backend == "sqlite" else "postgres_store_url")
    return fresh


@pytest.fixture
def new_url(backend: Backend, request: pytest.FixtureRequest) -> str:
    """The URL of a database of the test's own that no store was opened in, for tests of how stores begin."""
    new: str = request.getfixturevalue(f"{backend}_url")
    return new


@pytest.fixture
def sqlite_url(tmp_path: Path) -> str:
    """The URL of a SQLite file that does not exist yet."""
    return f"sqlite:///{tmp_path / 'store.db'}"


@pytest.fixture
def postgres_url(pg_server: str) -> Iterator[str]:
    """The URL of a new and empty PostgreSQL database of the test's own."""
    with fresh_database(pg_server) as url:
        yield url


@pytest.fixture
def postgres_store_url(pg_server: str, pg_template: str) -> Iterator[str]:
    """The URL of a PostgreSQL database of the test's own with an empty store, faster than it is made there."""
    with fresh_database(pg_server, pg_template) as url:
        yield url


@pytest.fixture(scope="session")
def pg_template(pg_server: str) -> Iterator[str]:
    """The name of a database with an empty store, which others are copied from."""
    with template(pg_server, lambda _: None) as name:
        yield name


@contextmanager
def template(pg_server: str, fill: Callable[[EventStoreSaver], object]) -> Iterator[str]:
    """The name of a new PostgreSQL database with a store that was filled, which others are copied from in the block."""
    with fresh_database(pg_server) as url:
        with EventStoreSaver.from_conn_string(url) as saver:
            fill(saver)
        yield urlsplit(url).path[1:]


@contextmanager
def explained(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, fill: Callable[[str], object]
) -> Iterator[str]:
    """The URL of a database that is filled, and that its planner knows: of the kind that the fixture is asked for."""
    if request.param == "sqlite":
        url = f"sqlite:///{tmp_path_factory.mktemp('plans') / 'store.db'}"
        fill(url)
        yield url
        return
    with fresh_database(request.getfixturevalue("pg_server")) as url:
        fill(url)
        with psycopg.connect(url, autocommit=True) as server:
            server.execute("VACUUM ANALYZE")
        yield url


@contextmanager
def fresh_database(pg_server: str, template: str = "template1") -> Iterator[str]:
    """A new PostgreSQL database like `template`, dropped after the block with whoever is still connected."""
    database = Identifier(name := f"test_{uuid4().hex}")
    with psycopg.connect(pg_server, autocommit=True) as admin:
        admin.execute(SQL("CREATE DATABASE {} TEMPLATE {}").format(database, Identifier(template)))
    parts = urlsplit(pg_server)
    # By hand, since `urlunsplit` drops the slashes of an address without a host.
    yield f"{parts.scheme}://{parts.netloc}/{name}" + (f"?{parts.query}" if parts.query else "")
    with psycopg.connect(pg_server, autocommit=True) as admin:
        admin.execute(SQL("DROP DATABASE {} WITH (FORCE)").format(database))


@pytest.fixture
def make_store(url: str) -> Iterator[Callable[..., EventStore]]:
    """Opens the store under `url` once more, with the options given; all are closed after the test."""
    with ExitStack() as stack:
        yield lambda **options: stack.enter_context(EventStore.open(url, **options))


@pytest.fixture
def make_saver(url: str) -> Iterator[Callable[..., EventStoreSaver]]:
    """Opens one more saver on `url`, with the options given; all are closed after the test."""
    with ExitStack() as stack:
        yield lambda **options: stack.enter_context(EventStoreSaver.from_conn_string(url, **options))


@pytest.fixture
def store(make_store: Callable[..., EventStore]) -> EventStore:
    """An open and empty store."""
    return make_store()


@pytest.fixture
def on_postgres(postgres_url: str) -> Iterator[EventStore]:
    """An open and empty store on PostgreSQL, for tests of what only a server does."""
    with EventStore.open(postgres_url) as store:
        yield store


@pytest.fixture
def saver(make_saver: Callable[..., EventStoreSaver]) -> EventStoreSaver:
    """An open saver on an empty store."""
    return make_saver()
