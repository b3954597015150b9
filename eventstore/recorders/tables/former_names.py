"""The table `former_names`: the names that streams have given up."""

from __future__ import annotations

from eventstore.recorders.tables.table import Table


class FormerNamesTable(Table):
    """The statements of the table `former_names`."""

    def has(self, name: str) -> bool:
        """Return whether a stream that had the name was closed, or got another one."""
        return bool(self._run("former_name", {"name": name}))

    def keep(self, stream_id: int) -> None:
        """Keep the name of a stream that is about to give it up."""
        self._run("keep_former_name", {"stream_id": stream_id})
