"""The streams that hold a stream's versions: a fork's early versions are in its ancestors' streams."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from eventstore.recorders import Recorder, Rows


@dataclass(frozen=True, slots=True)
class Span:
    """The versions `after < version <= upto` of one stream (`upto` is `None` for the open end)."""

    stream_id: int
    after: int
    upto: int | None

    def holds(self, version: int) -> bool:
        """Return whether `version` is in this span."""
        return self.after < version and (self.upto is None or version <= self.upto)


def lineage(recorder: Recorder, queries: Mapping[str, str], stream_id: int) -> list[Span]:
    """Return the spans of a stream, oldest first; the last one is the stream's own."""
    return lineage_read_by(recorder.read, queries, stream_id)


def lineage_read_by(
    read: Callable[[str, Mapping[str, Any]], Rows], queries: Mapping[str, str], stream_id: int
) -> list[Span]:
    """`lineage`, by whatever reads: a recorder, or the session of an open transaction."""
    ancestors = read(queries["lineage"], {"stream_id": stream_id})
    return spans(stream_id, sorted(((int(ancestor), int(upto)) for ancestor, upto in ancestors), key=_upto))


def ancestors_at(of: Sequence[Span], version: int) -> list[tuple[int, int]]:
    """Return the streams that a fork at `version` reads, each with its last version, given the parent's spans."""
    return [
        (span.stream_id, version if span.upto is None else min(span.upto, version))
        for span in of
        if span.after < version and version > 0
    ]


def spans(stream_id: int, ancestors: Sequence[tuple[int, int]]) -> list[Span]:
    """The spans of a stream whose ancestors are known, with the version up to which each is read, ascending."""
    found: list[Span] = []
    after = -1  # versions begin at 1, or at 0 where a writer of eventsourcing chose that
    for ancestor, upto in ancestors:
        found.append(Span(ancestor, after, upto))
        after = upto
    return [*found, Span(stream_id, after, None)]


def _upto(ancestor: tuple[int, int]) -> int:
    return ancestor[1]
