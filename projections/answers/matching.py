"""The recorded call that answers a call of a run that is replayed. No database: contents stay where they are."""

from __future__ import annotations

from collections.abc import Iterable
from threading import Lock

from projections.answers.calls import Asked, Located

_Turn = tuple[str | None, str, bytes, int]
"""Thread and task of a call, its fingerprint and its number: the same in each attempt at the task."""


class Matching:
    """Gives out the recorded calls of threads, each once to each thread that is replayed.

    A recorded call answers one that asks the same of the same. Of several, it is the one of the same task of the same
    checkpoint; else of the task in the same place of the same step, the one that was recorded last; else of the same
    node; else of any: the first that was not given out. One that has an answer comes before one that failed or asked.

    Args:
        record: The recorded calls, in the order of the log.
    """

    def __init__(self, record: Iterable[Located]) -> None:
        self._lock = Lock()
        self.all: list[Located] = [*record]
        self._alike: dict[bytes, list[Located]] = {}
        for each in self.all:
            self._alike.setdefault(each.fingerprint, []).append(each)
        self._given: dict[_Turn, Located] = {}
        self._gone: set[tuple[str | None, int, int]] = set()

    def find(self, asked: Asked) -> Located | None:
        """Return the recorded call that answers one; `None` if there is none that was not given out.

        A task that is tried again gets what it got.
        """
        fingerprint, place = asked.call.fingerprint, asked.place
        thread, task = (place.thread, place.task) if place else (None, "")
        turn = (thread, task, fingerprint, asked.number)
        with self._lock:
            if place and turn in self._given:
                return self._given[turn]
            free = [
                each
                for each in self._alike.get(fingerprint, ())
                if (thread, each.stream_id, each.version) not in self._gone
            ]
            if not free:
                return None
            # Of equals, `max` takes the first.
            found = max(free, key=lambda each: _nearness(asked, each))
            self._given[turn] = found
            self._gone.update(
                (thread, each.stream_id, each.version) for each in free if each is found or _same_turn(each, found)
            )
            return found

    def outcomes(self, found: Located) -> list[Located]:
        """Return all that came of a recorded call, in the order of the log: a task is run again after each question."""
        return [each for each in self._alike[found.fingerprint] if _same_turn(each, found)]

    def times(self, asked: Asked) -> int:
        """Return how often the call was recorded."""
        return len(self._alike.get(asked.call.fingerprint, ()))


def _nearness(asked: Asked, recorded: Located) -> tuple[int, bool, int]:
    place, then, answered = asked.place, recorded.place, recorded.answers
    if place is None:
        return 0, answered, 0
    numbered = asked.number == recorded.number
    if numbered and place.of_a_task == then.of_a_task:
        return 4, answered, recorded.version
    if numbered and place.spot == then.spot:
        return 3, answered, recorded.version
    return (2 if place.spot == then.spot else 1 if place.nodes == then.nodes else 0), answered, 0


def _same_turn(one: Located, other: Located) -> bool:
    """Tell whether one is an earlier answer to the very call that the other answers: the task was run again."""
    return one.place.of_a_task == other.place.of_a_task and one.number == other.number
