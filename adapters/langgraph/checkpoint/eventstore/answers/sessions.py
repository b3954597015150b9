"""The session under way where a call is made: a recording, or a replay. It decides what becomes of the call."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextvars import ContextVar
from threading import Lock
from types import TracebackType
from typing import Any, Protocol, Self

from eventstore.recent import Recent
from eventstore.tuples import NamedTuple
from eventstore.workers import Workers, twin
from langgraph.checkpoint.eventstore._loads import Loads
from langgraph.checkpoint.eventstore._parts import SaverParts
from langgraph.checkpoint.eventstore.answers.at_once import AtOnce
from langgraph.checkpoint.eventstore.answers.knowing import Knowing
from langgraph.checkpoint.eventstore.answers.places import Where, here
from langgraph.checkpoint.eventstore.answers.questions import Person
from projections.answers.answers import Answers, NewAnswer
from projections.answers.calls import Asked, Call, Located, Place, RecordedCall

# Of so many tasks the calls are counted.
_TASKS = 10_000


class AnsweringSaver(SaverParts, Protocol):
    """A saver, as far as recordings and replays know it.

    Attributes:
        loads: The checkpoints that it has loaded.
    """

    loads: Loads


class Asking(NamedTuple):
    """A call on its way.

    Attributes:
        asked: The call.
        place: The task that makes it, if the answer can be recorded: with a thread.
        thread: The thread.
        metadata: The caller's metadata.
        at_once: The calls of tools that the task has under way.
    """

    asked: Asked
    place: Place | None
    thread: str
    metadata: Mapping[str, Any]
    at_once: AtOnce


class _Attempt(NamedTuple):
    """An attempt at a task.

    Attributes:
        told_by: What tells it from any other.
        counts: How often it has made each call.
        at_once: The calls of tools that it has under way.
    """

    told_by: object
    counts: Counter[bytes]
    at_once: AtOnce


class Outcome(NamedTuple):
    """The outcome of a call.

    Attributes:
        answer: The answer; of a call that failed, its error's description; of one that asked, its questions.
        usage: The tokens that it took; `None`: it is not known.
        failed: Whether it failed.
        asks: Whether it ended with questions, and whose: see `RecordedCall`.
        numbers: The numbers of the questions that it asked itself.
        told: What a person had answered to these.
        graphs: The numbers of the graphs that it ran, among those of its task.
        hands_over: Whether it ended its task with a `Command` to another graph, which is the answer.
    """

    answer: Any
    usage: Mapping[str, Any] | None = None
    failed: bool = False
    asks: str = ""
    numbers: Sequence[int] = ()
    told: Sequence[Any] = ()
    graphs: Sequence[int] = ()
    hands_over: bool = False


class Beginning(NamedTuple):
    """The beginning of a run, or of an update by hand.

    Attributes:
        call: What is done, in plain values.
        place: The checkpoint that the thread is at.
        given: What it is done with: the input, or the updates.
        metadata: The caller's metadata.
    """

    call: Call
    place: Place
    given: Any
    metadata: Mapping[str, Any]


class Session:
    """A recording or a replay: for `with`, and for `async with` in a coroutine.

    It holds for what is called in the block, in the tasks and threads that LangGraph and LangChain start there, too. It
    does not hold for threads that your own code starts without `contextvars.copy_context()`.

    Args:
        saver: The saver.

    Attributes:
        answered: The number of calls that were answered from the record.
        recorded: The number of answers that were recorded.
    """

    def __init__(self, saver: AnsweringSaver) -> None:
        self.answered = 0
        self.recorded = 0
        self._saver = saver
        self._answers = Answers(saver.store)
        self._knowing = Knowing(self._answers, saver.loads, saver.checkpoints)
        self._lock = Lock()
        self._attempts: Recent[tuple[str | None, str], _Attempt] = Recent(_TASKS)

    @property
    def workers(self) -> Workers:
        """The threads of the store, which carry out async calls."""
        return self._saver.store.workers

    # --- the block ---------------------------------------------------------------------------------------------------

    def begin(self) -> None:
        """Read what is needed before the first call."""

    def end(self, error: BaseException | None) -> None:
        """Take note that the block is over, and of the error that ended it."""

    def __enter__(self) -> Self:
        self.begin()
        _within.set((*_within.get(), self))
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        _within.set(_within.get()[:-1])
        self.end(error)

    abegin = twin(begin)

    async def __aenter__(self) -> Self:
        await self.abegin()
        _within.set((*_within.get(), self))
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.__exit__(kind, error, trace)

    # --- a call ------------------------------------------------------------------------------------------------------

    def asks(self, call: Call) -> Asking:
        """Take note of a call that is made here and now: in this order identical calls are told apart."""
        where = here()
        if where is None:
            return Asking(Asked(call, None, 0), None, "", {}, AtOnce())
        number, at_once = self._count(where, call)
        recordable = where.place.thread is not None and where.checkpoints is self._saver.checkpoints
        return Asking(
            Asked(call, where.place, number),
            where.place if recordable else None,
            where.place.thread or "",
            where.metadata,
            at_once,
        )

    # --- a run -------------------------------------------------------------------------------------------------------

    def records(self, checkpoints: object) -> bool:
        """Tell whether what is done to threads is recorded, of the saver with these `checkpoints`."""
        return checkpoints is self._saver.checkpoints

    def latest_id(self, thread: str) -> str | None:
        """Return the id of the checkpoint that a thread is at."""
        return self._saver.checkpoints.latest_id(thread)

    def begins_with(self, found: Callable[[], Beginning]) -> None:
        """Find out what is done to a thread, and record it. When this returns, it is on disk."""
        beginning = found()
        new = NewAnswer(
            Asked(beginning.call, beginning.place, 0), beginning.place, beginning.given, metadata=beginning.metadata
        )
        self._answers.record(beginning.place.thread or "", new, self._saver.serde)

    abegins_with = twin(begins_with)

    # -----------------------------------------------------------------------------------------------------------------

    def answer(self, asking: Asking, person: Person | None = None) -> RecordedCall | None:
        """Return the recorded call that answers one; `None`: it goes out.

        Args:
            asking: The call.
            person: Whom it may ask. What stands in for the call is to take as many answers as the recorded one took.

        Raises:
            UnrecordedCallError: It may not go out, and the record has no answer.
        """
        raise NotImplementedError

    def note(self, asking: Asking, came: Outcome, seconds: float, source: str | None = None) -> None:
        """Record what came of a call. When this returns, it is on disk."""
        if (came.failed or came.asks) and source is None:
            self.uncount(asking)
        if asking.place is None:
            return
        new = NewAnswer(
            asking.asked,
            asking.place,
            came.answer,
            came.failed,
            came.usage,
            seconds,
            source,
            asking.metadata,
            came.asks,
            [*came.numbers],
            [*came.told],
            [*came.graphs],
            came.hands_over,
        )
        located = self._answers.record(asking.thread, new, self._saver.serde)
        self._knowing.note(asking.thread, located)
        with self._lock:
            self.recorded += 1

    def take_over(self, asking: Asking, found: RecordedCall) -> None:
        """Record the answer of another task, or another thread, as the answer to a call."""
        source = found.source or found.thread
        came = Outcome(
            found.answer,
            found.usage,
            found.failed,
            found.asks,
            found.numbers,
            found.told,
            found.graphs,
            found.hands_over,
        )
        self.note(asking, came, found.seconds, source)

    aanswer = twin(answer)
    anote = twin(note)

    def _count(self, where: Where, call: Call) -> tuple[int, AtOnce]:
        """Return how many such calls the task has made before, in this attempt, and what else it has under way."""
        key = (where.place.thread, where.place.task)
        with self._lock:
            attempt = self._attempts.get(key)
            if attempt is None or attempt.told_by != where.attempt:
                attempt = _Attempt(where.attempt, Counter(), AtOnce())
            self._attempts.keep(key, attempt).counts[call.fingerprint] += 1
            return attempt.counts[call.fingerprint] - 1, attempt.at_once

    def uncount(self, asking: Asking) -> None:
        """Forget that a call was made, which has failed: what is asked again then is the same call."""
        place = asking.asked.place
        if place is not None:
            with self._lock:
                if attempt := self._attempts.get((place.thread, place.task)):
                    attempt.counts[asking.asked.call.fingerprint] -= 1

    def _again(self, asking: Asking, person: Person | None) -> RecordedCall | None:
        """Return the answer that the same task of the same checkpoint got before.

        An attempt after a failure of the node, by LangGraph's retry policy, asks anew: the answer may be why it failed.
        So does one whose questions a person answers in another way, or has not answered yet.
        """
        if asking.place is None or asking.place.attempt > 1:
            return None
        located = self._knowing.find(asking.thread, asking.asked, asking.place)
        if located is None or (found := self._read(asking, located)) is None:
            return None
        if found.numbers:
            if person is None or not person.has_told(found.numbers, found.told):
                return None
            person.count_as(found.numbers)
        with self._lock:
            self.answered += 1
        if found.place.task != asking.place.task:
            self.take_over(asking, found)
        return found

    def _read(self, asking: Asking, located: Located) -> RecordedCall | None:
        """Return a recorded call that answers one; `None` if it was erased meanwhile."""
        recorded = self._answers.read(located, self._saver.serde)
        if recorded is not None and not located.answers:
            self.uncount(asking)
        return recorded


# The blocks around a place of the program, the innermost last.
_within: ContextVar[tuple[Session, ...]] = ContextVar("eventstore_sessions", default=())


def under_way() -> Session | None:
    """Return the recording or replay that is under way here."""
    sessions = _within.get()
    return sessions[-1] if sessions else None
