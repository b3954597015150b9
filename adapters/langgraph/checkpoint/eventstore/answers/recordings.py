"""A recording: what models and tools answer is recorded, and a task that is run again gets what it got."""

from __future__ import annotations

from collections.abc import Sequence

from langgraph.checkpoint.eventstore.answers.inputs import plain_of
from langgraph.checkpoint.eventstore.answers.questions import Person
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
        found = self._again(asking, person) if self._reuse else None
        if found is None and asking.place is not None and person is not None and not person.is_of_a_part:
            self._remind(asking.place, asking, person)
        return found

    def _remind(self, place: Place, asking: Asking, person: Person) -> None:
        """Let a call that is made again get the answers to its own questions, and to no other's.

        Calls of one task may ask at once. LangGraph shows the question of one of them, and gives its answer to whoever
        asks first when the task runs again. That would be another one as soon as some are answered from the record.
        """
        asked = self._knowing.questions(asking.thread, place)
        own = asked.get((asking.asked.call.fingerprint, asking.asked.number))
        waiting = [each for each in asked.values() if each.asks]
        own_graphs = own.graphs if own else ()
        person.count_graphs_as(own_graphs, {number for each in asked.values() for number in each.graphs})
        taken = {number for each in asked.values() for number in each.answered}
        shown = self._shown(place, asking.thread, waiting) if waiting else None
        if (not waiting and own is None) or (waiting and shown is None and len(asked) == 1):
            # Nothing of it was recorded, or it was told more when nobody recorded: LangGraph's own count is right.
            person.count_on(taken if own is None else ())
        elif own is None or own is not shown:
            person.hear_nothing_new(own.answered if own else ())
        elif own.asks == ITSELF:
            person.count_as([*own.answered, max(own.numbers[-1], max(taken, default=-1) + 1, person.newest)])
        else:
            person.count_as(own.answered)

    def _shown(self, place: Place, thread: str, waiting: Sequence[Located]) -> Located | None:
        """Return the call whose question a person was shown, by what the task left behind; `None`: it was no tool's."""
        read = [(each, self._answers.read(each, self._saver.serde)) for each in waiting]
        for pending in self._saver.checkpoints.loader.pending(thread, place.namespace, place.checkpoint):
            if pending.task == place.task and pending.write.channel == INTERRUPT:
                shown = [
                    plain_of(each.value) for each in load(pending.write.encoding, pending.write.data, self._saver.serde)
                ]
                asking = (each for each, found in read if found and any(plain_of(one) in shown for one in found.answer))
                return next(asking, None)
        return waiting[0]
