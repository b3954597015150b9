"""Replays of DeltaChannels, while another process prunes or deletes what they read: never of a part of it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import ormsgpack
import pytest

from eventstore import ChecksumError, EventStore
from eventstore.codec import PACK, UNPACK
from eventstore.codec.envelope import seal, unseal
from eventstore.recorders import Params, Recorder, Rows
from eventstore.testing import Relay
from langgraph.checkpoint.eventstore import EventStoreSaver
from projections.records import WRITES_SAVED, WritesRecord
from tests.support.damaging import payloads
from tests.support.damaging import store as put_in_place
from tests.support.delta_channels import writing
from tests.support.saver_model import replayed
from tests.support.saving import at

MakeSaver = Callable[..., EventStoreSaver]
CHANNELS = ["log", "files"]
SNAPSHOTS = 4


class Beset(Relay):
    """Lets something happen before one of the reads."""

    def __init__(self, inner: Recorder) -> None:
        super().__init__(inner)
        self.reads = 0
        self.place: int | None = None
        self.act: Callable[[], object] = dict

    def read(self, sql: str, params: Params) -> Rows:
        self.reads += 1
        if self.reads - 1 == self.place:
            self.act()
        return super().read(sql, params)


def run(saver: EventStoreSaver, said: str, thread: str = "thread") -> None:
    graph: Any = writing(SNAPSHOTS, steps=3).compile(checkpointer=saver)
    graph.invoke({"log": [said], "step": 1}, at(thread))


def go_on_and_prune(saver: EventStoreSaver, thread: str) -> None:
    run(saver, "third", thread)
    run(saver, "fourth", thread)
    saver.prune([thread])


def delete(saver: EventStoreSaver, thread: str) -> None:
    saver.delete_thread(thread)


@pytest.mark.parametrize("named", [True, False], ids=["named", "latest"])
@pytest.mark.parametrize("warm", [True, False], ids=["warm", "cold"])
@pytest.mark.parametrize("act", [go_on_and_prune, delete])
def test_a_replay_is_as_it_was_before_or_after_whatever_is_forgotten_between_its_statements(
    make_saver: MakeSaver, act: Callable[[EventStoreSaver, str], None], *, warm: bool, named: bool
) -> None:
    other = make_saver()
    recorder = Beset(make_saver().store.recorder)
    for place in range(100):
        thread = f"thread {place}"
        saver = EventStoreSaver(EventStore(recorder))
        run(other, "first", thread)
        if warm:
            saver.get_delta_channel_history(config=at(thread), channels=CHANNELS)
        run(other, "second", thread)
        latest = other.get_tuple(at(thread))
        assert latest
        asked: Any = {"config": latest.config if named else at(thread), "channels": CHANNELS}
        before = replayed(other, asked)
        recorder.reads, recorder.place = 0, place
        recorder.act = lambda thread=thread: act(other, thread)  # type: ignore[misc]
        found = replayed(saver, asked)
        reads, recorder.place = recorder.reads, None
        after = replayed(EventStoreSaver(other.store, cache_bytes=0), asked)
        assert found in (before, after)
        if reads <= place:
            break
        assert replayed(saver, asked) == after
    assert 0 < place < 99


def test_what_another_process_has_erased_since_is_read_anew_and_no_damage(make_saver: MakeSaver) -> None:
    warm, other = make_saver(), make_saver()
    for said in ("first", "second", "third"):
        run(other, said)
        warm.get_delta_channel_history(config=at(), channels=CHANNELS)
        go_on_and_prune(other, "thread")
        cold = EventStoreSaver(other.store, cache_bytes=0)
        asked: Any = {"config": at(), "channels": CHANNELS}
        assert warm.get_delta_channel_history(**asked) == cold.get_delta_channel_history(**asked)


def test_a_damaged_write_is_refused_by_who_follows_the_thread_as_by_who_reads_it_first(
    make_saver: MakeSaver, url: str
) -> None:
    warm, other = make_saver(), make_saver()
    run(other, "first")
    latest = other.get_tuple(at())
    assert latest
    following = other.put(latest.config, {**latest.checkpoint, "id": "2" + latest.checkpoint["id"][1:]}, {}, {})
    asked: Any = {"config": following, "channels": CHANNELS}
    warm.get_delta_channel_history(**asked)
    other.put_writes(latest.config, [("log", ["what is damaged"])], "task")
    version, payload = payloads(url, WRITES_SAVED)[-1]
    schema, cause, data = ormsgpack.unpackb(unseal(payload), option=UNPACK)
    record = WritesRecord.unpack(data)
    damaged = [write._replace(data=write.data.replace(b"damaged", b"DAMAGED")) for write in record.writes]
    changed = record._replace(writes=damaged).pack()
    put_in_place(url, version, seal(ormsgpack.packb([schema, cause, changed], option=PACK)))
    for saver in (make_saver(), warm):
        with pytest.raises(ChecksumError):
            saver.get_delta_channel_history(**asked)


def roll_back(saver: EventStoreSaver, thread: str) -> None:
    saver.history.rollback(thread, back=3)


@pytest.mark.parametrize(("forget", "is_kept"), [(go_on_and_prune, True), (delete, False), (roll_back, False)])
def test_a_state_whose_checkpoint_goes_between_its_two_reads_is_whole_or_an_error_and_never_empty(
    make_saver: MakeSaver, forget: Callable[[EventStoreSaver, str], object], *, is_kept: bool
) -> None:
    """LangGraph reads a checkpoint first, and then what its DeltaChannels are replayed from."""
    saver, other = make_saver(), make_saver()
    run(other, "first")
    latest = saver.get_tuple(at())
    assert latest
    asked: Any = {"config": latest.config, "channels": CHANNELS}
    before = replayed(other, asked)
    forget(other, "thread")
    found = replayed(saver, asked)
    assert found == before if is_kept else "Read the thread again" in found
    assert saver.get_delta_channel_history(config=at("nobody"), channels=["log"]) == {"log": {"writes": []}}
