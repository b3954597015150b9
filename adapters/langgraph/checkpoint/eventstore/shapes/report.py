"""The shapes of what a thread has stored: plain data."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

Progress = Callable[[str, int, int], None]
"""Gets the thread that is looked at, how many of its events are done, and of how many."""


@dataclass(frozen=True, slots=True)
class OldShape:
    """An old shape, and how much of it is stored in one place of a thread.

    Attributes:
        channel: The channel, by the name that is stored; `None`: it is in a recorded call, or beside the channels.
        call: The recorded call: `"tool"`, `"model"`, `"run"` or `"update"`, and its name.
        type: The type, by the module and name that are stored; `None`: the channel's value itself is old.
        version: The version of the type that is stored; `None` of a channel, which has none.
        values: How many stored values have it: a channel's value in a checkpoint, a write of a task, or a call. A value
            that is stored as a change has what that adds.
    """

    channel: str | None
    call: str | None
    type: str | None
    version: int | None
    values: int


@dataclass(frozen=True, slots=True)
class Unmade:
    """Something that cannot be made again, in one place of a thread.

    Attributes:
        channel: See `OldShape`.
        call: See `OldShape`.
        type: The type, by the module and name that are stored; `None`: it is no single type.
        reason: Why, of the first value.
        values: How many stored values cannot be read for it.
    """

    channel: str | None
    call: str | None
    type: str | None
    reason: str
    values: int


@dataclass(frozen=True, slots=True)
class ThreadShapes:
    """The shapes of all that a thread has stored.

    Attributes:
        thread: The thread's id.
        version: The version that it was at.
        values: How many stored values were looked at.
        old: The old shapes.
        unmade: What cannot be made again.
        more: How many findings were left out, where there were too many different ones.
    """

    thread: str
    version: int
    values: int
    old: Sequence[OldShape] = ()
    unmade: Sequence[Unmade] = ()
    more: int = 0

    @property
    def is_new(self) -> bool:
        """True if everything is in the newest shape, and can be made again."""
        return not (self.old or self.unmade or self.more)
