"""The methods of LangChain and LangGraph that every call goes through, wrapped: once in a process, for its whole life.

They are public, and documented to be what `invoke`, `batch` and the like call. Without a recording or a replay where
they are called, each costs a look at a context variable. They are not unwrapped: others may have wrapped them since.
"""

from __future__ import annotations

from collections.abc import Callable
from threading import Lock
from typing import Any

from langchain_core.language_models import BaseChatModel
from langchain_core.language_models.llms import BaseLLM
from langchain_core.tools import BaseTool, StructuredTool, Tool

from langgraph.checkpoint.eventstore.answers import beginnings, models, tool_calls

Wrap = Callable[[Callable[..., Any]], Callable[..., Any]]

_METHODS: tuple[tuple[type, str, Wrap], ...] = (
    (BaseChatModel, "generate", models.generate),
    (BaseChatModel, "agenerate", models.agenerate),
    (BaseChatModel, "stream", models.stream),
    (BaseChatModel, "astream", models.astream),
    (BaseChatModel, "stream_events", models.refused_as_events),
    (BaseChatModel, "astream_events", models.refused_as_events),
    (BaseLLM, "generate", models.refused),
    (BaseLLM, "agenerate", models.refused),
    (BaseLLM, "stream", models.refused),
    (BaseLLM, "astream", models.refused),
    (BaseTool, "run", tool_calls.run),
    (BaseTool, "arun", tool_calls.arun),
    (StructuredTool, "ainvoke", tool_calls.ainvoke),
    (Tool, "ainvoke", tool_calls.ainvoke),
)

_lock = Lock()
_woven: set[tuple[type, str]] = set()


def _of_graphs() -> tuple[tuple[type, str, Wrap], ...]:
    try:
        from langgraph.pregel import Pregel  # noqa: PLC0415 (a saver does without LangGraph itself)
    except ImportError:
        return ()
    names = ("stream", "astream", "bulk_update_state", "abulk_update_state")
    return tuple((Pregel, name, getattr(beginnings, name)) for name in names)


def weave() -> None:
    """Wrap the methods, if they are not wrapped yet."""
    with _lock:
        for owner, name, wrap in (*_METHODS, *_of_graphs()):
            # Older versions have not all of them.
            if (owner, name) not in _woven and hasattr(owner, name):
                _woven.add((owner, name))
                setattr(owner, name, wrap(getattr(owner, name)))
