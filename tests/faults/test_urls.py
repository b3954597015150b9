"""Addresses of stores that make no sense, drawn at random: an error of the project's own, soon, and no secret in it."""

from __future__ import annotations

import time
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from eventstore import EventStore, EventStoreError, InvalidUrlError
from eventstore.address import PostgresAddress, SQLiteAddress, parse

SECRET = "s3cr3t"
# Seconds: a server that is there answers at once.
SOON = 20

# What URLs are made of, and what parsers stumble on.
PIECES = st.sampled_from(
    [
        *("sqlite:", "postgresql:", "postgres:", "postgresql+psycopg:", "mysql:", "//", "///", "/", ":", "@", "?", "#"),
        *(
            "&",
            "=",
            "%",
            "%00",
            "%2F",
            "%zz",
            "[",
            "]",
            "::1",
            ",",
            " ",
            "\0",
            "\n",
            "\\",
            "'",
            '"',
            "\ud800",
            "é",
            "💥",
        ),
        *(
            "host=",
            "dbname=",
            "password=",
            "user=a",
            "port=5432",
            "'a b'",
            ":memory:",
            "agents.db",
            "localhost",
            "..",
            "~",
        ),
        *("a" * 300, "1" * 30, "-1"),
    ]
)
TEXTS = st.one_of(st.lists(PIECES, max_size=12).map("".join), st.text(max_size=30))

# libpq's options, but for those that lead to another server or file.
NAMES = st.sampled_from(
    [
        *(
            "application_name",
            "channel_binding",
            "client_encoding",
            "connect_timeout",
            "dbname",
            "fallback_application_name",
        ),
        *("gssencmode", "keepalives", "keepalives_count", "keepalives_idle", "keepalives_interval", "krbsrvname"),
        *("load_balance_hosts", "options", "password", "replication", "require_auth", "requirepeer", "service"),
        *("ssl_max_protocol_version", "ssl_min_protocol_version", "sslcertmode", "sslcompression", "sslmode", "sslsni"),
        *("target_session_attrs", "tcp_user_timeout", "user", "nobody_knows", "", "Options", "options "),
    ]
)
VALUES = st.one_of(
    st.sampled_from(
        [
            *("", "0", "1", "-1", "2147483648", "9" * 40, "true", "false", "database", "prefer", "require", "disable"),
            *("read-only", "standby", "any", "TLSv1.3", "latin1", "UTF8", "SQL_ASCII", "scram-sha-256", "!none"),
            *("-c default_transaction_read_only=on", "-c statement_timeout=1", "-c search_path=nowhere"),
            *("-c nothing", "-c default_transaction_isolation=serializable", "-c synchronous_commit=off", "\\", "'"),
            "-c idle_in_transaction_session_timeout=1",
        ]
    ),
    st.text(max_size=10),
)


@given(TEXTS)
@example(f"postgresql://u:{SECRET}/x@host/db")
@example(f"host=h password='{SECRET}")
@example("sqlite:///%ff")
def test_any_text_is_an_address_or_refused_as_one(text: str) -> None:
    try:
        address = parse(text)
    except InvalidUrlError:
        return
    assert isinstance(address, SQLiteAddress | PostgresAddress)
    assert str(address)


@given(TEXTS, TEXTS)
@example("host=", "")  # libpq takes what follows for the host
def test_no_password_is_ever_shown(before: str, behind: str) -> None:
    for text in (f"postgresql://user:{SECRET}{before}@host/{behind}", f"host=h {before} password={SECRET} {behind}"):
        try:
            shown = str(parse(text))
        except InvalidUrlError as error:
            shown = str(error)
        assert SECRET not in shown


def _query(options: list[tuple[str, str]]) -> str:
    return "&".join(f"{quote(name)}={quote(value, errors='replace')}" for name, value in options)


def test_any_options_of_a_url_open_a_store_or_are_refused(postgres_url: str) -> None:
    with EventStore.open(postgres_url) as store:
        assert store.streams().streams == []
    longest = 0.0

    # Each example is a connection: a few are tried here, and many by `make test-long`.
    @settings(max_examples=max(settings.default.max_examples // 2, 5))
    @given(st.lists(st.tuples(NAMES, VALUES), min_size=1, max_size=3))
    @example([("options", "-c default_transaction_read_only=on")])
    @example([("replication", "database")])
    @example([("replication", "true")])
    @example([("client_encoding", "SQL_ASCII")])
    @example([("options", "-c statement_timeout=1")])
    @example([("connect_timeout", "0")])
    def opened(options: list[tuple[str, str]]) -> None:
        nonlocal longest
        join = "&" if "?" in postgres_url else "?"
        began = time.monotonic()
        try:
            with EventStore.open(f"{postgres_url}{join}{_query(options)}", connect_timeout=2.0, pool_size=1) as store:
                store.streams()
        except EventStoreError:
            pass  # whatever it is, it is ours
        longest = max(longest, time.monotonic() - began)

    opened()
    assert longest < SOON
    with EventStore.open(postgres_url) as store:
        assert store.verify().events == 0


@pytest.mark.parametrize("text", ["?mode=ro", "?cache=shared", "#x"])
def test_the_options_of_sqlite_itself_are_none_of_a_file_of_ours(text: str, sqlite_url: str) -> None:
    with pytest.raises(InvalidUrlError, match="as %"):
        EventStore.open(f"{sqlite_url}{text}")


@given(st.one_of(st.none(), st.integers(), st.binary(max_size=5), st.lists(st.text(max_size=2), max_size=2)))
def test_what_is_no_text_is_no_address(value: Any) -> None:
    with pytest.raises(EventStoreError):
        parse(value)
