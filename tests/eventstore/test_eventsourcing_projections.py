"""A projection of the eventsourcing library on our log never misses an event and never repeats one, whoever writes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from uuid import UUID

import pytest
from eventsourcing.application import Application
from eventsourcing.domain import Aggregate
from eventsourcing.persistence import Tracking
from eventsourcing.projection import Projection, ProjectionRunner
from eventstore_eventsourcing.recorder import OriginatorIdType

from eventstore import EventStore
from eventstore.persistence import Factory, LogTrackingRecorder
from eventstore.queries import prepare
from eventstore.recorders import Session
from tests.support.processes import Pipe, in_processes

WRITERS, SAVES, AGGREGATES, EVENTS = 8, 12, 2, 3

CREATE = "CREATE TABLE IF NOT EXISTS seen (position bigint NOT NULL, originator text NOT NULL, version bigint NOT NULL)"
ADD = "INSERT INTO seen (position, originator, version) VALUES (:position, :originator, :version)"
ALL = "SELECT position, originator, version FROM seen"


class Seen(LogTrackingRecorder):
    """Each event that was processed, as often as it was: nothing in the table would refuse a second time."""

    def __init__(self, store: EventStore, originator_id_type: OriginatorIdType = "uuid") -> None:
        super().__init__(store, originator_id_type)
        store.recorder.write(lambda session: session.execute(CREATE, {}))

    def add(self, event: Aggregate.Event, tracking: Tracking) -> None:
        def work(session: Session) -> None:
            session.execute(
                prepare(ADD, self.store.recorder.dialect, self.store.recorder.schema),
                {
                    "position": tracking.notification_id,
                    "originator": str(event.originator_id),
                    "version": event.originator_version,
                },
            )

        self.track(tracking, work)

    def all(self) -> list[tuple[int, str, int]]:
        return [(position, originator, version) for position, originator, version in self.store.recorder.read(ALL, {})]


class Watching(Projection[Seen]):
    def process_event(self, domain_event: Aggregate.Event, tracking: Tracking) -> None:
        self.view.add(domain_event, tracking)


Runner = ProjectionRunner[Application[UUID], Seen]


def running(env: dict[str, str]) -> Runner:
    return ProjectionRunner(application_class=Application[UUID], projection_class=Watching, view_class=Seen, env=env)


def save_some(app: Application[UUID]) -> None:
    """Several aggregates at once, each with several events, over and over."""
    mine = [Aggregate() for _ in range(AGGREGATES)]
    for _ in range(SAVES):
        for aggregate in mine:
            for _ in range(EVENTS):
                aggregate.trigger_event(Aggregate.Event)
        app.save(*mine)


def save_in_a_process(pipe: Pipe, env: dict[str, str]) -> None:
    with Application[UUID](env=env) as app:
        save_some(app)


def assert_each_event_was_seen_once_and_in_order(seen: list[tuple[int, str, int]], writers: int) -> None:
    per_aggregate = SAVES * EVENTS + 1
    positions = [position for position, _, _ in seen]
    assert positions == list(range(1, writers * AGGREGATES * per_aggregate + 1))
    assert set(Counter(originator for _, originator, _ in seen).values()) == {per_aggregate}
    last: dict[str, int] = {}
    for _, originator, version in seen:
        assert version == last.get(originator, 0) + 1
        last[originator] = version


@pytest.fixture
def env(url: str) -> dict[str, str]:
    return {"PERSISTENCE_MODULE": "eventstore.persistence", "EVENTSTORE_URL": url}


@pytest.fixture
def runner(env: dict[str, str]) -> Iterator[Runner]:
    with running(env) as runner:
        yield runner


def test_of_what_eight_threads_write_none_is_missed_and_none_repeated(runner: Runner) -> None:
    with ThreadPoolExecutor(WRITERS) as pool:
        list(pool.map(lambda _: save_some(runner.app), range(WRITERS)))
    runner.wait(runner.app.recorder.max_notification_id(), timeout=60)
    assert_each_event_was_seen_once_and_in_order(runner.view.all(), WRITERS)


def test_of_what_eight_processes_write_none_is_missed_and_none_repeated(postgres_url: str) -> None:
    env = {"PERSISTENCE_MODULE": "eventstore.persistence", "EVENTSTORE_URL": postgres_url, "EVENTSTORE_POOL_SIZE": "2"}
    with running(env) as runner:
        in_processes(save_in_a_process, [(env,)] * WRITERS)
        runner.wait(runner.app.recorder.max_notification_id(), timeout=60)
        assert_each_event_was_seen_once_and_in_order(runner.view.all(), WRITERS)


def test_a_projection_that_is_stopped_again_and_again_goes_on_where_it_was(env: dict[str, str]) -> None:
    writers, reached = 2, 0
    total = writers * AGGREGATES * (SAVES * EVENTS + 1)
    seen: list[tuple[int, str, int]] = []
    with Application[UUID](env=env) as app, ThreadPoolExecutor(writers) as pool:
        writing = [pool.submit(save_some, app) for _ in range(writers)]
        while reached < total:
            with running(env) as runner:
                runner.wait(min(reached + 10, total), timeout=60)
            with Factory(env) as factory:
                view = factory.tracking_recorder(Seen)
                assert isinstance(view, Seen)
                reached, seen = view.max_tracking_id(app.name) or 0, view.all()
                factory.close()
        for each in writing:
            each.result()
    assert_each_event_was_seen_once_and_in_order(seen, writers)
