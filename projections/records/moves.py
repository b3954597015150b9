"""The data of events that move a thread, and of forks: what is gone on from."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import ormsgpack

from eventstore.codec import pack_id
from eventstore.tuples import NamedTuple
from eventstore.writing import SHOWS
from projections.records.layout import are, hold, id_of, is_version, layout, packed_fields, unpacked_fields


class TakenOver(NamedTuple):
    """A checkpoint that a branch takes over from those that it goes on from, as a prune, rollback or fork does.

    Attributes:
        namespace: Its namespace.
        checkpoint: Its id.
        version: The version of its event; `None`: it has saved the checkpoint again, and takes over writes only.
        run: Its run.
        shown: Whether the fork shows it; if not, a DeltaChannel replays through it.
        writes: The versions of the events that hold its pending writes.
        parent: Its parent, if that is shown.
    """

    namespace: str
    checkpoint: str
    version: int | None
    run: str | None
    shown: bool
    writes: Sequence[int]
    parent: str | None = None


class Point(NamedTuple):
    """A point of a thread's past that a branch goes on from: its version, and, at a checkpoint, what stays of that.

    Attributes:
        upto: The version.
        last_id: The checkpoint: of what was shown, only ids up to this one are. `None`: all that was shown.
        taken_over: What stays of the checkpoint's step, and what led to it and arrived later.
    """

    upto: int
    last_id: str | None = None
    taken_over: Sequence[TakenOver] = ()

    @property
    def version(self) -> int:
        """The version of the last event that the branch needs of those that were there before."""
        return max(self.upto, *self.events, 0)

    @property
    def events(self) -> set[int]:
        """The versions of the events that stay, of the checkpoint's step and of what arrived later."""
        return {version for each in self.taken_over for version in (each.version, *each.writes) if version is not None}

    def pack(self) -> bytes:
        """The point, as a fork's event holds it."""
        return packed_fields(self.plain())

    def plain(self) -> list[Any]:
        """The point as a list."""
        return [self.upto, pack_id(self.last_id), [*map(tuple, self.taken_over)]]

    @classmethod
    def from_plain(cls, fields: Sequence[Any]) -> Point:
        """The point of a list."""
        upto, last_id, taken_over = fields
        hold(is_version(upto))
        return cls(upto, id_of(last_id), [taken_over_of(each) for each in taken_over])

    @classmethod
    def unpack(cls, data: bytes) -> Point:
        """The point of a fork's event."""
        with layout():
            return cls.from_plain(unpacked_fields(data, 3))


class MoveRecord(NamedTuple):
    """The data of an event that moves a thread to another branch.

    Attributes:
        point: The point that a new branch goes on from; `None`: the thread returns to one that there was.
        returns_to: The version since which the branch has been that the thread returns to; `None`: it is a new one.
        undoes: The version of the move that this one undoes, if it does.
        namespace: The namespace of the checkpoint that was asked for, and `checkpoint`, its id.
    """

    point: Point | None = None
    returns_to: int | None = None
    undoes: int | None = None
    namespace: str = ""
    checkpoint: str | None = None

    def pack(self) -> bytes:
        """The event's data."""
        point = None if self.point is None else self.point.plain()
        return packed_fields([point, self.returns_to, self.undoes, self.namespace, pack_id(self.checkpoint)])

    @classmethod
    def unpack(cls, data: bytes) -> MoveRecord:
        """The record of an event's data."""
        with layout():
            point, returns_to, undoes, namespace, checkpoint = unpacked_fields(data, 5)
            hold(*(each is None or is_version(each) for each in (returns_to, undoes)), type(namespace) is str)
            to = None if point is None else Point.from_plain(point)
            return cls(to, returns_to, undoes, namespace, id_of(checkpoint))


ALL_OF_IT = b""
"""The data of a fork's event if the fork shows all that its parent did."""


def shown_by_fork(data: bytes, upto: int) -> Point | None:
    """Return what a fork shows of its past, by the data of its first own event.

    Args:
        data: The data.
        upto: The version of its parent that it was forked at.

    Returns:
        The point that it goes on from; `None`: it shows nothing, as a stream that was forked in the log alone.
    """
    with layout():
        shows = ormsgpack.unpackb(data).get(SHOWS)
        if shows is None:
            return None
        return Point(upto) if shows == ALL_OF_IT else Point.unpack(shows)


def taken_over_of(packed: Sequence[Any]) -> TakenOver:
    """Return a taken over row of a record; raise if it is not what was stored."""
    taken_over = TakenOver(*packed)
    hold(
        type(taken_over.namespace) is str,
        type(taken_over.checkpoint) is str,
        taken_over.version is None or is_version(taken_over.version),
        taken_over.run is None or type(taken_over.run) is str,
        taken_over.parent is None or type(taken_over.parent) is str,
        type(taken_over.shown) is bool,
        are(taken_over.writes, int) and all(map(is_version, taken_over.writes)),
    )
    return taken_over
