"""The spending that a message without an id belongs to.

Nearly all messages of models have an id, and all sightings of one are the same spending. A message that a node put
together by hand may have none as its task's writes are stored, and get one by the reducer, or never. It is found again
by its look, within the step: what a task wrote at a checkpoint is what the next checkpoint holds.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

from eventstore.reading import Span
from projections.usage.sightings import Rank, Sighting


class Paired(NamedTuple):
    """The outcome for a batch.

    Attributes:
        new: Its sightings, with the numbers of their spendings.
        changed: Sightings that were entered before, and have turned out to be of other spendings.
    """

    new: list[Sighting]
    changed: list[Sighting]


class Pairing:
    """Gives numbers to the spendings of sightings, in the order of the feed.

    Args:
        known: The sightings that were entered before and look like one of the new ones, in the order of the feed.
        lineage: The spans that a stream is read from.
    """

    def __init__(self, known: Iterable[Sighting], lineage: Callable[[int], Sequence[Span]]) -> None:
        self._lineage = lineage
        self._by_look: defaultdict[int, list[Sighting]] = defaultdict(list)
        self._changed: dict[tuple[int, int], Sighting] = {}
        for each in known:
            self._by_look[each.look].append(each)

    def pair(self, batch: Iterable[Sighting]) -> Paired:
        """Return the batch, and what it changes of what was entered before."""
        own = {}
        for each in batch:
            paired = self._paired(each) if each.rank < Rank.SEALED else each
            own[each.position, each.ordinal] = paired
            self._by_look[each.look].append(paired)
        changed = {place: each for place, each in self._changed.items() if place not in own}
        own.update((place, each) for place, each in self._changed.items() if place in own)
        return Paired([*own.values()], [*changed.values()])

    def _paired(self, new: Sighting) -> Sighting:
        alike = [each for each in self._by_look[new.look] if self._reads(new, each)]
        if new.spending:
            self._claim(new, alike)
            return new
        taken = {each.spending for each in alike if _are_side_by_side(new, each)}
        free = [each.spending for each in alike if _tell_the_same(new, each) and each.spending not in taken]
        if not free and not new.is_new and new.rank > Rank.TASK:
            # It may be given, or recorded, once more.
            here = {each.spending for each in alike if each.position == new.position}
            free = [each.spending for each in alike if each.spending not in here]
        return new._replace(spending=free[0] if free else new.own_spending)

    def _claim(self, new: Sighting, alike: Sequence[Sighting]) -> None:
        """Let what a task wrote without an id be of the spending of the message that got the id since."""
        if any(each.spending == new.spending for each in alike):
            return
        for each in alike:
            open_ = each.spending == each.own_spending and each.stream_id == new.stream_id
            if open_ and _tell_the_same(new, each):
                replaced = each._replace(spending=new.spending)
                self._changed[each.position, each.ordinal] = replaced
                same = self._by_look[each.look]
                same[same.index(each)] = replaced
                return

    def _reads(self, new: Sighting, other: Sighting) -> bool:
        """Tell whether one is in the past that the other's stream reads, or in its own stream."""
        if new.stream_id == other.stream_id:
            return True
        return any(
            span.stream_id == other.stream_id and span.holds(other.version) for span in self._lineage(new.stream_id)
        )


def _are_side_by_side(one: Sighting, other: Sighting) -> bool:
    """Tell whether two sightings are of different messages, unless one is handed on by the other: of one layer."""
    return one.step == other.step and _is_applied(one) == _is_applied(other)


def _tell_the_same(one: Sighting, other: Sighting) -> bool:
    """Tell whether two sightings are told in different layers, and may be of one message.

    A checkpoint applies what tasks wrote; and a task of the graph around writes what its subgraph's tasks wrote.
    """
    if one.step == other.step:
        return _is_applied(one) != _is_applied(other)
    return _called(one, other) or _called(other, one)


def _called(one: Sighting, other: Sighting) -> bool:
    """Tell whether the task that wrote the one called the subgraph in which the other happened."""
    return one.task != 0 and one.task == other.caller


def _is_applied(sighting: Sighting) -> bool:
    return sighting.rank == Rank.CHECKPOINT
