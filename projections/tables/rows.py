"""The rows that a branch shows, up to where another one goes on from it; and the base of all tables."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from eventstore.recorders import Recorder
from eventstore.recorders.protocol import Params, Rows

# Past every version: the open end of a branch's own rows.
END = 2**63 - 1
# Sorts after every id.
LAST = "\U0010ffff"


class Runner(Protocol):
    """Runs statements: an open transaction, or `Reads`."""

    def execute(self, sql: str, params: Params) -> Rows:
        """Run one statement; its rows, if it gives any."""
        ...


class Reads:
    """Runs each read as a transaction of its own."""

    def __init__(self, recorder: Recorder) -> None:
        self._recorder = recorder

    def execute(self, sql: str, params: Params) -> Rows:
        """See `Runner.execute`."""
        return self._recorder.read(sql, params)


@dataclass(frozen=True, slots=True)
class Source:
    """Rows of one branch, up to a version, and, where it was gone on from at a checkpoint, up to that one's id."""

    branch_id: int
    upto: int = END
    last_id: str | None = None

    @property
    def bounds(self) -> dict[str, Any]:
        """The parameters that the statements bind."""
        return {
            "branch_id": self.branch_id,
            "upto": self.upto,
            "last_id": LAST if self.last_id is None else self.last_id,
        }

    def until(self, version: int, last_id: str | None = None) -> Source:
        """Return the part of these rows that was there at a version, and is not behind a checkpoint."""
        ids = [each for each in (self.last_id, last_id) if each is not None]
        return Source(self.branch_id, min(self.upto, version), min(ids, default=None))

    def shows(self, checkpoint_id: str, shown_from: int, retired_at: int | None) -> bool:
        """Tell whether a row of the branch is shown."""
        known = self.last_id is None or checkpoint_id <= self.last_id
        return known and shown_from <= self.upto and (retired_at is None or retired_at > self.upto)


class Table:
    """The statements of one table.

    Args:
        blocks: The SQL, by the names of the blocks.
        runner: Runs it.
        recorder: Makes lists that can be bound.
    """

    def __init__(self, blocks: Mapping[str, str], runner: Runner, recorder: Recorder) -> None:
        self._blocks = blocks
        self._runner = runner
        self._recorder = recorder
        self._list_of = recorder.list_of

    def _run(self, block: str, params: Params) -> Rows:
        return self._runner.execute(self._blocks[block], params)
