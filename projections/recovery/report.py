"""The findings of a thread's consistency check: plain data."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from eventstore import (
    CycleError,
    ErasedError,
    EventStoreError,
    TypeNotAllowedError,
    UnknownFormatError,
    UnreadableError,
    UpcastError,
)
from eventstore.by_fields import OnOneLine


class Damage(StrEnum):
    """The kinds of damage to a thread."""

    CHAIN = "chain"
    """An event is not what was written, or it is missing."""
    MISSING_ROW = "missing row"
    """The log has a checkpoint or writes that reads do not find: `Checkpoints.rebuild()` brings them back."""
    EXTRA_ROW = "extra row"
    """Reads find what the log does not have, or has hidden: `Checkpoints.rebuild()` removes it."""
    CYCLE = "cycle"
    """A checkpoint descends from itself: save it again with its true parent."""
    ERASED = "erased"
    """Something that is shown needs content that was erased."""
    VALUE = "value"
    """Stored bytes are not what was stored."""
    SEGMENT = "segment"
    """A segment of merged changes is damaged; the log is not: `Checkpoints.rebuild_segments()` makes it anew."""
    TYPE = "type"
    """A value of a type that the serializer may not make again. It was not made, and stays as it is."""
    UNREADABLE = "unreadable"
    """The serializer cannot read a value that is stored intact: it may have been another one, or another key."""
    UPCAST = "upcast"
    """An upcaster of the program cannot make a new value of an old one, which is stored intact: mend the upcaster."""
    FORMAT = "format"
    """Bytes of a format that this version of the package does not know."""


@dataclass(frozen=True, slots=True, repr=False)
class Finding(OnOneLine):
    """One thing that is wrong.

    Attributes:
        kind: What it is.
        version: The version, in the thread's log, of the event that it is about.
        channel: The channel whose value it is about, if it is about one.
        message: What was found, and what to do.
    """

    kind: Damage
    version: int
    channel: str | None
    message: str


@dataclass(frozen=True, slots=True, repr=False)
class Report(OnOneLine):
    """The result of a thread's check.

    Attributes:
        thread: The thread's id.
        version: The head up to which it was checked.
        events: The number of events in its log, with the past that it shares with its ancestors.
        erased: The number of those events of which only the digest is left.
        checkpoints: The number of checkpoints that it shows.
        writes: The number of events that hold the writes of tasks to them.
        values: The number of values of channels that were read; a value that several checkpoints share counts once.
        findings: The damage found, in the order of the versions.
    """

    thread: str
    version: int
    events: int
    erased: int
    checkpoints: int
    writes: int
    values: int
    findings: Sequence[Finding] = ()

    @property
    def ok(self) -> bool:
        """`True` if nothing is wrong."""
        return not self.findings


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a check has come.

    Attributes:
        stage: `"log"`: events are verified; `"values"`: checkpoints and writes are read.
        done: How many of these.
        total: Of how many.
    """

    stage: str
    done: int
    total: int


def finding_of(error: EventStoreError, version: int, channel: str | None = None) -> Finding:
    """Return the finding for an error that was raised by a read.

    Args:
        error: The error.
        version: The event that was read, if the error does not name another.
        channel: The channel that was read, if the error does not name another.
    """
    kind = next((kind for known, kind in _KINDS.items() if isinstance(error, known)), Damage.VALUE)
    at = getattr(error, "version", None)
    return Finding(kind, version if at is None else at, getattr(error, "channel", channel), str(error))


_KINDS = {
    CycleError: Damage.CYCLE,
    ErasedError: Damage.ERASED,
    TypeNotAllowedError: Damage.TYPE,
    UpcastError: Damage.UPCAST,
    UnreadableError: Damage.UNREADABLE,
    UnknownFormatError: Damage.FORMAT,
}
