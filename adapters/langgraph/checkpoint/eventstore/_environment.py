"""The saver that LangGraph's own server is configured with, opened as environment variables say."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from eventstore.settings import settings_of_environment
from langgraph.checkpoint.eventstore._opening import TEXTS, OpeningSaver
from langgraph.checkpoint.eventstore._saver import EventStoreSaver


def from_environment(options: Mapping[str, Any]) -> OpeningSaver[EventStoreSaver]:
    """See `langgraph.checkpoint.eventstore.checkpointer`."""
    url, chosen = settings_of_environment(options, TEXTS)
    return EventStoreSaver.from_conn_string(url, **chosen)
