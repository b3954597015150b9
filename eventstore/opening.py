"""From a URL and options to a recorder: the one place that knows which databases there are."""

from __future__ import annotations

import os

from eventstore.address import SQLiteAddress, parse
from eventstore.errors import BadInputError
from eventstore.queries import quote_schema
from eventstore.recorders import Recorder, load_postgres
from eventstore.recorders.sqlite import SQLiteRecorder, Synchronous

# In seconds, a year: what databases and locks count in their own small units does not overflow.
_LONGEST_TIMEOUT = 31_536_000
_MOST_CONNECTIONS = 10_000


def open_recorder(
    url: str | os.PathLike[str],
    *,
    connections: int,
    schema: str,
    prepare: bool,
    connect_timeout: float,
    synchronous: Synchronous,
    busy_timeout: float,
) -> Recorder:
    """Connect to the database that a URL names; see `EventStore.open` for the options.

    Raises:
        InvalidUrlError: The URL is not understood.
        BadInputError: An option makes no sense.
        NotAStoreError: The file exists and is something else.
        UnavailableError: There is no such file or server, or it refuses the user.
    """
    address = parse(url)
    if type(connections) is not int or not 1 <= connections <= _MOST_CONNECTIONS:
        raise BadInputError(f"pool_size is {connections!r}: use 1 to {_MOST_CONNECTIONS:,} connections")
    for option, seconds in (("connect_timeout", connect_timeout), ("busy_timeout", busy_timeout)):
        if type(seconds) not in (int, float) or not 0 <= seconds <= _LONGEST_TIMEOUT:
            raise BadInputError(f"{option} is {seconds!r}: use a number of seconds, at most {_LONGEST_TIMEOUT}")
    if type(prepare) is not bool:
        raise BadInputError(f"prepare is {prepare!r}: use true or false")
    quote_schema(schema)
    if isinstance(address, SQLiteAddress):
        if synchronous not in ("FULL", "NORMAL"):
            raise BadInputError(f"synchronous is {synchronous!r}: use 'FULL' or 'NORMAL'")
        return SQLiteRecorder(address, synchronous=synchronous, busy_timeout=busy_timeout, connections=connections)
    return load_postgres()(
        address, schema=schema, connections=connections, prepare=prepare, connect_timeout=connect_timeout
    )
