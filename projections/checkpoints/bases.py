"""The values that next changes build upon: known already in a live thread, read from the log otherwise."""

from __future__ import annotations

from eventstore import ConflictError, ErasedError, EventStore
from projections.reading.chains import Chains
from projections.reading.finding import Finder
from projections.tables import Tables
from projections.values.change import WHOLE
from projections.values.live import LiveValues, Slot
from projections.values.value import Value


class Bases:
    """Finds the values of one thread that changes build upon."""

    def __init__(self, store: EventStore, tables: Tables, finder: Finder, live: LiveValues) -> None:
        self._store = store
        self._tables = tables
        self._finder = finder
        self._live = live

    def find(self, thread: str, slot: Slot, version: int) -> Value | None:
        """Return the value that the event at `version` holds, or `None` if nothing can be built upon it."""
        if known := self._live.get(slot, version):
            return known
        view = self._finder.view(thread)
        if view is None:
            return None
        if view.stream_id != slot.stream_id:
            raise ConflictError(thread, version, None, _REPLACED.format(thread))
        chains = Chains(self._store, self._tables, view)
        wanted = (version, slot.channel)
        try:
            chains.fetch([version])
            if chains.change(wanted).operation == WHOLE:
                return None
            return chains.restore([wanted])[wanted]
        except ErasedError:
            return None  # a prune of another process: what is saved now stands alone


_REPLACED = "another thread took the place of {!r} meanwhile; nothing was stored"
