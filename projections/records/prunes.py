"""The data of prunes and deletions: the checkpoints that a thread keeps, and those that it shows no longer."""

from __future__ import annotations

from collections.abc import Sequence

from eventstore.tuples import NamedTuple
from projections.records.layout import are, hold, is_version, layout, packed_fields, unpacked_fields
from projections.records.moves import TakenOver, taken_over_of


class PruneRecord(NamedTuple):
    """The data of a `thread.pruned`, `runs.deleted` or `branch.deleted` event: enough to do it again from the log.

    Attributes:
        kept: The checkpoints that the thread goes on to show, as (namespace, id); `None`: all but `dropped`.
        dropped: Those that it no longer shows, where `kept` is `None`.
        replayed_through: Hidden ones that DeltaChannels of shown ones replay through.
        pinned: The version up to which living forks need what is hidden.
        taken_over: What a fork takes over, as it ceases to show its ancestors' checkpoints; `None` if it goes on to.
        runs: The runs that were deleted.
    """

    kept: Sequence[tuple[str, str]] | None = None
    dropped: Sequence[tuple[str, str]] = ()
    replayed_through: Sequence[tuple[str, str]] = ()
    pinned: int = 0
    taken_over: Sequence[TakenOver] | None = None
    runs: Sequence[str] = ()

    def pack(self) -> bytes:
        """The event's data."""
        taken_over = None if self.taken_over is None else [*map(tuple, self.taken_over)]
        return packed_fields([self.kept, self.dropped, self.replayed_through, self.pinned, taken_over, self.runs])

    @classmethod
    def unpack(cls, data: bytes) -> PruneRecord:
        """The record of an event's data."""
        with layout():
            kept, dropped, replayed_through, pinned, taken_over, runs = unpacked_fields(data, 6)
            hold(is_version(pinned), are(runs, str))
            return cls(
                kept=None if kept is None else _keys(kept),
                dropped=_keys(dropped),
                replayed_through=_keys(replayed_through),
                pinned=pinned,
                taken_over=None if taken_over is None else [taken_over_of(each) for each in taken_over],
                runs=runs,
            )


def _keys(packed: Sequence[Sequence[str]]) -> list[tuple[str, str]]:
    found = [(namespace, checkpoint) for namespace, checkpoint in packed]
    hold(are([each for key in found for each in key], str))
    return found
