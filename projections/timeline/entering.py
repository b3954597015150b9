"""The steps by which a message comes into a state: told by what each step adds, as far as that is enough."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from eventstore import EventStore
from projections.before import Before
from projections.diffing.content import identity
from projections.diffing.glance import is_message
from projections.pregel import INPUT, SENDS
from projections.pregel.names import BRANCH, JOIN
from projections.reading.channels import Values, places_of
from projections.reading.finding import Finder
from projections.reading.located import Located
from projections.reading.shaping import shaped_record
from projections.reading.view import View
from projections.tables import Tables
from projections.timeline.replayed import COUNTED, Replayed
from projections.timeline.rules import overwritten
from projections.values.change import LIST, WHOLE
from projections.values.loading import load_parts
from projections.values.parts import unpack

# No state of the graph's, but what leads it on.
_STEERING = (BRANCH, JOIN, INPUT, SENDS)


class Entering:
    """Tells of the checkpoints of one thread whether a message came in with them.

    A value that grows is read only where what was added is, or holds, the message; one that is made of writes is made
    only where the message was written.

    Args:
        store: The store.
        tables: The tables.
        finder: Finds checkpoints.
        view: The thread.
        before: Names the message.
    """

    def __init__(self, store: EventStore, tables: Tables, finder: Finder, view: View, before: Before) -> None:
        self._id = before.message
        self._limit = store.max_value_bytes
        self._finder = finder
        self._view = view
        self._serializer = before.values_by
        self._values = Values(store, tables, view, before.values_by)
        self._replayed = Replayed(store, tables, finder, view, self._values, before.fold)
        # The channels whose values are made of writes; those whose values are no lists; and what is known of values.
        self._made: dict[str, bool] = {}
        self._others: set[str] = set()
        self._held: dict[tuple[str, int], bool] = {}

    def foresee(self, located: Sequence[Located]) -> None:
        """Read at once what `enters` will look at, of some checkpoints."""
        self._know(located)
        if any(self._made.values()):
            self._replayed.fetch(located)

    def enters(self, located: Located, parent: Located | None) -> bool:
        """Return whether a checkpoint holds the message, and its parent does not."""
        self._know([each for each in (located, parent) if each is not None])
        return self._is_added(located, parent) or self._is_made_anew(located, parent)

    def _know(self, located: Sequence[Located]) -> None:
        self._values.know(located)
        self._replayed.know(located)
        for each in located:
            counted = each.cause.metadata.get(COUNTED)
            self._made.update(dict.fromkeys(counted if isinstance(counted, Mapping) else (), True))

    # --- values that are stored --------------------------------------------------------------------------------------

    def _is_added(self, located: Located, parent: Located | None) -> bool:
        now, before = self._places(located), self._places(parent) if parent else {}
        return any(
            before.get(channel) != at and self._may_add(channel, at, before.get(channel)) and self._holds(channel, at)
            for channel, at in now.items()
        ) and not any(self._holds(channel, at) for channel, at in before.items())

    def _places(self, located: Located) -> dict[str, int]:
        return {
            channel: at
            for channel, at in places_of(shaped_record(located.record, self._serializer), located.version).items()
            if not channel.startswith(_STEERING) and channel not in self._others and not self._is_made(channel, at)
        }

    def _is_made(self, channel: str, at: int) -> bool:
        if channel not in self._made:
            self._made[channel] = self._values.is_snapshot(at, channel)
        return self._made[channel]

    def _may_add(self, channel: str, at: int, before: int | None) -> bool:
        """Return whether what a value adds to the one before may be the message."""
        self._values.fetch([at])
        change = self._values.change((at, channel))
        if not self._values.are_parts(channel):
            return True
        if change.operation not in (LIST, WHOLE):
            self._others.add(channel)
            return False
        if change.operation == WHOLE or (change.path and change.path[-1] != before):
            return True
        _, added = unpack(change.encoding, change.data, self._limit)
        return any(map(self._is, load_parts(LIST, added.stored, self._values.serializer)))

    def _holds(self, channel: str, at: int) -> bool:
        known = self._held.get((channel, at))
        if known is None:
            value = self._values.get(at, channel)
            known = self._held[channel, at] = self._is_in(value)
            if value is not None and type(value) is not list:
                self._others.add(channel)  # the values of a channel are of one type
        return known

    # --- values that are made of writes ------------------------------------------------------------------------------

    def _is_made_anew(self, located: Located, parent: Located | None) -> bool:
        return any(
            self._may_write(located, parent, channel)
            and self._makes(located, channel)
            and not (parent and self._makes(parent, channel))
            for channel, made in self._made.items()
            if made
        )

    def _may_write(self, located: Located, parent: Located | None, channel: str) -> bool:
        if parent is None or self._is_written(located, channel):
            return True
        # A run that is saved at its end may store a value in place of the writes that led to it.
        return self._replayed.stored(located, channel) is not None

    def _makes(self, located: Located, channel: str) -> bool:
        """Return whether a value holds it; if no rule makes the value, whether it was ever written."""
        made = self._replayed.at(located, channel)
        if made.known:
            return self._is_in(made.value)
        return any(self._is_written(each, channel) for each in self._finder.way(self._view, located))

    def _is_written(self, located: Located, channel: str) -> bool:
        for write in self._replayed.written(located, channel):
            is_one, value = overwritten(write.value)
            if self._is(write.value) or self._is_in(value if is_one else write.value):
                return True
        return False

    # -----------------------------------------------------------------------------------------------------------------

    def _is_in(self, value: Any) -> bool:
        return type(value) is list and any(map(self._is, value))

    def _is(self, item: Any) -> bool:
        if identity(item) != self._id:
            return False
        return is_message(item) or (type(item) is dict and not item.keys().isdisjoint(("role", "type", "content")))
