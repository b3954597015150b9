"""How a saver is opened from a URL, by `with` or by `async with`, and closed."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from types import TracebackType
from typing import Generic, TypeVar

from eventstore.workers import opened
from langgraph.checkpoint.eventstore._parts import SaverParts

S = TypeVar("S", bound=SaverParts)


class OpeningSaver(Generic[S]):
    """A saver that is about to be opened, by `with` or by `async with`."""

    def __init__(self, open_saver: Callable[[], S]) -> None:
        self._open = open_saver
        self._saver: S | None = None

    def __repr__(self) -> str:
        return f"OpeningSaver({self._saver or 'not open yet'})"

    def __enter__(self) -> S:
        self._saver = self._open()
        return self._saver

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._saver:
            self._saver.store.close()

    async def __aenter__(self) -> S:
        return await opened(self.__enter__, lambda saver: saver.store.close())

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await asyncio.to_thread(self.__exit__, kind, error, trace)
