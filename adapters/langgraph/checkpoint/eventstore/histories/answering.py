"""The replay session of a history: its calls are answered from the record, redacted where that is."""

from __future__ import annotations

from collections.abc import Sequence

from eventstore import UnrecordedCallError
from langgraph.checkpoint.eventstore.answers.inputs import plain_of
from langgraph.checkpoint.eventstore.answers.questions import Person
from langgraph.checkpoint.eventstore.answers.replays import Replaying
from langgraph.checkpoint.eventstore.answers.sessions import AnsweringSaver, Asking
from langgraph.checkpoint.eventstore.histories.redaction import Redact, redacted_call
from projections.answers.calls import Asked, Call, Located, Place, RecordedCall
from projections.answers.matching import Matching
from projections.records.answers import WITHIN


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
        self._since = 0
        self._before: int | None = None
        self.refused_at: Place | None = None

    @property
    def refused(self) -> UnrecordedCallError | None:
        """The first call that the record did not have."""
        return self._refused

    def run(self, since: int, before: int | None) -> None:
        """Take note of the run that is done again: its events are of these versions; `None`: of all that follow."""
        self._since, self._before = since, before

    def begin(self) -> None:
        """Read where the record is."""
        self._matching = Matching(self._answers.located(self._thread))

    def end(self, error: BaseException | None) -> None:
        """Raise nothing."""

    def asks(self, call: Call) -> Asking:
        """See `Session.asks`."""
        return super().asks(redacted_call(call, self._redact) if self._redact else call)

    async def aanswer(self, asking: Asking, person: Person | None = None) -> RecordedCall | None:
        """`answer`, at once: the store is in memory, and calls at once are answered in the order that they come in."""
        return self.answer(asking, person)

    def _outcome(self, asking: Asking, located: Located, person: Person | None) -> RecordedCall | None:
        """Return what comes of a call: the question that was asked where it stands, or what was answered then.

        A task is run again after each question. Of all that came of its call, this is what came last in the run that is
        done again, or before it, of that which came when a person had told the same.
        """
        outcomes = self._matching.outcomes(located)
        if person is None or all(each.answers for each in outcomes):
            return super()._outcome(asking, located, person)
        read = [(each, found) for each in outcomes if (found := self._answers.read(each, self._saver.serde))]
        # A person's answers that are not as recorded, since they name what is new in each run, are the recorded ones.
        fitting = [(each, found) for each, found in read if person.has_told(each.answered, found.told)] or read
        most = max((len(each.answered) for each, _ in fitting), default=0)
        came = [(each, found) for each, found in fitting if len(each.answered) == most]
        if not came:
            return None
        came = [pair for pair in came if self._before is None or pair[1].version < self._before] or came[:1]
        its, found = came[-1]
        if not its.answers:
            self.uncount(asking)
        person.count_as(found.numbers[:most])
        if self._has_told_within(found, [earlier for _, earlier in read if earlier.version < self._since]):
            person.drop_one()
        return found

    def _has_told_within(self, found: RecordedCall, earlier: Sequence[RecordedCall]) -> bool:
        """Tell whether the run was resumed with an answer for a graph within the tool: that does not ask it again."""
        if not earlier or earlier[-1].asks != WITHIN:
            return False
        return found.asks != WITHIN or plain_of(found.answer) != plain_of(earlier[-1].answer)

    def _refuse(self, asked: Asked) -> UnrecordedCallError:
        if self._refused is None:
            self.refused_at = asked.place
        return super()._refuse(asked)
