"""LangGraph's serializer in strict mode, which says no aloud.

LangGraph's own, in strict mode, gives the bare data of a type that it may not make again: a dict where a node expects
an object, which the next checkpoint would then store as a dict, for good. This one raises, and names the type.
"""

from __future__ import annotations

import threading
from collections.abc import Collection
from typing import Any

from langgraph.checkpoint.serde.event_hooks import SerdeEvent, register_serde_event_listener
from langgraph.checkpoint.serde.jsonplus import JsonPlusSerializer

from eventstore import BadInputError, TypeNotAllowedError
from langgraph.checkpoint.eventstore._nesting import check_nesting

AllowedTypes = Collection[type | tuple[str, str]]

# What was blocked while this thread was loading a value.
_local = threading.local()


class StrictSerializer(JsonPlusSerializer):
    """Makes again LangGraph's and LangChain's types, the standard library's plain ones, and those that are allowed.

    Args:
        allowed_types: Classes, or `("module", "Name")` pairs.
    """

    def __init__(self, allowed_types: AllowedTypes = ()) -> None:
        super().__init__(allowed_msgpack_modules=tuple(map(_checked, _several(allowed_types))) or None)

    reads_joined = True
    """What it wrote as msgpack may be joined to one array of msgpack, and read at once: see `Serializer`."""

    def loads_typed(self, data: tuple[str, bytes]) -> Any:
        """The value that was stored.

        Raises:
            TypeNotAllowedError: It holds a type that is not allowed. It was not imported, nor made.
            TooLargeError: It would take more memory than it may, by types that are nested in each other.
        """
        if data[0] == "msgpack":
            check_nesting(data[1])
        outer = getattr(_local, "blocked", None)
        blocked: list[tuple[str, str]] = []
        _local.blocked = blocked
        try:
            value = super().loads_typed(data)
        finally:
            _local.blocked = outer
        if blocked:
            raise TypeNotAllowedError(*blocked[0])
        return value


def _note(event: SerdeEvent) -> None:
    blocked = getattr(_local, "blocked", None)
    if blocked is not None and event["kind"].endswith("blocked"):
        blocked.append((event["module"], event["name"]))


def _several(allowed: object) -> Collection[object]:
    if isinstance(allowed, str) or not isinstance(allowed, Collection):
        raise BadInputError(f"allowed_types is a list of classes or (module, name) pairs, not {allowed!r}")
    return allowed


def _checked(allowed: object) -> type | tuple[str, str]:
    if isinstance(allowed, type):
        return allowed
    if isinstance(allowed, tuple) and len(allowed) == 2 and all(isinstance(part, str) for part in allowed):
        return allowed
    raise BadInputError(f"allowed_types holds {allowed!r}: use the class, or its (module, name)")


register_serde_event_listener(_note)
