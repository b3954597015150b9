"""Between LangGraph's checkpoints and ours: pure functions."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from typing import Any, cast

from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.base import (
    WRITES_IDX_MAP,
    ChannelVersions,
    Checkpoint,
    CheckpointMetadata,
    CheckpointTuple,
    get_checkpoint_metadata,
)

from eventstore import BadInputError
from eventstore.arguments import refused
from langgraph.checkpoint.eventstore import _config
from langgraph.checkpoint.eventstore._branches_read import Began
from langgraph.checkpoint.eventstore._given import pairs, refused_checkpoint, refused_metadata
from langgraph.checkpoint.eventstore._nodes import Nodes
from langgraph.checkpoint.eventstore._turns import Ticket
from projections import NewCheckpoint, NewWrites, SavedCheckpoint
from projections.pregel import NOBODY, SENDS

_CHANGEABLE = frozenset({list, set, dict})
_CONTAINERS = _CHANGEABLE | {tuple}
# What has a field of its own in our record; anything else that a checkpoint holds is kept beside them.
_FIELDS = {"v", "id", "ts", "channel_values", "channel_versions", "versions_seen", "updated_channels"}
# How LangGraph trips over metadata, or what a config adds to it, that it cannot go through.
_NO_METADATA = (AttributeError, TypeError, ValueError)


def to_new_checkpoint(
    config: RunnableConfig,
    configurable: Mapping[str, Any],
    checkpoint: Checkpoint,
    metadata: CheckpointMetadata,
    new_versions: ChannelVersions,
    began: Began,
) -> NewCheckpoint:
    """Translate the arguments of `put` into the checkpoint to save.

    Args:
        config: The config.
        configurable: The part of it that is for checkpoint savers.
        checkpoint: The checkpoint.
        metadata: Its metadata.
        new_versions: The channels that have a new version.
        began: What is known of the beginning of its run.
    """
    where = _config.address_in(configurable)
    try:
        named, layout, time = checkpoint["id"], checkpoint["v"], checkpoint["ts"]
        versions, seen = checkpoint["channel_versions"], checkpoint["versions_seen"]
    except KeyError as missing:
        raise refused_checkpoint(checkpoint, missing.args[0]) from missing
    checkpoint_id = _config.checkpoint_id(named)
    if checkpoint_id is None:
        raise BadInputError("a checkpoint needs an id")
    try:
        # (Not by `cast`, which is a call.)
        described: dict[str, Any] = get_checkpoint_metadata(config, metadata)  # type: ignore[assignment]
    except _NO_METADATA as error:
        raise refused_metadata(config, metadata) from error
    beyond = checkpoint.keys() - _FIELDS
    return NewCheckpoint(
        thread=where.thread,
        namespace=where.namespace,
        id=checkpoint_id,
        parent=where.checkpoint,
        format=layout,
        ts=time,
        channel_versions=versions,
        new_versions=new_versions,
        values=checkpoint["channel_values"],
        versions_seen=seen,
        updated_channels=checkpoint.get("updated_channels"),
        extras={key: value for key, value in checkpoint.items() if key in beyond} if beyond else {},
        metadata=described,
        run=_config.run_id(config, configurable, described, began.run),
        branch=began.branch,
    )


def as_of_now(checkpoint: Checkpoint) -> Checkpoint:
    """A checkpoint whose values stay as they are: LangGraph goes on to change some that it hands over.

    A join hands over the set in which it counts (`NamedBarrierValue.checkpoint`), and a `Topic` the list that it keeps.
    With the next step running beside, what waits for a thread or for other appends would be stored as that step left
    it.

    Raises:
        BadInputError: It is no checkpoint, or its values are no dict.
    """
    try:
        values = {**checkpoint["channel_values"]}
    except KeyError as missing:
        raise refused_checkpoint(checkpoint, missing.args[0]) from missing
    except (TypeError, IndexError) as error:
        raise refused_checkpoint(checkpoint) from error
    for channel, value in values.items():
        if type(value) in _CONTAINERS:
            values[channel] = _copied(value)
    return {**checkpoint, "channel_values": values}


def _copied(value: Any) -> Any:
    if type(value) in _CHANGEABLE:
        return value.copy()
    if type(value) is tuple:  # a join that waits for the end of all others
        return tuple(_copied(part) for part in value)
    return value


def to_new_writes(
    config: RunnableConfig,
    configurable: Mapping[str, Any],
    writes: Sequence[tuple[str, Any]],
    task_id: str,
    task_path: str,
    nodes: Nodes,
    began: Began,
) -> NewWrites:
    """Translate the arguments of `put_writes` into the writes to save; see `to_new_checkpoint`."""
    writes = pairs(writes)
    where = _config.address_in(configurable)
    if where.checkpoint is None:
        raise BadInputError("writes belong to a checkpoint: put the checkpoint_id into the config")
    key, task, path = (
        (where.thread, where.namespace, where.checkpoint),
        _config.task_id(task_id),
        _config.task_path(task_path),
    )
    if task == NOBODY:
        nodes.remember(key, {SENDS: [value for channel, value in writes if channel == SENDS]})
    try:
        described: dict[str, Any] = get_checkpoint_metadata(config, {})  # type: ignore[assignment]
    except _NO_METADATA as error:
        raise refused_metadata(config, {}) from error
    return NewWrites(
        thread=where.thread,
        namespace=where.namespace,
        checkpoint=where.checkpoint,
        task=task,
        task_path=path,
        writes=[(channel, WRITES_IDX_MAP.get(channel, index), value) for index, (channel, value) in enumerate(writes)],
        node=nodes.node_of(key, path),
        run=_config.run_id(config, configurable, described, began.run),
        metadata=described,
    )


def to_tuple(saved: SavedCheckpoint, ticket: Ticket | None = None) -> CheckpointTuple:
    """Translate a checkpoint into LangGraph's tuple. If runs take turns, its config holds the run's ticket."""
    checkpoint = {
        "v": saved.format,
        "id": saved.id,
        "ts": saved.ts,
        "channel_values": dict(saved.values),
        "channel_versions": dict(saved.channel_versions),
        "versions_seen": dict(saved.versions_seen),
        "updated_channels": saved.updated_channels,
        **saved.extras,
    }
    return CheckpointTuple(
        config=_config.to_config(saved.thread, saved.namespace, saved.id, ticket),
        checkpoint=cast("Checkpoint", checkpoint),
        metadata=cast("CheckpointMetadata", dict(saved.metadata)),
        parent_config=_config.to_config(saved.thread, saved.namespace, saved.parent, ticket) if saved.parent else None,
        pending_writes=list(saved.pending),
    )


class CheckpointThen(CheckpointTuple):
    """A checkpoint that history tells of, with the values that `get_state` shows.

    What is stored of a `DeltaChannel` is made a value of, as far as a rule is known.

    Attributes:
        folded: Of the channels whose values were made of what was written to them: by which rule.
        replayed: The channels of which only the writes are stored, and no rule is known that makes a value of them.
    """

    folded: Mapping[str, str]
    replayed: Sequence[str]


def to_tuple_then(saved: SavedCheckpoint) -> CheckpointThen:
    """Return what history tells of a checkpoint."""
    told = CheckpointThen(*to_tuple(saved))
    told.folded, told.replayed = dict(saved.folded), tuple(saved.replayed)
    return told


def next_version(current: Any) -> Any:
    """See `EventStoreSaver.get_next_version`."""
    try:
        if isinstance(current, str):
            return f"{int(current.split('.')[0]) + 1:032}.{random.random():016}"  # noqa: S311 (LangGraph's own form)
        return 1 if current is None else current + 1
    except (TypeError, ValueError) as error:
        raise refused("current", current, "use a channel's version: a number, or None for the first") from error
