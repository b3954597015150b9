"""Objects that a reader was given, and that are given again: only if nobody can tell."""

from __future__ import annotations

import gc
import subprocess
import sys
import threading
import weakref
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest
from langchain_core.messages import AIMessage, AnyMessage, HumanMessage, ToolMessage
from langgraph.checkpoint.serde.jsonplus import JsonPlusSerializer

from langgraph.checkpoint.eventstore._serde import StrictSerializer
from projections.values.lent import Lent
from projections.values.loading import load_parts
from projections.values.serializer import Serializer
from projections.values.value import Value, new_value
from tests.support.sharing import everything, share_nothing

pytestmark = pytest.mark.skipif(
    sys.implementation.name != "cpython" or "free-threading" in sys.version, reason="references are not counted there"
)
COUNT = 10
WATCHED = 4
"""The message that the tests look at."""


def said(number: int) -> AIMessage:
    """A message with all that can be nested in one."""
    return AIMessage(
        [{"type": "text", "text": f"{number} " * 20, "annotations": [{"start": 1}]}],
        id=f"{number}",
        additional_kwargs={"refusal": None, "parsed": {"score": 1}},
        response_metadata={"token_usage": {"prompt": 1}},
        tool_calls=[{"name": "look", "args": {"where": ["a", "b"]}, "id": f"call-{number}"}],
    )


@pytest.fixture(params=[StrictSerializer, JsonPlusSerializer])
def serializer(request: pytest.FixtureRequest) -> Serializer:
    """Ours, and LangGraph's own."""
    made: Serializer = request.param()
    return made


@pytest.fixture
def value(serializer: Serializer) -> Value:
    """A list of messages that is live, and was read."""
    found = new_value([said(number) for number in range(COUNT)], "messages", serializer).value
    found.version = 1
    found.restore(serializer)
    return found


def stored(value: Value, serializer: Serializer) -> list[Any]:
    """The messages as their bytes say."""
    return load_parts(value.kind, value.parts.stored, serializer)


def is_made_anew(value: Value) -> list[int]:
    """The indexes of the messages that the next reader would not be given again."""
    taken = value.seen.lent.take()
    value.seen = replace(value.seen, lent=Lent(*taken))
    return taken[-1].held(value.seen.fingerprints)


def test_what_nobody_holds_is_given_again(value: Value, serializer: Serializer) -> None:
    addresses = [*map(id, value.restore(serializer))]
    assert not is_made_anew(value)
    again = value.restore(serializer)
    assert [*map(id, again)] == addresses
    assert everything(again) == everything(stored(value, serializer))


def test_the_first_reader_is_given_what_was_read_and_keeps_it(value: Value, serializer: Serializer) -> None:
    fresh = Value(value.kind, value.parts, 1)
    first = fresh.restore(serializer)
    assert share_nothing(first, fresh.restore(serializer))


HELD: dict[str, Callable[[Any], object]] = {
    "the message": lambda message: message,
    "its fields": vars,
    "what was set": lambda message: message.model_fields_set,
    "its extras": lambda message: message.model_extra,
    "content": lambda message: message.content,
    "a block of the content": lambda message: message.content[0],
    "a list in a block": lambda message: message.content[0]["annotations"],
    "a dict in that": lambda message: message.content[0]["annotations"][0],
    "kwargs": lambda message: message.additional_kwargs,
    "a dict in the kwargs": lambda message: message.additional_kwargs["parsed"],
    "metadata": lambda message: message.response_metadata,
    "tool calls": lambda message: message.tool_calls,
    "a tool call": lambda message: message.tool_calls[0],
    "its arguments": lambda message: message.tool_calls[0]["args"],
    "a list in these": lambda message: message.tool_calls[0]["args"]["where"],
    "no invalid tool calls": lambda message: message.invalid_tool_calls,
    "a method": lambda message: message.pretty_repr,
    "an iterator of fields": lambda message: iter(vars(message)),
    "a view of the kwargs": lambda message: message.additional_kwargs.items(),
    "an iterator of tool calls": lambda message: iter(message.tool_calls),
    "a weak reference": weakref.ref,
    "a weak reference to what was set": lambda message: weakref.ref(message.model_fields_set),
    "the key of a weak dict": lambda message: weakref.WeakValueDictionary(key=message),
    "a ring": lambda message: _ring(message.response_metadata),
}


def _ring(held: object) -> object:
    ring = SimpleNamespace(held=held)
    ring.itself = ring
    return ring


@pytest.mark.parametrize("hold", HELD.values(), ids=HELD)
def test_what_somebody_holds_a_part_of_is_made_anew(
    value: Value, serializer: Serializer, hold: Callable[[Any], object]
) -> None:
    held = hold(value.restore(serializer)[WATCHED])
    assert WATCHED in is_made_anew(value)
    assert held is not None
    found = value.restore(serializer)
    assert everything(found) == everything(stored(value, serializer))
    assert hold(found[WATCHED]) is not held
    assert share_nothing(held, found)


@pytest.mark.parametrize("hold", HELD.values(), ids=HELD)
def test_what_was_held_is_given_again_when_it_is_let_go(
    value: Value, serializer: Serializer, hold: Callable[[Any], object]
) -> None:
    held = hold(value.restore(serializer)[WATCHED])
    assert held is not None
    del held
    gc.collect()
    assert not is_made_anew(value)


def _swap(message: Any) -> None:
    message.additional_kwargs, message.response_metadata = message.response_metadata, message.additional_kwargs


CHANGES: dict[str, Callable[[Any], object]] = {
    "content": lambda message: vars(message).update(content="changed"),
    "a block": lambda message: message.content[0].update(text="changed"),
    "a number for a truth": lambda message: message.content[0]["annotations"][0].update(start=True),
    "a number for a number": lambda message: message.content[0]["annotations"][0].update(start=1.0),
    "a deep list": lambda message: message.tool_calls[0]["args"]["where"].append("c"),
    "a new key": lambda message: message.additional_kwargs.update(new=1),
    "another order of keys": lambda message: message.tool_calls[0].update(name=message.tool_calls[0].pop("name")),
    "a field that is gone": lambda message: vars(message).pop("tool_calls"),
    "a field more": lambda message: vars(message).update(more=1),
    "another class": lambda message: message.__setattr__("__class__", HumanMessage),
    "what was set": lambda message: message.model_fields_set.clear(),
    "an extra": lambda message: message.__setattr__("extra", 1),
    "extras that are gone": lambda message: object.__setattr__(message, "__pydantic_extra__", None),
    "private attributes": lambda message: object.__setattr__(message, "__pydantic_private__", {"x": 1}),
    "private attributes that refuse": lambda message: object.__setattr__(message, "__pydantic_private__", Refusing()),
    "a tuple for a list": lambda message: message.__setattr__("tool_calls", (*message.tool_calls,)),
    "a bytearray": lambda message: message.additional_kwargs.update(refusal=bytearray(b"x")),
    "a ring": lambda message: message.tool_calls[0]["args"].update(me=message.tool_calls),
    "two fields in each other's place": _swap,
    "the same list twice": lambda message: message.additional_kwargs.update(parsed=message.response_metadata),
    "a set that refuses": lambda message: object.__setattr__(message, "__pydantic_fields_set__", Refusing()),
    "fields that refuse": lambda message: message.__setattr__("additional_kwargs", Refusing()),
    "an item that refuses": lambda message: message.tool_calls.append(Refusing()),
}


class Refusing(dict[str, Any]):
    """Neither tells whether it is empty, nor whether it equals anything."""

    def __bool__(self) -> bool:
        raise AssertionError

    def __eq__(self, other: object) -> bool:
        raise AssertionError

    __hash__ = None


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_what_a_reader_changed_is_made_anew(
    value: Value, serializer: Serializer, change: Callable[[Any], object]
) -> None:
    change(value.restore(serializer)[WATCHED])
    assert WATCHED in is_made_anew(value)
    found = value.restore(serializer)
    assert everything(found) == everything(stored(value, serializer))


def test_a_list_of_somebody_elses_in_the_place_of_an_equal_one_is_not_given(
    value: Value, serializer: Serializer
) -> None:
    message = value.restore(serializer)[WATCHED]
    own, message.invalid_tool_calls = message.invalid_tool_calls, []
    others = message.invalid_tool_calls  # which the message shares with who has this
    del message
    found = value.restore(serializer)
    others.append(own)
    assert found[WATCHED].invalid_tool_calls == []


def test_a_message_in_two_places_is_given_in_one(serializer: Serializer) -> None:
    message = said(1)
    twice = new_value([message, message, said(2)], "messages", serializer).value
    for _ in range(3):
        first, second, _other = twice.restore(serializer)
        assert share_nothing(first, second)
        first.content = "changed"
        del first, second, _other
    assert everything(twice.restore(serializer)) == everything(stored(twice, serializer))


def test_only_what_is_held_is_made_anew_in_a_long_list(serializer: Serializer) -> None:
    value = new_value([HumanMessage(f"{n}", id=f"{n}") for n in range(1000)], "messages", serializer).value
    value.version = 1
    kept = value.restore(serializer)[700:703]
    assert is_made_anew(value) == [700, 701, 702]
    nested = value.restore(serializer)[5].additional_kwargs
    anew = is_made_anew(value)
    assert 5 in anew
    assert len(anew) < 300
    nested["x"] = 1
    kept[0].content = "changed"
    assert everything(value.restore(serializer)) == everything(stored(value, serializer))


def test_a_state_that_is_held_until_the_next_run_ends_is_given_to_the_one_after(
    value: Value, serializer: Serializer
) -> None:
    results: list[Any] = [value.restore(serializer), value.restore(serializer)]
    for _ in range(4):
        assert share_nothing(*results)
        addresses = [*map(id, results.pop(0))]
        results.append(value.restore(serializer))
        assert [*map(id, results[-1])] == addresses


def test_what_a_run_puts_is_given_to_the_next_one_with_what_is_new(value: Value, serializer: Serializer) -> None:
    for number in range(COUNT, COUNT + 5):
        state: list[AnyMessage] = value.restore(serializer)
        addresses = [*map(id, state)]
        state.append(ToolMessage(f"{number}", id=f"{number}", tool_call_id="1"))
        changed = new_value(state, "messages", serializer, base=value).value
        changed.version = value.version + 1
        value = changed
        new = state.pop()
        del state
        assert [*map(id, value.restore(serializer))][: len(addresses)] == addresses
        assert share_nothing(value.restore(serializer), new)
        assert everything(value.restore(serializer)) == everything(stored(value, serializer))


def test_what_a_run_removed_and_moved_is_given_where_it_is(value: Value, serializer: Serializer) -> None:
    state: list[Any] = value.restore(serializer)
    edited = [state[5], *state[7:9], said(99), *state[:3]]
    addresses = [*map(id, edited)]
    value = new_value(edited, "messages", serializer, base=value).value
    value.version = 2
    del state, edited
    found = value.restore(serializer)
    assert everything(found) == everything(stored(value, serializer))
    assert [*map(id, found[:3])] == addresses[:3]
    assert [*map(id, found[4:])] == addresses[4:]


def test_nothing_is_kept_of_a_list_that_cannot_be_given_again(value: Value, serializer: Serializer) -> None:
    state: list[Any] = value.restore(serializer)
    kept = weakref.ref(state[0])
    state.append(ToolMessage("content", id="tool", tool_call_id="1", artifact=(1, 2)))  # a tuple has no fingerprint
    value = new_value(state, "messages", serializer, base=value).value
    del state
    assert kept() is None
    assert everything(value.restore(serializer)) == everything(stored(value, serializer))


def test_a_serializer_that_writes_something_else_gives_what_it_wrote() -> None:
    class Redacting(StrictSerializer):
        def dumps_typed(self, obj: Any) -> tuple[str, bytes]:
            shown = [message.model_copy(update={"content": "***"}) for message in obj]
            return super().dumps_typed(shown)

    serializer = Redacting(None)
    value = new_value([HumanMessage("secret" * 40, id="1")], "messages", serializer).value
    for _ in range(4):
        [message] = value.restore(serializer)
        assert message.content == "***"
        message.content = "secret" * 40
        del message


def test_another_serializer_is_not_given_what_the_first_one_made(value: Value, serializer: Serializer) -> None:
    class Shouting(JsonPlusSerializer):
        def loads_typed(self, data: tuple[str, bytes]) -> Any:
            [message] = super().loads_typed(data)
            return [message.model_copy(update={"content": "LOUD"})]

    shouting = Shouting()
    for _ in range(3):
        assert {message.content for message in value.restore(shouting)} == {"LOUD"}
        assert everything(value.restore(serializer)) == everything(stored(value, serializer))


def test_no_two_threads_are_given_the_same(value: Value, serializer: Serializer) -> None:
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    barrier = threading.Barrier(4)

    def read(_: int) -> list[Any]:
        barrier.wait()
        return value.restore(serializer)  # type: ignore[no-any-return]

    try:
        with ThreadPoolExecutor(4) as pool:
            for _ in range(200):
                found = [*pool.map(read, range(4))]
                for index, one in enumerate(found):
                    assert all(share_nothing(one, other) for other in found[:index])
                    one[WATCHED].tool_calls[0]["args"]["where"].append(index)
                    one[index].content = "changed"
                del found, one
    finally:
        sys.setswitchinterval(before)
    assert everything(value.restore(serializer)) == everything(stored(value, serializer))


def test_a_save_and_a_reader_at_once_share_nothing(value: Value, serializer: Serializer) -> None:
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        with ThreadPoolExecutor(2) as pool:
            for number in range(100):
                state = value.restore(serializer)
                saving = pool.submit(new_value, [*state, said(number)], "messages", serializer, base=value)
                reading = pool.submit(value.restore, serializer)
                value, found = saving.result().value, reading.result()
                value.version = number + 2
                del saving, reading
                assert share_nothing(found, state)
                later = value.restore(serializer)
                assert share_nothing(later, found)
                assert share_nothing(later, state)
                found[0].content = state[1].content = "changed"
                del state, found, later
    finally:
        sys.setswitchinterval(before)
    assert everything(value.restore(serializer)) == everything(stored(value, serializer))


ELSEWHERE = """
import sys
sys.version = sys.version.replace("(", "(free-threading ", 1)  # as it says there

from langchain_core.messages import HumanMessage
from langgraph.checkpoint.eventstore._serde import StrictSerializer
from projections.values.value import new_value

serializer = StrictSerializer(None)
value = new_value([HumanMessage(f"{number}" * 100, id="1") for number in range(3)], "messages", serializer).value
for _ in range(3):
    found = value.restore(serializer)
    found[1].content = "changed"
    del found
assert [message.content for message in value.restore(serializer)] == [f"{number}" * 100 for number in range(3)]
assert value.seen.lent.take() == ()
"""


def test_where_references_are_counted_otherwise_everything_is_made_anew() -> None:
    subprocess.run([sys.executable, "-c", ELSEWHERE], check=True)
