"""Hypothesis strategies for what a saver takes: values of channels, messages, and the checkpoints of a thread."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC
from typing import Any

from hypothesis import strategies as st
from langchain_core.messages import AIMessage, AnyMessage, HumanMessage, SystemMessage, ToolMessage
from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.base import BaseCheckpointSaver, CheckpointMetadata, empty_checkpoint
from langgraph.checkpoint.base.id import uuid6

from eventstore.tuples import NamedTuple

_TEXT = st.text(st.characters(codec="utf-8"), max_size=20)
_CHANNELS = st.sampled_from(["messages", "files", "count", "notes"])


class Step(NamedTuple):
    """One step of a thread, as LangGraph saves it.

    Attributes:
        writes: What a task wrote before, channel by channel; saved by `put_writes`.
        changed: The values of the channels that the step changed; saved by `put`, with those of the others.
    """

    writes: Sequence[tuple[str, Any]]
    changed: Mapping[str, Any]


def values() -> st.SearchStrategy[Any]:
    """Values that a channel can hold and a saver gives back equal: plain data, dates and ids, nested; and messages."""
    leaves = (
        st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.floats(allow_nan=False) | _TEXT
        | st.binary(max_size=20) | st.uuids() | st.datetimes(timezones=st.just(UTC)) | st.decimals(allow_nan=False)
    )  # fmt: skip
    nested = st.recursive(leaves, _held, max_leaves=8)
    return nested | messages() | _TEXT.map(lambda text: text * 100)


def messages(max_size: int = 6) -> st.SearchStrategy[list[AnyMessage]]:
    """Conversations: messages of all kinds, each with an id of its own.

    Args:
        max_size: The most messages.
    """
    one: st.SearchStrategy[AnyMessage] = st.one_of(
        st.builds(HumanMessage, content=_TEXT, name=st.none() | _TEXT),
        st.builds(SystemMessage, content=_TEXT),
        st.builds(AIMessage, content=_TEXT, tool_calls=st.lists(_tool_calls(), max_size=2)),
        st.builds(ToolMessage, content=_TEXT, tool_call_id=st.sampled_from(["call 1", "call 2"])),
    )
    return st.lists(one, max_size=max_size).map(_numbered)


def steps(
    values: st.SearchStrategy[Any] | None = None, *, min_size: int = 1, max_size: int = 8
) -> st.SearchStrategy[list[Step]]:
    """The steps of a thread, to be saved by `save`.

    Args:
        values: The values of its channels; by default any.
        min_size: The fewest steps.
        max_size: The most.
    """
    held = _default_values() if values is None else values
    writes = st.lists(st.tuples(_CHANNELS, held), max_size=3)
    step = st.builds(Step, writes, st.dictionaries(_CHANNELS, held, max_size=3))
    return st.lists(step, min_size=min_size, max_size=max_size)


def save(saver: BaseCheckpointSaver[Any], thread: str, steps: Sequence[Step]) -> list[RunnableConfig]:
    """Save the steps of a thread, as LangGraph would; return the config of each checkpoint.

    Args:
        saver: Any saver.
        thread: The id of a thread that is not there yet.
        steps: Its steps.
    """
    config: RunnableConfig = {"configurable": {"thread_id": thread, "checkpoint_ns": ""}}
    held: dict[str, Any] = {}
    versions: dict[str, Any] = {}
    configs: list[RunnableConfig] = []
    for number, step in enumerate(steps):
        if step.writes and configs:
            saver.put_writes(config, step.writes, str(uuid6(clock_seq=number)))
        held.update(step.changed)
        new = {channel: saver.get_next_version(versions.get(channel), None) for channel in step.changed}
        versions.update(new)
        checkpoint = empty_checkpoint()
        checkpoint["channel_values"], checkpoint["channel_versions"] = {**held}, {**versions}
        checkpoint["id"] = str(uuid6(clock_seq=number))
        metadata: CheckpointMetadata = {"source": "loop", "step": number, "parents": {}}
        config = saver.put(config, checkpoint, metadata, new)
        configs.append(config)
    return configs


def _held(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.lists(inner, max_size=4) | st.dictionaries(_TEXT, inner, max_size=4)


def _tool_calls() -> st.SearchStrategy[dict[str, Any]]:
    arguments = st.dictionaries(st.sampled_from(["query", "path"]), _TEXT | st.integers(0, 9))
    return st.fixed_dictionaries(
        {"name": st.just("search"), "args": arguments, "id": st.sampled_from(["call 1", "call 2"])}
    )


def _numbered(conversation: list[AnyMessage]) -> list[AnyMessage]:
    for number, message in enumerate(conversation, 1):
        message.id = f"message {number}"
    return conversation


# The parameter of a strategy above has its name.
_default_values = values
