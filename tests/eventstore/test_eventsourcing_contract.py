"""The cases that the eventsourcing library ships for persistence modules, on our log: everywhere, all of them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from types import new_class
from unittest import TestCase
from uuid import uuid4

import pytest
from eventsourcing import persistence as es
from eventsourcing.tests import application as application_cases
from eventsourcing.tests import persistence as persistence_cases
from eventsourcing.tests import projection as projection_cases
from eventsourcing.utils import Environment

from eventstore import EventStore
from eventstore.persistence import (
    Factory,
    LogAggregateRecorder,
    LogApplicationRecorder,
    LogProcessRecorder,
    LogSnapshotRecorder,
    LogTrackingRecorder,
)
from tests.support.counters import CountersView


class Case(TestCase):
    """A case of the library, run on a fresh store; subclasses say where."""

    __test__ = False

    url: str
    other_url: str

    @pytest.fixture(autouse=True)
    def _place(self) -> None:
        """Sets the URLs, where they are not always the same."""

    @pytest.fixture(autouse=True)
    def _print_nothing(self, capsys: pytest.CaptureFixture[str]) -> None:
        """The library's cases print what they measure."""

    def open_store(self) -> EventStore:
        store = EventStore.open(self.url)
        self.addCleanup(store.close)
        return store

    def environment(self) -> dict[str, str]:
        return {
            "PERSISTENCE_MODULE": "eventstore.persistence",
            "EVENTSTORE_URL": self.url,
            # A projection that is itself an application has a store of its own.
            "COUNTERS_EVENTSTORE_URL": self.other_url,
        }


class OnFile(Case):
    @pytest.fixture(autouse=True)
    def _place(self, tmp_path: Path) -> None:
        self.url, self.other_url = (f"sqlite:///{tmp_path / name}.db" for name in ("store", "other"))


class InMemory(Case):
    url = other_url = "sqlite:///:memory:"


class OnPostgres(Case):
    @pytest.fixture(autouse=True)
    def _place(self, postgres_url: str) -> None:
        self.url = self.other_url = postgres_url

    def environment(self) -> dict[str, str]:
        return {**super().environment(), "COUNTERS_EVENTSTORE_SCHEMA": "counters"}


# Recorders


class AggregateRecorderCase(persistence_cases.AggregateRecorderTestCase, Case):
    def create_recorder(self) -> es.AggregateRecorder:
        return LogAggregateRecorder(self.open_store())


class SnapshotRecorderCase(persistence_cases.AggregateRecorderTestCase, Case):
    def create_recorder(self) -> es.AggregateRecorder:
        return LogSnapshotRecorder(self.open_store())


class ApplicationRecorderCase(persistence_cases.ApplicationRecorderTestCase[LogApplicationRecorder], Case):
    def create_recorder(self) -> LogApplicationRecorder:
        return LogApplicationRecorder(self.open_store())

    def test_insert_subscribe(self) -> None:
        self.optional_test_insert_subscribe()


class TextApplicationRecorderCase(ApplicationRecorderCase):
    def new_originator_id(self) -> str:
        return f"order-{uuid4()}"

    def create_recorder(self) -> LogApplicationRecorder:
        return LogApplicationRecorder(self.open_store(), "text")


class TrackingRecorderCase(persistence_cases.TrackingRecorderTestCase, Case):
    def create_recorder(self) -> es.TrackingRecorder:
        return LogTrackingRecorder(self.open_store())


class ProcessRecorderCase(persistence_cases.ProcessRecorderTestCase, Case):
    def create_recorder(self) -> es.ProcessRecorder:
        return LogProcessRecorder(self.open_store())


class NonInterleavingCase(persistence_cases.NonInterleavingNotificationIDsBaseCase, Case):
    def create_recorder(self) -> es.ApplicationRecorder:
        return LogApplicationRecorder(self.open_store())


class SpecialTrackingRecorder(LogTrackingRecorder):
    """A view of somebody's."""


class FactoryCase(persistence_cases.InfrastructureFactoryTestCase[Factory], Case):
    def setUp(self) -> None:
        self.env = Environment("TestCase", self.environment())
        super().setUp()

    def expected_factory_class(self) -> type[Factory]:
        return Factory

    def expected_aggregate_recorder_class(self) -> type[es.AggregateRecorder]:
        return LogAggregateRecorder

    def expected_application_recorder_class(self) -> type[es.ApplicationRecorder]:
        return LogApplicationRecorder

    def expected_tracking_recorder_class(self) -> type[es.TrackingRecorder]:
        return LogTrackingRecorder

    def tracking_recorder_subclass(self) -> type[es.TrackingRecorder]:
        return SpecialTrackingRecorder

    def expected_process_recorder_class(self) -> type[es.ProcessRecorder]:
        return LogProcessRecorder


# Applications and projections


class ByEnvironment(Case):
    """For cases that make applications without saying where: the process's environment does."""

    @pytest.fixture(autouse=True)
    def _environment(self, _place: None, monkeypatch: pytest.MonkeyPatch) -> None:
        for name, value in self.environment().items():
            monkeypatch.setenv(name, value)


class ExampleApplicationCase(application_cases.ExampleApplicationTestCase, ByEnvironment):
    expected_factory_topic = "eventstore_eventsourcing.factory:Factory"


class ApplicationCase(application_cases.ApplicationTestCase, ByEnvironment):
    # One of its tests looks at warnings.
    pytestmark = pytest.mark.filterwarnings("always:'log' is deprecated")


class ProjectionCase(projection_cases.AggregateEventCountersProjectionTestCase, Case):
    view_class = CountersView

    @property
    def env(self) -> dict[str, str]:  # type: ignore[override]  # a fresh store for each test, not one for the class
        return self.environment()


class ViewCase(projection_cases.EventCountersViewTestCase, Case):
    def construct_event_counters_view(self) -> projection_cases.EventCountersView:
        return CountersView(self.open_store())


class EventSourcedProjectionCase(projection_cases.EventSourcedProjectionTestCase, Case):
    @property
    def env(self) -> dict[str, str]:  # type: ignore[override]  # as above
        return self.environment()


MEMBERS = {"__test__": True, "__module__": __name__}


def everywhere(*cases: type[Case]) -> Iterator[tuple[str, type[Case]]]:
    for case in cases:
        for place in (OnFile, InMemory, OnPostgres):
            name = f"{case.__name__}{place.__name__}"
            yield name, new_class(name, (place, case), exec_body=lambda members: members.update(MEMBERS))


globals().update(
    everywhere(
        AggregateRecorderCase,
        SnapshotRecorderCase,
        ApplicationRecorderCase,
        TextApplicationRecorderCase,
        TrackingRecorderCase,
        ProcessRecorderCase,
        NonInterleavingCase,
        FactoryCase,
        ExampleApplicationCase,
        ApplicationCase,
        ViewCase,
        ProjectionCase,
        EventSourcedProjectionCase,
    )
)
