"""Parts, fingerprints, copiers and merge levels, as functions of values."""

from __future__ import annotations

import math
import tracemalloc
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from langchain_core.messages import AIMessage, BaseMessage, HumanMessage, ToolMessage
from langgraph.checkpoint.serde.jsonplus import JsonPlusSerializer

from eventstore import BadInputError, CorruptionError
from projections import SnapshotPolicy
from projections.values.change import Encoding, pack_path, unpack_path
from projections.values.copiers import copier_of
from projections.values.fingerprints import fingerprints_of
from projections.values.kinds import PIECE_CHARACTERS, join, kind_of, split
from projections.values.live import LiveValues, Slot
from projections.values.merging import Levels, Merge, levels_after, merges_at
from projections.values.parts import INSERT, NOTHING, Parts, apply, difference, pack, parts_of, unpack
from projections.values.value import new_value
from tests.support.sameness import mutable_parts, same

SERIALIZER = JsonPlusSerializer()

encodings: st.SearchStrategy[Encoding] = st.integers(0, 1)
stored = st.lists(st.tuples(encodings, st.sampled_from([b"", b"a", b"b", b"ab"])), max_size=12).map(parts_of)
plain = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 3) | st.floats(width=16) | st.text(max_size=2) | st.binary(max_size=2),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=2), inner, max_size=3),
    max_leaves=6,
)
messages = st.builds(
    lambda kind, content, extra: kind(content, additional_kwargs=extra),
    st.sampled_from([HumanMessage, AIMessage]),
    st.text(max_size=3),
    st.dictionaries(st.text(max_size=2), plain, max_size=2),
)


@given(stored, stored)
def test_a_recipe_makes_the_new_parts_of_the_old(old: Parts, new: Parts) -> None:
    recipe, inserted = difference(old, new)
    encoding, data = pack(recipe, inserted)
    assert apply(old, *unpack(encoding, data)) == new


@given(stored, stored)
def test_what_is_added_is_all_that_is_stored(old: Parts, more: Parts) -> None:
    new = Parts([*old.stored, *more.stored], old.sums + more.sums)
    _, inserted = difference(old, new)
    assert len(inserted) == len(more.stored)


def test_what_moved_is_copied() -> None:
    old = parts_of([(1, bytes([number])) for number in range(10)])
    turned = parts_of(old.stored[5:] + old.stored[:5])
    assert difference(old, turned) == ([5, 5, 0, 5], [])
    shorter = parts_of([*old.stored[3:], (1, b"new")])
    assert difference(old, shorter) == ([3, 7, INSERT, 1], [(1, b"new")])


@pytest.mark.parametrize("recipe", [[0, 3], [2, 1], [INSERT, 1], [0], [-2, 1], [0, -1]])
def test_a_recipe_that_takes_what_is_not_there_is_refused(recipe: list[int]) -> None:
    with pytest.raises(CorruptionError):
        apply(parts_of([(1, b"a"), (1, b"b")]), recipe, NOTHING)


@given(st.sets(st.integers(1, 10_000), min_size=1).map(sorted))
def test_a_path_is_read_as_it_was_packed(path: list[int]) -> None:
    assert unpack_path(pack_path(path)) == tuple(path)


@given(st.lists(plain) | st.dictionaries(st.text(), plain) | st.text(max_size=3 * PIECE_CHARACTERS))
def test_a_value_is_its_parts(value: Any) -> None:
    if kind := kind_of(value):
        assert same(join(kind, split(kind, value)), value)


def test_an_edit_of_a_long_text_touches_few_of_its_pieces() -> None:
    text = "".join(map(str, range(10_000)))
    pieces = split(kind_of(text), text)
    edited = split(kind_of(text), text[:20_000] + "new" + text[20_000:], pieces)
    assert "".join(edited) == text[:20_000] + "new" + text[20_000:]
    assert len(set(edited) - set(pieces)) <= 2


# Fingerprints ---------------------------------------------------------------------------------------------------------


class Liar:
    """Claims to equal everything."""

    def __eq__(self, other: object) -> bool:
        return True

    def __hash__(self) -> int:
        return 0


@dataclass
class Point:
    x: int


class Text(str):
    __slots__ = ()


@given(plain | messages, plain | messages)
def test_equal_fingerprints_mean_equal_bytes(one: Any, other: Any) -> None:
    [fingerprint, another] = fingerprints_of([one, other]).each()
    if fingerprint == another:
        assert SERIALIZER.dumps_typed([one]) == SERIALIZER.dumps_typed([other])


@given(plain | messages)
def test_a_fingerprint_is_the_same_as_long_as_the_content_is(value: Any) -> None:
    again = SERIALIZER.loads_typed(SERIALIZER.dumps_typed(value))
    if same(again, value):
        assert fingerprints_of([value]) == fingerprints_of([again])


@pytest.mark.parametrize(
    ("one", "other"),
    [(1, True), (1, 1.0), (0, False), (0.0, -0.0), ("1", b"1"), ([1], (1,)), ("a", Text("a")), ({}, []), (None, 0)],
)
@pytest.mark.parametrize(
    "wrap",
    [
        lambda value: value,
        lambda value: {"a": [value]},
        lambda value: HumanMessage("", id="1", additional_kwargs={"a": value}),
    ],
)
def test_what_python_takes_for_equal_is_told_apart(one: Any, other: Any, wrap: Any) -> None:
    [fingerprint, another] = fingerprints_of([wrap(one), wrap(other)]).each()
    assert fingerprint != another


@pytest.mark.parametrize("odd", [Liar(), Point(1), {1: 2}, {1, 2}, 2**70, [Liar()], object(), math.inf.__class__])
def test_what_is_not_plain_has_a_fingerprint_that_equals_no_other(odd: Any) -> None:
    assert fingerprints_of([odd]) != fingerprints_of([odd])


def test_a_message_that_was_changed_in_place_has_another_fingerprint() -> None:
    message = AIMessage("a", tool_calls=[{"name": "t", "args": {"x": [1]}, "id": "1"}], response_metadata={"n": 1})
    before = fingerprints_of([message])
    message.tool_calls[0]["args"]["x"][0] = True
    changed = fingerprints_of([message])
    message.custom = "extra"  # type: ignore[attr-defined]
    assert before != changed != fingerprints_of([message]) != before


# Copiers --------------------------------------------------------------------------------------------------------------


@given(plain | messages | st.tuples(plain, plain) | st.frozensets(st.integers()) | st.datetimes() | st.uuids())
def test_a_copier_makes_copies_that_share_nothing(value: Any) -> None:
    copier = copier_of(value)
    one, other = copier(), copier()
    assert same(one, value)
    assert same(other, value)
    parts = [id(part) for each in (value, one, other) for part in mutable_parts(each)]
    assert len(set(parts)) == len(parts)


@pytest.mark.parametrize("value", [Liar(), [Point(1)], {"a": object()}, Text("a"), {Text("a"): 1}, {(Liar(),): 1}])
def test_what_cannot_be_copied_is_refused(value: Any) -> None:
    with pytest.raises(TypeError):
        copier_of(value)


# Merge levels ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("rows", [2, 3, 32])
def test_a_value_of_n_changes_is_read_from_log_n_rows(rows: int) -> None:
    levels: Levels = ()
    paths: dict[int, tuple[int, ...]] = {1: ()}
    segments: dict[int, list[Merge]] = {}
    for version in range(2, 3000):
        levels = levels_after(levels, version - 1, NOTHING, rows)
        paths[version] = levels[0].path
        assert paths[version][-1] == version - 1
        segments[version] = merges_at(levels, rows)
        if version % 97 == 0:
            assert _rows_read(version, paths, segments) <= rows * (math.log(version, rows) + 1)


def _rows_read(version: int, paths: dict[int, tuple[int, ...]], segments: dict[int, list[Merge]]) -> int:
    count, at, path = 1, version, paths[version]
    while path:
        at = path[-1]
        merges = segments.get(at)
        path = merges[-1].path if merges else paths[at]
        count += 1
    return count


@pytest.mark.parametrize(
    ("wrong", "told"),
    [({"bytes": 0.5}, "bytes is 0.5"), ({"bytes": math.nan}, "bytes is nan"), ({"rows": 1}, "rows is 1")],
)
def test_a_policy_that_makes_no_sense_is_refused(wrong: dict[str, Any], told: str) -> None:
    with pytest.raises(BadInputError, match=told):
        SnapshotPolicy(**wrong)
    with pytest.raises(BadInputError, match="nodes"):
        SnapshotPolicy(nodes="agent")


# What lives -----------------------------------------------------------------------------------------------------------


def test_thousands_of_live_threads_take_no_more_than_the_budget() -> None:
    budget = 1024 * 1024
    live = LiveValues(budget)
    history: Sequence[BaseMessage] = [
        ToolMessage(f"result {number} " * 20, tool_call_id=str(number)) for number in range(5)
    ]
    new_value(list(history), "warm", SERIALIZER)
    tracemalloc.start()
    try:
        for thread in range(2500):
            value = new_value([HumanMessage(f"thread {thread}"), *history], "messages", SERIALIZER).value
            value.restore(SERIALIZER)
            live.put(Slot(thread, "", "messages"), value)
            assert live.memory <= budget
        del value
        taken, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert taken < budget * 1.1
    assert live.get(Slot(2_499, "", "messages"), 0)
    assert live.get(Slot(0, "", "messages"), 0) is None


def test_a_value_larger_than_the_budget_is_not_kept() -> None:
    live = LiveValues(1000)
    live.put(Slot(1, "", "a"), new_value(["a" * 500], "a", SERIALIZER).value)
    assert live.memory == 0
