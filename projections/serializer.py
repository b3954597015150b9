"""How values become bytes and back: the protocol of LangGraph's serializers, and what guards it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Protocol

from eventstore import UnserializableError

# How deep a value is searched for the part that cannot be stored.
_DEPTH = 40


class Serializer(Protocol):
    """LangGraph's `SerializerProtocol`: the user's choice, given anew with each call."""

    def dumps_typed(self, obj: Any) -> tuple[str, bytes]:
        """The value's encoding and bytes."""
        ...

    def loads_typed(self, data: tuple[str, bytes]) -> Any:
        """The value."""
        ...


def dump(serializer: Serializer, channel: str, value: Any) -> tuple[str, bytes]:
    """The value's encoding and bytes.

    Raises:
        UnserializableError: The serializer refuses it. The error names the channel, the type and the path.
    """
    try:
        kind, data = serializer.dumps_typed(value)
    except Exception as error:
        path, part = _find_refused(serializer, channel, value)
        raise UnserializableError(channel, _type_name(part), path, _reason(error)) from error
    return kind, bytes(data)


def _find_refused(serializer: Serializer, path: str, value: Any, depth: int = 0) -> tuple[str, Any]:
    """The innermost part that the serializer refuses, and its path."""
    if depth < _DEPTH:
        for step, part in _parts(value):
            if _is_refused(serializer, part):
                return _find_refused(serializer, path + step, part, depth + 1)
    return path, value


def _is_refused(serializer: Serializer, part: Any) -> bool:
    try:
        serializer.dumps_typed(part)
    except Exception:  # noqa: BLE001 (whatever a foreign serializer raises)
        return True
    return False


def _parts(value: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(value, Mapping):
        yield from ((f"[{key!r}]", part) for key, part in value.items())
    elif isinstance(value, list | tuple | set | frozenset):
        yield from ((f"[{index}]", part) for index, part in enumerate(value))
    elif hasattr(value, "__dict__") and not isinstance(value, type):
        yield from ((f".{name}", part) for name, part in vars(value).items())


def _type_name(part: Any) -> str:
    kind = type(part)
    return kind.__qualname__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__qualname__}"


def _reason(error: Exception) -> str:
    return f"{type(error).__name__}: {error}"
