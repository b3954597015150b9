"""A statement that is run all the time, sent as libpq takes it.

What a cursor does for any statement takes the client longer than the server needs for an append: it makes query
objects, looks for types, asks whether to prepare, describes a result. Without all that, an append costs a third less.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from contextlib import suppress
from functools import lru_cache
from struct import Struct
from typing import Any

from psycopg import Connection, errors, generators, pq

_NAMED = re.compile(r"%\((\w+)\)s")
Bound = int | str | bytes | None
"""A value that can be bound."""

_BIGINT_BITS = 63
_BINDABLE = frozenset((int, str, bytes, type(None)))
_BIGINT = Struct(">q")
_CARRIED_OUT = (pq.ExecStatus.COMMAND_OK, pq.ExecStatus.TUPLES_OK)


class FastStatement:
    """One statement whose rows matter by their number only. Its parameters are cast in it, to bigint, text or bytea.

    Args:
        name: What it is called when it is prepared: of one statement only.
        sql: The statement, with parameters as psycopg spells them.
    """

    def __init__(self, name: str, sql: str) -> None:
        self._names = list(dict.fromkeys(_NAMED.findall(sql)))
        self._sql = _NAMED.sub(lambda named: f"${self._names.index(named[1]) + 1}", sql).replace("%%", "%").encode()
        self._formats = [pq.Format.BINARY] * len(self._names)
        self._name = name.encode()

    def execute(
        self, connection: Connection, prepared: set[bytes] | None, params: Mapping[str, int | str | bytes | None]
    ) -> int:
        """Run it, as a transaction of its own; how many rows it changed, or returned.

        Args:
            connection: A connection in autocommit mode and outside of a transaction.
            prepared: The names of what is prepared on this connection already; `None`: nothing is to be prepared.
            params: The values, by name.
        """
        values = [_encode(params[name]) for name in self._names]
        with connection.lock:
            if prepared is None:
                connection.pgconn.send_query_params(self._sql, values, param_formats=self._formats)
                return _changed_rows(connection)
            if self._name in prepared:
                with suppress(errors.InvalidSqlStatementName):  # psycopg drops all of a connection's when it rolls back
                    return self._execute_prepared(connection, values)
            connection.pgconn.send_prepare(self._name, self._sql)
            with suppress(errors.DuplicatePreparedStatement):  # by one that was interrupted before it heard of it
                _changed_rows(connection)
            prepared.add(self._name)
            return self._execute_prepared(connection, values)

    def _execute_prepared(self, connection: Connection, values: list[bytes | None]) -> int:
        connection.pgconn.send_query_prepared(self._name, values, param_formats=self._formats)
        return _changed_rows(connection)


def fits(params: Mapping[str, Any]) -> bool:
    """Return whether a fast statement can bind these values; others take the slower way, which may refuse them."""
    return all(
        type(value) in _BINDABLE and not (type(value) is int and value.bit_length() > _BIGINT_BITS)
        for value in params.values()
    )


@lru_cache(maxsize=256)
def with_parts(append: str, *parts: str) -> str:
    """Return one statement out of the append and what goes with it: all of it is stored, or none.

    Each part's parameters get the part's number before their name, so that parts can use the same names.
    """
    renamed = (part.replace("%(", f"%(part_{number}_") for number, part in enumerate(parts))
    withs = ", ".join(
        [
            f"appended AS ({append} RETURNING version)",
            *(f"part_{number} AS ({part})" for number, part in enumerate(renamed)),
        ]
    )
    return f"WITH {withs} SELECT version FROM appended"  # noqa: S608 (put together from .sql files alone)


def _changed_rows(connection: Connection) -> int:
    # Waits as a cursor does: other threads go on meanwhile, and Ctrl-C is heard.
    result: pq.abc.PGresult = connection.wait(generators.execute(connection.pgconn))[-1]
    if result.status not in _CARRIED_OUT:
        raise errors.error_from_result(result)
    return result.command_tuples or 0


def _encode(value: Bound) -> bytes | None:
    if value is None or isinstance(value, bytes):
        return value
    return _BIGINT.pack(value) if isinstance(value, int) else value.encode()
