"""From a URL and options to a recorder: the one place that knows which databases there are."""

from __future__ import annotations

import os

from eventstore.address import PostgresAddress, SQLiteAddress, parse
from eventstore.arguments import check_kind
from eventstore.codec import Upcasters
from eventstore.errors import BadInputError
from eventstore.options import StoreOptions
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
    address = check_address(url, connections, schema, prepare, connect_timeout, synchronous, busy_timeout)
    if isinstance(address, SQLiteAddress):
        return SQLiteRecorder(address, synchronous=synchronous, busy_timeout=busy_timeout, connections=connections)
    return load_postgres()(
        address, schema=schema, connections=connections, prepare=prepare, connect_timeout=connect_timeout
    )


def check_store(url: str | os.PathLike[str], options: StoreOptions) -> None:
    """Hold that a store could be opened so, before it is.

    Raises:
        InvalidUrlError: The URL is not understood.
        BadInputError: An option makes no sense.
    """
    check_address(
        url,
        options.get("pool_size", 1),
        options.get("schema", "eventstore"),
        options.get("prepare", True),
        options.get("connect_timeout", 0),
        options.get("synchronous", "FULL"),
        options.get("busy_timeout", 0),
    )
    check_reading(options.get("upcasters"), options.get("max_value_bytes", 1))


def check_address(
    url: str | os.PathLike[str],
    connections: int,
    schema: str,
    prepare: object,
    connect_timeout: float,
    synchronous: object,
    busy_timeout: float,
) -> SQLiteAddress | PostgresAddress:
    """The address that a URL names, if the options make sense; see `open_recorder` for what is raised."""
    address = parse(url)
    wrong = []
    if type(connections) is not int or not 1 <= connections <= _MOST_CONNECTIONS:
        wrong.append(f"pool_size is {connections!r}: use 1 to {_MOST_CONNECTIONS:,} connections")
    for option, seconds in (("connect_timeout", connect_timeout), ("busy_timeout", busy_timeout)):
        if type(seconds) not in (int, float) or not 0 <= seconds <= _LONGEST_TIMEOUT:
            wrong.append(f"{option} is {seconds!r}: use a number of seconds, at most {_LONGEST_TIMEOUT}")
    if type(prepare) is not bool:
        wrong.append(f"prepare is {prepare!r}: use true or false")
    if isinstance(address, SQLiteAddress) and synchronous not in ("FULL", "NORMAL"):
        wrong.append(f"synchronous is {synchronous!r}: use 'FULL' or 'NORMAL'")
    if wrong:
        raise BadInputError("; ".join(wrong))
    quote_schema(schema)
    return address


def check_reading(upcasters: object, max_value_bytes: int) -> None:
    """Check the options that say how stored events are read.

    Raises:
        BadInputError: One makes no sense.
    """
    if type(max_value_bytes) is not int or max_value_bytes < 1:
        raise BadInputError(f"max_value_bytes is {max_value_bytes!r}: use a number of bytes, 1 or more")
    if upcasters is not None:
        check_kind(Upcasters)("upcasters", upcasters)
