"""Stored bytes that were damaged: what depends on them raises and says where they are. No wrong value is ever read."""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import Any

import ormsgpack
import pytest

from eventstore import ChainError, ChecksumError
from eventstore.codec import UNPACK
from eventstore.codec.envelope import seal, unseal
from langgraph.checkpoint.eventstore import EventStoreSaver
from projections.records import CHECKPOINT_SAVED, WRITES_SAVED, CheckpointRecord
from projections.values.change import Change
from tests.support.damaging import damage, drop_segments, marker, payloads, store, stored, values, without
from tests.support.flavour import Flavour
from tests.support.sameness import same
from tests.support.saving import Calls, at, number_of, save

MakeSaver = Callable[..., EventStoreSaver]

STEPS = 50
DAMAGED = 10
CHANNELS = ["list", "dict", "text", "overwritten"]


@pytest.fixture
def ran(make_saver: MakeSaver) -> EventStoreSaver:
    """A saver that has saved a run: its checkpoint of a number stands at that version of the thread."""
    saver = make_saver()
    for number in range(1, STEPS + 1):
        save(saver, number, values(number), parent=number - 1 or None)
    return saver


# Damage ---------------------------------------------------------------------------------------------------------------


def one_bit(chance: Random) -> Callable[[Change], Change]:
    """Any bit of the data changed."""

    def changed(change: Change) -> Change:
        data = bytearray(change.data)
        data[chance.randrange(len(data))] ^= 1 << chance.randrange(8)
        return change._replace(data=bytes(data))

    return changed


# What is read ---------------------------------------------------------------------------------------------------------


def refusal(saver: EventStoreSaver, number: int | None, expected: int | None = None) -> ChecksumError | None:
    """The error with which a checkpoint is refused. If it is not, it is what was put, to the bit."""
    try:
        found = saver.get_tuple(at(number=number))
    except ChecksumError as error:
        return error
    assert found is not None
    assert same(_sorted(found.checkpoint["channel_values"]), _sorted(values(expected or number_of(found))))
    return None


def _sorted(state: dict[str, Any]) -> dict[str, Any]:
    return dict(sorted(state.items()))


def named(error: ChecksumError | None) -> tuple[str, str, int] | None:
    """Return the thread, channel and version that the error names, if there is one."""
    return (error.thread, error.channel, error.version) if error else None


@pytest.mark.parametrize("channel", CHANNELS)
def test_a_value_that_depends_on_a_damaged_event_is_refused_by_thread_channel_and_version(
    ran: EventStoreSaver, make_saver: MakeSaver, url: str, channel: str
) -> None:
    holding = [
        version for version, payload in payloads(url, CHECKPOINT_SAVED) if marker(DAMAGED).encode() in unseal(payload)
    ]
    assert damage(url, stored(channel, without(marker(DAMAGED))), DAMAGED) == [DAMAGED]
    drop_segments(url)
    saver = make_saver()
    for number in range(1, DAMAGED):
        assert refusal(saver, number) is None
    assert named(refusal(saver, DAMAGED)) == ("thread", channel, DAMAGED)
    for number in [*range(DAMAGED + 1, STEPS + 1), None]:
        assert named(refusal(saver, number)) in (None, ("thread", channel, DAMAGED))
    if holding == [DAMAGED] and channel != "overwritten":  # the later values are nowhere but in what it adds to
        assert named(refusal(saver, None)) == ("thread", channel, DAMAGED)
    with pytest.raises(ChainError) as broken:
        saver.store.verify("thread")
    assert broken.value.version == DAMAGED


@pytest.mark.parametrize("flavour", list(Flavour))
@pytest.mark.parametrize("channel", CHANNELS[:3])
def test_the_head_is_refused_if_what_an_early_step_added_is_damaged_wherever_it_stands(
    ran: EventStoreSaver, make_saver: MakeSaver, url: str, channel: str, flavour: Flavour
) -> None:
    damaged = damage(url, stored(channel, without(marker(DAMAGED))))
    assert damaged[0] == DAMAGED
    drop_segments(url)
    calls = Calls(make_saver(), flavour)
    for attempt in (
        lambda: calls.get_tuple(at()),
        lambda: calls.get_tuple(at(number=DAMAGED)),
        lambda: calls.list({"configurable": {"thread_id": "thread"}}),
        lambda: calls.list(None, limit=1),
    ):
        with pytest.raises(ChecksumError) as refused:
            attempt()
        assert (refused.value.thread, refused.value.channel) == ("thread", channel)
        assert refused.value.version in damaged
        assert f"{channel!r}" in str(refused.value)


@pytest.mark.parametrize("channel", CHANNELS)
def test_whatever_becomes_of_an_events_bytes_no_wrong_value_is_read(
    ran: EventStoreSaver, make_saver: MakeSaver, url: str, channel: str
) -> None:
    before = dict(payloads(url, CHECKPOINT_SAVED))
    _, _, data = ormsgpack.unpackb(unseal(before[DAMAGED - 1]), option=UNPACK)
    earlier = CheckpointRecord.unpack(data).changes[channel]
    chance = Random(0)
    surely: list[Callable[[Change], Change]] = [
        lambda change: change._replace(data=change.data[:-1]),
        lambda change: change._replace(data=change.data + b"\0"),
        lambda change: change._replace(data=b""),
        lambda change: change._replace(data=earlier.data),
        lambda change: change._replace(checksum=change.checksum ^ 1),
        *(one_bit(chance) for _ in range(25)),
    ]
    perhaps: list[Callable[[Change], Change]] = [
        lambda change: change._replace(base=[DAMAGED - 1, 1] if change.base else 1),
        lambda change: change._replace(base=DAMAGED),
        lambda change: change._replace(base=3),
    ]
    for change in [*surely, *perhaps]:
        assert damage(url, stored(channel, change), DAMAGED) == [DAMAGED]
        drop_segments(url)
        saver = make_saver()
        for number in (DAMAGED - 1, DAMAGED, DAMAGED + 1, None):
            assert named(refusal(saver, number)) in (None, ("thread", channel, DAMAGED))
        if change in surely:
            assert refusal(saver, DAMAGED) is not None, surely.index(change)
        saver.store.close()
        store(url, DAMAGED, before[DAMAGED])
    assert refusal(make_saver(), None) is None


def test_a_run_that_goes_on_after_damage_saves_nothing_wrong(
    ran: EventStoreSaver, make_saver: MakeSaver, url: str
) -> None:
    """Neither one that remembers what it saved, nor one that has to look."""
    damage(url, stored("list", without(marker(DAMAGED))), DAMAGED)
    drop_segments(url)
    for number, saver in enumerate([ran, make_saver()], STEPS + 1):
        try:
            save(saver, number, values(number), parent=number - 1)
        except ChecksumError as error:
            assert named(error) == ("thread", "list", DAMAGED)  # noqa: PT017 (it may be saved, too)
            continue
        for reader in (saver, make_saver()):
            assert named(refusal(reader, number)) in (None, ("thread", "list", DAMAGED))


def test_bytes_that_are_taken_for_those_of_another_encoding_are_refused(
    ran: EventStoreSaver, make_saver: MakeSaver, url: str
) -> None:
    damage(url, stored("text", lambda change: change._replace(encoding="bytes")), STEPS)
    drop_segments(url)
    assert named(refusal(make_saver(), None)) == ("thread", "text", STEPS)


def test_a_write_that_waits_and_was_damaged_is_refused(ran: EventStoreSaver, make_saver: MakeSaver, url: str) -> None:
    ran.put_writes(at(number=STEPS), [("text", marker(DAMAGED))], "task")
    [(version, payload)] = payloads(url, WRITES_SAVED)
    content = unseal(payload)
    assert marker(DAMAGED).encode() in content
    store(url, version, seal(content.replace(marker(DAMAGED).encode(), b"#" * len(marker(DAMAGED)))))
    with pytest.raises(ChecksumError) as refused:
        make_saver().get_tuple(at())
    assert named(refused.value) == ("thread", "text", version)
