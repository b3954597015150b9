"""A rebuild gives what there was: beside who numbers the feed or prunes, after damage, and of merged changes, too."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import psycopg
import pytest

from eventstore import BadInputError, EventStore, NewEvent
from langgraph.checkpoint.eventstore import EventStoreSaver
from projections import Audit, Checkpoints
from projections.checkpoints.segments import SegmentRows
from projections.tables import Tables
from projections.values.merging import SnapshotPolicy
from tests.support.relays import Meanwhile
from tests.support.saving import numbers, save
from tests.support.tables import blocks_of, execute, rows

MakeSaver = Callable[..., EventStoreSaver]
FEW = SnapshotPolicy(rows=2)


def grow(saver: EventStoreSaver, steps: int, thread: str = "thread") -> None:
    """A list that gets an item at each step."""
    for number in range(1, steps + 1):
        items = [f"item {each}, which is long enough to be stored as a change" for each in range(number)]
        save(saver, number, {"items": items}, thread=thread, parent=number - 1 or None)


def test_what_gets_its_place_in_the_feed_meanwhile_is_entered_once(postgres_url: str) -> None:
    with EventStoreSaver.from_conn_string(postgres_url) as saver, psycopg.connect(postgres_url) as old:
        save(saver, 1)
        saver.store.recorder.sequence()
        old.execute("SELECT pg_current_xact_id()")
        save(saver, 2, parent=1)  # younger than a transaction that is open: without a place
        before = rows(postgres_url)["checkpoints"]

        def number() -> None:  # others number what has become old enough
            old.rollback()
            saver.store.recorder.sequence()

        feed = blocks_of(saver.store, "queries", "eventstore")["feed_rows"]
        meanwhile = Meanwhile(saver.store.recorder, feed, after=number)
        Checkpoints(EventStore(meanwhile)).rebuild()
        assert meanwhile.happened
        assert rows(postgres_url)["checkpoints"] == before
        assert numbers(saver) == [2, 1]


def test_rebuilt_segments_are_those_that_were_stored(make_saver: MakeSaver, url: str) -> None:
    saver = make_saver(snapshots=FEW)
    grow(saver, 40)
    stored = rows(url)["segments"]
    assert {row[3] for row in stored} >= {1, 2, 3}  # several levels
    saver.checkpoints.rebuild_segments()
    assert rows(url)["segments"] == stored


def test_nothing_is_merged_of_what_is_erased_meanwhile(make_saver: MakeSaver, url: str) -> None:
    saver = make_saver(snapshots=FEW)
    grow(saver, 12)
    store = saver.store
    segments = SegmentRows(store, Tables.of(store), FEW)
    store.log.feed_end()
    works = [work for event in store.log.feed() if (work := segments.prepare([event]))]
    assert works
    save(saver, 13, {"items": []}, parent=12)
    saver.prune(["thread"])
    saver.checkpoints.drop_segments()
    for work in works:
        store.recorder.write(lambda session, work=work: work(store.log.within(session)))  # type: ignore[misc]
    assert rows(url)["segments"] == []


def test_an_event_that_cannot_be_read_costs_others_nothing(saver: EventStoreSaver, url: str) -> None:
    grow(saver, 3, "damaged")
    grow(saver, 3, "whole")
    store = saver.store
    store.append("damaged", [NewEvent("stream.forked", b""), NewEvent("thread.deleted", b"")])
    store.append("damaged", [NewEvent("thread.pruned", b"not a record")])
    shown = numbers(saver, "damaged")
    execute(url, "DELETE FROM checkpoints")
    saver.checkpoints.rebuild()
    assert numbers(saver, "whole") == [3, 2, 1]
    assert numbers(saver, "damaged") == shown


def test_a_stream_that_is_forked_in_the_log_alone_shows_nothing_then_and_after_a_rebuild(
    saver: EventStoreSaver,
) -> None:
    save(saver, 1)
    saver.store.fork("thread", "fork")
    saver.copy_thread("thread", "copy")
    for _ in range(2):
        assert numbers(saver, "fork") == []
        assert numbers(saver, "copy") == [1]
        assert saver.history.check("fork").findings == ()
        saver.checkpoints.rebuild()


def test_a_run_is_deleted_once_of_a_thread_that_is_gone(saver: EventStoreSaver) -> None:
    save(saver, 1, run_id="run")
    saver.copy_thread("thread", "fork")
    saver.delete_thread("thread")
    saver.delete_for_runs(["run"])
    events = len([*saver.store.feed()])
    saver.delete_for_runs(["run"])
    assert len([*saver.store.feed()]) == events


@pytest.mark.parametrize(
    "wrong",
    [
        {"batch_events": 0},
        {"batch_events": "x"},
        {"batch_events": 1.5},
        {"batch_bytes": None},
        {"batch_bytes": -1},
        {"patience": -1},
        {"patience": float("nan")},
        {"patience": None},
        {"migrate": "x"},
    ],
)
def test_what_cannot_be_an_option_is_refused_by_its_name(store: EventStore, wrong: dict[str, Any]) -> None:
    with pytest.raises(BadInputError, match=re.escape(next(iter(wrong)))):
        Audit(store, **wrong)
