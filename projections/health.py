"""The health of a store with checkpoints: that of its log, its projections' tables, and how far these have come."""

from __future__ import annotations

from functools import partial

from eventstore import EventStore
from eventstore.health import Health, Limits, Look, look
from projections.tables.progress import positions


def health_of(store: EventStore, limits: Limits) -> Health:
    """Return the health of a store that holds checkpoints; see `Watched.health`.

    Args:
        store: An open store.
        limits: What to measure by.
    """
    return look(store.recorder, Look(limits, ("eventstore", "projections"), partial(positions, store.recorder)))
