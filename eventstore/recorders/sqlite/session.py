"""Open transactions of SQLite."""

from __future__ import annotations

import sqlite3

from eventstore.recorders.protocol import Params, Rows, Statement


class SQLiteSession:
    """A transaction that is open on a connection."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def execute(self, sql: str, params: Params) -> Rows:
        """See `Session.execute`."""
        return self._connection.execute(sql, params).fetchall()

    def carry_out(self, statement: Statement) -> None:
        """See `Session.carry_out`."""
        self._connection.execute(*statement)
