"""The costs of storing and reading follow what changed: counted in bytes and rows, not timed."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import pytest

from eventstore import BadInputError, EventStore
from eventstore.codec.envelope import unseal
from langgraph.checkpoint.eventstore import EventStoreSaver
from projections import SnapshotPolicy
from projections.records import CheckpointRecord
from projections.values.change import WHOLE, Change
from tests.support.relays import Counting
from tests.support.saving import at, save
from tests.support.tables import rows

MakeSaver = Callable[..., EventStoreSaver]
CHANNEL = "state"


def changes(saver: EventStoreSaver) -> list[Change]:
    """How each step recorded the channel."""
    events = saver.store.read("thread")
    return [record.changes[CHANNEL] for event in events for record in [CheckpointRecord.unpack(event.data)]]


def overwritten(chance: random.Random, steps: int) -> list[dict[str, str]]:
    """A dict of 200 keys, of which one changes at each step."""
    state = {f"key {number}": chance.randbytes(40).hex() for number in range(200)}
    return [state := {**state, f"key {chance.randrange(200)}": chance.randbytes(40).hex()} for _ in range(steps)]


def streamed(chance: random.Random, steps: int) -> list[str]:
    """A text that grows by 100 characters at each step."""
    text = ""
    return [text := text + chance.randbytes(50).hex() for _ in range(steps)]


def run(saver: EventStoreSaver, states: list[Any]) -> None:
    for number, state in enumerate(states, 1):
        save(saver, number, {CHANNEL: state}, parent=number - 1 or None)


@pytest.mark.parametrize(("make", "delta"), [(overwritten, 90), (streamed, 102)])
def test_what_is_stored_is_at_most_two_and_a_half_times_what_changed(
    saver: EventStoreSaver, url: str, make: Callable[[random.Random, int], list[Any]], delta: int
) -> None:
    steps = 700
    run(saver, make(random.Random(1), steps))
    stored = sum(len(change.data) for change in changes(saver)[1:])
    segments = sum(len(unseal(bytes(row[-1]))) for row in rows(url)["segments"])
    assert stored + segments <= 2.5 * delta * steps + 20_000  # the value as it began, and a whole one more or less


@pytest.mark.parametrize("make", [overwritten, streamed])
def test_what_is_read_is_at_most_two_and_a_half_times_the_value(
    saver: EventStoreSaver, make: Callable[..., list[Any]]
) -> None:
    states = make(random.Random(2), 900)
    run(saver, states)
    counting = Counting(saver.store.recorder)
    fresh = EventStoreSaver(EventStore(counting))
    found = fresh.get_tuple(at())
    rows_read = [row for read in counting.reads for row in read.rows]
    read = sum(len(each) for row in rows_read for each in row if isinstance(each, bytes))
    count = len(rows_read)
    assert found
    assert found.checkpoint["channel_values"][CHANNEL] == states[-1]
    value = len(fresh.serde.dumps_typed(states[-1])[1])
    # Besides the changes, each event says who caused it, and each checkpoint where its values are.
    assert read <= 2.5 * value + 400 * count
    assert count <= 32 * 3 + 10


def test_a_value_that_is_new_each_time_is_stored_once_each_time(saver: EventStoreSaver) -> None:
    chance = random.Random(3)
    run(saver, [[chance.randbytes(1000)] for _ in range(40)])
    stored = [len(change.data) for change in changes(saver)]
    assert max(stored) < 1050
    run(saver, [chance.randbytes(1000) for _ in range(3)])
    assert [change.operation for change in changes(saver)][-3:] == [WHOLE] * 3


def test_one_more_message_is_one_more_item_however_many_there_are(saver: EventStoreSaver) -> None:
    run(saver, [[f"message {number:04}" for number in range(length)] for length in range(20, 400)])
    assert max(len(change.data) for change in changes(saver)[1:]) < 30


def test_after_a_node_of_the_policy_values_are_whole(make_saver: MakeSaver) -> None:
    saver = make_saver(snapshots=SnapshotPolicy(nodes=["summarize"]))
    for number in range(1, 7):
        log = [f"line {line} of a log" for line in range(10 * number)]
        new = {
            "v": 4,
            "id": f"00000000-0000-0000-0000-{number:012}",
            "ts": "2026-01-01T00:00:00+00:00",
            "channel_values": {CHANNEL: log},
            "channel_versions": {CHANNEL: number},
            # `summarize` ran in the fourth step, and saw what was there then.
            "versions_seen": {"agent": {CHANNEL: number}, **({"summarize": {CHANNEL: 3}} if number >= 4 else {})},
            "updated_channels": None,
        }
        saver.put(at(number=number - 1 or None), new, {}, {CHANNEL: number})  # type: ignore[arg-type]
    assert [number for number, change in enumerate(changes(saver), 1) if not change.path] == [1, 4]


def test_a_cache_of_no_bytes_changes_nothing_but_time(make_saver: MakeSaver) -> None:
    saver = make_saver(cache_bytes=0)
    run(saver, [[f"message {number:04}" for number in range(length)] for length in range(20, 90)])
    found = saver.get_tuple(at())
    assert found
    assert len(found.checkpoint["channel_values"][CHANNEL]) == 89
    assert max(len(change.data) for change in changes(saver)[1:]) < 30


@pytest.mark.parametrize("cache_bytes", [-1, None, "1MB", 1.5, True])
def test_a_cache_of_no_size_is_refused(cache_bytes: Any, make_saver: MakeSaver) -> None:
    with pytest.raises(BadInputError, match="cache_bytes is"):
        make_saver(cache_bytes=cache_bytes)


@pytest.mark.parametrize("rows", [1, 2.5, "32"])
def test_a_policy_that_makes_no_sense_is_refused(rows: Any, make_saver: MakeSaver) -> None:
    with pytest.raises(BadInputError, match="rows is"):
        SnapshotPolicy(rows=rows)
    with pytest.raises(BadInputError, match="snapshots is"):
        make_saver(snapshots=rows)
