"""A projection of one's own: what the seam asks for, and what it gives."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import pytest

from eventstore import EventStore, NewEvent
from eventstore.erasing import OpenLog
from eventstore.queries import prepare
from eventstore.reading import FeedRow
from projections import Checkpoints
from projections.projection import Follower, Work, drop, rebuild
from tests.support.processes import Pipe, in_processes

ARCHITECTURE = Path(__file__).parents[2] / "docs" / "architecture.md"


# The example of docs/architecture.md begins here.
class TopicCounts:
    """How many events of each topic there are."""

    name = "topic_counts"
    tables = ("topic_counts",)
    inline = False
    step = None

    def __init__(self, store: EventStore) -> None:
        self._store = store
        store.recorder.write(lambda session: session.execute(self._sql(CREATE), {}))

    def prepare(self, events: Sequence[FeedRow]) -> Work:
        counted = Counter(event.topic for event in events)

        def work(log: OpenLog) -> None:
            for topic, number in counted.items():
                log.execute(self._sql(COUNT), {"topic": topic, "number": number})

        return work

    def clear(self, log: OpenLog) -> None:
        log.execute(self._sql("DELETE FROM {schema}.topic_counts"), {})

    def counts(self) -> dict[str, int]:
        Follower(self._store, self).catch_up()
        return dict(self._store.recorder.read(self._sql("SELECT topic, number FROM {schema}.topic_counts"), {}))

    def _sql(self, sql: str) -> str:
        return prepare(sql, self._store.recorder.dialect, self._store.recorder.schema)


CREATE = "CREATE TABLE IF NOT EXISTS {schema}.topic_counts (topic text PRIMARY KEY, number bigint NOT NULL)"
COUNT = """
    INSERT INTO {schema}.topic_counts (topic, number) VALUES (:topic, :number)
    ON CONFLICT (topic) DO UPDATE SET number = topic_counts.number + excluded.number
"""
# And ends here.


def test_the_docs_show_it() -> None:
    shown = Path(__file__).read_text(encoding="utf-8").split("begins here.\n")[1].split("# And ends")[0].strip("\n")
    assert f"```python\n{shown}\n```" in ARCHITECTURE.read_text(encoding="utf-8")
    assert len([line for line in shown.splitlines() if line]) <= 40


@pytest.fixture
def counts(store: EventStore) -> TopicCounts:
    Checkpoints(store)  # which makes the tables of this package
    return TopicCounts(store)


def test_it_is_up_to_date_whenever_it_is_asked(store: EventStore, counts: TopicCounts) -> None:
    assert counts.counts() == {}
    store.append("s", [NewEvent("said"), NewEvent("said"), NewEvent("done")])
    assert counts.counts() == {"said": 2, "done": 1}
    store.append("t", [NewEvent("said")])
    assert counts.counts() == {"said": 3, "done": 1}


def test_it_is_dropped_and_made_anew(store: EventStore, counts: TopicCounts) -> None:
    store.append("s", [NewEvent("said")] * 3)
    assert counts.counts() == {"said": 3}
    drop(store, counts)
    assert store.recorder.read(counts._sql("SELECT * FROM {schema}.topic_counts"), {}) == []
    assert counts.counts() == {"said": 3}
    rebuild(store, counts)
    assert counts.counts() == {"said": 3}


def test_batches_of_any_size_give_the_same(store: EventStore, counts: TopicCounts) -> None:
    store.append("s", [NewEvent(f"topic {number % 3}", bytes(100)) for number in range(20)])
    for events, size in ((1, 1 << 20), (7, 1 << 20), (100, 150)):
        drop(store, counts)
        Follower(store, counts, batch_events=events, batch_bytes=size).catch_up()
        assert counts.counts() == {"topic 0": 7, "topic 1": 7, "topic 2": 6}


def test_one_that_nobody_has_asked_yet_is_dropped_all_the_same(store: EventStore, counts: TopicCounts) -> None:
    store.append("s", [NewEvent("said")])
    Follower(store, counts).drop()
    assert counts.counts() == {"said": 1}


def counting(_: Pipe, url: str) -> dict[str, int]:
    with EventStore.open(url) as store:
        return TopicCounts(store).counts()


def test_processes_that_follow_at_once_enter_each_event_once(url: str, store: EventStore, counts: TopicCounts) -> None:
    store.append("s", [NewEvent("said")] * 3_000)
    assert in_processes(counting, [(url,)] * 3) == [{"said": 3_000}] * 3
    assert counts.counts() == {"said": 3_000}
