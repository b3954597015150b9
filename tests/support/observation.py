"""Observations of a thread: all that can be seen of it, written out so that two savers can be compared by it.

Two runs of one script never share ids, times or random version suffixes. `plain` names what repeats
(`checkpoint 3`) and blots out what cannot repeat; everything else stays exactly as it is, so that
`1`, `True` and `1.0` differ, and so do a list and a tuple.
"""

from __future__ import annotations

import dataclasses
import difflib
import pprint
import re
from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from langchain_core.messages import BaseMessage
from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.base import CheckpointTuple
from langgraph.types import StateSnapshot

_UUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_DIGEST = re.compile(r"\b[0-9a-f]{32}\b")
_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d:\d\d)?")
_ADDRESS = re.compile(r" at 0x[0-9a-f]+")


class Names:
    """Stable names for the checkpoints of some threads: `checkpoint 0` is the first of its namespace."""

    def __init__(self, tuples: Iterable[CheckpointTuple] = ()) -> None:
        """Name the checkpoints of `tuples`, in the order of their ids within each thread and namespace."""
        spaces: dict[tuple[str, str], list[str]] = {}
        for saved in tuples:
            place = saved.config["configurable"]
            spaces.setdefault((place["thread_id"], place["checkpoint_ns"]), []).append(place["checkpoint_id"])
        self._names = {
            checkpoint_id: f"checkpoint {n}" for ids in spaces.values() for n, checkpoint_id in enumerate(sorted(ids))
        }

    def scrub(self, text: str) -> str:
        """`text` with every id, digest and time replaced by its name, or blotted out."""
        text = _UUID.sub(lambda found: self._names.get(found[0], "<id>"), text)
        return _ADDRESS.sub("", _TIME.sub("<time>", _DIGEST.sub("<digest>", text)))


NO_NAMES = Names()


def plain(value: Any, names: Names = NO_NAMES) -> Any:
    """`value` as nested lists, tuples and dicts of plain leaves that are the same in each run of a script."""
    match value:
        case str():
            return names.scrub(value)
        case None | bool() | int() | float() | bytes():
            return value
        case BaseMessage():
            return type(value).__name__, plain(_set_fields(value), names)
        case BaseException():
            return names.scrub(repr(value))
        case Mapping():
            return {plain(key, names): plain(item, names) for key, item in value.items()}
        case set() | frozenset():
            return type(value).__name__, sorted((plain(item, names) for item in value), key=repr)
        case deque():
            return "deque", [plain(item, names) for item in value]
        case list():
            return [plain(item, names) for item in value]
        case tuple() if hasattr(value, "_asdict"):
            return type(value).__name__, plain(value._asdict(), names)
        case tuple():
            return tuple(plain(item, names) for item in value)
    if dataclasses.is_dataclass(value):
        fields = {field.name: getattr(value, field.name) for field in dataclasses.fields(value)}
        return type(value).__name__, plain(fields, names)
    if hasattr(value, "model_dump"):
        return type(value).__name__, plain(value.model_dump(), names)
    return names.scrub(repr(value))


def _set_fields(message: BaseMessage) -> dict[str, Any]:
    # LangGraph gives a message without an id a random one in place, while it may be being saved.
    unnamed = message.id is None or _UUID.fullmatch(message.id)
    return {name: item for name, item in message.model_dump().items() if item and not (name == "id" and unnamed)}


def without_results(observed: Any) -> Any:
    """An observation without what tasks wrote."""
    if isinstance(observed, dict):
        return {key: without_results(item) for key, item in observed.items() if key not in ("writes", "result")}
    return type(observed)(map(without_results, observed)) if isinstance(observed, (list, tuple)) else observed


def assert_same(actual: Any, expected: Any) -> None:
    """Hold that two plain observations are one, to the type and the order of keys, or show where they differ."""
    if repr(actual) == repr(expected):
        return
    before, after = (pprint.pformat(shown, width=110, sort_dicts=False).splitlines() for shown in (expected, actual))
    difference = difflib.unified_diff(before, after, "expected", "actual", lineterm="")
    raise AssertionError("\n".join(["they differ:", *difference]))


def exactly(tuples: Sequence[CheckpointTuple]) -> list[Any]:
    """Checkpoints with every id and time in them: for one store read twice."""
    return [_exact(_as_dict(saved)) for saved in sorted(tuples, key=_place)]


def _as_dict(saved: CheckpointTuple) -> dict[str, Any]:
    return {
        "thread, namespace, id": _place(saved),
        "parent": saved.parent_config and saved.parent_config["configurable"]["checkpoint_id"],
        "writes": saved.pending_writes,
        "checkpoint": _sorted(saved.checkpoint),
        "channel_values": _sorted(saved.checkpoint["channel_values"]),
        "channel_versions": _sorted(saved.checkpoint["channel_versions"]),
        "metadata": _sorted(saved.metadata),
    }


def _exact(value: Any) -> Any:
    match value:
        case BaseMessage() | BaseException():
            return repr(value)
        case Mapping():
            return {key: _exact(item) for key, item in value.items()}
        case list():
            return [_exact(item) for item in value]
        case set() | frozenset():
            return sorted(map(repr, value))
    return value


def _sorted(mapping: Mapping[str, Any]) -> dict[str, Any]:
    """The mapping in the order of its keys, where that order is the saver's own affair."""
    return dict(sorted(mapping.items()))


def _place(saved: CheckpointTuple) -> tuple[str, str, str]:
    place = saved.config["configurable"]
    return place["thread_id"], place["checkpoint_ns"], place["checkpoint_id"]


def of_snapshot(snapshot: StateSnapshot, names: Names = NO_NAMES) -> Any:
    """A state snapshot without the time it was made; its tasks' subgraphs are written out with it."""
    return {
        "values": plain(snapshot.values, names),
        "next": snapshot.next,
        "config": _of_config(snapshot.config, names),
        "parent": _of_config(snapshot.parent_config, names),
        "metadata": plain(snapshot.metadata and _sorted(snapshot.metadata), names),
        "interrupts": plain(snapshot.interrupts, names),
        "tasks": [
            {
                "name": task.name,
                "path": plain(task.path, names),
                "error": plain(task.error, names),
                "interrupts": plain(task.interrupts, names),
                "result": plain(task.result, names),
                "state": of_snapshot(task.state, names)
                if isinstance(task.state, StateSnapshot)
                else _of_config(task.state, names),
            }
            for task in snapshot.tasks
        ],
    }


def _of_config(config: RunnableConfig | None, names: Names) -> Any:
    if config is None:
        return None
    shown = ("checkpoint_ns", "checkpoint_id", "checkpoint_map")
    place = {"checkpoint_ns": "", **config["configurable"]}
    return {key: plain(place[key], names) for key in shown if key in place}


def of_checkpoints(tuples: Sequence[CheckpointTuple], names: Names, *, latest: bool = False) -> list[Any]:
    """Every namespace's checkpoints, oldest first: values, versions, metadata, parents and pending writes.

    Namespaces of parallel tasks carry random ids, so they are ordered by what they hold. `latest` leaves out
    all but each namespace's last.
    """
    spaces: dict[str, list[CheckpointTuple]] = {}
    for saved in sorted(tuples, key=_place):
        spaces.setdefault(saved.config["configurable"]["checkpoint_ns"], []).append(saved)
    shown = [
        (names.scrub(namespace), [_of_checkpoint(saved, names) for saved in held[-1 if latest else 0 :]])
        for namespace, held in spaces.items()
    ]
    return sorted(shown, key=repr)


def _of_checkpoint(saved: CheckpointTuple, names: Names) -> Any:
    tasks: dict[str, str] = {}
    for task_id, _, _ in saved.pending_writes or ():
        tasks.setdefault(task_id, f"task {len(tasks)}")
    checkpoint = saved.checkpoint
    parent = saved.parent_config
    return {
        "id": plain(checkpoint["id"], names),
        "parent": plain(parent and parent["configurable"]["checkpoint_id"], names),
        "values": plain(_sorted(checkpoint["channel_values"]), names),
        "versions": _counts(checkpoint["channel_versions"], names),
        "seen": {
            names.scrub(node): _counts(seen, names) for node, seen in _sorted(checkpoint["versions_seen"]).items()
        },
        "updated": plain(checkpoint.get("updated_channels"), names),
        "metadata": plain(_sorted(saved.metadata), names),
        "writes": [
            (tasks[task_id], names.scrub(channel), plain(value, names))
            for task_id, channel, value in saved.pending_writes or ()
        ],
    }


def _counts(versions: Mapping[str, Any], names: Names) -> dict[str, int]:
    return {names.scrub(channel): int(str(version).split(".")[0]) for channel, version in _sorted(versions).items()}
