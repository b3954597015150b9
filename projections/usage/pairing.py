"""The spending that a message without an id belongs to.

Nearly all messages of models have an id, and all sightings of one are the same spending. A message that a node put
together by hand may have none as its task's writes are stored, and get one by the reducer, or never. It is found again
by its look, within the step: what a task wrote at a checkpoint is what the next checkpoint holds.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Sequence

from eventstore.reading import Span
from eventstore.tuples import NamedTuple
from projections.usage.sightings import Rank, Sighting

_Place = tuple[int, int]


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
        known: The sightings that were entered before and have one of the looks, in the order of the feed.
        looks: The looks of messages without an id, among those that are known or new. All others have their numbers.
        lineage: The spans that a stream is read from.
    """

    def __init__(
        self, known: Iterable[Sighting], looks: Collection[int], lineage: Callable[[int], Sequence[Span]]
    ) -> None:
        self._looks = looks
        self._lineage = lineage
        self._all: dict[_Place, Sighting] = {}
        # The places of the sightings by what they may have in common with a new one.
        self._by_look: defaultdict[int, list[_Place]] = defaultdict(list)
        self._by_step: defaultdict[tuple[int, int], list[_Place]] = defaultdict(list)
        self._by_call: defaultdict[tuple[int, int], list[_Place]] = defaultdict(list)
        self._by_spending: defaultdict[int, list[_Place]] = defaultdict(list)
        self._changed: set[_Place] = set()
        for each in known:
            self._keep(each)

    def pair(self, batch: Iterable[Sighting]) -> Paired:
        """Return the batch, and what it changes of what was entered before."""
        new: dict[_Place, Sighting] = {}
        for each in batch:
            paired = each
            if each.look in self._looks and each.rank < Rank.SEALED:
                paired = self._paired(each)
                self._keep(paired)
            new[_place(each)] = paired
        changed = {place: self._all[place] for place in sorted(self._changed)}
        before = [each for place, each in changed.items() if place not in new]
        new.update((place, each) for place, each in changed.items() if place in new)
        return Paired([*new.values()], before)

    def _keep(self, each: Sighting) -> None:
        place = _place(each)
        self._all[place] = each
        self._by_look[each.look].append(place)
        self._by_step[each.look, each.step].append(place)
        self._by_spending[each.spending].append(place)
        for task in {each.task, each.caller} - {0}:
            self._by_call[each.look, task].append(place)

    def _paired(self, new: Sighting) -> Sighting:
        places = [*self._by_step[new.look, new.step]]
        for task in {new.task, new.caller} - {0}:
            places += self._by_call[new.look, task]
        near = [self._all[place] for place in dict.fromkeys(places) if self._reads(new, self._all[place])]
        if not new.bare:
            self._claim(new, near)
            return new
        taken = {each.spending for each in near if _are_side_by_side(new, each)}
        free = (each.spending for each in near if _tell_the_same(new, each) and each.spending not in taken)
        found = next(free, None)
        if found is None and not new.is_new and new.rank > Rank.TASK:
            found = self._told_before(new)
        return new._replace(spending=new.own_spending if found is None else found)

    def _told_before(self, new: Sighting) -> int | None:
        """Return the spending of what may be given, or recorded, once more."""
        alike = (self._all[place] for place in self._by_look[new.look])
        step = (self._all[place] for place in self._by_step[new.look, new.step])
        here = {each.spending for each in step if each.position == new.position}
        return next((each.spending for each in alike if each.spending not in here and self._reads(new, each)), None)

    def _claim(self, new: Sighting, near: Sequence[Sighting]) -> None:
        """Let what a task wrote without an id be of the spending of the message that got the id since."""
        if any(self._reads(new, self._all[place]) for place in self._by_spending[new.spending]):
            return
        for each in near:
            open_ = each.spending == each.own_spending and each.stream_id == new.stream_id
            if open_ and _tell_the_same(new, each):
                self._all[_place(each)] = each._replace(spending=new.spending)
                self._changed.add(_place(each))
                return

    def _reads(self, new: Sighting, other: Sighting) -> bool:
        """Tell whether one is in the past that the other's stream reads, or in its own stream."""
        if new.stream_id == other.stream_id:
            return True
        spans = self._lineage(new.stream_id)
        return any(span.stream_id == other.stream_id and span.holds(other.version) for span in spans)


def _place(sighting: Sighting) -> _Place:
    return sighting.position, sighting.ordinal


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
