"""Appends that are made all the time: each is one statement, sent as libpq takes it.

What a cursor does for any statement takes the client longer than the server needs for an append: it makes query
objects, looks for types, asks whether to prepare, describes a result. Without all that, an append costs a third less.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import lru_cache
from hashlib import blake2b
from operator import itemgetter
from typing import Any

from psycopg import errors, generators, pq

from eventstore.codec import Row
from eventstore.recorders.postgres.connection import Connection
from eventstore.recorders.protocol import Append, Params

_NAMED = re.compile(r"%\((\w+)\)s")
# The parameters of the block `append_event`, in the order in which `FastAppend.values` has them.
_OF_THE_ROW = ("stream_id", *Row._fields, "previous")
# How each value is sent: in the binary format, as what its parameter is cast to. There are no others.
_SENT_AS: dict[type, Callable[[Any], bytes | None]] = {
    int: struct.Struct(">q").pack,
    str: str.encode,
    bytes: bytes,  # the same object
    type(None): lambda none: none,
}
_COMMAND_OK, _TUPLES_OK = pq.ExecStatus.COMMAND_OK, pq.ExecStatus.TUPLES_OK


class FastStatement:
    """One statement whose rows matter by their number only. Its parameters are cast in it, to bigint, text or bytea.

    Args:
        sql: The statement, with parameters as psycopg spells them.
        names: Their names, in the order of the values that it is executed with.
    """

    def __init__(self, sql: str, names: Sequence[str]) -> None:
        self._sql = _NAMED.sub(lambda named: f"${names.index(named[1]) + 1}", sql).replace("%%", "%").encode()
        self._formats = [pq.Format.BINARY] * len(names)
        # It is prepared under this name, of which there is one only.
        self._name = f"eventstore_{blake2b(self._sql, digest_size=16).hexdigest()}".encode()

    def execute(self, connection: Connection, values: list[bytes | None], *, prepare: bool) -> int:
        """Run it, as a transaction of its own; how many rows it changed, or returned.

        Args:
            connection: A connection in autocommit mode and outside of a transaction, that is the calling thread's.
            values: The values.
            prepare: Whether it is to be prepared.
        """
        session = connection.pgconn
        if not prepare:
            session.send_query_params(self._sql, values, param_formats=self._formats)
            return _changed_rows(connection)
        prepared = connection.fast_statements
        if self._name in prepared:
            try:
                session.send_query_prepared(self._name, values, self._formats)
                return _changed_rows(connection)
            except errors.InvalidSqlStatementName:  # psycopg drops all of a connection's when it rolls back
                pass
        session.send_prepare(self._name, self._sql)
        with suppress(errors.DuplicatePreparedStatement):  # by one that was interrupted before it heard of it
            _changed_rows(connection)
        prepared.add(self._name)
        session.send_query_prepared(self._name, values, self._formats)
        return _changed_rows(connection)


class FastAppend(FastStatement):
    """The append of one row that has a predecessor, with what goes with it.

    Args:
        append: The block `append_event`.
        parts: The statements that go with it.
    """

    def __init__(self, append: str, parts: Sequence[str]) -> None:
        of_parts = [list(dict.fromkeys(_NAMED.findall(part))) for part in parts]
        names = [*_OF_THE_ROW, *(f"part_{n}_{name}" for n, part in enumerate(of_parts) for name in part)]
        self._of_parts = [_getter(part) for part in of_parts]
        super().__init__(with_parts(append, *parts) if parts else append, names)

    def values(self, append: Append) -> list[bytes | None] | None:
        """Return the values of an append as they are sent; `None`: the slower way can take them, or refuses them."""
        values: list[Any] = [append.stream_id, *append.rows[0], append.head.hash]
        for get, statement in zip(self._of_parts, append.then, strict=True):
            values += get(statement.params)
        try:
            return [_SENT_AS[type(value)](value) for value in values]
        except (KeyError, struct.error):
            return None


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


def _getter(names: Sequence[str]) -> Callable[[Params], Sequence[Any]]:
    """Return a function that gives the values of these names."""
    if len(names) > 1:
        return itemgetter(*names)
    return lambda params: [params[name] for name in names]


def _changed_rows(connection: Connection) -> int:
    # Waits as a cursor does: other threads go on meanwhile, and Ctrl-C is heard.
    result: pq.abc.PGresult = connection.wait(generators.execute(connection.pgconn))[-1]
    if result.status not in (_TUPLES_OK, _COMMAND_OK):
        raise errors.error_from_result(result)
    return result.command_tuples or 0
