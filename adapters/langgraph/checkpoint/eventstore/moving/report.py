"""The outcome of a move, thread by thread and in all."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from eventstore.by_fields import OnOneLine

Outcome = Literal["moved", "up to date", "gone on", "skipped", "different", "failed"]
"""The end that the move of a thread came to."""


@dataclass(frozen=True, slots=True, repr=False)
class MovedThread(OnOneLine):
    """A thread after a move.

    Attributes:
        thread: Its id.
        outcome: `"moved"`: something was written, and all of the thread is the same at both ends now. `"up to date"`:
            it was before. `"gone on"`: it has gone on at the target since it came there, by runs, or because somebody
            deleted, pruned or rolled it back there, and was left as it is. `"skipped"`: another thread has its id, and
            was left alone. `"different"`: something reads differently at the two ends. `"failed"`: nothing was written,
            for the reason in `error`.
        checkpoints: How many checkpoints were written.
        compared: How many are the same at both ends.
        differences: What differs, in words: the checkpoint, and what of it.
        error: Why it failed, or was left as it is.
    """

    thread: str
    outcome: Outcome
    checkpoints: int = 0
    compared: int = 0
    differences: tuple[str, ...] = ()
    error: str | None = None


@dataclass(frozen=True, slots=True, repr=False)
class MovingReport(OnOneLine):
    """A move of threads.

    Attributes:
        source: Where they came from.
        target: Where they went.
        moved: How many threads were moved, or had something new.
        up_to_date: How many were there already, the same.
        gone_on: How many have gone on at the target since they came there, and were left as they are.
        skipped: How many were left alone, since other threads have their ids.
        checkpoints: How many checkpoints were written.
        compared: How many checkpoints were read at both ends and are the same: parent, metadata, versions, the value of
            each channel, and pending writes.
        source_bytes: How many bytes the source takes, if that can be told.
        bytes_before: How many the target took before.
        bytes_after: How many it takes now.
        problems: The threads that were skipped, differ, or failed; and those that were deleted, pruned or rolled back.
    """

    source: str
    target: str
    moved: int
    up_to_date: int
    gone_on: int
    skipped: int
    checkpoints: int
    compared: int
    source_bytes: int | None
    bytes_before: int | None
    bytes_after: int | None
    problems: tuple[MovedThread, ...] = ()

    @property
    def ok(self) -> bool:
        """True if all threads that were to be moved are the same at both ends."""
        return not any(each.outcome in ("different", "failed") for each in self.problems)
