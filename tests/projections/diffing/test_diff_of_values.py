"""Differences of values: the laws that hold for all, and what a reader sees of typical ones."""

from __future__ import annotations

import copy
import json
from collections import deque
from dataclasses import dataclass, field
from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from langchain_core.messages import AIMessage, BaseMessage, HumanMessage
from pydantic import SecretStr

from projections.diffing.alignment import Run, aligned
from projections.diffing.content import same, weight
from projections.diffing.difference import diff, spelled
from projections.diffing.glance import glance
from projections.diffing.rendering import render
from projections.diffing.tracing import places, steps_to, trace, value_at
from tests.support import making
from tests.support.making import NAN, Liar, LyingHandle, LyingModel
from tests.support.patching import patch

chances = st.randoms(use_true_random=False)


def pair(chance: Random) -> tuple[Any, Any]:
    """Two values: unrelated ones, or one and what a few edits made of it."""
    before = making.anything(chance)
    if chance.randrange(3) == 0:
        return before, making.anything(chance)
    after = edited(chance, copy.deepcopy(before))
    for _ in range(chance.randrange(3)):
        after = edited(chance, after)
    return before, after


def edited(chance: Random, value: Any) -> Any:
    """A value with one edit somewhere inside."""
    match value:
        case list() | deque() if value and chance.randrange(3):
            at = chance.randrange(len(value))
            value[at] = edited(chance, value[at])
        case list() | deque():
            value.insert(chance.randrange(len(value) + 1), making.value(chance, 1))
        case dict() if value and chance.randrange(3):
            key = chance.choice([*value])
            value[key] = edited(chance, value[key])
            if chance.randrange(4) == 0:
                value[key] = value.pop(key)
        case dict():
            value[making.key(chance)] = making.value(chance, 1)
        case str():
            at = chance.randrange(len(value) + 1)
            return value[:at] + chance.choice(["", "a word ", "\n"]) + value[at + chance.randrange(9) :]
        case BaseMessage():
            value.content = making.text(chance)
        case LyingModel() | Liar():
            value.content = edited(chance, value.content)
        case _:
            return making.value(chance, 1)
    return value


@given(chances)
def test_a_difference_applied_to_what_was_gives_what_is(chance: Random) -> None:
    before, after = pair(chance)
    assert same(patch(before, diff(before, after)), after)


@given(chances)
def test_a_value_does_not_differ_from_its_copy(chance: Random) -> None:
    value = making.anything(chance)
    assert not diff(value, value)
    assert not diff(value, copy.deepcopy(value))
    assert render(diff(value, copy.deepcopy(value))) == []


@given(chances)
def test_values_that_are_not_the_same_differ(chance: Random) -> None:
    before, after = pair(chance)
    assert bool(diff(before, after)) is not same(before, after)


@given(chances)
def test_no_difference_holds_more_than_both_values(chance: Random) -> None:
    before, after = pair(chance)
    assert diff(before, after).weight <= weight(before) + weight(after)


@given(chances)
def test_a_difference_as_data_is_plain_json_and_as_lines_is_printable(chance: Random) -> None:
    difference = diff(*pair(chance))
    shown = json.dumps(difference.to_json(), allow_nan=False)
    shown.encode()
    lines = render(difference, "channel")
    assert bool(lines) is bool(difference)
    assert all(str(line).replace("\t", " ").isprintable() for line in lines)


@given(chances, st.integers(3, 80))
def test_a_glance_is_no_longer_than_one_asks_for(chance: Random, limit: int) -> None:
    seen = glance(making.anything(chance), limit)
    assert len(seen) <= limit
    assert seen.isprintable()


@given(chances)
def test_what_a_place_held_before_is_found(chance: Random) -> None:
    before, after = pair(chance)
    difference = diff(before, after)
    for place in places(after):
        traced = trace(difference, place)
        assert traced.kept is (traced.path is not None and same(value_at(before, traced.path), value_at(after, place)))
        if traced.path is not None:
            assert same(value_at(before, traced.path), traced.before)


@given(st.lists(st.integers(0, 3)), st.lists(st.integers(0, 3)))
def test_lists_of_few_values_are_aligned(before: list[int], after: list[int]) -> None:
    difference = diff(before, after)
    assert patch(before, difference) == after


@given(st.lists(st.integers(0, 3), max_size=12), st.lists(st.integers(0, 3), max_size=12))
def test_as_many_items_stay_as_can(before: list[int], after: list[int]) -> None:
    longest = [[0] * (len(after) + 1) for _ in range(len(before) + 1)]
    for i, left in enumerate(before, 1):
        for j, right in enumerate(after, 1):
            best = max(longest[i - 1][j], longest[i][j - 1])
            longest[i][j] = longest[i - 1][j - 1] + 1 if left == right else best
    runs = [block for block in aligned(before, after) if isinstance(block, Run)]
    assert sum(run.length for run in runs) == longest[-1][-1]
    assert all(before[run.before + n] == after[run.after + n] for run in runs for n in range(run.length))


@pytest.mark.parametrize("length", [1_000, 100_000])
def test_an_edit_in_a_long_list_of_few_kinds_leaves_all_else(length: int) -> None:
    before = [number * number % 7 for number in range(length)]
    after = [*before[: length // 2], 9, *before[length // 2 + 1 :], 9]
    assert sum(part.count for part in diff(before, after).parts if part.sign == " ") == length - 1


@given(st.text("ab \n", max_size=200), st.text("ab \n", max_size=200))
def test_texts_are_put_together_again(before: str, after: str) -> None:
    assert patch(before, diff(before, after)) == after


def shown(before: Any, after: Any, name: str = "v") -> list[str]:
    return [str(line) for line in render(diff(before, after), name)]


@pytest.mark.parametrize(
    ("before", "after"),
    [(1, True), (1, 1.0), (0.0, -0.0), ([1], [True]), ({"a": 1}, {"a": 1.0}), ({1: "a"}, {True: "a"}), ((1,), [1])],
)
def test_what_python_calls_equal_is_told_apart(before: Any, after: Any) -> None:
    assert diff(before, after)


def test_what_does_not_equal_itself_is_no_difference() -> None:
    assert not diff(NAN, float("nan"))
    assert not diff([NAN, {"a": NAN}], [float("nan"), {"a": float("nan")}])


def test_values_that_lie_about_being_equal_are_compared_by_what_they_hold() -> None:
    assert shown(Liar("a"), Liar("b")) == ['~ v.content: "a" → "b"']
    assert shown(LyingModel(content=1), LyingModel(content=2)) == ["~ v.content: 1 → 2"]
    assert not diff([Liar(1)], [Liar(1)])


class Stranger:
    """Whose every method does harm."""

    __slots__ = ("_said",)

    def __init__(self, said: str) -> None:
        self._said = said

    def __repr__(self) -> str:
        return self._said

    def __getattr__(self, name: str) -> Any:
        raise RuntimeError(name)

    def __eq__(self, other: object) -> bool:
        raise RuntimeError

    def __hash__(self) -> int:
        raise RuntimeError


class Broken:
    def __repr__(self) -> str:
        raise RuntimeError


def test_of_unknown_types_nothing_is_run_but_the_repr() -> None:
    assert shown(Stranger("a"), Stranger("b")) == ["~ v: a → b"]
    assert not diff(Stranger("a"), Stranger("a"))
    [edit] = diff([Stranger("x" * 9_999)], []).to_json()["edits"]
    assert len(edit["before"]["repr"]) == 500


def test_a_value_that_cannot_even_be_shown_is_the_same_as_itself_only() -> None:
    broken = Broken()
    assert not diff([broken], [broken])
    assert shown(broken, Broken())
    assert not diff(LyingHandle(), LyingHandle())  # both have no fields


def test_an_array_is_compared_by_its_bytes_not_by_its_repr() -> None:
    assert diff(memoryview(b"a"), memoryview(b"b"))
    assert diff(bytearray(b"a"), bytearray(b"b"))


def test_secrets_differ_though_they_look_alike() -> None:
    assert not diff(SecretStr("a"), SecretStr("a"))
    assert shown(SecretStr("a"), SecretStr("b")) == [
        "~ v: SecretStr('**********') (SecretStr) → SecretStr('**********') (SecretStr)"
    ]


def test_what_contains_itself_is_compared_as_far_as_it_goes() -> None:
    before: list[Any] = [1]
    before.append(before)
    after: list[Any] = [2]
    after.append(after)
    assert not diff(before, before)
    assert render(diff(before, after))


def test_terminals_are_not_given_orders() -> None:
    [line] = shown("a", "\x1b[2J\u202e")
    assert line == '~ v: "a" → "\\x1b[2J\\u202e"'


MESSAGES = [HumanMessage("Hello", id="1"), AIMessage("Good morning, how may I help you?", id="2")]


def test_an_edited_message_is_a_change_inside_it() -> None:
    edited = [MESSAGES[0], AIMessage("Good evening, how may I help you?", id="2"), HumanMessage("Thanks", id="3")]
    assert shown(MESSAGES, edited, "messages") == [
        "~ messages: +1 ~1",
        "    [0] stays",
        '~   [1].content: "Good morning, how may I help you?" → "Good evening, how may I help you?"',
        '+   [2]: human: "Thanks"',
    ]


def test_a_removed_message_is_one_line() -> None:
    assert shown([*MESSAGES, AIMessage("x", id="3")], [MESSAGES[0], AIMessage("x", id="3")]) == [
        "~ v: -1",
        "    [0] stays",
        '-   [1]: ai: "Good morning, how may I help you?"',
        "    [1] stays",
    ]


def test_a_message_that_calls_tools_says_which() -> None:
    calls: Any = [{"name": name, "args": {}, "id": name} for name in ("search", "read")]
    assert shown([], [AIMessage("", tool_calls=calls, id="1")]) == ["~ v: +1", "+   [0]: ai: calls search, read"]


def test_items_without_an_id_are_matched_in_their_place_if_they_are_much_alike() -> None:
    before = [{"todo": "buy bread", "done": False}, {"todo": "sleep", "done": False}]
    after = [{"todo": "buy bread", "done": True}, {"todo": "sleep", "done": False}, {"todo": "wake", "done": False}]
    assert shown(before, after) == [
        "~ v: +1 ~1",
        "~   [0]['done']: False → True",
        "    [1] stays",
        '+   [2]: {"todo": "wake", "done": False}',
    ]


def test_keys_are_added_removed_and_changed() -> None:
    assert shown({"a": 1, "b": 2}, {"b": 3, "c": 4}) == [
        "~ v: +1 -1 ~1",
        "-   ['a']: 1",
        "~   ['b']: 2 → 3",
        "+   ['c']: 4",
    ]


def test_the_order_of_keys_is_mentioned() -> None:
    assert shown({"a": 1, "b": 2}, {"b": 2, "a": 1}) == ["~ v: keys in another order"]


def test_a_text_of_several_lines_is_compared_line_by_line() -> None:
    before = "".join(f"line {number}\n" for number in range(20))
    assert shown(before, before.replace("line 10\n", "line ten\nand more\n"), "draft") == [
        "~ draft: +18 -8 characters",
        "    … 8 lines",
        "    line 8",
        "    line 9",
        "-   line 10",
        "+   line ten",
        "+   and more",
        "    line 11",
        "    line 12",
        "    … 7 lines",
    ]


def test_a_long_line_is_compared_word_by_word() -> None:
    before = "The quick brown fox jumps over the lazy dog, and nobody has ever asked it why it does so every day."
    assert shown(before, before.replace("lazy", "sleepy"), "draft") == [
        "~ draft: +6 -4 characters",
        "~   …uick brown fox jumps over the [-lazy-][+sleepy+] dog, and nobody has ever aske…",
    ]


def test_as_data_each_edit_has_a_path_and_both_sides() -> None:
    before = {"files": {"/a.txt": "one"}, "messages": [*MESSAGES]}
    after = {"files": {"/a.txt": "two"}, "messages": [*MESSAGES, HumanMessage("Thanks", id="3")]}
    changed, added = diff(before, after).to_json()["edits"]
    assert changed == {
        "op": "changed",
        "path": "['files']['/a.txt']",
        "steps": [{"key": "files"}, {"key": "/a.txt"}],
        "before": "one",
        "after": "two",
    }
    assert (added["op"], added["path"], added["after"]["$type"]) == ("added", "['messages'][2]", "HumanMessage")
    assert added["after"]["fields"]["content"] == "Thanks"


@dataclass
class Plan:
    title: str
    steps: list[str] = field(default_factory=list)
    owner: Any = None


def test_dataclasses_are_compared_field_by_field() -> None:
    difference = diff(Plan("a", ["x"]), Plan("a", ["x", "y"], owner=Plan("b")))
    assert [(edit.sign, spelled(edit.path)) for edit in difference.edits()] == [("+", ".steps[1]"), ("~", ".owner")]


def test_a_place_is_named_as_a_person_names_it() -> None:
    value = {"messages": [*MESSAGES]}
    path = steps_to(value, ("messages", "2", "content"))
    assert path is not None
    assert spelled(path) == "['messages'][1].content"
    assert steps_to(value, ("messages", -1)) == path[:2]
    assert steps_to(value, ("messages", 7)) is None
    assert steps_to(value, "other") is None


def test_long_lists_are_aligned_in_a_time_that_grows_with_them() -> None:
    chance = Random(5)
    before = [chance.randrange(50) for _ in range(20_000)]
    after = [item for item in before if chance.randrange(10)]
    assert patch(before, diff(before, after)) == after
