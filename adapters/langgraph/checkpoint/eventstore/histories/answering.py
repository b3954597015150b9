"""The replay session of a history: its calls are answered from the record, redacted where that is."""

from __future__ import annotations

from eventstore import UnrecordedCallError
from langgraph.checkpoint.eventstore.answers.replays import Replaying
from langgraph.checkpoint.eventstore.answers.sessions import AnsweringSaver, Asking
from langgraph.checkpoint.eventstore.histories.redaction import Redact, redacted_call
from projections.answers.calls import Asked, Call, Place
from projections.answers.matching import Matching


class Answered(Replaying):
    """Answers the calls of a replay. A history may have none, and what is refused is told of at the end.

    Args:
        saver: A saver on the history's store.
        thread: The thread.
        redact: What the history was redacted by: calls of now are, too.
    """

    def __init__(self, saver: AnsweringSaver, thread: str, redact: Redact | None) -> None:
        super().__init__(saver, thread, "refuse")
        self._redact = redact

        self.refused_at: Place | None = None

    @property
    def refused(self) -> UnrecordedCallError | None:
        """The first call that the record did not have."""
        return self._refused

    def begin(self) -> None:
        """Read where the record is."""
        self._matching = Matching(self._answers.located(self._thread))

    def end(self, error: BaseException | None) -> None:
        """Raise nothing."""

    def asks(self, call: Call) -> Asking:
        """See `Session.asks`."""
        return super().asks(redacted_call(call, self._redact) if self._redact else call)

    def _refuse(self, asked: Asked) -> UnrecordedCallError:
        if self._refused is None:
            self.refused_at = asked.place
        return super()._refuse(asked)
