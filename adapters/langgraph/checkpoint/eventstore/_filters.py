"""Filters of checkpoints by their metadata: they find what they find with LangGraph's own savers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, cast

import ormsgpack

from eventstore import BadInputError
from eventstore.codec import PACK, UNPACK
from langgraph.checkpoint.eventstore._given import check_filter


def plain_filter(wanted: Mapping[str, Any] | None) -> dict[str, Any]:
    """A metadata filter as stored metadata would spell it (lists for tuples, and so on).

    Raises:
        BadInputError: It is no dict, or asks for what metadata cannot hold.
    """
    check_filter(wanted)
    if not wanted:
        return {}
    try:
        return cast("dict[str, Any]", ormsgpack.unpackb(ormsgpack.packb(dict(wanted), option=PACK), option=UNPACK))
    except (ormsgpack.MsgpackEncodeError, TypeError, ValueError) as error:
        raise BadInputError(f"metadata can be filtered by plain values only: {error}") from error


def matches(metadata: Mapping[str, Any], wanted: Mapping[str, Any]) -> bool:
    """Return whether metadata has every wanted value.

    A key with dots is one key, or leads into dicts, as with SqliteSaver; a missing one is `None`. A dict is found in
    one that holds it, and a list in one that holds its items, as with PostgresSaver.
    """
    return all(any(_holds(found, value) for found in _at(metadata, key)) for key, value in wanted.items())


def _at(metadata: Mapping[Any, Any], key: Any) -> Iterator[Any]:
    """Yield the values that a key of a filter may name: `None` if there is no such key."""
    if not isinstance(key, str) or "." not in key:
        yield metadata.get(key)
        return
    if key in metadata:
        yield metadata[key]
    found: Any = metadata
    for name in key.split("."):
        found = found.get(name) if isinstance(found, Mapping) else None
    if found is not None or key not in metadata:
        yield found


def _holds(found: Any, wanted: Any) -> bool:
    """Return whether a value holds another one, as PostgreSQL's `@>` tells it. `True` and `1` are not the same."""
    if isinstance(wanted, Mapping):
        return isinstance(found, Mapping) and all(
            key in found and _holds(found[key], value) for key, value in wanted.items()
        )
    if isinstance(wanted, list):
        return isinstance(found, list) and all(any(_holds(item, value) for item in found) for value in wanted)
    return bool(found == wanted) and isinstance(found, bool) == isinstance(wanted, bool)
