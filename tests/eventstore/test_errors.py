"""Errors keep what they say on their way from one process to another."""

from __future__ import annotations

import pickle
from inspect import signature
from types import FunctionType

import pytest

from eventstore import ConflictError, EventStoreError


def every_error(kind: type[EventStoreError] = EventStoreError) -> list[type[EventStoreError]]:
    return [kind, *(below for child in kind.__subclasses__() for below in every_error(child))]


def an_error(kind: type[EventStoreError]) -> EventStoreError:
    if not isinstance(kind.__init__, FunctionType):  # it is Exception's own, which takes the message
        return kind("what to do next")
    return kind(*[() if name == "more" else name for name in signature(kind).parameters])


@pytest.mark.parametrize("kind", every_error())
def test_an_error_arrives_in_another_process_as_it_was(kind: type[EventStoreError]) -> None:
    error = an_error(kind)
    arrived = pickle.loads(pickle.dumps(error))
    assert (type(arrived), str(arrived), vars(arrived)) == (kind, str(error), vars(error))


def test_a_conflict_names_the_stream_and_both_versions() -> None:
    conflict = ConflictError("orders", 3, 5)
    assert (conflict.stream, conflict.expected, conflict.actual) == ("orders", 3, 5)
    assert "'orders'" in str(conflict)
