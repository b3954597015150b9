"""A store that is opened as environment variables say."""

from __future__ import annotations

import os
from typing import Unpack

from eventstore.address import options_of
from eventstore.environment import URL, check_variables, read_options
from eventstore.errors import BadInputError
from eventstore.options import StoreOptions, names_options
from eventstore.store import EventStore


@names_options(StoreOptions)
def from_environment(**options: Unpack[StoreOptions]) -> EventStore:
    """Open the store that `EVENTSTORE_URL` names, with the options that `EVENTSTORE_POOL_SIZE` and so on say.

    Args:
        options: Options of `EventStore.open`, which count before those of the URL, and these before the variables.

    Raises:
        BadInputError: `EVENTSTORE_URL` is not set, or a variable makes no sense.
        EventStoreError: The store cannot be opened: see `EventStore.open`.
    """
    check_variables(os.environ)
    url = url_of_environment()
    return EventStore.open(url, **{**read_options(os.environ.get), **options_of(url), **options})


def url_of_environment() -> str:
    """Return where the store is.

    Raises:
        BadInputError: `EVENTSTORE_URL` is not set.
    """
    url = os.environ.get(URL)
    if not url:
        raise BadInputError(
            "there is no event store in the environment: set EVENTSTORE_URL to sqlite:///agents.db, or postgresql://…"
        )
    return url
