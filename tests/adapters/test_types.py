"""The types of stored values that are made again: the program's, as what they were; no others, silently or not."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass, make_dataclass
from enum import Enum
from typing import Any, TypedDict
from uuid import UUID

import ormsgpack
import pytest
from langchain_core.agents import AgentAction, AgentActionMessageLog, AgentFinish, AgentStep
from langchain_core.documents import Document
from langchain_core.messages import (
    AIMessage,
    AIMessageChunk,
    ChatMessage,
    FunctionMessage,
    HumanMessage,
    RemoveMessage,
    SystemMessage,
    ToolMessage,
)
from langchain_core.outputs import ChatGeneration, ChatResult, Generation, LLMResult, RunInfo
from langchain_core.prompt_values import ChatPromptValue, ImagePromptValue, StringPromptValue
from langchain_core.prompts import ChatPromptTemplate
from langchain_core.tools import BaseTool
from langgraph.checkpoint.serde.jsonplus import JsonPlusSerializer
from langgraph.graph import START, StateGraph
from pydantic import BaseModel, RootModel, create_model, model_serializer

from eventstore import BadInputError, TypeChangedError, TypeNotAllowedError, UnserializableError
from langgraph.checkpoint.eventstore import EventStoreSaver
from langgraph.checkpoint.eventstore._packing import PYDANTIC_2
from langgraph.checkpoint.eventstore._serde import StrictSerializer
from tests.support import own
from tests.support.saving import at, save

MakeSaver = Callable[..., EventStoreSaver]
MADE: list[str] = []


@dataclass
class Point:
    x: int

    def __post_init__(self) -> None:
        MADE.append("Point")


class Person(BaseModel):
    name: str


class State(TypedDict):
    point: Point
    people: list[Person]


CONFIG: Any = {"configurable": {"thread_id": "t"}}
GIVEN: State = {"point": Point(1), "people": [Person(name="ann")]}
NAMES = {(__name__, "Point"), (__name__, "Person")}


def run(saver: EventStoreSaver) -> None:
    builder = StateGraph(State).add_node("keep", lambda state: state).add_edge(START, "keep")
    builder.compile(checkpointer=saver).invoke(GIVEN, CONFIG)


def again(value: Any, **options: Any) -> Any:
    """A value, written and read."""
    serializer = StrictSerializer(**options)
    return serializer.loads_typed(serializer.dumps_typed(value))


# --- by default ------------------------------------------------------------------------------------------------------


def test_data_types_that_the_program_has_imported_need_no_permission(make_saver: MakeSaver) -> None:
    run(make_saver())
    saved = make_saver().get_tuple(CONFIG)
    assert saved is not None
    assert saved.checkpoint["channel_values"] == GIVEN


@pytest.mark.parametrize("value", own.VALUES, ids=lambda value: type(value).__name__)
def test_a_value_of_a_type_of_ones_own_is_read_as_what_it_was(value: Any) -> None:
    read = again(value)
    assert type(read) is type(value)
    assert read == value
    assert repr(read) == repr(value)


def test_a_message_is_read_as_a_node_has_left_it() -> None:
    message = AIMessage("x", id="1")
    message.content = None  # type: ignore[assignment]
    assert again(message) == message
    person = Person(name="ann")
    person.name = 7  # type: ignore[assignment]
    for options in ({}, {"allowed_types": [Person]}):
        assert again([person], **options)[0].name == 7


CALL: Any = {"name": "look", "args": {"up": [1]}, "id": "call", "type": "tool_call"}
USAGE: Any = {"input_tokens": 1, "output_tokens": 2, "total_tokens": 3, "input_token_details": {"cache_read": 1}}
MESSAGES: list[Any] = [
    AIMessage("x", id="1", tool_calls=[CALL], usage_metadata=USAGE, response_metadata={"model": "m"}),
    AIMessage(["a", {"type": "text", "text": "b"}], name="n"),
    AIMessage("", additional_kwargs={"tool_calls": [{"id": "1", "function": {"name": "f", "arguments": "{}"}}]}),
    AIMessageChunk(content="c", tool_call_chunks=[{"name": "f", "args": "{", "id": "1", "index": 0}]),
    ChatMessage(content="x", role="r"),
    FunctionMessage(content="x", name="f"),
    HumanMessage("x", id="2"),
    HumanMessage("x", beyond=1),  # messages take any field
    RemoveMessage(id="3"),
    SystemMessage("x"),
    ToolMessage("x", tool_call_id="call", artifact={"rows": [1]}, status="error"),
]


@pytest.mark.parametrize("message", MESSAGES, ids=lambda message: type(message).__name__)
def test_a_message_is_the_same_as_if_its_constructor_had_made_it(message: Any) -> None:
    """Those that have all fields of their class are not validated once more: that takes most of the time of reading."""
    assert _all_of(again(message)) == _all_of(message)
    stock = JsonPlusSerializer(allowed_msgpack_modules=None)
    made = stock.loads_typed(stock.dumps_typed(message))
    assert _all_of(again(made)) == _all_of(made)


def test_a_message_of_another_release_is_made_by_its_constructor() -> None:
    """It has other fields than those that its class has now."""
    fields = {"content": ["a"], "type": "human", "id": "1"}
    packed = ormsgpack.packb(("langchain_core.messages.human", "HumanMessage", fields))
    stored = ormsgpack.packb(ormsgpack.Ext(PYDANTIC_2, packed))
    made = StrictSerializer().loads_typed(("msgpack", stored))
    assert made == HumanMessage(["a"], id="1")
    assert made.additional_kwargs == {}


def _all_of(message: Any) -> Any:
    held = {name: (type(value), value) for name, value in message.__dict__.items()}
    return type(message), list(held.items()), message.__pydantic_extra__, message.__pydantic_private__


def test_an_object_that_holds_itself_is_refused_in_no_time() -> None:
    zoo = own.Zoo(animals=[])
    zoo.anything = [own.Pair(zoo, {own.Colour.RED: zoo})]
    with pytest.raises(TypeError):
        again(zoo)


def test_fields_that_a_dataclass_does_not_take_are_read_as_they_were() -> None:
    read = again(own.counted())
    assert (read.items, read.count, hasattr(read, "unset")) == (["a", "b"], 7, False)


ACTION = AgentAction(tool="t", tool_input={"a": 1}, log="l")
LANGCHAINS: list[Any] = [
    *(ACTION, AgentFinish({"output": 1}, "l"), AgentStep(action=ACTION, observation=1)),
    AgentActionMessageLog(tool="t", tool_input="i", log="l", message_log=[AIMessage("x")]),
    *(Generation(text="t"), ChatGeneration(message=AIMessage("x")), RunInfo(run_id=UUID(int=1))),
    ChatResult(generations=[ChatGeneration(message=AIMessage("x"))]),
    LLMResult(generations=[[ChatGeneration(message=AIMessage("x"))], [Generation(text="t")]]),
    *(StringPromptValue(text="t"), ChatPromptValue(messages=[HumanMessage("x")]), Document("page", metadata={"a": 1})),
    ImagePromptValue(image_url={"url": "https://example.com/a.png", "detail": "low"}),
]


@pytest.mark.parametrize("options", [{}, {"allowed_types": []}], ids=["by default", "strictly"])
@pytest.mark.parametrize("value", LANGCHAINS, ids=lambda value: type(value).__name__)
def test_langchains_plain_data_needs_no_permission(value: Any, options: Any) -> None:
    read = again(value, **options)
    assert (type(read), read) == (type(value), value)


class Tool(BaseTool):
    name: str = "tool"
    description: str = "does something"

    def _run(self) -> None:
        MADE.append("run")


def test_runnables_and_tools_are_never_made_again_though_they_are_models() -> None:
    prompt = ChatPromptTemplate.from_messages([("human", "hello")])
    stored = StrictSerializer().dumps_typed([prompt, Tool(), own.Point(1)])
    with pytest.raises(TypeNotAllowedError, match="allowed_types") as refused:
        StrictSerializer().loads_typed(stored)
    assert {("langchain_core.prompts.chat", "ChatPromptTemplate"), (__name__, "Tool")} <= set(refused.value.types)
    assert (own.__name__, "Point") not in refused.value.types


def test_a_type_that_is_found_nowhere_is_refused_before_anything_is_stored(make_saver: MakeSaver) -> None:
    class Local(BaseModel):
        x: int

    saver = make_saver()
    for value in (Local(x=1), [create_model("Dynamic", x=(int, ...))(x=1)]):
        with pytest.raises(UnserializableError, match="top level of a module"):
            save(saver, 1, {"state": value})
        with pytest.raises(UnserializableError, match="top level of a module"):
            saver.put_writes(at(number=1), [("state", value)], "task")
    assert saver.store.head("thread") is None or saver.store.head("thread").version == 0
    assert again(Local(x=1), allowed_types=[Local]) == Local(x=1)


# --- what a type does not take any more ------------------------------------------------------------------------------


class Hashes(Enum):
    ONE = 1


@dataclass
class Grown:
    x: int


class GrownModel(BaseModel):
    x: int


class Text(BaseModel):
    x: int

    @model_serializer
    def _text(self) -> str:
        return str(self.x)


CHANGING = ("Grown", "GrownModel", "Hashes")


def _gone(patch: pytest.MonkeyPatch, name: str) -> None:
    patch.delattr(sys.modules[__name__], name)


def _other(patch: pytest.MonkeyPatch, name: str, other: Any) -> None:
    patch.setattr(sys.modules[__name__], name, other)


@pytest.mark.parametrize(
    "options", [{}, {"allowed_types": [(__name__, name) for name in ("Grown", "GrownModel", "Hashes")]}]
)
@pytest.mark.parametrize(
    ("value", "change"),
    [
        (Grown(1), lambda patch: _gone(patch, "Grown")),
        (Grown(1), lambda patch: _other(patch, "Grown", make_dataclass("Grown", ["x", "y"]))),
        (Grown(1), lambda patch: _other(patch, "Grown", make_dataclass("Grown", []))),
        (GrownModel(x=1), lambda patch: _gone(patch, "GrownModel")),
        (GrownModel(x=1), lambda patch: _other(patch, "GrownModel", create_model("GrownModel", x=str))),
        (GrownModel(x=1), lambda patch: _other(patch, "GrownModel", create_model("G", x=int, y=(int, ...)))),
        (Hashes.ONE, lambda patch: _gone(patch, "Hashes")),
        (Hashes.ONE, lambda patch: _other(patch, "Hashes", Enum("Hashes", {"TWO": 2}))),
    ],
)
def test_what_a_type_does_not_take_any_more_raises_by_name_and_stays_stored(
    value: Any, change: Any, options: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    stored = StrictSerializer(**options).dumps_typed({"deep": [value]})
    with monkeypatch.context() as patch:
        change(patch)
        with pytest.raises(TypeChangedError) as raised:
            StrictSerializer(**options).loads_typed(stored)
    assert (raised.value.module, raised.value.name) == (__name__, type(value).__name__)
    assert StrictSerializer(**options).loads_typed(stored) == {"deep": [value]}


def test_a_renamed_class_is_made_again_under_an_alias(monkeypatch: pytest.MonkeyPatch) -> None:
    stored = StrictSerializer().dumps_typed(own.Point(1))
    renamed = make_dataclass("Renamed", ["x", "y"])
    monkeypatch.setattr(own, "Point", renamed)
    assert StrictSerializer().loads_typed(stored) == renamed(1, 0)


def test_what_langgraphs_own_serializer_wrote_is_read() -> None:
    values = [Point(1), Person(name="ann"), own.Colour.RED, own.Pair(1), AIMessage("x"), own.Numbers([1])]
    assert StrictSerializer().loads_typed(JsonPlusSerializer().dumps_typed(values)) == values


# --- strictly --------------------------------------------------------------------------------------------------------


def test_types_that_are_not_allowed_are_named_all_of_them_and_not_made(make_saver: MakeSaver) -> None:
    run(make_saver())
    MADE.clear()
    with pytest.raises(TypeNotAllowedError, match="allowed_types") as refused:
        make_saver(allowed_types=[]).get_tuple(CONFIG)
    assert set(refused.value.types) == NAMES
    assert all(name in str(refused.value) for _, name in NAMES)
    assert MADE == []


def test_types_that_are_not_allowed_are_refused_before_anything_is_stored(make_saver: MakeSaver) -> None:
    saver = make_saver(allowed_types=[own.Point])
    save(saver, 1, {"fine": own.Point(1)})
    mixed = {"point": Point(1), "people": [own.Point(1)] * 9 + [Person(name="ann")]}
    head = saver.store.head("thread")
    for refused_call in (
        lambda: save(saver, 2, mixed, parent=1),
        lambda: save(saver, 1, mixed, thread="other"),
        lambda: saver.put_writes(at(number=1), [*mixed.items()], "task"),
    ):
        with pytest.raises(TypeNotAllowedError) as refused:
            refused_call()
        assert set(refused.value.types) == NAMES
    assert saver.store.head("thread") == head
    assert saver.get_tuple(at("other")) is None


class Bag(RootModel[dict[str, int]]):
    @model_serializer
    def _texts(self) -> list[str]:
        return [*self.root]


@pytest.mark.parametrize("value", [Text(x=1), Bag({"a": 1})], ids=lambda value: type(value).__name__)
def test_what_could_not_be_made_again_is_refused_strictly_before_it_is_stored(
    value: Any, make_saver: MakeSaver
) -> None:
    saver = make_saver(allowed_types=[Text, Bag])
    with pytest.raises(TypeChangedError, match=type(value).__name__):
        save(saver, 1, {"state": [value]})
    with pytest.raises(TypeChangedError, match=type(value).__name__):
        saver.put_writes(at(number=1), [("state", value)], "task")
    assert saver.get_tuple(at()) is None
    stored = StrictSerializer().dumps_typed(value)
    with pytest.raises(TypeChangedError, match=type(value).__name__):
        StrictSerializer().loads_typed(stored)


@pytest.mark.parametrize("allowed", [[Point, Person], [(__name__, "Point"), (__name__, "Person")]])
def test_types_that_are_allowed_are_made_again(make_saver: MakeSaver, allowed: list[Any]) -> None:
    run(make_saver(allowed_types=allowed))
    saved = make_saver(allowed_types=allowed).get_tuple(CONFIG)
    assert saved is not None
    assert saved.checkpoint["channel_values"] == GIVEN


@pytest.mark.parametrize("value", own.VALUES, ids=lambda value: type(value).__name__)
def test_a_value_of_an_allowed_type_is_read_as_what_it_was(value: Any) -> None:
    kinds = [kind for kind in vars(own).values() if isinstance(kind, type) and kind.__module__ == own.__name__]
    allowed = [*kinds, own.Outer.Inner, own.Outer.Point, own.Box[int], own.Box[own.Animal]]
    assert repr(again(value, allowed_types=allowed)) == repr(value)


def test_langgraph_allows_types_within_types_by_their_last_name() -> None:
    strict = StrictSerializer([]).with_msgpack_allowlist({(own.__name__, "Inner")})
    assert strict.loads_typed(strict.dumps_typed(own.Outer.Inner.ONE)) is own.Outer.Inner.ONE


def test_what_was_refused_is_still_there_once_it_is_allowed(make_saver: MakeSaver) -> None:
    run(make_saver())
    saver = make_saver(allowed_types=[])
    with pytest.raises(TypeNotAllowedError):
        saver.get_tuple(CONFIG)
    allowing = saver.with_allowlist(NAMES)
    assert allowing is not saver
    saved = allowing.get_tuple(CONFIG)
    assert saved is not None
    assert saved.checkpoint["channel_values"] == GIVEN


def test_where_langgraph_is_strict_so_is_the_saver(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LANGGRAPH_STRICT_MSGPACK", "true")
    with pytest.raises(TypeNotAllowedError):
        again(own.Point(1))


@pytest.mark.parametrize("allowed", ["Point", ["tests.Point"], [("one",)], [("one", "two", "three")], 7, [None]])
def test_a_list_of_types_that_cannot_be_one_is_refused(make_saver: MakeSaver, allowed: Any) -> None:
    with pytest.raises(BadInputError, match="allowed_types"):
        make_saver(allowed_types=allowed)
