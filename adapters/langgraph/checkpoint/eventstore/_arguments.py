"""The arguments of `saver.history`, in the words of projections.

Threads and checkpoints are named by ids or LangGraph's configs, persons by mappings, rules by the graph.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING, Any, cast

from eventstore import BadInputError, Cause
from langgraph.checkpoint.eventstore import _config
from langgraph.checkpoint.eventstore._named import as_config
from projections.before import Before

if TYPE_CHECKING:
    from langgraph.checkpoint.eventstore._folding import Graph, Reducers
    from langgraph.checkpoint.eventstore._named import Checkpoint, Thread
    from projections import Serializer


def thread_id(thread: Thread) -> str:
    """Return the id of a thread."""
    config = as_config(thread)
    return _config.thread_id(thread) if config is None else _config.address(config).thread


def thread_ids(threads: Thread | Sequence[Thread]) -> list[str]:
    """Return the ids of one thread, or of several."""
    # (A CheckpointTuple is a sequence, too.)
    one = isinstance(threads, str | bytes) or not isinstance(threads, Sequence) or as_config(threads) is not None
    return [thread_id(thread) for thread in cast("Sequence[Thread]", [threads] if one else threads)]


def checkpoint_id(checkpoint: Checkpoint | None) -> str | None:
    """Return the id of a checkpoint, if one was named.

    Raises:
        BadInputError: It is empty, or the config of a whole thread.
    """
    if checkpoint is None:
        return None
    # What is empty is no checkpoint, and not the latest one either, nor the whole thread.
    config = as_config(checkpoint)
    named = _config.checkpoint_id(checkpoint) if config is None else _config.address(config).checkpoint
    if named is None:
        raise BadInputError(
            "this names no checkpoint: take an entry of a timeline, a StateSnapshot, its config, or a checkpoint's id"
        )
    return named


def before_of(
    named: object, before_message: str | None, back_turns: int | None, serde: Serializer, graph: Graph | None
) -> Before | None:
    """Return what names a checkpoint by what came after it; `None`: nothing does.

    Raises:
        BadInputError: Several arguments name one.
    """
    if before_message is None and back_turns is None:
        return None
    if named is not None:
        raise BadInputError("say which checkpoint is meant by one of: itself, before_message, or back_turns")
    return Before(before_message, back_turns, serde, fold_of(graph))


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
    config = as_config(thread)
    return None if config is None else _config.address(config).checkpoint


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
