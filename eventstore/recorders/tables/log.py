"""All tables of the log: as they are now, or within an open transaction."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Self

from eventstore.queries import load_queries
from eventstore.recorders.protocol import Recorder
from eventstore.recorders.tables.events import EventsTable
from eventstore.recorders.tables.streams import StreamsTable
from eventstore.recorders.tables.table import TableSet

# Programs that only go on with threads start without what others read, or keep beside the log.
# ruff: noqa: PLC0415
if TYPE_CHECKING:
    from eventstore.recorders.tables.feed import FeedTable
    from eventstore.recorders.tables.former_names import FormerNamesTable
    from eventstore.recorders.tables.idempotency import IdempotencyTable
    from eventstore.recorders.tables.lineage import LineageTable
    from eventstore.recorders.tables.snapshots import SnapshotsTable
    from eventstore.recorders.tables.tracking import TrackingTable


class LogTables(TableSet):
    """The tables of one log."""

    @classmethod
    def of(cls, recorder: Recorder) -> Self:
        """Return the tables of a database, as they are whenever they are read."""
        return cls(recorder, load_queries("eventstore", recorder.dialect, recorder.schema))

    @cached_property
    def streams(self) -> StreamsTable:
        """The streams, with their names and heads."""
        return self._table(StreamsTable)

    @cached_property
    def former_names(self) -> FormerNamesTable:
        """The names that streams have given up."""
        from eventstore.recorders.tables.former_names import FormerNamesTable

        return self._table(FormerNamesTable)

    @cached_property
    def lineage(self) -> LineageTable:
        """The ancestors of streams."""
        from eventstore.recorders.tables.lineage import LineageTable

        return self._table(LineageTable)

    @cached_property
    def events(self) -> EventsTable:
        """The events of streams."""
        return self._table(EventsTable)

    @cached_property
    def feed(self) -> FeedTable:
        """All events in one order."""
        from eventstore.recorders.tables.feed import FeedTable

        return self._table(FeedTable)

    @cached_property
    def idempotency(self) -> IdempotencyTable:
        """The keys of appends that may be tried again."""
        from eventstore.recorders.tables.idempotency import IdempotencyTable

        return self._table(IdempotencyTable)

    @cached_property
    def snapshots(self) -> SnapshotsTable:
        """Snapshots of the eventsourcing library's aggregates."""
        from eventstore.recorders.tables.snapshots import SnapshotsTable

        return self._table(SnapshotsTable)

    @cached_property
    def tracking(self) -> TrackingTable:
        """How far consumers of the feed have come."""
        from eventstore.recorders.tables.tracking import TrackingTable

        return self._table(TrackingTable)

    def bytes_on_disk(self) -> int:
        """Return the bytes of all tables and indexes of the schema; in SQLite of the file, without its log."""
        [(size,)] = self._runner.execute(self._blocks["bytes_on_disk"], {"schema": self._recorder.schema})
        return int(size)
