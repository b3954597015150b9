"""The streams that hold a stream's versions: a fork's early versions are in its ancestors' streams."""

from __future__ import annotations

from collections.abc import Sequence
from operator import attrgetter
from typing import TYPE_CHECKING

from eventstore.tuples import NamedTuple

if TYPE_CHECKING:
    from eventstore.recorders.tables import Ancestor, LineageTable


class Span(NamedTuple):
    """The versions `after < version <= upto` of one stream (`upto` is `None` for the open end)."""

    stream_id: int
    after: int
    upto: int | None

    def holds(self, version: int) -> bool:
        """Return whether `version` is in this span."""
        return self.after < version and (self.upto is None or version <= self.upto)


def lineage(table: LineageTable, stream_id: int) -> list[Span]:
    """Return the spans of a stream, oldest first; the last one is the stream's own.

    They never change once the stream has an event of its own. Until then, a fork may take the stream over.
    """
    return spans(stream_id, sorted(table.ancestors(stream_id), key=attrgetter("upto")))


def ancestors_at(of: Sequence[Span], version: int) -> list[Ancestor]:
    """Return the streams that a fork at `version` reads, each with its last version, given the parent's spans."""
    from eventstore.recorders.tables.lineage import Ancestor  # noqa: PLC0415 (most programs fork no stream)

    return [
        Ancestor(span.stream_id, version if span.upto is None else min(span.upto, version))
        for span in of
        if span.after < version and version > 0
    ]


def spans(stream_id: int, ancestors: Sequence[Ancestor]) -> list[Span]:
    """The spans of a stream whose ancestors are known, with the version up to which each is read, ascending."""
    found: list[Span] = []
    after = -1  # versions begin at 1, or at 0 where a writer of eventsourcing chose that
    for ancestor, upto in ancestors:
        found.append(Span(ancestor, after, upto))
        after = upto
    return [*found, Span(stream_id, after, None)]
