"""What is under way where a call is made: a recording, or a replay. Each decides what becomes of the call."""

from __future__ import annotations

from collections import Counter, OrderedDict
from collections.abc import Mapping
from contextvars import ContextVar, Token
from threading import Lock
from types import TracebackType
from typing import Any, Literal, NamedTuple, Protocol, Self

from eventstore import NotFoundError, UnrecordedCallError
from eventstore.workers import Workers, twin
from langgraph.checkpoint.eventstore._loads import Loads
from langgraph.checkpoint.eventstore._parts import SaverParts
from langgraph.checkpoint.eventstore.answers.knowing import Knowing
from langgraph.checkpoint.eventstore.answers.places import Where, here
from projections.answers.answers import Answers, NewAnswer
from projections.answers.calls import Asked, Call, Place, RecordedCall
from projections.answers.matching import Matching
from projections.answers.nearest import differing, likely, nearest

Missing = Literal["refuse", "record"]

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
    """

    asked: Asked
    place: Place | None
    thread: str
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
        self._knowing = Knowing(self._answers, saver.loads)
        self._lock = Lock()
        self._counts: OrderedDict[tuple[str | None, str], tuple[object, Counter[bytes]]] = OrderedDict()
        self._tokens: list[Token[Session | None]] = []

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
        self._tokens.append(_current.set(self))
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        _current.reset(self._tokens.pop())
        self.end(error)

    abegin = twin(begin)

    async def __aenter__(self) -> Self:
        await self.abegin()
        self._tokens.append(_current.set(self))
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
            return Asking(Asked(call, None, 0), None, "", {})
        number = self._number(where, call)
        recordable = where.place.thread is not None and where.checkpoints is self._saver.checkpoints
        return Asking(
            Asked(call, where.place, number),
            where.place if recordable else None,
            where.place.thread or "",
            where.metadata,
        )

    def answer(self, asking: Asking) -> RecordedCall | None:
        """Return the recorded call that answers one; `None`: it goes out.

        Raises:
            UnrecordedCallError: It may not go out, and the record has no answer.
        """
        raise NotImplementedError

    def note(
        self,
        asking: Asking,
        answer: Any,
        seconds: float,
        *,
        usage: Mapping[str, Any] | None = None,
        failed: bool = False,
        source: str | None = None,
    ) -> None:
        """Record the answer that a call got. When this returns, it is on disk."""
        if asking.place is None:
            return
        new = NewAnswer(asking.asked, asking.place, answer, failed, usage, seconds, source, asking.metadata)
        located = self._answers.record(asking.thread, new, self._saver.serde)
        self._knowing.note(asking.thread, located)
        with self._lock:
            self.recorded += 1

    aanswer = twin(answer)
    anote = twin(note)

    def _number(self, where: Where, call: Call) -> int:
        """Return how many such calls the task has made before, in this attempt."""
        key = (where.place.thread, where.place.task)
        with self._lock:
            attempt, counts = self._counts.get(key, (None, Counter[bytes]()))
            if attempt != where.attempt:
                counts = Counter()
            self._counts[key] = (where.attempt, counts)
            self._counts.move_to_end(key)
            if len(self._counts) > _TASKS:
                self._counts.popitem(last=False)
            counts[call.fingerprint] += 1
            return counts[call.fingerprint] - 1

    def _again(self, asking: Asking) -> RecordedCall | None:
        """Return the answer that the same task of the same checkpoint got before.

        An attempt after a failure of the node, by LangGraph's retry policy, asks anew: the answer may be why it failed.
        """
        if asking.place is None or asking.place.attempt > 1:
            return None
        located = self._knowing.find(asking.thread, asking.asked, asking.place)
        return self._counted(self._answers.read(located, self._saver.serde)) if located else None

    def _counted(self, recorded: RecordedCall | None) -> RecordedCall | None:
        if recorded is not None:
            with self._lock:
                self.answered += 1
        return recorded


_current: ContextVar[Session | None] = ContextVar("eventstore_session", default=None)


def under_way() -> Session | None:
    """Return the recording or replay that is under way here."""
    return _current.get()


class Recording(Session):
    """Records what models and tools answer; a task that is run again gets what it got. See `EventStoreSaver.recording`.

    Args:
        saver: The saver.
        reuse: Whether a task that is run again gets what it got.
    """

    def __init__(self, saver: AnsweringSaver, *, reuse: bool) -> None:
        super().__init__(saver)
        self._reuse = reuse

    def answer(self, asking: Asking) -> RecordedCall | None:
        """See `Session.answer`."""
        return self._again(asking) if self._reuse else None


class Replaying(Session):
    """Answers calls from the record of a thread. See `EventStoreSaver.replaying`.

    Args:
        saver: The saver.
        thread: The thread.
        missing: What becomes of a call that the record does not have.
    """

    def __init__(self, saver: AnsweringSaver, thread: str, missing: Missing) -> None:
        super().__init__(saver)
        self._thread = thread
        self._missing = missing
        self._matching = Matching(())
        self._refused: UnrecordedCallError | None = None

    def begin(self) -> None:
        """Read where the thread's record is.

        Raises:
            NotFoundError: There is no such thread, or nothing was recorded in it.
        """
        self._matching = Matching(self._answers.located(self._thread))
        if not self._matching.all:
            raise NotFoundError(
                f"thread {self._thread!r} has no recorded answers: run it within saver.recording(), or name another one"
            )

    def end(self, error: BaseException | None) -> None:
        """Raise what was refused, if a node has caught it and went on with something else.

        Raises:
            UnrecordedCallError: The first call that was refused.
        """
        if error is None and self._refused is not None:
            raise self._refused

    def answer(self, asking: Asking) -> RecordedCall | None:
        """See `Session.answer`."""
        if self._missing == "record" and (again := self._again(asking)):
            return again
        located = self._matching.find(asking.asked)
        found = self._counted(self._answers.read(located, self._saver.serde)) if located else None
        if found is None:
            if self._missing == "refuse":
                raise self._refuse(asking.asked)
            return None
        if self._missing == "record" and asking.thread != self._thread:
            source = found.source or found.thread
            self.note(asking, found.answer, found.seconds, usage=found.usage, failed=found.failed, source=source)
        return found

    def _refuse(self, asked: Asked) -> UnrecordedCallError:
        call = str(asked.call)
        if times := self._matching.times(asked):
            reason = f"it was made {times} times then, and each answer was given once"
            error = UnrecordedCallError(call, self._thread, reason)
        else:
            error = self._unlike(asked, call)
        with self._lock:
            self._refused = self._refused or error
        return error

    def _unlike(self, asked: Asked, call: str) -> UnrecordedCallError:
        read = [self._answers.read(each, self._saver.serde) for each in likely(asked, self._matching.all)]
        closest = nearest(asked, [each for each in read if each])
        if closest is None:
            return UnrecordedCallError(call, self._thread, "its record was erased")
        place = closest.place
        reason = f"the nearest that it has is version {closest.version}, of node {place.node!r} in step {place.step}"
        return UnrecordedCallError(call, self._thread, reason, closest.version, differing(asked, closest))
