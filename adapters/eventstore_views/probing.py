"""The health of a store that is named by its address: opened, asked and closed, in time."""

from __future__ import annotations

from contextlib import closing
from functools import partial

from eventstore import Health
from eventstore.address import parse
from eventstore.health import Limits, Look, in_time, note
from eventstore.opening import open_recorder
from eventstore.queries import quote_schema
from eventstore_views.session import existing, schema_of
from projections.tables.progress import positions


def probe(url: str, schema: str | None, limits: Limits) -> Health:
    """Return the health of the store of an address, after `limits.timeout` seconds at the latest.

    Nothing is created or changed. A store that is not there, or not well, raises nothing.

    Args:
        url: The address.
        schema: PostgreSQL: the schema that holds the tables; `None`: the one that the address says, or the usual one.
        limits: What to measure by.

    Raises:
        BadInputError: The address or the schema is not understood.
    """
    address = parse(url)
    schema = schema_of(url, schema)
    quote_schema(schema)

    def ask(found: Health) -> None:
        recorder = open_recorder(
            existing(url),
            connections=2,
            schema=schema,
            prepare=False,
            connect_timeout=limits.timeout,
            synchronous="FULL",
            busy_timeout=limits.timeout,
        )
        with closing(recorder):
            followers = partial(positions, recorder)
            note(found, recorder, Look(limits, ("eventstore", "projections"), followers))

    return in_time(url, ask, Health(str(address)), limits.timeout)
