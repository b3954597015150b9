"""When what a test runs is saved, and how fast it is: what belongs together does not arrive together.

A test is run in the durabilities that its mark names: `in_each_durability`, or `where_each_step_is_saved` if it tells
of what stands between a run's beginning and its end, of which nothing is stored where only the end is saved.

Beside the next step ("async", LangGraph's default), nodes take different times, and checkpoints of the outermost graph
are saved late: what tasks write arrives before the checkpoint that it was written at, and after that of a later step.
"""

from __future__ import annotations

import time
from itertools import cycle
from typing import Any

import pytest

from langgraph.checkpoint.eventstore import EventStoreSaver
from tests.support.stage import DURABILITIES, Durability

SAVES_EVERY_STEP: tuple[Durability, ...] = ("async", "sync")

in_each_durability = pytest.mark.parametrize("durability", DURABILITIES, indirect=True)
where_each_step_is_saved = pytest.mark.parametrize("durability", SAVES_EVERY_STEP, indirect=True)


class Pace:
    """The durability of what runs, and the time that its nodes take."""

    DELAYS = (0.0, 0.02, 0.005, 0.0, 0.01)
    """Of one node after the other, in seconds."""

    def __init__(self) -> None:
        self.durability: Durability | None = None
        self._delays = cycle(self.DELAYS)

    @property
    def configurable(self) -> dict[str, Any]:
        """The durability in a run's config: as LangGraph tells it to subgraphs, for want of an argument."""
        return {"__pregel_durability": self.durability} if self.durability else {}

    def begin(self, durability: Durability | None) -> None:
        """Run in this durability from now on, or LangGraph's default; with the same delays each time."""
        self.durability = durability
        self._delays = cycle(self.DELAYS)

    def work(self) -> None:
        """Take as long as it is a node's turn to."""
        if self.durability == "async":
            time.sleep(next(self._delays))


pace = Pace()
"""That of the test that runs."""


class LateSaver(EventStoreSaver):
    """A saver to which checkpoints of the outermost graph take their time: what tasks write overtakes them."""

    delay = 0.02

    def put(self, config: Any, *args: Any) -> Any:
        if not config["configurable"].get("checkpoint_ns"):
            time.sleep(self.delay)
        return super().put(config, *args)


class SaverAtPace(LateSaver):
    """The same, if what runs is saved beside the next step; at once otherwise."""

    @property
    def delay(self) -> float:  # type: ignore[override]
        return 0.01 if pace.durability == "async" else 0.0
