"""Which types of stored values are made again: those that are allowed, and no others, silently or not."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypedDict

import pytest
from langgraph.graph import START, StateGraph
from pydantic import BaseModel

from eventstore import BadInputError, TypeNotAllowedError
from langgraph.checkpoint.eventstore import EventStoreSaver

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


def run(saver: EventStoreSaver) -> None:
    builder = StateGraph(State).add_node("keep", lambda state: state).add_edge(START, "keep")
    builder.compile(checkpointer=saver).invoke(GIVEN, CONFIG)


def test_a_type_that_is_not_allowed_is_named_and_not_made(make_saver: MakeSaver) -> None:
    run(make_saver())
    MADE.clear()
    with pytest.raises(TypeNotAllowedError, match="allowed_types") as refused:
        make_saver().get_tuple(CONFIG)
    assert (refused.value.module, refused.value.name) in [(__name__, "Point"), (__name__, "Person")]
    assert MADE == []


@pytest.mark.parametrize("allowed", [[Point, Person], [(__name__, "Point"), (__name__, "Person")]])
def test_types_that_are_allowed_are_made_again(make_saver: MakeSaver, allowed: list[Any]) -> None:
    run(make_saver())
    saved = make_saver(allowed_types=allowed).get_tuple(CONFIG)
    assert saved is not None
    assert saved.checkpoint["channel_values"] == GIVEN


def test_what_was_refused_is_still_there_once_it_is_allowed(make_saver: MakeSaver) -> None:
    saver = make_saver()
    run(saver)
    with pytest.raises(TypeNotAllowedError):
        saver.get_tuple(CONFIG)
    allowing = saver.with_allowlist([(__name__, "Point"), (__name__, "Person")])
    assert allowing is not saver
    saved = allowing.get_tuple(CONFIG)
    assert saved is not None
    assert saved.checkpoint["channel_values"] == GIVEN


@pytest.mark.parametrize("allowed", ["Point", ["tests.Point"], [("one",)], [("one", "two", "three")], 7, [None]])
def test_a_list_of_types_that_cannot_be_one_is_refused(make_saver: MakeSaver, allowed: Any) -> None:
    with pytest.raises(BadInputError, match="allowed_types"):
        make_saver(allowed_types=allowed)
