"""A recording: what models and tools answer is recorded, and a task that is run again gets what it got."""

from __future__ import annotations

from langgraph.checkpoint.eventstore.answers.sessions import AnsweringSaver, Asking, Session
from projections.answers.calls import RecordedCall


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
