"""The comparison that the tests of values use: it must not be taken in by what takes in `==`."""

from __future__ import annotations

from typing import Any

import pytest
from langchain_core.messages import AIMessage, HumanMessage

from tests.support.making import Liar, LyingModel
from tests.support.sameness import mutable_parts, same

DIFFERENT: list[tuple[Any, Any]] = [
    (1, True),
    (1, 1.0),
    (0.0, -0.0),
    ([1], (1,)),
    ([1], [True]),
    ({"a": 1, "b": 2}, {"b": 2, "a": 1}),
    ({1: "x"}, {True: "x"}),
    ({1}, {True}),
    ({1}, frozenset({1})),
    (b"a", bytearray(b"a")),
    (Liar(1), Liar(2)),
    (Liar([0.0]), Liar([-0.0])),
    (LyingModel(content=1), LyingModel(content=True)),
    (LyingModel(content=1), LyingModel(content=1, extra={})),
    (HumanMessage("a"), AIMessage("a")),
    (HumanMessage("a", additional_kwargs={"n": [1]}), HumanMessage("a", additional_kwargs={"n": [True]})),
    ("a" * 100, "a" * 99 + "b"),
]


@pytest.mark.parametrize(("left", "right"), DIFFERENT, ids=repr)
def test_what_differs_is_not_the_same_whatever_its_eq_says(left: Any, right: Any) -> None:
    assert not same([left], [right])
    assert same([left], [left])
    assert same([right], [right])


def test_nan_is_nan() -> None:
    assert same([float("nan")], [float("nan")])


def test_the_parts_of_a_value_are_found_wherever_they_are() -> None:
    part: list[Any] = []
    for whole in ([part], (part,), {"a": part}, Liar(part), AIMessage("a", additional_kwargs={"a": part})):
        assert sum(each is part for each in mutable_parts(whole)) == 1
    assert sum(each is part for each in mutable_parts([part, part])) == 2
