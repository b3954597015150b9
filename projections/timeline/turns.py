"""The checkpoints before messages and turns: where a chat goes back to, to edit a message or to have it answered anew.

A message comes into a state between a checkpoint that does not hold it and the next one, which does. The first of these
is where to go back to: its tasks run again, one of which wrote the message. What a caller gives as input waits in a
checkpoint of its own before it is taken in, so there it is one checkpoint further back: where the thread had ended
before, and takes a new input as it took this one. Only in a thread's first turn there is none; then it is the
checkpoint in which the input waits, and which a new input replaces.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice

from eventstore import EventStore, NotFoundError
from projections.before import Before
from projections.reading.finding import PAGE, Finder
from projections.reading.located import Located
from projections.reading.steps import has_taken_input, source_of
from projections.reading.view import View
from projections.tables import Tables
from projections.timeline.entering import Entering


class Turns:
    """Finds the checkpoints before messages and turns, on the way that led to the latest checkpoint of a thread."""

    def __init__(self, store: EventStore, tables: Tables, finder: Finder) -> None:
        self._store = store
        self._tables = tables
        self._finder = finder

    def find(self, view: View, namespace: str, before: Before) -> Located:
        """Return the checkpoint that is meant.

        Raises:
            NotFoundError: There is no such message or turn, or nothing that is shown before it.
        """
        way = _steps(self._finder.ancestors(view, namespace))
        if before.turns is not None:
            return self._before_turn(way, view.thread, before.turns)
        message = Entering(self._store, self._tables, self._finder, view, before)
        for located, parent in _ahead(way, message):
            if message.enters(located, parent):
                if parent is None:
                    raise _nothing_before(f"message {before.message!r}", view.thread, located)
                return self._before_input(view, parent) if source_of(parent) == "input" else parent
        raise NotFoundError(
            f"no message {before.message!r} has come into thread {view.thread!r} on the way that led to its latest "
            "checkpoint: look at its timeline"
        )

    def _before_turn(self, way: Iterator[tuple[Located, Located | None]], thread: str, turns: int) -> Located:
        found = 0
        for located, parent in way:
            if _begins_turn(located, parent):
                found += 1
                if found == turns:
                    if parent is None and source_of(located) != "input":
                        raise _nothing_before("this turn", thread, located)
                    return parent or located
        raise NotFoundError(f"thread {thread!r} shows {found} turns, so that {turns} cannot be taken back")

    def _before_input(self, view: View, waiting: Located) -> Located:
        parent = waiting.parent
        return (self._finder.locate(view, waiting.namespace, parent) if parent is not None else None) or waiting


def _steps(way: Iterator[Located]) -> Iterator[tuple[Located, Located | None]]:
    """The checkpoints of a way, each with its parent, as far as that is shown."""
    located = next(way, None)
    while located is not None:
        parent = next(way, None)
        yield located, parent
        located = parent


def _ahead(
    way: Iterator[tuple[Located, Located | None]], message: Entering
) -> Iterator[tuple[Located, Located | None]]:
    """The same, with what the message is looked for in read in pages that grow."""
    size = 1
    while page := [*islice(way, size)]:
        message.foresee([located for located, _ in page])
        yield from page
        size = min(4 * size, PAGE)


def _begins_turn(located: Located, parent: Located | None) -> bool:
    """Return whether a checkpoint holds an input, or is that of a run that was saved at its end, and took one."""
    source = source_of(located)
    if source != "loop":
        return source == "input"
    return located.record.parent is None if parent is None else has_taken_input(parent, located)


def _nothing_before(what: str, thread: str, located: Located) -> NotFoundError:
    why = "was pruned or deleted" if located.record.parent is not None else "was never saved"
    return NotFoundError(f"the checkpoint before {what} of thread {thread!r} {why}: begin a new thread")
