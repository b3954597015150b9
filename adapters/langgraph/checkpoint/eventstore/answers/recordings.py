"""A recording: what models and tools answer is recorded, and a task that is run again gets what it got."""

from __future__ import annotations

from collections.abc import Sequence

from langgraph.checkpoint.eventstore.answers.inputs import plain_of
from langgraph.checkpoint.eventstore.answers.questions import NEVER_TOLD, Person
from langgraph.checkpoint.eventstore.answers.sessions import AnsweringSaver, Asking, Session
from projections.answers.calls import Located, Place, RecordedCall
from projections.pregel import INTERRUPT
from projections.records.answers import ITSELF
from projections.values.change import load


class Recording(Session):
    """Records what models and tools answer; a task that is run again gets what it got. See `EventStoreSaver.recording`.

    Args:
        saver: The saver.
        reuse: Whether a task that is run again gets what it got.
    """

    def __init__(self, saver: AnsweringSaver, *, reuse: bool) -> None:
        super().__init__(saver)
        self._reuse = reuse

    def answer(self, asking: Asking, person: Person | None = None) -> RecordedCall | None:
        """See `Session.answer`."""
        if not self._reuse:
            return None
        found = self._again(asking, person)
        if found is None and person is not None and asking.place is not None:
            self._remind(asking.place, asking, person)
        return found

    def _remind(self, place: Place, asking: Asking, person: Person) -> None:
        """Let a call that is made again get the answers to its own questions, and to no other's.

        Calls of one task may ask at once. LangGraph shows the question of one of them, and gives its answer to whoever
        asks first when the task runs again. That would be another one as soon as some are answered from the record.
        """
        asked = self._knowing.questions(asking.thread, place)
        own = asked.get((asking.asked.call.fingerprint, asking.asked.number))
        waiting = [each for each in asked.values() if each.asks == ITSELF]
        if not waiting:
            person.count_as(own.answered if own else ())
        elif own is not (waiting[0] if len(waiting) == 1 else self._shown(place, asking.thread, waiting)):
            person.count_as([*(own.answered if own else ()), NEVER_TOLD])
        else:
            taken = max((max(each.answered, default=-1) for each in asked.values()), default=-1)
            person.count_as([*own.answered, max(own.numbers[-1], taken + 1)])

    def _shown(self, place: Place, thread: str, waiting: Sequence[Located]) -> Located:
        """Return the call whose question a person was shown, by what the task left behind."""
        read = [(each, self._answers.read(each, self._saver.serde)) for each in waiting]
        for pending in self._saver.checkpoints.loader.pending(thread, place.namespace, place.checkpoint):
            if pending.task == place.task and pending.write.channel == INTERRUPT:
                for shown in load(pending.write.encoding, pending.write.data, self._saver.serde):
                    for each, found in read:
                        if found and plain_of(found.answer[0]) == plain_of(shown.value):
                            return each
        return waiting[0]
