"""Fields that were not set: a pydantic model tells a default from the same value that was given, its bytes do not.

LangGraph's serializer writes all fields of a model. Read again, all of them count as set, and a graph that is given the
model writes channels that it was not to touch. So it is recorded, beside the values that a run is given, which fields
of them were left out. Pure functions, but for `leave_out`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import fields, is_dataclass
from typing import Any

from langchain_core.messages import BaseMessage
from pydantic import BaseModel

from langgraph.checkpoint.eventstore._types import is_packet

LEFT_OUT = "left_out"
"""The key of this, beside what is given."""

_DEEPEST = 64


def left_out(value: Any) -> list[list[Any]]:
    """Return, for each model in a value that leaves fields out, its number among the models and these fields."""
    found: list[list[Any]] = []
    for number, model in enumerate(_models(value)):
        if names := sorted(type(model).model_fields.keys() - model.model_fields_set):
            found.append([number, names])
    return found


def leave_out(value: Any, unset: Any) -> None:
    """Let the models in a value, which is nobody else's, leave out again what `left_out` found."""
    by_number = dict(unset)
    for number, model in enumerate(_models(value)):
        if number in by_number:
            left = model.model_fields_set.difference(by_number[number])
            object.__setattr__(model, "__pydantic_fields_set__", left)


def _models(value: Any, depth: int = 0) -> Iterator[BaseModel]:
    """All models in a value, the outer ones first: in the same order in its bytes made again."""
    if depth > _DEEPEST or isinstance(value, BaseMessage):  # of messages nobody asks it, and there are many
        return
    if isinstance(value, BaseModel):
        yield value
        parts: Iterator[Any] = (part for _, part in value)
    elif isinstance(value, Mapping):
        parts = iter(value.values())
    elif isinstance(value, list | tuple):
        parts = iter(value)
    elif is_packet(value):
        parts = iter((value.arg,))
    elif is_dataclass(value) and not isinstance(value, type):
        parts = (getattr(value, field.name, None) for field in fields(value))
    else:
        return
    for part in parts:
        yield from _models(part, depth + 1)
