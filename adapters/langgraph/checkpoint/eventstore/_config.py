"""LangGraph's configs, checked and typed. Nothing that comes in is trusted to be an id."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any
from uuid import UUID

from langchain_core.runnables import RunnableConfig

from eventstore import BadInputError, InvalidIdError
from eventstore.arguments import named_kind, refused
from eventstore.ids import MAX_STREAM_BYTES, check_id
from eventstore.tuples import NamedTuple
from langgraph.checkpoint.eventstore._turns import Ticket

# Namespace and checkpoint id are one key of an index, whose rows PostgreSQL limits to 2,704 bytes.
MAX_NAMESPACE_BYTES = 2048
MAX_CHECKPOINT_BYTES = 255
MAX_TASK_BYTES = 255
# A path is content and no key: what bounds it is that it is nobody's data.
MAX_TASK_PATH_BYTES = 65_536

TICKET = "__pregel_eventstore_ticket"
"""In a config that the saver gave out, where runs take turns: see `_turns.Ticket`. The prefix keeps it out of metadata
and of what is streamed."""


RUNTIME = "__pregel_runtime"
"""In a config that LangGraph passes: what knows the run."""

# For texts that a run passes again and again.
_checked = lru_cache(4096)(check_id)


class Address(NamedTuple):
    """The checkpoint that a config means.

    Attributes:
        thread: The thread's id.
        namespace: The subgraph's path.
        checkpoint: The checkpoint's id; `None` means the latest.
    """

    thread: str
    namespace: str
    checkpoint: str | None


def address(config: RunnableConfig) -> Address:
    """The checkpoint that a config means.

    Raises:
        InvalidIdError: An id is missing or cannot be stored.
    """
    return address_in(_configurable(config))


def address_in(configurable: Mapping[str, Any]) -> Address:
    """`address`, in the part of a config that is for checkpoint savers."""
    thread, path, checkpoint = map(configurable.get, ("thread_id", "checkpoint_ns", "checkpoint_id"))
    if type(thread) is type(path) is type(checkpoint) is str:  # as a running thread names itself, again and again
        return Address(
            _checked("thread_id", thread, longest=MAX_STREAM_BYTES),
            _checked("checkpoint_ns", path, longest=MAX_NAMESPACE_BYTES, empty=True),
            _checked("checkpoint_id", checkpoint, longest=MAX_CHECKPOINT_BYTES) if checkpoint else None,
        )
    return Address(thread_id(thread), namespace(path) or "", checkpoint_id(checkpoint))


def thread_id(value: object) -> str:
    """A thread's id: text, an integer or a UUID.

    Raises:
        InvalidIdError: It is missing, empty, something else, or cannot be stored.
    """
    if value is None:
        raise InvalidIdError(
            "thread_id", 'is missing: pass config={"configurable": {"thread_id": "…"}}, it names what is stored'
        )
    return check_id("thread_id", _text(_digits("thread_id", value)), longest=MAX_STREAM_BYTES)


def namespace(value: object) -> str | None:
    """A subgraph's path, or `None` if the config names none."""
    return None if value is None else check_id("checkpoint_ns", value, longest=MAX_NAMESPACE_BYTES, empty=True)


def checkpoint_id(value: object) -> str | None:
    """A checkpoint's id, or `None` if the config names none."""
    if value is None or value == "":
        return None
    if type(value) is str:
        return _checked("checkpoint_id", value, longest=MAX_CHECKPOINT_BYTES)
    return check_id("checkpoint_id", _text(value), longest=MAX_CHECKPOINT_BYTES)


def task_id(value: object) -> str:
    """A task's id."""
    return check_id("task_id", _text(value), longest=MAX_TASK_BYTES)


def task_path(value: object) -> str:
    """A task's path; tasks of old versions of LangGraph have an empty one."""
    return check_id("task_path", value, longest=MAX_TASK_PATH_BYTES, empty=True)


def namespace_of_list(config: RunnableConfig) -> str | None:
    """The namespace to list, or `None` for all of them."""
    return namespace(_configurable(config).get("checkpoint_ns"))


def run_id(
    config: RunnableConfig, configurable: Mapping[str, Any], metadata: Mapping[str, Any], known: object = None
) -> str | None:
    """The id of the run: as LangGraph tells it with the call, or else as it is known of the run."""
    found = metadata.get("run_id") or configurable.get("run_id") or config.get("run_id") or known
    return run(found) if found else None


def told_run(config: RunnableConfig) -> object:
    """The id of a run, as LangGraph tells it where the run begins; in a subgraph, what it tells the node around it."""
    named = _configurable(config)
    of_the_node = getattr(getattr(named.get(RUNTIME), "execution_info", None), "run_id", None)
    metadata = config.get("metadata") or {}
    return metadata.get("run_id") or named.get("run_id") or config.get("run_id") or of_the_node


def run(value: object) -> str:
    """A run's id: text, an integer or a UUID."""
    return check_id("run_id", _text(_digits("run_id", value)), longest=MAX_TASK_BYTES)


def configurable(config: RunnableConfig | None) -> Mapping[str, Any]:
    """The part of a config that is for checkpoint savers.

    Raises:
        BadInputError: It is not a mapping.
    """
    # What LangGraph passes are dicts; to ask whether something is a `Mapping` takes several calls.
    if type(config) is dict and type(found := config.get("configurable")) is dict:
        return found
    return {} if config is None else _configurable(config)


def run_control(config: RunnableConfig) -> object | None:
    """The control object that LangGraph makes for each run, and hands to its subgraphs."""
    return getattr(_configurable(config).get(RUNTIME), "control", None)


def callers(config: RunnableConfig) -> list[str]:
    """The namespaces that a subgraph was called from, as far as LangGraph tells."""
    found = _configurable(config).get("checkpoint_map")
    own = address(config).namespace
    return [name for name in found if name != own] if isinstance(found, Mapping) else []


def to_config(thread: str, namespace: str, checkpoint: str, ticket: Ticket | None = None) -> RunnableConfig:
    """The config of a checkpoint, for LangGraph to hand back."""
    configurable: dict[str, Any] = {"thread_id": thread, "checkpoint_ns": namespace, "checkpoint_id": checkpoint}
    if ticket is not None:
        configurable[TICKET] = ticket
    return {"configurable": configurable}


def before(config: RunnableConfig | None) -> str | None:
    """The checkpoint that a listing ends before, if it does.

    Raises:
        BadInputError: It is no config.
    """
    if config is None:
        return None
    if not isinstance(config, Mapping):
        raise refused("before", config, "use the config of a checkpoint")
    return checkpoint_id(_configurable(config).get("checkpoint_id"))


def _text(value: object) -> object:
    return str(value) if isinstance(value, UUID) else value


def _digits(kind: str, value: object) -> object:
    if not isinstance(value, int) or isinstance(value, bool):
        return value
    # Python refuses to spell out numbers of thousands of digits; no more than these could be stored anyway.
    if abs(value) >= _LARGEST:
        raise InvalidIdError(kind, f"has more than {MAX_STREAM_BYTES:,} digits: use a shorter one")
    return str(value)


def _configurable(config: object) -> Mapping[str, Any]:
    if isinstance(config, Mapping):
        configurable = config.get("configurable")
        if configurable is None:
            return {}
        if isinstance(configurable, Mapping):
            return configurable
    shown = named_kind(config)
    if isinstance(config, Mapping):
        shown = f'a dict whose "configurable" is a {type(config.get("configurable")).__name__}'
    raise BadInputError(f'config is {shown}: a config looks like {{"configurable": {{"thread_id": "…"}}}}')


_LARGEST = 10**MAX_STREAM_BYTES
