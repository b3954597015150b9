"""Finding the part of a value that cannot be stored, so that an error can name it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from typing import Any

# How deep a value is searched. What is nested deeper is named by the path that far.
_DEPTH = 40

Pack = Callable[[Any], object]
"""Raises if it refuses the value."""


def find_refused(pack: Pack, path: str, value: Any) -> tuple[str, str]:
    """The path and the type of the innermost part that `pack` refuses; of the value itself, if each part passes."""
    for _ in range(_DEPTH):
        found = next((part for part in _parts(value) if _is_refused(pack, part[1])), None)
        if found is None:
            break
        path, value = path + found[0], found[1]
    return path, _type_name(value)


def _is_refused(pack: Pack, part: Any) -> bool:
    try:
        pack(part)
    except Exception:  # noqa: BLE001 (whatever a foreign serializer raises)
        return True
    return False


def _parts(value: Any) -> Iterator[tuple[str, Any]]:
    # A value that was refused may be hostile in other ways, too: then the path ends here.
    with suppress(Exception):
        if isinstance(value, Mapping):
            yield from ((f"[{key!r}]", part) for key, part in value.items())
        elif isinstance(value, list | tuple | set | frozenset):
            yield from ((f"[{index}]", part) for index, part in enumerate(value))
        elif not isinstance(value, type):
            yield from ((f".{name}", part) for name, part in vars(value).items())


def _type_name(part: Any) -> str:
    kind = type(part)
    return kind.__qualname__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__qualname__}"
