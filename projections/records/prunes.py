"""The data of prunes and deletions: the checkpoints that a thread keeps, and those that it shows no longer."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from eventstore.tuples import NamedTuple
from projections.records.layout import NONE, are, hold, hold_types, is_version, layout, packed_fields, unpacked_fields
from projections.records.moves import TakenOver, taken_over_of


class Remembered(NamedTuple):
    """A message of a model in an event that a prune erases: what it took, so that it goes on to count.

    The numbers that tell messages apart are those of `projections.usage.sightings.Sighting`.

    Attributes:
        version: The version of the event.
        rank: How much it says of who spent it, from 0.
        spending: The number of the spending; 0: it is found anew, since the message has no id.
        look: A number for the message itself.
        step: A number for the checkpoint that it was written at.
        task: A number for the task that wrote it; 0: none did.
        caller: A number for the task of the graph around it; 0: there is none.
        flags: 1 if the message has no id there, and 2 if it was added to a value that stayed otherwise.
        model: The name of the model, if it says one.
        tokens: The tokens: in, out, cached, written into a cache, and of reasoning.
    """

    version: int
    rank: int
    spending: int
    look: int
    step: int
    task: int
    caller: int
    flags: int
    model: str | None
    tokens: Sequence[int]


_NUMBER = frozenset[type]({int})
_REMEMBERED = (*[_NUMBER] * 8, frozenset[type]({str, NONE}), frozenset[type]({list}))
_TOKENS = 5
# Of the signed integers of a database.
_LAST_NUMBER = 2**63 - 1


class PruneRecord(NamedTuple):
    """The data of a `thread.pruned`, `runs.deleted` or `branch.deleted` event: enough to do it again from the log.

    Attributes:
        kept: The checkpoints that the thread goes on to show, as (namespace, id); `None`: all but `dropped`.
        dropped: Those that it no longer shows, where `kept` is `None`.
        replayed_through: Hidden ones that DeltaChannels of shown ones replay through.
        pinned: The version up to which living forks need what is hidden.
        taken_over: What a fork takes over, as it ceases to show its ancestors' checkpoints; `None` if it goes on to.
        runs: The runs that were deleted.
        remembered: What the erased events say that models took; of a deletion nothing.
    """

    kept: Sequence[tuple[str, str]] | None = None
    dropped: Sequence[tuple[str, str]] = ()
    replayed_through: Sequence[tuple[str, str]] = ()
    pinned: int = 0
    taken_over: Sequence[TakenOver] | None = None
    runs: Sequence[str] = ()
    remembered: Sequence[Remembered] = ()

    def pack(self) -> bytes:
        """The event's data."""
        taken_over = None if self.taken_over is None else [*map(tuple, self.taken_over)]
        remembered = [[*map(tuple, self.remembered)]] if self.remembered else []
        kept = [self.kept, self.dropped, self.replayed_through, self.pinned, taken_over, self.runs]
        return packed_fields([*kept, *remembered])

    @classmethod
    def unpack(cls, data: bytes) -> PruneRecord:
        """The record of an event's data."""
        with layout():
            kept, dropped, replayed_through, pinned, taken_over, runs, remembered = unpacked_fields(data, 6, [[]])
            hold(is_version(pinned), are(runs, str), are(remembered, list))
            return cls(
                kept=None if kept is None else _keys(kept),
                dropped=_keys(dropped),
                replayed_through=_keys(replayed_through),
                pinned=pinned,
                taken_over=None if taken_over is None else [taken_over_of(each) for each in taken_over],
                runs=runs,
                remembered=_remembered(remembered),
            )


def _keys(packed: Sequence[Sequence[str]]) -> list[tuple[str, str]]:
    found = [(namespace, checkpoint) for namespace, checkpoint in packed]
    hold(are([each for key in found for each in key], str))
    return found


def _remembered(packed: Sequence[Sequence[Any]]) -> list[Remembered]:
    found = [Remembered(*each) for each in packed]
    hold_types(_REMEMBERED, zip(*found, strict=True) if found else [()] * len(_REMEMBERED))
    hold(
        are([number for each in found for number in each.tokens], int),
        all(len(each.tokens) == _TOKENS and is_version(each.version) for each in found),
        all(0 <= number <= _LAST_NUMBER for each in found for number in (*each[1:8], *each.tokens)),
    )
    return found
