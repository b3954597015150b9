"""The saver that LangGraph's own server is configured with, opened as environment variables say."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from eventstore.environment import STORE, truth, whole
from eventstore.settings import settings_of_environment
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
    url, chosen = settings_of_environment(options, OPTIONS)
    return EventStoreSaver.from_conn_string(url, **chosen)
