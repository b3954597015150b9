"""From the parts of a value to the objects that they are, at once or again and again."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from operator import itemgetter
from typing import Any

from eventstore import CorruptionError, EventStoreError
from projections.values.change import LIST, encoding_number, load
from projections.values.copiers import Copier, copier_of
from projections.values.parts import Part
from projections.values.serializer import Serializer, for_each

_MSGPACK = encoding_number("msgpack")
# The first byte of msgpack's longest array.
_ARRAY = b"\xdd"


def load_parts(kind: int, stored: Sequence[Part], serializer: Serializer) -> list[Any]:
    """The objects of some parts of a value of a kind.

    Raises:
        CorruptionError: They are no parts of such a value.
    """
    try:
        return _load_parts(kind, stored, serializer)
    except (TypeError, ValueError, LookupError) as error:
        if isinstance(error, EventStoreError):
            raise
        raise CorruptionError("the parts of a value are not parts of its type: it was damaged") from error


def _load_parts(kind: int, stored: Sequence[Part], serializer: Serializer) -> list[Any]:
    if getattr(serializer, "reads_joined", False) and {encoding for encoding, _ in stored} == {_MSGPACK}:
        # One array of them all; an item comes without the array of one that it was written in.
        bare = map(itemgetter(slice(1, None) if kind == LIST else slice(None)), map(itemgetter(1), stored))
        joined = b"".join((_ARRAY, len(stored).to_bytes(4, "big"), *bare))
        loaded: list[Any] = load(_MSGPACK, joined, serializer)
        if len(loaded) != len(stored):
            raise ValueError
        return loaded
    return for_each(lambda part: load_part(kind, part, serializer), stored)


def load_part(kind: int, part: Part, serializer: Serializer) -> Any:
    """The object of one part of a value of a kind."""
    loaded = load(*part, serializer)
    return loaded[0] if kind == LIST else loaded


def copier_of_part(kind: int, made: Any, part: Part, serializer: Serializer) -> Copier:
    """Return what makes the object of a part again, given the object, which must not change."""
    try:
        return copier_of(made)
    except TypeError:  # it cannot be copied: it is read again each time
        return partial(load_part, kind, part, serializer)
