"""A store on connections that a program has already: a psycopg pool, or one connection."""

from __future__ import annotations

from typing import Any

from eventstore.arguments import check_truth
from eventstore.codec import Upcasters
from eventstore.codec.envelope import MAX_VALUE_BYTES
from eventstore.opening import check_address, check_reading
from eventstore.options import names_options
from eventstore.recorders import load_postgres
from eventstore.store import EventStore


@names_options()
def open_on(
    connections: Any,
    *,
    migrate: bool = True,
    upcasters: Upcasters | None = None,
    schema: str = "eventstore",
    prepare: bool = True,
    connect_timeout: float = 30.0,
    max_value_bytes: int = MAX_VALUE_BYTES,
) -> EventStore:
    """Open a store on connections of the caller's, who goes on to use them, and closes them after the store.

    A connection is borrowed for each operation and given back as it was, whatever its autocommit, row factory, types
    and isolation are. What stays on it are prepared statements whose names begin with `eventstore_`. It must be idle,
    outside of a transaction and a pipeline, and speak UTF-8. The store opens no connection of its own; its
    subscriptions look once a second for what other processes append.

    Args:
        connections: A `psycopg_pool.ConnectionPool` that is open, or a `psycopg.Connection`.
        migrate: See `EventStore.open`.
        upcasters: See `EventStore.open`.
        schema: See `EventStore.open`.
        prepare: See `EventStore.open`.
        connect_timeout: How many seconds to wait for a connection.
        max_value_bytes: See `EventStore.open`.

    Raises:
        BadInputError: They are no such connections (async ones are not), or do not speak UTF-8.
        BusyError: The connection is in a transaction.
        UnavailableError: The pool is closed, or gives none in time.
    """
    check_truth("migrate", migrate)
    check_reading(upcasters, max_value_bytes)
    check_address("postgresql://", 1, schema, prepare, connect_timeout, "FULL", 0)
    load_postgres()
    from eventstore.recorders.postgres import SharingRecorder  # noqa: PLC0415 (psycopg is an extra)

    recorder = SharingRecorder(connections, schema=schema, prepare=prepare, connect_timeout=connect_timeout)
    try:
        recorder.migrate("eventstore", allowed=migrate)
        return EventStore(recorder, upcasters=upcasters, max_value_bytes=max_value_bytes)
    except BaseException:
        recorder.close()
        raise
