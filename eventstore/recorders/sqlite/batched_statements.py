"""Several SQLite statements as one.

Python lets other threads run at each statement, and a busy process may be long in coming back: an append that takes
five statements waits five times, with the file locked. So those of the usual append are put into a trigger of a view
that only this connection sees, and carried out by one insert into it: all of them, or none.
"""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Mapping, Sequence
from itertools import count
from typing import Any

from eventstore.tuples import NamedTuple

_PARAMETER = re.compile(r"(?<!:):([a-z_]+)\b")
_RETURNING = re.compile(r"\s+RETURNING\s+\w+$")
# What triggers have no other way to say: a statement has changed nothing.
_GUARD = "SELECT RAISE(ABORT, 'nothing was appended') WHERE changes() = 0"


class BatchedStatement(NamedTuple):
    """One statement that carries out several.

    Attributes:
        sql: The statement.
        names: For each of these, the parameters that it takes, in the order in which `sql` takes all of them.
    """

    sql: str
    names: Sequence[Sequence[str]]

    def values(self, params: Sequence[Mapping[str, Any]]) -> list[Any]:
        """Return the values to bind, given the parameters of each of the statements."""
        found: list[Any] = []
        for names, each in zip(self.names, params, strict=True):
            found += map(each.__getitem__, names)
        return found


class BatchedStatements(dict[tuple[str, ...], BatchedStatement]):
    """The batched statements of one connection, by the statements that each carries out.

    When the connection is closed, they are cleared; those of the next one get other names.
    """

    def __init__(self) -> None:
        super().__init__()
        self._numbers = count()

    def make(self, connection: sqlite3.Connection, statements: tuple[str, ...], guarded: int) -> BatchedStatement:
        """Make the batched statement for some statements, outside of any transaction.

        Args:
            connection: The connection.
            statements: The statements.
            guarded: How many of them, the first ones, must change something: otherwise all is undone.
        """
        if batched := self.get(statements):
            return batched
        name = f"batched_{next(self._numbers)}"  # another one each time: an interrupt may leave half of one behind
        names = [[*dict.fromkeys(_PARAMETER.findall(sql))] for sql in statements]
        columns = [f"p{index}_{each}" for index, found in enumerate(names) for each in found]
        bodies = [_PARAMETER.sub(rf"NEW.p{index}_\1", _RETURNING.sub("", sql)) for index, sql in enumerate(statements)]
        bodies[:guarded] = [f"{body}; {_GUARD}" for body in bodies[:guarded]]
        connection.execute(f"CREATE TEMP VIEW {name} ({', '.join(columns)}) AS SELECT {_times('NULL', columns)}")
        connection.execute(
            f"CREATE TEMP TRIGGER {name}_carried_out INSTEAD OF INSERT ON {name} BEGIN {'; '.join(bodies)}; END"
        )
        batched = BatchedStatement(f"INSERT INTO {name} VALUES ({_times('?', columns)})", names)  # noqa: S608 (names made here)
        self[statements] = batched
        return batched


def has_changed(sql: str, values: Sequence[Any], connection: sqlite3.Connection) -> bool | None:
    """Run a batched statement; whether the guarded ones have changed something, and not all is undone.

    It is `None` if it could not be run: SQLite's cached schema is out of date, which it notices by itself only for
    plain statements.
    """
    try:
        connection.execute(sql, values)
    except sqlite3.IntegrityError as error:
        if error.sqlite_errorcode == sqlite3.SQLITE_CONSTRAINT_TRIGGER:
            return False
        raise
    except sqlite3.OperationalError as error:
        if error.sqlite_errorcode == sqlite3.SQLITE_ERROR:
            return None
        raise
    return True


def _times(text: str, columns: Sequence[str]) -> str:
    return ", ".join([text] * len(columns))
