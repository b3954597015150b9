"""The answers that tasks got before: a task that runs again after a crash, an error or a question gets them again."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, field
from threading import Lock

from eventstore import NotFoundError
from langgraph.checkpoint.eventstore._loads import Loads
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
        read_at: The number of the load for which the log was read.
    """

    by_task: dict[_Task, dict[_Turn, Located]] = field(default_factory=dict)
    read_at: int = 0


class Knowing:
    """Finds the answer that the same task of the same checkpoint got to a call.

    The log is read only for tasks of checkpoints that were loaded: those of new ones have got none yet. It is read once
    for each load, so that what other processes recorded meanwhile is found.

    Args:
        answers: The recorded calls.
        loads: The checkpoints that were loaded.
    """

    def __init__(self, answers: Answers, loads: Loads) -> None:
        self._answers = answers
        self._loads = loads
        self._lock = Lock()
        self._threads: OrderedDict[str, _Known] = OrderedDict()

    def find(self, thread: str, asked: Asked, place: Place) -> Located | None:
        """Return the answer that a task got to a call; `None` if it got none, or the call failed."""
        loaded = self._loads.number(thread, place.namespace, place.checkpoint)
        with self._lock:
            known = self._of(thread)
            if loaded > known.read_at:
                known.by_task = self._read(thread)
                known.read_at = loaded
            return known.by_task.get(_task(place), {}).get((asked.call.fingerprint, asked.number))

    def note(self, thread: str, located: Located) -> None:
        """Note an answer that a task just got."""
        with self._lock:
            _add(self._of(thread).by_task, located)

    def _of(self, thread: str) -> _Known:
        known = self._threads.setdefault(thread, _Known())
        self._threads.move_to_end(thread)
        if len(self._threads) > _THREADS:
            self._threads.popitem(last=False)
        return known

    def _read(self, thread: str) -> dict[_Task, dict[_Turn, Located]]:
        found: dict[_Task, dict[_Turn, Located]] = {}
        try:
            for located in self._answers.located(thread):
                _add(found, located)
        except NotFoundError:  # it was deleted, or begins just now
            pass
        return found


def _add(by_task: dict[_Task, dict[_Turn, Located]], located: Located) -> None:
    if not located.failed:
        by_task.setdefault(_task(located.place), {})[located.fingerprint, located.number] = located


def _task(place: Place) -> _Task:
    return place.namespace, place.checkpoint, place.task
