"""Finding the positions of events by their terms: from the index of each term, never from the planner's choice.

What is rarest leads: its positions are read in order, and those are passed over that lack one of the other terms. Every
statement is a range of one index, or a look-up for each position, so that no page costs more than what it passes over.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace

from projections.audit.terms import thread_term
from projections.audit.wanted import Wanted
from projections.tables import END
from projections.tables.audit import AuditTable

FEW_STREAMS = 256
"""How many streams a thread's name, or a prefix of names, may stand for, if each is to be a term."""

# Positions that are looked through at a time, once the first ones gave too few.
_MOST = 8192
# How many positions tell how common a term is.
_DEPTH = 100
_BEFORE_ALL, _AFTER_ALL = -END - 1, END


@dataclass(frozen=True, slots=True)
class Window:
    """The positions `after < position < before`, in one of two orders."""

    after: int
    before: int
    newest_first: bool

    def behind(self, position: int) -> Window:
        """Return the part of the window behind a position, in its order."""
        return replace(self, before=position) if self.newest_first else replace(self, after=position)

    def first(self, count: int) -> list[int]:
        """So many positions from its beginning: the feed has no gaps."""
        if self.newest_first:
            return [*range(self.before - 1, max(self.after, self.before - 1 - count), -1)]
        return [*range(self.after + 1, min(self.before, self.after + 1 + count))]

    def distance(self, position: int) -> int:
        """How far a position is from its beginning."""
        return self.before - position if self.newest_first else position - self.after


class Search:
    """One search for the positions of events.

    Args:
        table: The tables.
        wanted: What is asked for.
        few_streams: How many streams of a range of names are terms. If there are more, what else is asked for leads,
            or the feed itself, and the names are compared.
    """

    def __init__(self, table: AuditTable, wanted: Wanted, *, few_streams: int = FEW_STREAMS) -> None:
        self._table = table
        self._wanted = wanted
        self._few_streams = few_streams

    def positions(self, window: Window, size: int) -> Iterator[int]:
        """The positions in a window that meet all that is asked for, in its order.

        Args:
            window: Where to look.
            size: How many are looked through at first.
        """
        window = in_time(self._table, self._wanted, window)
        groups = self._wanted.terms()
        names: list[tuple[str, str]] = []
        for low, high in self._wanted.names():
            streams = self._streams(low, high)
            if len(streams) <= self._few_streams:
                groups.append(streams)
            else:
                names.append((low, high))
        if not all(groups):  # there is no such thread
            return
        groups = self._rarest_first(groups, window)
        while positions := self._some(groups, window, size):
            window = window.behind(positions[-1])
            yield from self._having(groups[1:], names, positions)
            if len(positions) < size:
                return
            size = min(2 * size, _MOST)

    def _streams(self, low: str, high: str) -> list[int]:
        """The terms of the threads whose names are in a range; not all, if there are many."""
        named = self._table.streams_named(low, high, self._few_streams + 1)
        return [thread_term(stream_id) for stream_id in dict.fromkeys(named)]

    def _rarest_first(self, groups: list[list[int]], window: Window) -> list[list[int]]:
        """The terms that lead, then the others: which are rarest, as far as the beginning of the window tells."""
        if len(groups) < 2:
            return groups
        terms = {term for group in groups for term in group}
        reached = self._table.reach(
            terms, after=window.after, before=window.before, newest_first=window.newest_first, depth=_DEPTH
        )

        def density(group: list[int]) -> float:
            ends = (reached[term] for term in group)
            return sum(1 / window.distance(end) for end in ends if end is not None)

        return sorted(groups, key=lambda group: (density(group), len(group)))

    def _some(self, groups: Sequence[Sequence[int]], window: Window, size: int) -> list[int]:
        """The next positions of those that lead; of the feed, if nothing does."""
        if not groups:
            return window.first(size)
        found = self._table.some(
            groups[0], after=window.after, before=window.before, newest_first=window.newest_first, limit=size
        )
        return sorted({*found}, reverse=window.newest_first)[:size]

    def _having(
        self, groups: Sequence[Sequence[int]], names: Sequence[tuple[str, str]], positions: list[int]
    ) -> list[int]:
        """The positions that meet all other conditions, in their order."""
        for terms in groups:
            positions = _among(positions, self._table.having(positions, terms))
        for low, high in names:
            positions = _among(positions, self._table.named(positions, low, high))
        since, until = self._wanted.recorded_since, self._wanted.recorded_until
        if since is not None or until is not None:
            first, past = _BEFORE_ALL if since is None else since, _AFTER_ALL if until is None else until
            positions = _among(positions, self._table.recorded(positions, first, past))
        return positions


def in_time(table: AuditTable, wanted: Wanted, window: Window) -> Window:
    """Return the part of a window that can hold events of the time that is asked for."""
    since, until = wanted.recorded_since, wanted.recorded_until
    if since is None and until is None:
        return window
    first, last = table.spans_of(since, until)
    if since is not None:
        window = replace(window, after=max(window.after, window.before if first is None else first * table.span - 1))
    if until is not None:
        window = replace(window, before=min(window.before, window.after if last is None else (last + 1) * table.span))
    return window


def missing_names(table: AuditTable, wanted: Wanted, *, found: bool) -> dict[str, list[str]]:
    """Return, by kind, what is named and in no event; if something was found, only topics can be missing."""
    missing: dict[str, list[str]] = {}
    thread = None if found else wanted.thread
    if thread is not None and not table.streams_named(thread, thread, 1):
        missing["thread"] = [thread]
    for kind, name, term in wanted.named(topics_only=found):
        if not table.some([term], after=0, before=END, newest_first=False, limit=1):
            missing.setdefault(kind, []).append(name)
    return missing


def _among(positions: Sequence[int], found: Collection[int]) -> list[int]:
    return [position for position in positions if position in found]
