"""A store that is opened as environment variables say."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from typing import Any, Unpack

from eventstore.address import options_of
from eventstore.environment import STORE, URL, check_variables, read_options
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
    url, chosen = settings_of_environment(options)
    return EventStore.open(url, **chosen)


def settings_of_environment(
    options: Mapping[str, Any], known: Mapping[str, Callable[[str], Any]] = STORE
) -> tuple[str, dict[str, Any]]:
    """Return where the store is, and the options that it is opened with.

    Args:
        options: Those that the caller gives, which count before those of the URL, and these before the variables.
        known: Those that a variable can say, each with what reads it.

    Raises:
        BadInputError: `EVENTSTORE_URL` is not set, or a variable makes no sense.
    """
    check_variables(os.environ)
    url = os.environ.get(URL)
    if not url:
        raise BadInputError(
            "there is no event store in the environment: set EVENTSTORE_URL to sqlite:///agents.db, or postgresql://…"
        )
    return url, {**read_options(os.environ.get, known), **options_of(url, known), **options}
