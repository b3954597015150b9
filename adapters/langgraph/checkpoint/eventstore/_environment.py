"""The saver that LangGraph's own server is configured with, opened as environment variables say."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from typing import Any

from eventstore.address import options_of
from eventstore.environment import STORE, check_variables, read_options, truth, whole
from eventstore.settings import url_of_environment
from langgraph.checkpoint.eventstore._opening import OpeningSaver
from langgraph.checkpoint.eventstore._saver import EventStoreSaver

OPTIONS: Mapping[str, Callable[[str], Any]] = {
    **STORE,
    "migrate": truth,
    "moving_from": str,
    "concurrent_runs": str.lower,
    "cache_bytes": whole,
}
"""The options of a saver that a text can say, each with what reads it."""


def checkpointer(**options: Any) -> OpeningSaver[EventStoreSaver]:
    """Open a saver as the environment says, for `with` or `async with`; the entry point for `langgraph.json`.

        {"checkpointer": {"path": "langgraph.checkpoint.eventstore.checkpointer"}}

    `EVENTSTORE_URL` says where the store is; `EVENTSTORE_SCHEMA`, `EVENTSTORE_POOL_SIZE` and so on are the options of
    these names (see docs/options.md). LangGraph's server enters the block when it starts, and leaves it when it ends.

    Args:
        options: Options of `EventStoreSaver.from_conn_string`, which count before those of the URL, and these before
            the variables.

    Raises:
        BadInputError: `EVENTSTORE_URL` is not set, or a variable makes no sense.
    """
    check_variables(os.environ, OPTIONS)
    url = url_of_environment()
    chosen = {**read_options(os.environ.get, OPTIONS), **options_of(url), **options}
    return EventStoreSaver.from_conn_string(url, **chosen)
