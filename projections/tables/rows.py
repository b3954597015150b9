"""The rows that a branch shows, up to where another one goes on from it."""

from __future__ import annotations

from typing import Any

from eventstore.recorders.tables import END
from eventstore.tuples import NamedTuple

# Sorts after every id.
LAST = "\U0010ffff"


class Source(NamedTuple):
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
