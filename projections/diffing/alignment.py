"""Alignment of two sequences: as many elements as can correspond in their order, unless they differ too much."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Hashable, Iterable, Iterator, Sequence

from eventstore.tuples import NamedTuple

# With more insertions and removals than this a quicker way is taken, which may find fewer elements that correspond.
_MOST_EDITS = 1_000


class Run(NamedTuple):
    """A run of elements that correspond: where it begins in both sequences, and its length."""

    before: int
    after: int
    length: int


class Gap(NamedTuple):
    """A gap between two runs: a range of each sequence, with nothing in common."""

    before: range
    after: range


def aligned(before: Sequence[Hashable], after: Sequence[Hashable]) -> Iterator[Run | Gap]:
    """Yield the runs that two sequences have in common and the gaps between, in order. Together they cover both."""
    numbers: dict[Hashable, int] = {}
    left, right = ([numbers.setdefault(element, len(numbers)) for element in each] for each in (before, after))
    at_before = at_after = 0
    for run in [*_runs(left, right), Run(len(left), len(right), 0)]:
        if run.before > at_before or run.after > at_after:
            yield Gap(range(at_before, run.before), range(at_after, run.after))
        if run.length:
            yield run
        at_before, at_after = run.before + run.length, run.after + run.length


def _runs(before: Sequence[int], after: Sequence[int]) -> list[Run]:
    head = _common(before, after)
    tail = _common(before[head:][::-1], after[head:][::-1])
    left, right = before[head : len(before) - tail], after[head : len(after) - tail]
    pairs = _closely(left, right)
    if pairs is None:
        pairs = _quickly(left, right)
    found = [Run(0, 0, head), *(Run(a + head, b + head, 1) for a, b in pairs)]
    return _joined([*found, Run(len(before) - tail, len(after) - tail, tail)])


def _common(before: Sequence[int], after: Sequence[int]) -> int:
    """The number of elements that both have in common at the beginning."""
    shorter = min(len(before), len(after))
    return next((place for place in range(shorter) if before[place] != after[place]), shorter)


def _joined(runs: Iterable[Run]) -> list[Run]:
    """The runs, those that follow each other in both sequences as one, and none that is empty."""
    found: list[Run] = []
    for run in runs:
        last = found[-1] if found else Run(0, 0, 0)
        if last.length and (last.before + last.length, last.after + last.length) == (run.before, run.after):
            found[-1] = last._replace(length=last.length + run.length)
        elif run.length:
            found.append(run)
    return found


def _closely(before: Sequence[int], after: Sequence[int]) -> list[tuple[int, int]] | None:
    """The places that correspond where the fewest elements are inserted and removed; `None` if those are too many.

    Myers, "An O(ND) difference algorithm and its variations" (1986): of all ways with a number of edits, the
    furthest point that is reached on each diagonal (place before - place after).
    """
    end = len(before) - len(after)
    reached = {1: 0}
    trace: list[dict[int, int]] = []
    for edits in range(min(len(before) + len(after), _MOST_EDITS) + 1):
        trace.append(dict(reached))
        for diagonal in range(-edits, edits + 1, 2):
            origin = _origin(reached, diagonal, edits)
            x = reached[origin] + (origin < diagonal)
            while x < len(before) and x - diagonal < len(after) and before[x] == after[x - diagonal]:
                x += 1
            reached[diagonal] = x
            if diagonal == end and x >= len(before):
                return _way_back(trace, len(before), len(after))
    return None


def _origin(reached: dict[int, int], diagonal: int, edits: int) -> int:
    """The diagonal from which one is reached furthest with a number of edits: by an insertion, or by a removal."""
    inserts = diagonal == -edits or (diagonal != edits and reached[diagonal - 1] < reached[diagonal + 1])
    return diagonal + 1 if inserts else diagonal - 1


def _way_back(trace: Sequence[dict[int, int]], x: int, y: int) -> list[tuple[int, int]]:
    pairs: list[tuple[int, int]] = []
    for edits in range(len(trace) - 1, -1, -1):
        origin = _origin(trace[edits], x - y, edits)
        before = trace[edits][origin]
        after = before - origin
        while x > before and y > after and x and y:
            x, y = x - 1, y - 1
            pairs.append((x, y))
        x, y = before, after
    return pairs[::-1]


def _quickly(before: Sequence[int], after: Sequence[int]) -> list[tuple[int, int]]:
    """Each element corresponds to the next of its like, if there is one."""
    places: dict[int, list[int]] = {}
    for place, element in enumerate(before):
        places.setdefault(element, []).append(place)
    pairs: list[tuple[int, int]] = []
    for place, element in enumerate(after):
        known = places.get(element, [])
        index = bisect_left(known, pairs[-1][0] + 1 if pairs else 0)
        if index < len(known):
            pairs.append((known[index], place))
    return pairs
