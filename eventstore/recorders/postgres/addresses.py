"""The address of the database that a connection or a pool of somebody else's is on."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from psycopg import OperationalError, pq
from psycopg.conninfo import make_conninfo

from eventstore.address import PostgresAddress
from eventstore.errors import UnavailableError


def address_of(connection: Any) -> PostgresAddress | None:
    """Return the address, with what it takes to connect there once more; `None`: it does not tell.

    Args:
        connection: A `Connection`, `ConnectionPool` or their async twins, of psycopg.

    Raises:
        UnavailableError: The connection is closed.
    """
    if (info := getattr(connection, "info", None)) is not None:
        try:
            conninfo = make_conninfo("", **info.get_parameters(), password=info.password or None)
        except OperationalError as error:
            raise UnavailableError("the connection is closed") from error
    else:
        known, options = connection.conninfo, connection.kwargs or {}
        if not (isinstance(known, str) and isinstance(options, Mapping)):  # functions, which make them anew each time
            return None
        keywords = {option.keyword.decode() for option in pq.Conninfo.get_defaults()}
        conninfo = make_conninfo(known, **{key: value for key, value in options.items() if key in keywords})
    return PostgresAddress(conninfo) if conninfo else None
