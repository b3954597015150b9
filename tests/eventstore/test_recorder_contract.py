"""Both recorders keep the contract that recorders have: see `eventstore.testing.contract`."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from eventstore import EventStore
from eventstore.recorders import Recorder
from eventstore.testing import RecorderContract, Relay


class TestSQLite(RecorderContract):
    @pytest.fixture
    def open_recorder(self, sqlite_url: str) -> Callable[[], Recorder]:
        return lambda: EventStore.open(sqlite_url, pool_size=2).recorder


class TestPostgres(RecorderContract):
    @pytest.fixture
    def open_recorder(self, postgres_url: str) -> Callable[[], Recorder]:
        return lambda: EventStore.open(postgres_url, pool_size=2).recorder


class TestRelays(RecorderContract):
    @pytest.fixture
    def open_recorder(self, sqlite_url: str) -> Callable[[], Recorder]:
        return lambda: Relay(EventStore.open(sqlite_url, pool_size=2).recorder)
