"""What LangGraph passes as a config, checked and typed. Nothing that comes in is trusted to be an id."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple
from uuid import UUID

from langchain_core.runnables import RunnableConfig

from eventstore import BadInputError, InvalidIdError
from eventstore.ids import MAX_STREAM_BYTES, check_id

# Namespace and checkpoint id are one key of an index, whose rows PostgreSQL limits to 2,704 bytes.
MAX_NAMESPACE_BYTES = 2048
MAX_CHECKPOINT_BYTES = 255
MAX_TASK_BYTES = 255

SEEN_HEAD = "__eventstore_head"
"""In a config that the saver gave out: namespace and latest checkpoint at that moment. LangGraph hands it back with
every save of the run. The underscores keep it out of the metadata."""


class Address(NamedTuple):
    """Which checkpoint a config means.

    Attributes:
        thread: The thread's id.
        namespace: The subgraph's path.
        checkpoint: The checkpoint's id; `None`: the latest.
    """

    thread: str
    namespace: str
    checkpoint: str | None


def address(config: RunnableConfig) -> Address:
    """The checkpoint that a config means.

    Raises:
        InvalidIdError: An id is missing or cannot be stored.
    """
    configurable = _configurable(config)
    return Address(
        thread_id(configurable.get("thread_id")),
        namespace(configurable.get("checkpoint_ns")) or "",
        checkpoint_id(configurable.get("checkpoint_id")),
    )


def thread_id(value: object) -> str:
    """A thread's id: text, an integer or a UUID.

    Raises:
        InvalidIdError: It is missing, empty, something else, or cannot be stored.
    """
    if value is None:
        raise InvalidIdError(
            "thread_id", 'is missing: pass config={"configurable": {"thread_id": "…"}}, it names what is stored'
        )
    if isinstance(value, UUID) or (isinstance(value, int) and not isinstance(value, bool)):
        value = str(value)
    return check_id("thread_id", value, longest=MAX_STREAM_BYTES)


def namespace(value: object) -> str | None:
    """A subgraph's path, or `None` if the config names none."""
    return None if value is None else check_id("checkpoint_ns", value, longest=MAX_NAMESPACE_BYTES, empty=True)


def checkpoint_id(value: object) -> str | None:
    """A checkpoint's id, or `None` if the config names none."""
    if value is None or value == "":
        return None
    return check_id("checkpoint_id", str(value) if isinstance(value, UUID) else value, longest=MAX_CHECKPOINT_BYTES)


def task_id(value: object) -> str:
    """A task's id."""
    return check_id("task_id", str(value) if isinstance(value, UUID) else value, longest=MAX_TASK_BYTES)


def namespace_of_list(config: RunnableConfig) -> str | None:
    """The namespace to list, or `None` for all of them."""
    return namespace(_configurable(config).get("checkpoint_ns"))


def run_id(config: RunnableConfig, metadata: Mapping[str, Any]) -> str | None:
    """The id of the run, as far as LangGraph tells."""
    found = metadata.get("run_id") or _configurable(config).get("run_id") or config.get("run_id")
    return check_id("run_id", str(found), longest=MAX_TASK_BYTES) if found else None


def node_of(task_path: str) -> str | None:
    """The node that a task runs, where its path tells: `~__pregel_pull, node`."""
    kind, _, node = task_path.removeprefix("~").partition(", ")
    return node if kind == "__pregel_pull" and node else None


def seen_head(config: RunnableConfig, wanted: str) -> str | None:
    """The latest checkpoint of a namespace when the run that this config belongs to was loaded."""
    seen = _configurable(config).get(SEEN_HEAD)
    return seen[1] if isinstance(seen, tuple) and seen[0] == wanted else None


def to_config(thread: str, namespace: str, checkpoint: str, head: str | None = None) -> RunnableConfig:
    """The config of a checkpoint, for LangGraph to hand back."""
    configurable: dict[str, Any] = {"thread_id": thread, "checkpoint_ns": namespace, "checkpoint_id": checkpoint}
    if head is not None:
        configurable[SEEN_HEAD] = (namespace, head)
    return {"configurable": configurable}


def _configurable(config: RunnableConfig) -> Mapping[str, Any]:
    configurable: object = config.get("configurable")
    if configurable is None:
        return {}
    if not isinstance(configurable, Mapping):
        raise BadInputError('a config looks like {"configurable": {"thread_id": "…"}}')
    return configurable
