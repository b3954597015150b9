"""The tokens of the messages that a prune erases, which it remembers, so that they go on to count."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress

from eventstore import CorruptionError, EventStore
from eventstore.reading import FeedRow
from projections.records.prunes import Remembered
from projections.usage.sightings import Rank, Sighting, remember, sightings_in

_EVENTS_AT_A_TIME = 200


def remembered(store: EventStore, stream_id: int, versions: Sequence[int]) -> list[Remembered]:
    """Return what some events of a stream say that models took; each message with an id once, where it says most.

    An event that cannot be read any more says nothing: it can be pruned all the same.
    """
    best: dict[int, Sighting] = {}
    others: list[Sighting] = []
    for each in _sightings(store, stream_id, versions):
        if each.bare or each.rank == Rank.SEALED:
            others.append(each)
        elif each.spending not in best or each.rank < best[each.spending].rank:
            best[each.spending] = each
    found = sorted([*best.values(), *others], key=lambda each: (each.version, each.ordinal))
    return [remember(each) for each in found]


def _sightings(store: EventStore, stream_id: int, versions: Sequence[int]) -> Iterator[Sighting]:
    for start in range(0, len(versions), _EVENTS_AT_A_TIME):
        for row in store.log.events_at(stream_id, versions[start : start + _EVENTS_AT_A_TIME]):
            event = FeedRow(0, stream_id, row.version, row.topic, row.recorded_at, row.payload)
            with suppress(CorruptionError):
                # In order: who has one message in several events keeps the first of those that say as much.
                yield from sightings_in(event, store.log)
