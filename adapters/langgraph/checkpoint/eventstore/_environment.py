"""The saver that LangGraph's own server is configured with, opened as environment variables say."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from typing import Any

from eventstore import BadInputError
from eventstore.environment import STORE, read_options, truth
from langgraph.checkpoint.eventstore._opening import OpeningSaver
from langgraph.checkpoint.eventstore._saver import EventStoreSaver

_OPTIONS: Mapping[str, Callable[[str], Any]] = {
    **STORE,
    "migrate": truth,
    "moving_from": str,
    "concurrent_runs": str.lower,
    "cache_bytes": int,
}


def from_environment() -> OpeningSaver[EventStoreSaver]:
    """See `langgraph.checkpoint.eventstore.checkpointer`."""
    url = os.environ.get("EVENTSTORE_URL")
    if not url:
        raise BadInputError(
            "there is no event store in the environment: set EVENTSTORE_URL to sqlite:///agents.db, or postgresql://…"
        )
    return EventStoreSaver.from_conn_string(url, **read_options(os.environ.get, _OPTIONS))
