"""A call that goes out: its answer, or the error that it ends with, is recorded before anybody gets it."""

from __future__ import annotations

from time import perf_counter
from types import TracebackType
from typing import Self

from langgraph.errors import GraphBubbleUp, GraphInterrupt, ParentCommand

from langgraph.checkpoint.eventstore.answers.outcomes import command_of, failure_of
from langgraph.checkpoint.eventstore.answers.questions import Person, values_of
from langgraph.checkpoint.eventstore.answers.sessions import Asking, Outcome, Session


class Attempt:
    """A block in which a call goes out, for `with` and `async with`.

    What the block leaves in `outcome` is recorded at its end; or else the error that ends it, the question that
    LangGraph carries to a person (`interrupt`), or the `Command` that it carries to another graph. A task that is
    cancelled and a stream that is not read to its end are no answers.

    Args:
        session: What is under way.
        asking: The call.
        person: Whom it may ask.

    Attributes:
        outcome: What came of it.
    """

    def __init__(self, session: Session, asking: Asking, person: Person | None = None) -> None:
        self.outcome: Outcome | None = None
        self._session = session
        self._asking = asking
        self._person = person
        self._began = perf_counter()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        if came := self._came(error):
            self._session.note(self._asking, came, self._seconds)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None
    ) -> None:
        if came := self._came(error):
            await self._session.anote(self._asking, came, self._seconds)

    @property
    def _seconds(self) -> float:
        return perf_counter() - self._began

    def _came(self, error: BaseException | None) -> Outcome | None:
        came = self._ended(error)
        if came and self._person:
            return came._replace(numbers=self._person.numbers, told=self._person.told, graphs=self._person.graphs)
        return came

    def _ended(self, error: BaseException | None) -> Outcome | None:
        if error is None:
            return self.outcome
        if isinstance(error, GraphInterrupt) and self._person:
            if self._person.is_of_a_part:  # what asks is the call that makes this one
                self._session.uncount(self._asking)
                return None
            return Outcome(values_of(error), asks=self._person.asker)
        if isinstance(error, ParentCommand) and self._person:
            return Outcome(command_of(error), hands_over=True)
        if isinstance(error, Exception) and not isinstance(error, GraphBubbleUp):
            return Outcome(failure_of(error), failed=True)
        return None
