"""The arguments of `saver.history`, in the words of projections.

Threads and checkpoints are named by ids or LangGraph's configs, persons by mappings, rules by the graph.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from langchain_core.runnables import RunnableConfig

from eventstore import BadInputError, Cause
from langgraph.checkpoint.eventstore import _config

if TYPE_CHECKING:
    from langgraph.checkpoint.eventstore._folding import Graph, Reducers

Thread = str | RunnableConfig
"""A thread: its id, or a config that names it."""
Checkpoint = str | RunnableConfig
"""A checkpoint: its id, or a config that names it, such as that of a `StateSnapshot`."""


def thread_id(thread: Thread) -> str:
    """Return the id of a thread."""
    return _config.address(thread).thread if isinstance(thread, Mapping) else _config.thread_id(thread)


def thread_ids(threads: Thread | Sequence[Thread]) -> list[str]:
    """Return the ids of one thread, or of several."""
    several = threads if isinstance(threads, Sequence) and not isinstance(threads, str | bytes) else [threads]
    return [thread_id(thread) for thread in several]


def checkpoint_id(checkpoint: Checkpoint | None) -> str | None:
    """Return the id of a checkpoint, if one was named.

    Raises:
        BadInputError: It is empty, or the config of a whole thread.
    """
    if checkpoint is None:
        return None
    # What is empty is no checkpoint, and not the latest one either, nor the whole thread.
    named = (
        _config.address(checkpoint).checkpoint
        if isinstance(checkpoint, Mapping)
        else _config.checkpoint_id(checkpoint) or None
    )
    if named is None:
        raise BadInputError("this names no checkpoint: take the config of a StateSnapshot, or give a checkpoint's id")
    return named


def required_id(checkpoint: Checkpoint) -> str:
    """Return the id of a checkpoint.

    Raises:
        BadInputError: None was named.
    """
    named = checkpoint_id(checkpoint)
    if named is None:
        raise BadInputError("say which checkpoint is meant: by its id, or by a config that names it")
    return named


def checkpoint_in(thread: Thread) -> str | None:
    """Return the id of the checkpoint that a thread's config names, if it does."""
    return _config.address(thread).checkpoint if isinstance(thread, Mapping) else None


def namespace_in(given: str | None, *named: Thread | Checkpoint | None) -> str:
    """Return the namespace that was given, or that a config names."""
    if given is not None:
        return _config.address({"configurable": {"thread_id": "-", "checkpoint_ns": given}}).namespace
    return next((_config.address(each).namespace for each in named if isinstance(each, Mapping)), "")


def fold_of(graph: Graph | None, namespace: str = "", channels: Collection[str] = ()) -> Reducers | None:
    """Return the reducers of a graph, if one was given.

    Raises:
        BadInputError: It is no compiled graph, or has no such channel.
    """
    if graph is None:
        return None
    # It takes LangGraph itself, which a saver does without.
    from langgraph.checkpoint.eventstore._folding import Reducers  # noqa: PLC0415

    reducers = Reducers(graph)
    reducers.check(namespace, channels)
    return reducers


def cause_of(by: Mapping[str, Any] | None) -> Cause:
    """Return the cause that is recorded with what somebody does.

    Raises:
        BadInputError: It is no mapping.
    """
    if by is not None and not isinstance(by, Mapping):
        raise BadInputError(f'by is {by!r}: say who as a mapping, such as {{"user": "ann"}}')
    return Cause(metadata=dict(by or {}))
