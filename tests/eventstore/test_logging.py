"""The logger `eventstore`: quiet until a program asks, and then in fields that a program can read."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator
from typing import Any

import psycopg
import pytest

from eventstore import EventStore, NewEvent
from eventstore.recorders import Session
from tests.support.servers import proxied

MakeStore = Callable[..., EventStore]
Said = Callable[[str], list[dict[str, Any]]]


@pytest.fixture
def said(caplog: pytest.LogCaptureFixture) -> Iterator[Said]:
    """The fields of what was said of an action."""
    with caplog.at_level(logging.DEBUG, "eventstore"):
        yield lambda action: [vars(record) for record in caplog.records if vars(record).get("action") == action]


def test_the_logger_is_quiet_by_default() -> None:
    assert [type(handler) for handler in logging.getLogger("eventstore").handlers] == [logging.NullHandler]


def test_opening_tells_of_connections_and_migrations(new_url: str, said: Said) -> None:
    with EventStore.open(new_url) as store:
        assert said("connect")[0]["store"] in str(said("connect")[0]["message"])
        assert {(each["component"], each["number"]) for each in said("migrate")} == {("eventstore", 1)}
        store.append("s", [NewEvent("kept")])
    assert len(said("migrate")) == 1


def test_an_append_that_another_store_overtakes_is_told(make_store: MakeStore, said: Said) -> None:
    one, other = make_store(), make_store()
    one.append("s", [NewEvent("kept")])
    other.append("s", [NewEvent("kept")])
    one.append("s", [NewEvent("kept")])
    [retry] = said("retry")
    assert (retry["streams"], retry["attempt"], retry["levelname"]) == (["s"], 1, "DEBUG")


def test_a_lost_acknowledgement_is_told_with_what_became_of_the_append(postgres_url: str, said: Said) -> None:
    with proxied(postgres_url) as proxy, EventStore.open(proxy.url, pool_size=1) as store:
        store.append("s", [NewEvent("kept")])
        while not said("lost acknowledgement"):  # the notifier makes round trips of its own
            with proxy.cutting(1, "after"):
                store.append("s", [NewEvent("kept") for _ in range(3)])
        assert len(list(store.read("s"))) % 3 == 1
    [lost] = said("lost acknowledgement")
    assert (type(lost["stored"]), lost["levelname"]) == (bool, "WARNING")


def test_a_connection_that_is_replaced_is_told(postgres_url: str, said: Said) -> None:
    with EventStore.open(postgres_url) as store, psycopg.connect(postgres_url, autocommit=True) as admin:
        admin.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'eventstore'")
        assert store.head("s") is None
    [again] = said("reconnect")
    assert again["levelname"] == "WARNING"
    assert "postgres" in again["store"]


def test_waiting_for_a_connection_is_told(postgres_url: str, said: Said) -> None:
    waits = threading.Event()
    logging.getLogger("eventstore").addHandler(handler := Waiting(waits))
    try:
        with EventStore.open(postgres_url, pool_size=1) as store:
            reader = threading.Thread(target=store.head, args=("s",))

            def keep_the_only_connection(_: Session) -> None:
                reader.start()
                waits.wait(60)

            store.recorder.write(keep_the_only_connection)
            reader.join()
    finally:
        logging.getLogger("eventstore").removeHandler(handler)
    assert said("wait")[0]["connections"] == 1


class Waiting(logging.Handler):
    """Tells when somebody waits for a connection."""

    def __init__(self, waits: threading.Event) -> None:
        super().__init__()
        self._waits = waits

    def emit(self, record: logging.LogRecord) -> None:
        if vars(record).get("action") == "wait":
            self._waits.set()
