"""Open transactions of SQLite, and the permits that readers take turns with."""

from __future__ import annotations

import sqlite3
from queue import SimpleQueue
from typing import Self

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


class Permits(SimpleQueue[None]):
    """The permits that nobody has. Of the queues only this kind is whole after Ctrl-C, whenever that comes."""

    def give(self, count: int) -> None:
        """Add some."""
        for _ in range(count):
            self.put(None)

    def anew(self) -> Self:
        """Return none of them, for a child of the process, whose parent may have been waiting; measured as these."""
        new = type(self)()
        vars(new).update(vars(self))
        return new

    # Waits for one. It is the queue's own: nothing of Python's may lie between a permit and who has to give it back.
    take = SimpleQueue.get
