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


def from_environment(options: Mapping[str, Any]) -> OpeningSaver[EventStoreSaver]:
    """See `langgraph.checkpoint.eventstore.checkpointer`."""
    check_variables(os.environ, OPTIONS)
    url = url_of_environment()
    chosen = {**read_options(os.environ.get, OPTIONS), **options_of(url), **options}
    return EventStoreSaver.from_conn_string(url, **chosen)
