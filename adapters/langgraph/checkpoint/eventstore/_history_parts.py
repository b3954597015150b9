"""The base of all parts of a saver's history."""

from __future__ import annotations

from eventstore.workers import Workers
from langgraph.checkpoint.eventstore._parts import SaverParts
from projections import Branches, Timeline


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
