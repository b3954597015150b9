"""Which of the elements of two sequences correspond, in their order."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Hashable, Iterator, Sequence
from difflib import SequenceMatcher
from typing import NamedTuple

# Beyond this many elements that are not at either end, a quicker way is taken, which may keep fewer of them.
_MOST = 4_000


class Run(NamedTuple):
    """A run of elements that correspond: where it begins in both sequences, and its length."""

    before: int
    after: int
    length: int


class Gap(NamedTuple):
    """What is between two runs: a range of each sequence, with nothing in common."""

    before: range
    after: range


def aligned(before: Sequence[Hashable], after: Sequence[Hashable]) -> Iterator[Run | Gap]:
    """The runs that two sequences have in common and the gaps between, in order. Together they are all of both."""
    at_before = at_after = 0
    for run in [*_runs(before, after), Run(len(before), len(after), 0)]:
        if run.before > at_before or run.after > at_after:
            yield Gap(range(at_before, run.before), range(at_after, run.after))
        if run.length:
            yield run
        at_before, at_after = run.before + run.length, run.after + run.length


def _runs(before: Sequence[Hashable], after: Sequence[Hashable]) -> list[Run]:
    head = _common(before, after, 0, 1)
    tail = _common(before, after, head, -1)
    middle_before, middle_after = before[head : len(before) - tail], after[head : len(after) - tail]
    found = [Run(0, 0, head)] if head else []
    if middle_before and middle_after:
        matching = _quickly if max(len(middle_before), len(middle_after)) > _MOST else _closely
        found += (Run(a + head, b + head, length) for a, b, length in matching(middle_before, middle_after))
    if tail:
        found.append(Run(len(before) - tail, len(after) - tail, tail))
    return found


def _common(before: Sequence[Hashable], after: Sequence[Hashable], head: int, direction: int) -> int:
    """How many elements both have in common from the beginning, or, behind the first `head`, from the end."""
    shorter = min(len(before), len(after)) - head
    places = range(shorter) if direction > 0 else range(-1, -shorter - 1, -1)
    return next((number for number, at in enumerate(places) if before[at] != after[at]), shorter)


def _closely(before: Sequence[Hashable], after: Sequence[Hashable]) -> list[Run]:
    matches = SequenceMatcher(None, before, after).get_matching_blocks()
    return [Run(*match) for match in matches if match.size]


def _quickly(before: Sequence[Hashable], after: Sequence[Hashable]) -> list[Run]:
    """Each element corresponds to the next of its like, if there is one."""
    places: dict[Hashable, list[int]] = {}
    for place, element in enumerate(before):
        places.setdefault(element, []).append(place)
    found: list[Run] = []
    expected = 0
    for place, element in enumerate(after):
        known = places.get(element, ())
        index = bisect_left(known, expected)
        if index == len(known):
            continue
        expected = known[index] + 1
        last = found[-1] if found else Run(0, 0, 0)
        if last.length and last.before + last.length == known[index] and last.after + last.length == place:
            found[-1] = last._replace(length=last.length + 1)
        else:
            found.append(Run(known[index], place, 1))
    return found
