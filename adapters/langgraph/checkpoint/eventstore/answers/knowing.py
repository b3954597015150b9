"""The answers that tasks got before: a task that runs again after a crash, an error or a question gets them again."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from threading import Lock

from eventstore import NotFoundError
from eventstore.recent import Recent
from langgraph.checkpoint.eventstore._loads import Loads
from projections import Checkpoints
from projections.answers.answers import Answers
from projections.answers.calls import Asked, Located, Place

# Of so many threads the answers are remembered; of others they are read again.
_THREADS = 256

_Task = tuple[str, str, str]
_Turn = tuple[bytes, int]
"""The fingerprint of a call, and its number."""


@dataclass(slots=True)
class _Known:
    """The answers that the tasks of one thread got.

    Attributes:
        by_task: By task, fingerprint and number: the last answer.
        questions: By task, fingerprint and number: the last of the calls that asked, or ran a graph, in their order.
        read_at: The number of the load for which these were read from the log.
        left: The answers of a run that died, by the spot of the task.
        left_at: The number of the load for which these were read.
    """

    by_task: dict[_Task, dict[_Turn, Located]] = field(default_factory=dict)
    questions: dict[_Task, dict[_Turn, Located]] = field(default_factory=dict)
    read_at: int = 0
    left: dict[tuple[str, int, str], dict[_Turn, Located]] = field(default_factory=dict)
    left_at: int = 0


class Knowing:
    """Finds the answer that the same task of the same checkpoint got to a call.

    The log is read only for tasks of checkpoints that were loaded: those of new ones have got none yet. It is read once
    for each load, so that what other processes recorded meanwhile is found.

    LangGraph saves a checkpoint beside the step, or at the end of the run. So a run may die with answers to tasks of a
    checkpoint that never was saved: they are of later checkpoints than the one that the thread is loaded at. When it is
    run again from there, the same node of the same step is the same task, under a new id.

    Args:
        answers: The recorded calls.
        loads: The checkpoints that were loaded.
        checkpoints: The checkpoints that were saved.
    """

    def __init__(self, answers: Answers, loads: Loads, checkpoints: Checkpoints) -> None:
        self._answers = answers
        self._loads = loads
        self._checkpoints = checkpoints
        self._lock = Lock()
        self._threads: Recent[str, _Known] = Recent(_THREADS)

    def find(self, thread: str, asked: Asked, place: Place) -> Located | None:
        """Return the answer that a task got to a call; `None` if it got none, or the call failed."""
        turn = (asked.call.fingerprint, asked.number)
        loaded = self._loads.number(thread, place.namespace, place.checkpoint)
        with self._lock:
            known = self._of(thread)
            if loaded > known.read_at:
                self._read(thread, known)
                known.read_at = loaded
            found = known.by_task.get(place.of_a_task, {}).get(turn)
            return found or (None if loaded else self._left_behind(thread, known).get(place.spot, {}).get(turn))

    def note(self, thread: str, located: Located) -> None:
        """Note an answer that a task just got."""
        if located.answers:
            with self._lock:
                by_task = self._of(thread).by_task
                by_task.setdefault(located.place.of_a_task, {})[located.fingerprint, located.number] = located

    def questions(self, thread: str, place: Place) -> Mapping[_Turn, Located]:
        """Return the calls of a task that had asked, or run a graph, when its checkpoint was loaded, by their turns."""
        with self._lock:
            return self._of(thread).questions.get(place.of_a_task, {})

    def _of(self, thread: str) -> _Known:
        return self._threads.keep(thread, self._threads.get(thread) or _Known())

    def _read(self, thread: str, known: _Known) -> None:
        known.by_task, known.questions = {}, {}
        with suppress(NotFoundError):  # it was deleted, or begins just now
            for each in self._answers.located(thread):
                task, turn = each.place.of_a_task, (each.fingerprint, each.number)
                if each.answers:
                    known.by_task.setdefault(task, {})[turn] = each
                questions = known.questions.setdefault(task, {})
                questions.pop(turn, None)
                if each.numbers or each.asks or each.graphs:
                    questions[turn] = each

    def _left_behind(self, thread: str, known: _Known) -> dict[tuple[str, int, str], dict[_Turn, Located]]:
        latest = self._loads.latest(thread)
        if latest.number > known.left_at:
            known.left, known.left_at = {}, latest.number
            for each in self._answers.later(thread, latest.checkpoint):
                if each.answers and not self._is_saved(each.place):
                    known.left.setdefault(each.place.spot, {})[each.fingerprint, each.number] = each
        return known.left

    def _is_saved(self, place: Place) -> bool:
        return self._checkpoints.finder.is_saved(place.namespace, place.checkpoint)
