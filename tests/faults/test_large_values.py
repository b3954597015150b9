"""Values that are larger than anybody should keep in a state."""

from __future__ import annotations

import random

from langgraph.checkpoint.eventstore import EventStoreSaver
from tests.support.saving import Calls, at, save

MEGABYTE = 1_000_000


def test_a_value_of_100_megabytes_makes_the_round_trip(saver: EventStoreSaver) -> None:
    # Half of it compresses to nothing, half of it not at all.
    value = random.Random(7).randbytes(50 * MEGABYTE) + bytes(50 * MEGABYTE)
    save(saver, 1, {"large": value, "small": 1})
    saver.put_writes(at(number=1), [("large", value[: 10 * MEGABYTE])], "task")
    found = saver.get_tuple(at())
    assert found is not None
    assert found.checkpoint["channel_values"]["large"] == value
    assert found.checkpoint["channel_values"]["small"] == 1
    assert found.pending_writes == [("task", "large", value[: 10 * MEGABYTE])]
    assert saver.store.verify("thread").events == 2


def test_many_channels_and_many_writes_at_once_make_the_round_trip(calls: Calls) -> None:
    values = {f"channel {number}": number for number in range(5_000)}
    save(calls, 1, values)
    calls.put_writes(at(number=1), [(name, -number) for name, number in values.items()], "task")
    found = calls.get_tuple(at())
    assert found.checkpoint["channel_values"] == values
    assert [(name, value) for _, name, value in found.pending_writes] == [(n, -v) for n, v in values.items()]
