"""A call that goes out: its answer, or the error that it ends with, is recorded before anybody gets it."""

from __future__ import annotations

from collections.abc import Mapping
from time import perf_counter
from types import TracebackType
from typing import Any, NamedTuple, Self

from langgraph.errors import GraphBubbleUp

from langgraph.checkpoint.eventstore.answers.outcomes import failure_of
from langgraph.checkpoint.eventstore.answers.sessions import Asking, Session


class Outcome(NamedTuple):
    """The outcome of a call.

    Attributes:
        answer: The answer.
        usage: The tokens that it took; `None`: it is not known.
    """

    answer: Any
    usage: Mapping[str, Any] | None = None


class Attempt:
    """A block in which a call goes out, for `with` and `async with`.

    What the block leaves in `outcome` is recorded at its end; or else the error that ends it. A question that LangGraph
    carries to a person (`interrupt`), a task that is cancelled and a stream that is not read to its end are no answers.

    Args:
        session: What is under way.
        asking: The call.

    Attributes:
        outcome: What came of it.
    """

    def __init__(self, session: Session, asking: Asking) -> None:
        self.outcome: Outcome | None = None
        self._session = session
        self._asking = asking
        self._began = perf_counter()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        if came := self._came(error):
            self._session.note(self._asking, came.answer, self._seconds, usage=came.usage, failed=error is not None)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None
    ) -> None:
        if came := self._came(error):
            seconds = self._seconds
            await self._session.anote(self._asking, came.answer, seconds, usage=came.usage, failed=error is not None)

    @property
    def _seconds(self) -> float:
        return perf_counter() - self._began

    def _came(self, error: BaseException | None) -> Outcome | None:
        if error is None:
            return self.outcome
        if isinstance(error, Exception) and not isinstance(error, GraphBubbleUp):
            return Outcome(failure_of(error))
        return None
