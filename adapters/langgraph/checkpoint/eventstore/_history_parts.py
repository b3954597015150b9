"""The base of all parts of a saver's history."""

from __future__ import annotations

from typing import TYPE_CHECKING

from eventstore.workers import Workers, twin
from langgraph.checkpoint.eventstore._arguments import thread_id, thread_ids
from langgraph.checkpoint.eventstore._parts import SaverParts
from projections import Branches, Timeline

if TYPE_CHECKING:
    from collections.abc import Sequence

    from langgraph.checkpoint.eventstore._named import Thread


class HistoryParts:
    """The ground of all parts of a saver's history."""

    def __init__(self, saver: SaverParts) -> None:
        self._saver = saver
        self._checkpoints = saver.checkpoints
        self._branches = Branches(saver.checkpoints)
        self._timeline = Timeline(saver.checkpoints)

    @property
    def workers(self) -> Workers:
        """The threads of the store, which carry out async calls."""
        return self._saver.store.workers

    def _thread(self, thread: Thread) -> str:
        """Return the id of a thread, which is here then, if it is anywhere: see `Arriving`."""
        named = thread_id(thread)
        self._saver.bring_in(named)
        return named

    _athread = twin(_thread)

    def _threads(self, threads: Thread | Sequence[Thread]) -> list[str]:
        """Likewise, of one thread or of several."""
        named = thread_ids(threads)
        self._saver.bring_in(*named)
        return named
