"""The recorded call that is most like one that the record does not have, and what differs. Pure functions."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from projections.answers.calls import Asked, Located, RecordedCall
from projections.diffing.difference import diff
from projections.diffing.rendering import render

# How many calls are read to be compared, and how many lines of what differs are shown.
COMPARED = 16
_LINES = 20


def likely(asked: Asked, record: Iterable[Located]) -> list[Located]:
    """Return the recorded calls that may be most like one, by where they were made; the likeliest first."""
    place = asked.place

    def unlikeness(each: Located) -> tuple[bool, bool, bool, int, int]:
        return (
            each.kind != asked.call.kind,
            each.name != asked.call.name,
            place is None or each.place.nodes != place.nodes,
            0 if place is None else abs(each.place.step - place.step),
            abs(each.number - asked.number),
        )

    return sorted(record, key=unlikeness)[:COMPARED]


def nearest(asked: Asked, candidates: Sequence[RecordedCall]) -> RecordedCall | None:
    """Return the recorded call that differs least from one, of the same kind and name if there is such."""
    alike = [each for each in candidates if (each.kind, each.name) == (asked.call.kind, asked.call.name)]
    among = alike or candidates
    # Of equals, the likelier one comes first.
    return min(among, key=lambda each: diff(each.asked, asked.call.asked).weight, default=None)


def differing(asked: Asked, recorded: RecordedCall) -> list[str]:
    """Return what differs between a recorded call and one, as lines; none if they are the same."""
    lines = [str(line) for line in render(diff(recorded.asked, dict(asked.call.asked)), "asked")]
    if str(asked.call) != str(recorded):
        lines.insert(0, f"~ {recorded} → {asked.call}")
    return lines if len(lines) <= _LINES else [*lines[:_LINES], f"… {len(lines) - _LINES} more lines"]
