"""The arguments of LangGraph's own methods: how those of another shape are refused.

Where something is taken apart anyway, it is not looked at before: what goes wrong then is explained here.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from langchain_core.runnables import RunnableConfig

from eventstore import BadInputError
from eventstore.arguments import check_mapping, refused

_LISTS = frozenset({list, tuple, deque})


def several(name: str, values: Iterable[Any]) -> Iterable[Any]:
    """Return the values of an argument that takes a list of them.

    Raises:
        BadInputError: It is one string, whose letters would be taken for the values, a dict, or nothing like a list.
    """
    if isinstance(values, str):
        raise BadInputError(f"{name} must be a sequence, not one string: use [{values!r}]")
    if isinstance(values, bytes | Mapping) or not isinstance(values, Iterable):
        raise refused(name, values, "use a list of strings")
    return values


def pairs(writes: object) -> Sequence[tuple[str, Any]]:
    """Return the writes of a task, which can be gone through more than once.

    Raises:
        BadInputError: They are not pairs of a channel and a value.
    """
    found: Any = writes
    if type(writes) not in _LISTS:
        if isinstance(writes, str | bytes | Mapping) or not isinstance(writes, Iterable):
            raise refused("writes", writes, "use a list of (channel, value)")
        found = [*writes]
    for index, write in enumerate(found):
        if not isinstance(write, tuple | list) or len(write) != 2:
            raise refused(f"writes[{index}]", write, "use a pair, (channel, value)")
        if not isinstance(write[0], str):
            raise refused(f"the channel of writes[{index}]", write[0], "use text")
    return found  # type: ignore[no-any-return]


def refused_checkpoint(checkpoint: object, missing: object = None) -> BadInputError:
    """Return the error that explains why something cannot be taken apart as a checkpoint."""
    advice = (
        "use a dict with v, id, ts, channel_values, channel_versions and versions_seen, as empty_checkpoint() gives"
    )
    if not isinstance(checkpoint, Mapping):
        return refused("checkpoint", checkpoint, advice)
    if missing is not None:
        return BadInputError(f"checkpoint has no {missing!r}: {advice}")
    return refused("channel_values of the checkpoint", checkpoint.get("channel_values"), "use a dict of values")


def refused_metadata(config: RunnableConfig, metadata: object) -> BadInputError:
    """Return the error that explains why metadata, or what a config adds to it, cannot be read."""
    if not isinstance(metadata, Mapping):
        return refused("metadata", metadata, "use a dict, which may be empty")
    for part in ("metadata", "configurable"):
        found: object = config.get(part) or {}
        if not isinstance(found, Mapping):
            return refused(f"config[{part!r}]", found, "use a dict")
        for key in found:
            if not isinstance(key, str):
                return refused(f"a key in config[{part!r}]", key, "use text")
    return refused("metadata", metadata, "use a plain dict")


def check_filter(wanted: object) -> None:
    """Refuse what filters no metadata.

    Raises:
        BadInputError: It is no mapping.
    """
    if wanted is not None:
        check_mapping("filter", wanted)
