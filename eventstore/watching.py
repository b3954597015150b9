"""A health for stores, and for whatever is built on one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Unpack

from eventstore.options import HealthLimits, names_options
from eventstore.workers import twin_apart

# A program that is not watched starts without what that takes.
# ruff: noqa: PLC0415
if TYPE_CHECKING:
    from eventstore.health import Health, Limits
    from eventstore.recorders import Recorder


class Watched:
    """The base of what has a health, which a subclass looks for."""

    @names_options(HealthLimits)
    def health(self, **limits: Unpack[HealthLimits]) -> Health:
        """Tell whether the store is well, or why not: for a liveness or readiness probe, at any time, from any thread.

        It changes nothing, waits for no writer, and returns in time. A store that is not well raises nothing.

        Args:
            limits: `timeout`: how many seconds the answer may take (5). `writable`: whether the store has to be
                writable (`True`). `max_lag`: PostgreSQL: how many seconds the feed may be held up by an open
                transaction (60). `max_wal_bytes`: SQLite: how large the write-ahead log may be (1 GB).
                `min_free_bytes`: SQLite: how much room there has to be for the file (100 MB).

        Raises:
            BadInputError: A limit makes no sense.
        """
        from eventstore.health import Limits

        return self._look(Limits.of(limits))

    ahealth = twin_apart(health)

    def _look(self, limits: Limits) -> Health:
        raise NotImplementedError


class WatchedLog(Watched):
    """The base of a store.

    Attributes:
        recorder: Its database.
    """

    recorder: Recorder

    def _look(self, limits: Limits) -> Health:
        from eventstore.health import Look, look

        return look(self.recorder, Look(limits, ("eventstore",)))
