"""How a value is made of writes by the shape of them: the same as by deepagents' reducers, in any batches."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from langchain_core.messages import AIMessage, HumanMessage, RemoveMessage
from langgraph.channels.delta import DeltaChannel
from langgraph.graph.message import REMOVE_ALL_MESSAGES
from langgraph.types import Overwrite

from eventstore_views.showing import Showing
from langgraph.checkpoint.eventstore._serde import StrictSerializer
from projections.diffing.content import ABSENT
from projections.timeline.rules import EMPTY, Folded, applied_at_once, folded, overwritten
from tests.support.deltas import FILES, MESSAGES

NAMES = st.sampled_from(["a", "b", "c", REMOVE_ALL_MESSAGES])
SAID = st.one_of(
    st.builds(lambda name, text: AIMessage(text, id=name), NAMES, st.text(max_size=2)),
    st.builds(HumanMessage, st.text(max_size=2)),
    st.builds(lambda name: RemoveMessage(id=name), NAMES),
)
# What a reducer has made, which holds each id once.
KEPT = st.lists(
    st.builds(lambda name, text: AIMessage(text, id=name), NAMES, st.text(max_size=2)),
    max_size=3,
    unique_by=lambda message: message.id,
)
MESSAGE_WRITES = st.lists(st.one_of(SAID, st.lists(SAID, max_size=3), st.builds(Overwrite, KEPT)), max_size=6)
FILE = st.one_of(st.none(), st.text(max_size=2), st.fixed_dictionaries({"content": st.text(max_size=2)}))
PATHS = st.sampled_from(["/a", "/b", "/c"])
SOME_FILES = st.dictionaries(PATHS, st.text(max_size=2), max_size=3)
FILE_WRITES = st.lists(
    st.one_of(
        st.dictionaries(PATHS, FILE, max_size=3),
        st.builds(Overwrite, SOME_FILES),
        st.builds(lambda files: {"__overwrite__": files}, SOME_FILES),
        st.builds(lambda files: {"type": "__overwrite__", "value": files}, SOME_FILES),
    ),
    max_size=6,
)


def replayed(reducer: Any, kind: type, writes: list[Any]) -> Any:
    """Return what LangGraph's own channel makes of writes."""
    channel: Any = DeltaChannel(reducer, kind).from_checkpoint(kind())
    channel.replay_writes([("", "", write) for write in writes])
    return channel.get()


def is_made_by(writes: list[Any], cut: int, expected: Any) -> None:
    whole = folded(EMPTY, writes, None)
    assert whole.known
    assert (type(expected)() if whole.value is ABSENT else whole.value) == expected
    assert folded(folded(EMPTY, writes[:cut], None), writes[cut:], None).value == whole.value
    one_by_one = EMPTY
    for write in writes:
        one_by_one = folded(one_by_one, [write], None)
    assert one_by_one.value == whole.value


@given(MESSAGE_WRITES, st.integers(0, 6))
def test_messages_are_what_the_reducer_of_deepagents_makes_of_them(writes: list[Any], cut: int) -> None:
    is_made_by(writes, cut, replayed(MESSAGES, list, writes))


@given(FILE_WRITES, st.integers(0, 6))
def test_files_are_what_the_reducer_of_deepagents_makes_of_them(writes: list[Any], cut: int) -> None:
    is_made_by(writes, cut, replayed(FILES, dict, writes))


@given(st.one_of(MESSAGE_WRITES, FILE_WRITES))
def test_what_is_only_shown_is_made_the_same(writes: list[Any]) -> None:
    """The command line has stand-ins of objects, whose types are not imported."""
    serializer, showing = StrictSerializer(), Showing()
    shown = [showing.loads_typed(serializer.dumps_typed(write)) for write in writes]
    whole, seen = folded(EMPTY, writes, None), folded(EMPTY, shown, None)
    assert (whole.rule, whole.known) == (seen.rule, seen.known)
    if isinstance(whole.value, list):
        assert [each.content for each in whole.value] == [each.content for each in seen.value]
    else:
        assert whole.value == seen.value or whole.value is ABSENT


@given(MESSAGE_WRITES)
def test_writes_change_neither_the_value_before_nor_each_other(writes: list[Any]) -> None:
    kept = [AIMessage("kept", id="kept")]
    before = [*kept], [*writes]
    folded(Folded(kept), writes, None)
    assert ([*kept], writes) == before


@pytest.mark.parametrize(
    "writes",
    [
        ["text"],
        [[1, 2]],
        [{1}],
        [None],
        [("user", "hi")],
        [{"role": "user", "content": "hi"}],
        [[AIMessage("hi", id="1")], ["text"]],
        [{"a": 1}, [1]],
        [[], {"a": 1}],
        [Overwrite([1]), [2]],
    ],
    ids=repr,
)
def test_of_any_other_shape_nothing_is_guessed(writes: list[Any]) -> None:
    assert not folded(EMPTY, writes, None).known


def test_what_stands_whole_in_a_write_needs_no_rule() -> None:
    unknown = folded(EMPTY, [["a"]], None)
    assert folded(unknown, [["b"], Overwrite(["c"])], None) == Folded(["c"])
    assert folded(Folded(["a"]), [Overwrite(None)], None) == Folded([])
    assert not folded(EMPTY, [Overwrite(None)], None).known
    assert folded(Folded({"a": 1}, "dicts by key"), [], None) == Folded({"a": 1}, "dicts by key")


def test_beside_an_overwrite_nothing_counts_in_one_step() -> None:
    channel = DeltaChannel(FILES, dict).from_checkpoint({"a": 1})
    writes = [{"b": 2}, Overwrite({"c": 3}), {"d": 4}]
    channel.update(writes)
    assert applied_at_once(Folded({"a": 1}), writes, None).value == channel.get() == {"c": 3}


@pytest.mark.parametrize("write", [{"value": 1}, {"type": "x", "value": 1}, {"__overwrite__": 1, "b": 2}, ["x"], None])
def test_what_only_looks_like_an_overwrite_is_none(write: Any) -> None:
    assert overwritten(write) == (False, None)
