"""A replay: calls are answered from the record of a thread."""

from __future__ import annotations

from typing import Literal

from eventstore import NotFoundError, UnrecordedCallError
from langgraph.checkpoint.eventstore.answers.questions import Person
from langgraph.checkpoint.eventstore.answers.sessions import AnsweringSaver, Asking, Session
from projections.answers.calls import Asked, Located, RecordedCall
from projections.answers.matching import Matching
from projections.answers.nearest import differing, likely, nearest

Missing = Literal["refuse", "record"]


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

    def records(self, checkpoints: object) -> bool:
        """See `Session.records`. If nothing may go out, nothing is recorded."""
        return self._missing == "record" and super().records(checkpoints)

    def end(self, error: BaseException | None) -> None:
        """Raise what was refused, if a node has caught it and went on with something else.

        Raises:
            UnrecordedCallError: The first call that was refused.
        """
        if error is None and self._refused is not None:
            raise self._refused

    def answer(self, asking: Asking, person: Person | None = None) -> RecordedCall | None:
        """See `Session.answer`."""
        if self._missing == "record" and (again := self._again(asking, person)):
            return again
        located = self._matching.find(asking.asked)
        found = self._outcome(asking, located, person) if located else None
        if found is None:
            if self._missing == "refuse":
                raise self._refuse(asking.asked)
            return None
        with self._lock:
            self.answered += 1
        if self._missing == "record" and asking.thread != self._thread:
            self.take_over(asking, found)
        return found

    def _outcome(self, asking: Asking, located: Located, person: Person | None) -> RecordedCall | None:
        """Return what comes of a call, of all that came of the recorded one; `None`: it asked, and was never told."""
        return None if person and person.was_told(located) else self._read(asking, located)

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
