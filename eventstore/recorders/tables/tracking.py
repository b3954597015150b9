"""The table `tracking`: how far consumers of the feed have come."""

from __future__ import annotations

from eventstore.recorders.tables.table import Table


class TrackingTable(Table):
    """The statements of the table `tracking`."""

    def position(self, consumer: str) -> int | None:
        """Return how far a consumer has come, or `None` if it has not begun."""
        rows = self._run("tracked", {"consumer": consumer})
        return int(rows[0][0]) if rows else None

    def advance(self, consumer: str, position: int) -> bool:
        """Note how far a consumer has come; `False`, with nothing changed, if it had come as far before."""
        return bool(self._run("track", {"consumer": consumer, "new_position": position}))
