"""Metadata that streams can be searched by: the part that every database can hold, and how it is read back."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any

from eventstore.errors import CorruptionError


def searchable(metadata: Mapping[Any, Any]) -> dict[str, Any]:
    """The part of metadata by which streams can be searched: scalars that every database's JSON can hold."""
    return {
        storable(key): storable(value) if isinstance(value, str) else value
        for key, value in metadata.items()
        if isinstance(key, str) and _is_searchable(value)
    }


def _is_searchable(value: Any) -> bool:
    return value is None or isinstance(value, str | bool | int) or (isinstance(value, float) and math.isfinite(value))


def storable(text: str) -> str:
    """A text as every database can hold it: without NUL, and with ? for a lone surrogate."""
    return text.replace("\0", "").encode(errors="replace").decode()


def described_by(stored: str | Mapping[str, Any]) -> dict[str, Any]:
    """Return the metadata that a stream can be searched by, read from its stored form.

    Args:
        stored: JSON, or what a driver has made of it already.

    Raises:
        CorruptionError: The stored form is not a JSON object.
    """
    if isinstance(stored, Mapping):
        return dict(stored)
    try:
        found = json.loads(stored)
    except ValueError:
        found = None
    if not isinstance(found, dict):
        raise CorruptionError("the metadata of a stream is not JSON: it was damaged")
    return found
