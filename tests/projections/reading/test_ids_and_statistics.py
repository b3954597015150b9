"""The ids of a thread's checkpoints, and the statistics of how much there is."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from eventstore import NotFoundError
from langgraph.checkpoint.eventstore import EventStoreSaver
from projections import Branches, CheckpointId, checkpoint_ids, statistics_of
from tests.support.histories import chain, id_of, save

STATES: list[dict[str, Any]] = [{"n": number} for number in range(4)]


@pytest.fixture(autouse=True)
def thread(saver: EventStoreSaver) -> None:
    chain(saver.checkpoints, saver.serde, STATES)


def ids(saver: EventStoreSaver, thread: str = "t") -> dict[str, bool]:
    """The ids of a thread's checkpoints, and whether it shows them."""
    return {each.id: each.shown for each in checkpoint_ids(saver.checkpoints, thread)}


def test_all_checkpoints_are_listed_without_being_read(saver: EventStoreSaver) -> None:
    assert checkpoint_ids(saver.checkpoints, "t") == [CheckpointId("", id_of(number), True) for number in range(1, 5)]
    with pytest.raises(NotFoundError):
        checkpoint_ids(saver.checkpoints, "nobody")


def test_what_a_rollback_made_unreachable_is_told_apart(saver: EventStoreSaver) -> None:
    saver.checkpoints.rollback("t", to=id_of(2))
    assert ids(saver) == {id_of(1): True, id_of(2): True, id_of(3): False, id_of(4): False}
    save(saver.checkpoints, saver.serde, 5, {"n": 5}, parent=2)
    assert ids(saver)[id_of(5)]
    saver.checkpoints.undo("t")
    assert ids(saver) == {id_of(number): number != 5 for number in range(1, 6)}


def test_a_fork_has_what_it_inherits(saver: EventStoreSaver) -> None:
    Branches(saver.checkpoints).fork("t", "fork", at=id_of(2))
    assert ids(saver, "fork") == {id_of(1): True, id_of(2): True}
    saver.delete_thread("t")
    assert ids(saver, "fork") == {id_of(1): True, id_of(2): True}


def test_what_was_pruned_is_gone(saver: EventStoreSaver) -> None:
    saver.prune(["t"])
    assert ids(saver) == {id_of(4): True}


def test_the_store_is_counted(saver: EventStoreSaver) -> None:
    Branches(saver.checkpoints).fork("t", "fork")
    saver.checkpoints.rollback("t", back=1)
    found = statistics_of(saver.store)
    events = [entry.event for entry in saver.store.feed()]
    assert (found.threads, found.forks, found.deleted, found.events) == (2, 1, 0, len(events))
    assert found.bytes == sum(event.size for event in events)
    assert [found.first, found.last] == [min(e.recorded_at for e in events), max(e.recorded_at for e in events)]
    assert {topic.topic: topic.events for topic in found.topics}["checkpoint.saved"] == 4
    assert found.disk
    saver.delete_thread("fork")
    assert statistics_of(saver.store).deleted == 1


def test_a_thread_is_counted_with_the_past_that_it_shares(saver: EventStoreSaver) -> None:
    Branches(saver.checkpoints).fork("t", "fork", at=id_of(2))
    for thread in ("t", "fork"):
        events = [*saver.store.read(thread)]
        found = statistics_of(saver.store, thread)
        assert (found.events, found.bytes) == (len(events), sum(event.size for event in events))
        assert found.disk is None
    with pytest.raises(NotFoundError):
        statistics_of(saver.store, "nobody")


def test_an_empty_store_has_no_times(tmp_path: Path) -> None:
    with EventStoreSaver.from_conn_string(str(tmp_path / "empty.db")) as empty:
        found = statistics_of(empty.store)
    assert (found.threads, found.events, found.bytes, found.first, found.last) == (0, 0, 0, None, None)
