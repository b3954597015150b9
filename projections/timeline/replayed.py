"""The values of channels of which LangGraph keeps only the writes: made of them here, in LangGraph's own order."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any, TypeVar

from eventstore import (
    BadInputError,
    ChecksumError,
    EventStore,
    EventStoreError,
    TypeNotAllowedError,
    UnreadableError,
)
from eventstore.tuples import NamedTuple
from projections.diffing.content import ABSENT, ITEMS
from projections.diffing.difference import SAME, Difference, Part, diff
from projections.model import SavedCheckpoint
from projections.pregel import NOBODY
from projections.reading import pending
from projections.reading.channels import Values, places_of
from projections.reading.finding import Finder
from projections.reading.located import Located
from projections.reading.naming import Names
from projections.reading.shaping import names_now, names_of, newest_of, shaped
from projections.reading.steps import Writes, WritesEvent, nodes_between
from projections.reading.view import View
from projections.records import HERE, Write
from projections.tables import Tables
from projections.timeline.rules import EMPTY, UNKNOWN_VALUE, Fold, Folded, Rule, applied_at_once, folded
from projections.values.change import checksum, load

COUNTED = "counters_since_delta_snapshot"
"""The key of metadata by which LangGraph counts, for each DeltaChannel, the steps since its value was stored whole."""

T = TypeVar("T")

_Key = tuple[str, str, str]
"""Namespace, checkpoint and channel."""


class Written(NamedTuple):
    """One write to a channel.

    Attributes:
        event: The event that holds it.
        slot: Its place among its task's writes.
        value: What was written.
    """

    event: WritesEvent
    slot: int
    value: Any


class Replayed:
    """The values of one thread's channels that are replayed from their writes.

    Args:
        store: The store.
        tables: The tables.
        finder: Finds parents, also those that are shown no longer: a channel is replayed through them.
        view: The thread.
        values: The values that are stored.
        fold: The rules of the graph, if there is one.
    """

    def __init__(
        self,
        store: EventStore,
        tables: Tables,
        finder: Finder,
        view: View,
        values: Values,
        fold: Fold | None,
    ) -> None:
        self._store = store
        self._tables = tables
        self._finder = finder
        self._view = view
        self._values = values
        self._fold = fold
        self._names = Names(finder, view)
        self._located: dict[tuple[str, str], Located | None] = {}
        self._writes: dict[tuple[str, str], Writes] = {}
        self._known: dict[_Key, Folded] = {}

    def know(self, located: Iterable[Located]) -> None:
        """Take note of checkpoints that were read."""
        serializer = self._values.serializer
        self._located.update({(each.namespace, each.id): shaped(each, serializer) for each in located})

    def channels(self, located: Located) -> list[str]:
        """The channels of a checkpoint that are replayed from their writes, also if it holds a snapshot of them."""
        names = self._counted(located)
        found = []
        for channel, entry in located.record.manifest.items():
            if entry.written_at == HERE:
                # It is not counted where its value is stored.
                is_one = channel in names or self._is_snapshot(located.version, channel)
            elif entry.written_at is None:
                is_one = entry.channel_version is not None and (channel in names or bool(self.rule(located, channel)))
            else:
                is_one = channel in names
            if is_one:
                found.append(channel)
        return sorted(found)

    def shown_channels(self, located: Located) -> list[str]:
        """The same, with channels that nobody has written yet but the caller of the graph, with an answer."""
        new = sorted(self._counted(located) - located.record.manifest.keys())
        return [*self.channels(located), *(channel for channel in new if self.given(located, channel))]

    def rule(self, located: Located, channel: str) -> Rule | None:
        """The graph's rule of a channel, if there is a graph that has one."""
        return self._fold.rule(located.namespace, channel) if self._fold else None

    def at(self, located: Located, channel: str) -> Folded:
        """The value of a channel at a checkpoint, as its step left it."""
        # LangGraph does not go back for a channel that has no version: it was never written.
        if channel not in located.record.manifest:
            return EMPTY
        way: list[Located] = []
        at: Located | None = located
        base = EMPTY
        while at is not None:
            known = self.stored(at, channel) or self._known.get((at.namespace, at.id, channel))
            if known is not None:
                base = known
                break
            way.append(at)
            at = self.parent(at)
        self.fetch(way)
        writes = [each.value for step in reversed(way) for each in self.written(step, channel)]
        base = self.made(located, channel, base, writes)
        self._known[located.namespace, located.id, channel] = base
        return base

    def shown(self, located: Located, channel: str) -> Folded:
        """The value of a channel at a checkpoint as LangGraph's `get_state` shows it: with what its caller wrote there.

        That is what came with an answer: `Command(update=…)`.
        """
        base = self.at(located, channel)
        if writes := [each.value for each in self.given(located, channel)]:
            rule = self.rule(located, channel)
            return _guarded(channel, lambda: applied_at_once(base, writes, rule))
        return base

    def given(self, located: Located, channel: str) -> list[Written]:
        """Return what the caller of the graph wrote to a channel at a checkpoint, beside its tasks."""
        self._fetch([(located.namespace, located.id)])
        return [each for each in self._at((located.namespace, located.id), channel) if each.event.cause.task == NOBODY]

    def stored(self, located: Located, channel: str) -> Folded | None:
        """The value of a channel that a checkpoint holds; `None` if it holds none."""
        place = places_of(located.record, located.version).get(channel)
        return None if place is None else Folded(self._values.get(place, channel))

    def made(self, located: Located, channel: str, base: Folded, writes: Sequence[Any]) -> Folded:
        """The value of a channel after some writes, oldest first."""
        rule = self.rule(located, channel)
        found = _guarded(channel, lambda: folded(base, writes, rule))
        if found.known and found.value is ABSENT:
            # Which of the empty values it is, only a graph tells.
            return Folded(_guarded(channel, lambda: rule.fold(ABSENT, ())), rule.name) if rule else UNKNOWN_VALUE
        return found

    def written(self, located: Located, channel: str) -> list[Written]:
        """Return what was written to a channel at the parent of a checkpoint, in the order in which it is applied."""
        parent = located.record.parent
        return [] if parent is None else self._at((located.namespace, parent), channel)

    def applied(self, located: Located) -> list[WritesEvent]:
        """Return what a checkpoint applied, of all channels, told by what it says of itself: see `Writes.applied`."""
        parent = located.record.parent
        if parent is None:
            return []
        key = (located.namespace, parent)
        self._fetch([key])
        before = self.parent(located)
        return self._writes[key].applied(located, before, nodes_between(before, located))

    def fetch(self, way: Iterable[Located]) -> None:
        """Read at once what was written at the parents of some checkpoints."""
        self._fetch([(each.namespace, each.record.parent) for each in way if each.record.parent is not None])

    def parent(self, located: Located) -> Located | None:
        """The checkpoint that another follows, also if it is shown no longer."""
        if located.record.parent is None:
            return None
        key = (located.namespace, located.record.parent)
        if key not in self._located:
            found = self._finder.locate(self._view, *key, retired=True)
            self._located[key] = found and shaped(found, self._values.serializer)
        return self._located[key]

    def _counted(self, located: Located) -> set[str]:
        """The channels that a checkpoint counts the steps of, with those that are made of them now."""
        counted = located.cause.metadata.get(COUNTED)
        names = counted if isinstance(counted, Mapping) else {}
        return {name for each in names for name in names_now(each, self._values.serializer)}

    def _is_snapshot(self, version: int, channel: str) -> bool:
        try:
            return self._values.is_snapshot(version, channel)
        except (TypeNotAllowedError, UnreadableError):
            return False  # whoever asks for its value is told

    def _fetch(self, keys: Iterable[tuple[str, str]]) -> None:
        if missing := [key for key in keys if key not in self._writes]:
            self._writes.update(dict.fromkeys(missing, Writes(self._store, self._tables, self._names, missing)))

    def _at(self, key: tuple[str, str], channel: str) -> list[Written]:
        """The writes to a channel at a checkpoint that count, in LangGraph's order: see `pending.fold`."""
        self._fetch([key])
        events = self._writes[key].at(*key)
        # By the objects: two events may hold equal writes.
        holders = {id(write): event for event in events for write in event.record.writes}
        counting = pending.fold((event.cause.task or "", event.record) for event in events)
        called = names_of(channel, self._values.serializer)
        found = [
            Written(holders[id(write)], write.slot, self._load(holders[id(write)], write, channel))
            for _, _, write in counting
            if write.channel in called
        ]
        return [each for each in found if each.value is not ABSENT]

    def _load(self, event: WritesEvent, write: Write, channel: str) -> Any:
        if checksum(write.encoding, write.data) != write.checksum:
            raise ChecksumError(self._view.thread, write.channel, event.version)
        value = load(write.encoding, write.data, self._values.serializer)
        return newest_of(write.channel, channel, value, self._values.serializer)


def completed(saved: SavedCheckpoint, located: Located, replayed: Replayed) -> SavedCheckpoint:
    """A checkpoint with the values of the channels that are replayed, as far as a rule is known."""
    found = {channel: replayed.shown(located, channel) for channel in replayed.shown_channels(located)}
    values = {channel: value for channel, value in saved.values.items() if channel not in found}
    return replace(
        saved,
        values={**values, **{channel: each.value for channel, each in found.items() if each.known}},
        folded={channel: each.rule for channel, each in found.items() if each.known and each.rule},
        replayed=tuple(channel for channel, each in found.items() if not each.known),
    )


def difference_of(before: Any, after: Any) -> Difference:
    """`diff`, without a look at what two lists begin with that are made of the same objects."""
    if type(before) is not list or type(after) is not list or before is after:
        return diff(before, after)
    kept = alike(before, after)
    if kept < len(before):
        return diff(before, after)
    if kept == len(after):
        return Difference(SAME, before, after)
    stay = [Part(" ", 0, 0, count=kept)] if kept else []
    return Difference(
        ITEMS, before, after, [*stay, *(Part("+", at, after=after[at]) for at in range(kept, len(after)))]
    )


def alike(before: Sequence[Any], after: Sequence[Any]) -> int:
    """Return how many items two sequences begin with that are the same objects in both."""
    return next(
        (at for at, (left, right) in enumerate(zip(before, after, strict=False)) if left is not right),
        min(len(before), len(after)),
    )


def _guarded(channel: str, attempt: Callable[[], T]) -> T:
    """Return what a rule gives; an error of the code of a graph says whose it is."""
    try:
        return attempt()
    except EventStoreError:
        raise
    except Exception as error:
        raise BadInputError(
            f"the reducer of channel {channel!r} raised {type(error).__name__}: {error}. Is it the graph of this "
            "thread, as it was? Without a graph the value is made by what its shape tells"
        ) from error
