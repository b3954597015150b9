"""Calls of tools that one task has under way at once: they begin, and end with questions, in the order of the calls.

`ToolNode` calls the tools of a message at once. In threads (`invoke`) it waits for all of them, and then raises what
the first one, in the order of the calls, has raised. In coroutines (`ainvoke`) it raises what was raised first, while
the others run on: if one of them then takes an answer, LangGraph does not save it, and what comes of it is lost. A
recording makes that likely, since it looks for answers and writes them in other threads. So a coroutine that ends with
a question or an error is held until the others have come to their end, too: `ainvoke` goes in order, as `invoke` does.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection
from concurrent.futures import Future
from contextvars import ContextVar, Token
from threading import Lock, RLock
from types import TracebackType
from typing import Any, Self


class AtOnce:
    """The calls of tools that one attempt at a task has under way.

    Attributes:
        lock: Held while one of them tells LangGraph what the task has been told.
        asked: The questions that they have ended with, and LangGraph's namespace of each.
    """

    def __init__(self) -> None:
        self.lock = RLock()  # a call tells it by way of the call that makes it
        self.asked: list[tuple[Any, str]] = []
        self._questions: set[int] = set()
        self._graphs: set[int] = set()
        self._turns: list[Turn] = []
        self._of_turns = Lock()

    def is_around(self) -> bool:
        """Tell whether the program is within one of these calls: what is called there is a part of it."""
        return _within.get() is self

    def free_number(self, least: int, taken: Collection[int]) -> int:
        """Return the number of a question of a call without a record: the first that no other call has."""
        return self._free(self._questions, least, taken)

    def free_graph(self, least: int, taken: Collection[int]) -> int:
        """Return the number of a graph that a call runs for the first time: the first that no other call has."""
        return self._free(self._graphs, least, taken)

    def _free(self, given: set[int], least: int, taken: Collection[int]) -> int:
        with self.lock:
            while least in given or least in taken:
                least += 1
            given.add(least)
            return least

    def address(self, answers: int) -> None:
        """Let the questions be answered by their ids when the task has been told so much: LangGraph's ids count it."""
        from langgraph import types  # noqa: PLC0415 (a saver does without LangGraph itself)

        if (address := getattr(types, "_interrupt_id", None)) is not None:  # of later versions
            for question, namespace in self.asked:
                question.id = address(namespace, answers)

    def after(self, change: Callable[[list[Turn]], None]) -> None:
        """Change the state of a call, and let those go on that have waited for it, in their order."""
        going: list[Future[None]] = []
        with self._of_turns:
            change(self._turns)
            for turn in self._turns:
                if not turn.is_ready:
                    break
                going.append(turn.begins)
            if all(turn.is_over for turn in self._turns):
                going += [turn.ends for turn in self._turns]
                self._turns.clear()
            going = [each for each in going if not each.done() and each.set_running_or_notify_cancel()]
        for each in going:
            each.set_result(None)


class Turn:
    """The block in which one call runs, of those that are made at once: `with`, or in a coroutine `async with`.

    A call that another one makes is a part of that, and waits for nobody: else both would wait for each other.

    Args:
        calls: All of them.

    Attributes:
        is_ready: Whether it is known what becomes of it.
        is_over: Whether it has ended, and waits for the others.
        begins: Settled when the calls before it are ready, too.
        ends: Settled when all are over.
    """

    def __init__(self, calls: AtOnce) -> None:
        self.is_ready, self.is_over = False, False
        self.begins: Future[None] = Future()
        self.ends: Future[None] = Future()
        self._calls = calls
        self._is_part = calls.is_around()
        self._token: Token[AtOnce | None] | None = None

    def begin(self) -> None:
        """Take note that the call begins. A thread does not wait: LangGraph waits for all threads."""
        self._calls.after(self._be_ready)

    async def abegin(self) -> None:
        """Wait until the calls before it begin. By then, those that are made at once have been told of."""
        if not self._is_part:
            begins = asyncio.wrap_future(self.begins)
            self._calls.after(self._be_ready)
            await begins

    def __enter__(self) -> Self:
        if not self._is_part:
            self._token = _within.set(self._calls)
            self._calls.after(self._enter)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        if self._token is not None:
            _within.reset(self._token)
            self._calls.after(self._leave)

    async def __aenter__(self) -> Self:
        return self.__enter__()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if self._token is not None and isinstance(error, Exception):
                # Before it is over: those that are let go at once go on in the order in which they wait.
                ends = asyncio.wrap_future(self.ends)
                self._calls.after(self._be_over)
                await ends
        finally:
            self.__exit__(kind, error, trace)

    def _enter(self, turns: list[Turn]) -> None:
        turns.append(self)

    def _be_ready(self, _: list[Turn]) -> None:
        self.is_ready = True

    def _be_over(self, _: list[Turn]) -> None:
        self.is_ready = self.is_over = True

    def _leave(self, turns: list[Turn]) -> None:
        if self in turns:
            turns.remove(self)


# The calls that the program is within, of the innermost task.
_within: ContextVar[AtOnce | None] = ContextVar("eventstore_calls_at_once", default=None)
