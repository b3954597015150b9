"""The records of the log and the fold of pending writes, as functions of values."""

from __future__ import annotations

import random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from langgraph.checkpoint.base import WRITES_IDX_MAP, writes_sort_key
from langgraph.checkpoint.serde.jsonplus import JsonPlusSerializer

from eventstore import ChecksumError, CorruptionError, UnknownFormatError
from projections.reading.pending import fold
from projections.records import CheckpointRecord, Entry, TakenOver, Write, WritesRecord
from projections.records.answers import ITSELF, WITHIN, AnswerRecord, Packed
from projections.records.layout import packed_fields
from projections.records.prunes import PruneRecord, Remembered
from projections.values.change import Change, Location, restore, whole

PLACE = Location("thread", "channel", 7)

texts = st.text(st.characters(codec="utf-8"), max_size=20)
ids = st.one_of(st.uuids().map(str), st.uuids().map(lambda uuid: str(uuid).upper()), texts.filter(bool))
versions = st.one_of(st.integers(0, 2**53), texts, st.floats(allow_nan=False))
places = st.one_of(st.none(), st.integers(0, 2**40))
encodings = st.one_of(st.integers(0, 4), texts)
changes = st.builds(Change, st.just(0), st.just(0), st.integers(0, 2**32 - 1), encodings, st.binary(max_size=50))
plain = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(-(2**63), 2**63 - 1), st.floats(), texts, st.binary(max_size=20)),
    lambda parts: st.one_of(st.lists(parts, max_size=4), st.dictionaries(texts, parts, max_size=4)),
    max_leaves=15,
)
keys = st.tuples(texts, ids)
tasks_writes = st.builds(
    Write, texts, st.integers(-4, 100), encodings, st.binary(max_size=20), st.integers(0, 2**32 - 1)
)


@given(
    st.builds(
        CheckpointRecord,
        parent=st.one_of(st.none(), ids),
        format=st.integers(0, 10),
        ts=texts,
        versions_seen=st.dictionaries(texts, st.dictionaries(texts, versions, max_size=3), max_size=3),
        updated_channels=st.one_of(st.none(), st.lists(texts, max_size=3)),
        manifest=st.dictionaries(texts, st.builds(Entry, st.one_of(st.none(), versions), places), max_size=5),
        changes=st.dictionaries(texts, changes, max_size=3),
        extras=st.one_of(st.none(), st.tuples(encodings, st.binary(max_size=20))),
        packets=st.lists(st.one_of(st.none(), texts), max_size=3).map(tuple),
    )
)
def test_a_checkpoints_record_is_read_as_it_was_written(record: CheckpointRecord) -> None:
    assert CheckpointRecord.unpack(record.pack()) == record


@given(st.builds(WritesRecord, texts, st.lists(tasks_writes, max_size=5), st.lists(texts, max_size=3).map(tuple)))
def test_a_tasks_record_is_read_as_it_was_written(record: WritesRecord) -> None:
    assert WritesRecord.unpack(record.pack()) == record


packed = st.builds(Packed, encodings, st.binary(max_size=20), st.integers(0, 2**32 - 1))


@given(
    st.builds(
        AnswerRecord,
        kind=st.sampled_from(["model", "tool"]),
        name=texts,
        fingerprint=st.binary(min_size=32, max_size=32),
        number=st.integers(0, 100),
        step=st.integers(-1, 100),
        path=texts,
        failed=st.booleans(),
        asked=packed,
        answer=packed,
        usage=st.one_of(st.none(), st.dictionaries(texts, st.integers(0, 2**40), max_size=3)),
        seconds=st.floats(0, 1e6),
        source=st.one_of(st.none(), texts),
        asks=st.just(""),
        numbers=st.just(()),
        told=st.none(),
    )
    | st.builds(
        AnswerRecord,
        kind=st.just("tool"),
        name=texts,
        fingerprint=st.binary(min_size=32, max_size=32),
        number=st.integers(0, 100),
        step=st.integers(-1, 100),
        path=texts,
        failed=st.booleans(),
        asked=packed,
        answer=packed,
        usage=st.none(),
        seconds=st.floats(0, 1e6),
        source=st.one_of(st.none(), texts),
        asks=st.sampled_from([ITSELF, WITHIN]),
        numbers=st.lists(st.integers(0, 9), max_size=3).map(tuple),
        told=st.one_of(st.none(), packed),
    )
)
def test_an_answers_record_is_read_as_it_was_written(record: AnswerRecord) -> None:
    assert AnswerRecord.unpack(record.pack()) == record


@given(
    st.builds(
        PruneRecord,
        kept=st.one_of(st.none(), st.lists(keys, max_size=3)),
        dropped=st.lists(keys, max_size=3),
        replayed_through=st.lists(keys, max_size=3),
        pinned=st.integers(0, 2**40),
        taken_over=st.one_of(
            st.none(),
            st.lists(
                st.builds(
                    TakenOver,
                    texts,
                    ids,
                    st.integers(1, 2**40),
                    st.one_of(st.none(), ids),
                    st.booleans(),
                    st.lists(st.integers(1, 2**40), max_size=3),
                ),
                max_size=3,
            ),
        ),
        runs=st.lists(ids, max_size=3),
        remembered=st.lists(
            st.builds(
                Remembered,
                st.integers(0, 2**40),
                *[st.integers(0, 2**63 - 1)] * 7,
                st.one_of(st.none(), texts),
                st.lists(st.integers(0, 2**53), min_size=5, max_size=5),
            ),
            max_size=3,
        ),
    )
)
def test_a_prunes_record_is_read_as_it_was_written(record: PruneRecord) -> None:
    assert PruneRecord.unpack(record.pack()) == record


def test_a_prunes_record_from_before_it_remembered_anything_is_read() -> None:
    record = PruneRecord(kept=[("", "1")], pinned=3, remembered=[])
    assert PruneRecord.unpack(packed_fields([[("", "1")], [], [], 3, None, []])) == record._replace(
        dropped=[], replayed_through=[], runs=[]
    )


@pytest.mark.parametrize(
    "remembered",
    [
        [1],
        [[1]],
        [["1", 0, 0, 0, 0, 0, 0, 0, None, [0] * 5]],
        [[1, -1, 0, 0, 0, 0, 0, 0, None, [0] * 5]],
        [[1, 0, 0, 0, 0, 0, 0, 0, None, [0] * 4]],
        [[1, 0, 0, 0, 0, 0, 0, 0, 5, [0] * 5]],
        [[1, 0, 0, 0, 0, 0, 0, 0, None, [0.5] * 5]],
    ],
)
def test_what_a_prune_remembers_is_of_these_types(remembered: list[Any]) -> None:
    with pytest.raises(CorruptionError):
        PruneRecord.unpack(packed_fields([[], [], [], 0, None, [], remembered]))


@given(st.binary(max_size=40))
def test_damaged_records_are_refused_by_name(data: bytes) -> None:
    for kind in (CheckpointRecord, WritesRecord, PruneRecord):
        try:
            kind.unpack(data)
        except CorruptionError:
            continue


@given(plain)
def test_a_whole_value_is_restored_as_it_was(value: Any) -> None:
    serializer = JsonPlusSerializer(allowed_msgpack_modules=None)
    encoding, data = serializer.dumps_typed(value)
    assert repr(restore(whole(encoding, data), serializer, PLACE)) == repr(serializer.loads_typed((encoding, data)))


@given(st.binary(min_size=1, max_size=60), st.data())
def test_a_value_of_which_one_bit_changed_is_refused(value: bytes, data: st.DataObject) -> None:
    change = whole("bytes", value)
    place = data.draw(st.integers(0, len(value) - 1))
    damaged = bytearray(value)
    damaged[place] ^= 1 << data.draw(st.integers(0, 7))
    with pytest.raises(ChecksumError) as refused:
        restore(change._replace(data=bytes(damaged)), JsonPlusSerializer(), PLACE)
    assert (refused.value.thread, refused.value.channel, refused.value.version) == PLACE


def test_an_operation_of_a_newer_version_is_refused_by_name() -> None:
    with pytest.raises(UnknownFormatError, match="operation 99"):
        restore(Change(99, 1, 0, 1, b""), JsonPlusSerializer(), PLACE)


channels = st.sampled_from(["a", "b", *WRITES_IDX_MAP])
tasks = st.sampled_from(["task-1", "task-2", "task-3"])
calls = st.lists(st.tuples(tasks, st.lists(channels, min_size=1, max_size=4)), max_size=8)


@given(calls, st.randoms(use_true_random=False))
def test_pending_writes_fold_as_in_langgraphs_own_saver_in_memory(
    made: list[tuple[str, list[str]]], chance: random.Random
) -> None:
    paths = {task: chance.choice(["", "~a", "~b"]) for task in ("task-1", "task-2", "task-3")}
    reference: dict[tuple[str, int], tuple[str, str, bytes]] = {}
    events = []
    for number, (task, names) in enumerate(made):
        writes = []
        for index, channel in enumerate(names):
            slot, value = WRITES_IDX_MAP.get(channel, index), f"{number}.{index}".encode()
            if slot < 0 or (task, slot) not in reference:
                reference[task, slot] = (paths[task], channel, value)
            writes.append(Write(channel, slot, 2, value, 0))
        events.append((task, WritesRecord(paths[task], writes)))
    expected = sorted(reference, key=lambda key: writes_sort_key(reference[key][0], *key))
    folded = fold(events)
    assert [(pending.task, pending.write.slot) for pending in folded] == expected
    assert [(pending.path, pending.write.channel, pending.write.data) for pending in folded] == [
        reference[key] for key in expected
    ]
