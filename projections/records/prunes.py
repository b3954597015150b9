"""The data of events by which a thread forgets: what it keeps, and what it shows no longer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from projections.records.layout import are, hold, is_version, layout, packed_fields, unpacked_fields
from projections.records.moves import Adopted, adopted_of


@dataclass(frozen=True, slots=True)
class PruneRecord:
    """The data of a `thread.pruned`, `runs.deleted` or `branch.deleted` event: enough to do it again from the log.

    Attributes:
        kept: The checkpoints that the thread goes on to show, as (namespace, id); `None`: all but `dropped`.
        dropped: Those that it no longer shows, where `kept` is `None`.
        walked: Hidden ones that DeltaChannels of shown ones replay through.
        pinned: The version up to which living forks need what is hidden.
        adopted: What a fork takes over, as it ceases to show its ancestors' checkpoints; `None` if it goes on to.
        runs: The runs that were deleted.
    """

    kept: Sequence[tuple[str, str]] | None = None
    dropped: Sequence[tuple[str, str]] = ()
    walked: Sequence[tuple[str, str]] = ()
    pinned: int = 0
    adopted: Sequence[Adopted] | None = None
    runs: Sequence[str] = ()

    def pack(self) -> bytes:
        """The event's data."""
        adopted = None if self.adopted is None else [*map(tuple, self.adopted)]
        return packed_fields([self.kept, self.dropped, self.walked, self.pinned, adopted, self.runs])

    @classmethod
    def unpack(cls, data: bytes) -> PruneRecord:
        """The record of an event's data."""
        with layout():
            kept, dropped, walked, pinned, adopted, runs = unpacked_fields(data, 6)
            hold(is_version(pinned), are(runs, str))
            return cls(
                kept=None if kept is None else _keys(kept),
                dropped=_keys(dropped),
                walked=_keys(walked),
                pinned=pinned,
                adopted=None if adopted is None else [adopted_of(each) for each in adopted],
                runs=runs,
            )


def _keys(packed: Sequence[Sequence[str]]) -> list[tuple[str, str]]:
    found = [(namespace, checkpoint) for namespace, checkpoint in packed]
    hold(are([each for key in found for each in key], str))
    return found
