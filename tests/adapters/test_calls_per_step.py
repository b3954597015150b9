"""How much Python lies between `put` and the INSERT: counted, so that it cannot creep back."""

from __future__ import annotations

import sqlite3
import sys
from collections.abc import Callable, Iterator
from functools import partial
from types import FrameType
from typing import Any

from langchain_core.messages import AIMessage
from langgraph.checkpoint.base import empty_checkpoint
from langgraph.checkpoint.base.id import uuid6

from langgraph.checkpoint.eventstore import EventStoreSaver

FRAMES, CALLS = 10, 90
# What a list of messages adds: what changed of it is found, copied, fingerprinted and serialized.
CALLS_OF_A_LIST = 80


class Way:
    """The calls from the beginning of an operation to its first statement.

    Attributes:
        calls: The functions of Python that were called, in order; a generator counts at each step.
        frames: Those that were open when the statement was sent, the innermost first.
    """

    def __init__(self) -> None:
        self.calls: list[str] = []
        self.frames: list[str] = []

    def measure(self, operation: Callable[[], Any]) -> Any:
        outermost = sys._getframe()
        sys.setprofile(lambda frame, event, arg: self._note(outermost, frame, event, arg))
        try:
            return operation()
        finally:
            sys.setprofile(None)

    def _note(self, outermost: FrameType, frame: FrameType, event: str, arg: Any) -> None:
        if self.frames:
            return
        if event == "call":
            self.calls.append(frame.f_code.co_qualname)
        elif event == "c_call" and isinstance(getattr(arg, "__self__", None), sqlite3.Connection):
            self.frames = [each.f_code.co_qualname for each in frames_of(frame, outermost)]


def frames_of(frame: FrameType | None, outermost: FrameType) -> Iterator[FrameType]:
    while frame is not None and frame is not outermost:
        yield frame
        frame = frame.f_back


def checkpoint(number: int, value: object) -> Any:
    version = f"{number:032}.0.5"
    made: Any = empty_checkpoint()
    made.update(
        id=str(uuid6(clock_seq=number)),
        channel_values={"channel": value},
        channel_versions={"channel": version},
        versions_seen={"node": {"channel": version}},
    )
    return made


def way_of_a_put(url: str, value_of: Callable[[int], object]) -> Way:
    """The way of a `put` to a thread that is under way: what is made once, such as a prepared statement, is made."""
    config: Any = {"configurable": {"thread_id": "thread", "checkpoint_ns": ""}}
    way = Way()
    with EventStoreSaver.from_conn_string(url) as saver:
        for number in range(1, 6):
            saved, way = checkpoint(number, value_of(number)), Way()
            metadata: Any = {"source": "loop", "step": number, "parents": {}}
            config = way.measure(partial(saver.put, config, saved, metadata, saved["channel_versions"]))
    return way


def test_a_put_reaches_the_insert_in_few_frames_and_calls(sqlite_url: str) -> None:
    way = way_of_a_put(sqlite_url, lambda number: number)
    assert way.frames[-1] == "EventStoreSaver.put"
    assert len(way.frames) <= FRAMES, way.frames
    assert len(way.calls) <= CALLS, way.calls


def test_a_list_of_messages_adds_no_frames_and_a_bounded_number_of_calls(sqlite_url: str) -> None:
    way = way_of_a_put(sqlite_url, lambda number: [AIMessage("word " * 60, id=str(each)) for each in range(number)])
    assert len(way.frames) <= FRAMES, way.frames
    assert len(way.calls) <= CALLS + CALLS_OF_A_LIST, way.calls
