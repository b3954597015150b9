"""The table `progress`: how far projections have followed the feed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Self

from eventstore import EventStore
from eventstore.queries import load_queries
from eventstore.recorders import Recorder
from eventstore.recorders.tables import Reads, Runner, Table
from eventstore.tuples import NamedTuple


class State(NamedTuple):
    """How far the rows of a projection go in the feed, and how often they were dropped."""

    position: int
    epoch: int


def positions(recorder: Recorder) -> dict[str, int]:
    """Return how far each projection of a store has followed the feed, by its name."""
    blocks = load_queries("projections", recorder.dialect, recorder.schema, "progress")
    return dict(recorder.read(blocks["all_progress"], {}))


class ProgressTable(Table):
    """The statements of the table `progress`, for one projection.

    Args:
        blocks: The SQL, by the names of the blocks.
        runner: Runs it.
        recorder: The database.
        projection: The projection's name.
    """

    def __init__(self, blocks: Mapping[str, str], runner: Runner, recorder: Recorder, projection: str) -> None:
        super().__init__(blocks, runner, recorder)
        self._projection = projection

    @classmethod
    def of(cls, store: EventStore, projection: str) -> Self:
        """Return the table of a store, as it is whenever it is read."""
        recorder = store.recorder
        blocks = load_queries("projections", recorder.dialect, recorder.schema, "progress")
        return cls(blocks, Reads(recorder), recorder, projection)

    def within(self, session: Runner) -> Self:
        """Return the table as an open transaction sees it, and changes it."""
        return type(self)(self._blocks, session, self._recorder, self._projection)

    def state(self) -> State | None:
        """Return how far the rows go now; `None` if nobody has asked yet."""
        rows = self._run("progress", {"projection": self._projection})
        return State(*rows[0]) if rows else None

    def take_turn(self) -> State | None:
        """Return the same, and keep others who follow the feed waiting until the transaction is over."""
        rows = self._run("take_turn", {"projection": self._projection})
        return State(*rows[0]) if rows else None

    def begin(self) -> None:
        """Note that nothing was entered yet, unless there is a note."""
        self._run("begin_progress", {"projection": self._projection})

    def advance(self, position: int) -> None:
        """Note how far the rows go."""
        self._run("advance", {"projection": self._projection, "new_position": position})

    def begin_anew(self) -> None:
        """Note that all rows were dropped."""
        self._run("begin_anew", {"projection": self._projection})
