"""How far those who follow an application have come."""

from __future__ import annotations

from collections.abc import Callable

from eventsourcing import persistence as es

from eventstore.recorders import Session
from eventstore_eventsourcing.recorder import LogRecorder, translated


class LogTrackingRecorder(LogRecorder, es.TrackingRecorder):
    """How far consumers have come. Subclass it for a view that lives in the same database, and see `track`."""

    def insert_tracking(self, tracking: es.Tracking) -> None:
        """Record that a notification was processed.

        Raises:
            IntegrityError: It, or a later one, was recorded before.
        """
        self.track(tracking)

    def track(self, tracking: es.Tracking, work: Callable[[Session], None] | None = None) -> None:
        """`insert_tracking`, and what a view makes of the notification, in one transaction."""

        def record(session: Session) -> None:
            self._track(tracking, session)
            if work:
                work(session)

        with translated():
            self.store.recorder.write(record)

    def max_tracking_id(self, application_name: str) -> int | None:
        """The last notification that was processed, or `None`."""
        with translated():
            return self.store.tables.tracking.position(application_name)

    def _track(self, tracking: es.Tracking, session: Session) -> None:
        table = self.store.tables.within(session).tracking
        if not table.advance(tracking.application_name, tracking.notification_id):
            raise es.IntegrityError(f"{tracking} was passed already")
